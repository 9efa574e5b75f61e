"""Rows of the three buffers."""

from __future__ import annotations

from perpkit.arrays import Out
from perpkit.rule import rule


@rule
def write_payment(
    row: int, flow: int, where: tuple[int, int], what: tuple[float, float, float], out: Out
) -> None:
    """Add a payment row, unless payments are not kept.

    ``where`` is instrument and account, ``what`` quantity, rate and USD.
    """
    if out.payments.shape[0] == 0:
        return
    payment = out.payments[out.used[1]]
    payment.row = row
    payment.flow = flow
    payment.instrument = where[0]
    payment.account = where[1]
    payment.quantity = what[0]
    payment.rate = what[1]
    payment.usd = what[2]
    out.used[1] += 1


@rule
def write_event(row: int, kind: int, instrument: int, account: int, usd: float, out: Out) -> None:
    """Add an event row."""
    event = out.events[out.used[2]]
    event.row = row
    event.kind = kind
    event.instrument = instrument
    event.account = account
    event.usd = usd
    out.used[2] += 1


@rule
def has_room(out: Out, instruments: int, accounts: int) -> bool:
    """Whether the buffers hold one more hour at its worst.

    An hour can close, reduce and increase an instrument, settle and pay on it, and say up to four
    things about it; an account can lose its margin, make bad debt, and move cash.
    """
    fills = out.used[0] + 3 * instruments <= out.fills.shape[0]
    kept = out.payments.shape[0]
    payments = kept == 0 or out.used[1] + 3 * instruments + 3 * accounts <= kept
    events = out.used[2] + 4 * instruments + 4 * accounts <= out.events.shape[0]
    return bool(fills and payments and events)
