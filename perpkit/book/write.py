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
def write_fill(
    where: tuple[int, int, int, int, int], what: tuple[float, float, float, float], out: Out
) -> None:
    """Add a fill row; the way of a token that is not its quote is told of it after.

    ``where`` is row, row of the decision, instrument, account and reason; ``what`` signed units,
    price, the price they are valued at, and the fee in USD.
    """
    fill = out.fills[out.used[0]]
    fill.row = where[0]
    fill.decided = where[1]
    fill.instrument = where[2]
    fill.account = where[3]
    fill.reason = where[4]
    fill.size = what[0]
    fill.px = what[1]
    fill.value_px = what[2]
    fill.fee_usd = what[3]
    fill.way = 0
    fill.settlement_id = 0
    out.used[0] += 1


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
def has_room(out: Out, instruments: int, accounts: int, pledges: int) -> bool:
    """Whether the buffers hold one more hour at its worst.

    An hour can split, round, close, reduce, increase and cut an instrument, redeem and sweep it,
    undo its last trade and those of the hour, settle, pay on it and pay for that, and say up to
    fifteen things about it; an account can lose its margin, make bad debt, pay interest, and move
    cash; a pledge, of a token in an account, can be split, sold, lost and released.
    """
    fills = out.used[0] + 12 * instruments + 4 * pledges <= out.fills.shape[0]
    kept = out.payments.shape[0]
    payments = kept == 0 or out.used[1] + 7 * instruments + 6 * accounts <= kept
    events = out.used[2] + 15 * instruments + 8 * accounts + 3 * pledges <= out.events.shape[0]
    return bool(fills and payments and events)
