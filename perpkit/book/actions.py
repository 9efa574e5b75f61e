"""Step 1 of the hour: corporate actions on what is held as the row begins.

A split changes units and prices together: it is a fill of the new units at a price of zero, which
gives back what the fall of the price took.
"""

from __future__ import annotations

import math

from perpkit.arrays import (
    Action,
    Book,
    Event,
    Flow,
    Out,
    Reason,
    Records,
    Replay,
    Settings,
    TermsNow,
)
from perpkit.book.fills import LOT_SLACK, fill_perp, whole_lots
from perpkit.book.hedges import drop_hedge
from perpkit.book.legs import has_leg, undelivered
from perpkit.book.margin import cash_px
from perpkit.book.when import first_from
from perpkit.book.write import write_event, write_fill, write_payment
from perpkit.rule import rule

CASH, SETTLE = int(Action.CASH), int(Action.SETTLE)
ACTION = int(Reason.ACTION)
DIVIDEND = int(Flow.DIVIDEND)
ROUNDING_FRAC = 1e-12  # of a token's units
SPLIT = int(Event.SPLIT)
MARKET_SETTLED = int(Event.MARKET_SETTLED)


@rule
def pay_token(t: int, k: int, usd_a_unit: float, book: Book, out: Out) -> None:
    """A cash dividend on the units of a token, net of withholding, USD a unit.

    None on those that are bought and not delivered yet, which is the harsher reading.
    """
    tokens = book.tokens
    units = tokens.units[k] - undelivered(k, book.pending)
    if units != 0.0:
        account = tokens.account[k]
        usd = units * usd_a_unit
        book.accounts.cash_usd[account] += usd / cash_px(account, book.accounts)
        where = (book.perps.position.shape[0] + k, account)
        write_payment(t, DIVIDEND, where, (units, usd_a_unit, usd), out)


@rule
def pay_perp(t: int, m: int, usd_a_unit: float, book: Book, out: Out) -> None:
    """A dividend that shorts owe to longs, in what the account settles in, a unit."""
    position = book.perps.position[m]
    if position != 0.0:
        account = book.perps.account[m]
        usd = position * usd_a_unit
        book.accounts.cash_usd[account] += usd
        write_payment(t, DIVIDEND, (m, account), (position, usd_a_unit, usd), out)


@rule
def rescale_perp(t: int, m: int, ratio: float, term: Records, book: Book, out: Out) -> None:
    """Restate a position in new units: size times the ratio, average entry divided by it.

    What is no whole lot of the new units is settled at the mark. A standing target asks for the
    same exposure as before, so it is restated too.
    """
    perps = book.perps
    before, lots = perps.position[m], term.lots_per_unit
    if not math.isnan(perps.target[m]):
        perps.target[m] = whole_lots(perps.target[m] * ratio, lots)
    if before == 0.0:
        return
    after = whole_lots(before * ratio, lots)
    rest = before * ratio - after
    if abs(rest) * lots <= LOT_SLACK:
        rest = 0.0
    entry, mark = perps.entry_px[m] / ratio, perps.mark_px[m]
    perps.position[m] = after
    perps.entry_px[m] = entry if after != 0.0 else 0.0
    where = (t, t, m, int(perps.account[m]), ACTION)
    write_fill(where, (after + rest - before, 0.0, mark, 0.0), out)
    if rest != 0.0:
        book.accounts.cash_usd[perps.account[m]] += rest * (mark - entry)
        write_fill(where, (-rest, mark, mark, 0.0), out)
    write_event(t, SPLIT, m, perps.account[m], abs(after) * mark, out)


@rule
def settle_market(
    what: tuple[int, int, float], terms: TermsNow, book: Book, out: Out, settings: Settings
) -> None:
    """Close a position at the last mark in old units, ``(row, perp, px)``, and cancel its orders.

    trade.xyz documentation, corporate actions, and Hyperliquid's haltTrading: all orders are
    cancelled and all positions settled at the mark, without a trade and so without a fee. The
    market reopens, so nobody is barred; a token hedged by it is naked until the strategy decides.
    """
    t, m, px = what
    perps = book.perps
    drop_hedge(m, perps, book.tokens, settings)
    perps.target[m] = math.nan
    position = perps.position[m]
    if position != 0.0:
        perps.decided[m] = t
        account = perps.account[m]
        write_event(t, MARKET_SETTLED, m, account, abs(position) * px, out)
        fill_perp((t, m, -position, px, ACTION), terms[m], perps, book.accounts, out)


@rule
def rebase_token(t: int, k: int, ratio: float, book: Book, out: Out) -> None:
    """Multiply the units of a token where they lie, locked and pledged ones too."""
    tokens, collateral = book.tokens, book.collateral
    tokens.target[k] *= ratio
    if has_leg(k, book.pending):  # what is delivered, or undone, is in new units
        book.pending.leg_units[k] *= ratio
        book.pending.leg_px[k] /= ratio
    free, fair = tokens.units[k], tokens.fair_px[k]
    if free == 0.0:
        return
    tokens.units[k] *= ratio
    tokens.locked[k] *= ratio
    instrument = book.perps.position.shape[0] + k
    for a in range(collateral.units.shape[0]):
        pledged = collateral.units[a, k]
        if pledged != 0.0:
            free -= pledged
            collateral.units[a, k] = pledged * ratio
            new = pledged * ratio - pledged
            write_fill((t, t, instrument, a, ACTION), (new, 0.0, fair, 0.0), out)
    account = int(tokens.account[k])
    if abs(free) > ROUNDING_FRAC * tokens.units[k]:  # else all of it is pledged
        write_fill((t, t, instrument, account, ACTION), (free * ratio - free, 0.0, fair, 0.0), out)
    write_event(t, SPLIT, instrument, account, tokens.units[k] * fair, out)


@rule
def act(t: int, tape: Replay, terms: TermsNow, book: Book, out: Out, settings: Settings) -> None:
    """Do the corporate actions of the hour, in the order in which they stand."""
    perps = book.perps.position.shape[0]
    for n in range(first_from(tape.action_row, t), first_from(tape.action_row, t + 1)):
        i, kind = int(tape.action_instrument[n]), tape.action_kind[n]
        value = float(tape.action_value[n])
        if i >= perps and kind == CASH:
            pay_token(t, i - perps, value, book, out)
        elif i >= perps:
            rebase_token(t, i - perps, value, book, out)
        elif kind == CASH:
            pay_perp(t, i, value, book, out)
        elif kind == SETTLE:
            settle_market((t, i, float(tape.mark_px[t - 1, i])), terms, book, out, settings)
        else:
            rescale_perp(t, i, value, terms[i], book, out)
