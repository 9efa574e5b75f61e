"""Steps 2 and 7 of the hour: cash that moves between accounts takes time and costs."""

from __future__ import annotations

import math

from perpkit.arrays import Accounts, Event, Flow, Out, Pending, Settings
from perpkit.book.margin import margin_ratio
from perpkit.book.write import write_event, write_payment
from perpkit.rule import rule

TRANSFER = int(Flow.TRANSFER)
SENT = int(Event.TRANSFER_SENT)
ARRIVED = int(Event.TRANSFER_ARRIVED)
REFUSED = int(Event.TRANSFER_REFUSED)
WALLET = 0


@rule
def deliver(t: int, accounts: Accounts, pending: Pending, out: Out) -> None:
    """Credit the cash that arrives at row ``t``."""
    for a in range(pending.usd.shape[0]):
        if 0 <= pending.due_row[a] <= t:
            usd = pending.usd[a]
            accounts.cash_usd[a] += usd
            pending.usd[a] = 0.0
            pending.due_row[a] = -1
            write_event(t, ARRIVED, -1, a, usd, out)


@rule
def top_up(t: int, accounts: Accounts, pending: Pending, out: Out, settings: Settings) -> None:
    """Send cash from the wallet to margin accounts whose ratio has passed the trigger.

    Enough to bring the ratio to ``topup_to_ratio``, or what the wallet has; one transfer at a time.
    """
    if math.isinf(settings.topup_at_ratio):
        return
    for a in range(accounts.cash_usd.shape[0]):
        ratio = margin_ratio(accounts.maintenance_usd[a], accounts.value_usd[a])
        if ratio <= settings.topup_at_ratio:
            accounts.transfer_refused[a] = False
            continue
        if pending.due_row[a] >= 0:
            continue
        wanted = accounts.maintenance_usd[a] / settings.topup_to_ratio - accounts.value_usd[a]
        usd = min(wanted, accounts.cash_usd[WALLET] - settings.transfer_cost_usd)
        if usd > 0.0:
            accounts.cash_usd[WALLET] -= usd + settings.transfer_cost_usd
            accounts.value_usd[WALLET] -= usd + settings.transfer_cost_usd
            accounts.equity_usd[WALLET] -= usd + settings.transfer_cost_usd
            what = (usd, 0.0, -settings.transfer_cost_usd)
            write_payment(t, TRANSFER, (-1, WALLET), what, out)
            pending.usd[a] = usd
            pending.due_row[a] = t + settings.transfer_hours
            write_event(t, SENT, -1, a, usd, out)
        elif not accounts.transfer_refused[a]:
            accounts.transfer_refused[a] = True
            write_event(t, REFUSED, -1, a, wanted, out)
