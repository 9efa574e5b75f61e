"""Whose each cause is, in the run of a portfolio.

A member earns the moves of prices, funding and dividends on the units of its own sub-book, and pays
for its fills; two opposite positions that the book does not even show have a row each. Orders that
crossed cost nothing: each member is charged what its side would have cost at the venue, and the sum
is a gain of the strategy ``crossing``. What is the account's as a whole is shared by capital.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, FILL, I64, Reason, Records
from perpkit.codes import Action
from perpkit.ledger.causes import (
    OF_REASON,
    Causes,
    Part,
    dense,
    fill_costs,
    held_before,
    merge,
    of_currencies,
    of_payments,
    of_tokens,
)
from perpkit.ledger.holdings import in_usd
from perpkit.play import Played
from perpkit.strategy.seating import Shared
from perpkit.strategy.subbooks import FAILED, SETTLED, SPLIT
from perpkit.tape import Market

CROSSING = "crossing"
_BY_FORCE = (Reason.LIQUIDATION, Reason.BACKSTOP)


class Own(NamedTuple):
    """Fills of the book by member, and what crossed within it."""

    fills: Records  # records of arrays.FILL, their size and fee the member's
    strategy: I64  # (n,)
    crossed: B8  # (n,)


def strategies(shared: Shared) -> tuple[str, ...]:
    """Names of what the attribution tells: members, nobody, and what crossing saved."""
    return (*shared.names, CROSSING)


def attribute_members(market: Market, played: Played, shared: Shared) -> Causes:
    """Every cause of a run by member, ordered by row, cause, instrument, account and member."""
    units = _restated(market, shared)
    parts = [
        *_prices(market, shared, units),
        *_funding(market, played, units),
        *_dividends(market, units),
        *_tokens(market, played, shared),
        *_payments(market, played, shared),
        *_fills(market, played, shared),
        *_savings(market, shared),
    ]
    return merge(parts, market, len(strategies(shared)))


# --------------------------------------------------------------------------- positions


def _restated(market: Market, shared: Shared) -> F64:
    """(T, R, M) perps of the row before in the units of each row, without those that ended."""
    made = held_before(shared.held[:, :, : len(market.names.coins)]).copy()
    turns = shared.turns
    for row, i, kind, value in zip(*turns, strict=True):
        if i < made.shape[2]:
            made[row, :, i] *= value if kind == SPLIT else 1.0
            made[row, :, i] *= kind not in (SETTLED, FAILED)
    return made


def _times(units: F64, px: F64) -> F64:
    """Units times a price or rate that may be absent where nothing is held."""
    return np.where(units == 0.0, 0.0, units * np.where(units == 0.0, 0.0, px))


def _of_perps(market: Market, cause: str, strategy: int, usd: F64) -> Part:
    account = market.names.perp_account
    coins = np.arange(len(market.names.coins))
    return dense(cause, in_usd(usd, market, account), coins, account)._replace(strategy=strategy)


def _prices(market: Market, shared: Shared, units: F64) -> list[Part]:
    """Moves of the mark on each sub-book; a market that was settled ended at its last one."""
    mark = market.tape.mark_px
    last = np.vstack([mark[:1], mark[:-1]])
    held = held_before(shared.held[:, :, : mark.shape[1]])
    made = []
    for n in range(held.shape[1]):
        after = units[:, n].copy()
        for row, i, kind, _ in zip(*shared.turns, strict=True):
            if kind == FAILED:  # closed at the mark of the row
                after[row, i] = held[row, n, i]
        moved = _times(after, mark) - _times(held[:, n], last)
        for row, i, kind, _ in zip(*shared.turns, strict=True):
            if kind == SETTLED and i < mark.shape[1]:
                moved[row, i] = 0.0
        made.append(_of_perps(market, "perp_price", n, moved))
    return made


def _funding(market: Market, played: Played, units: F64) -> list[Part]:
    """Funding on each sub-book; netting saves where shorts have a rate of their own."""
    tape = market.tape
    due, coins = tape.due & ~np.isnan(tape.funding), tape.mark_px.shape[1]
    usd = np.zeros_like(units)
    for n in range(units.shape[1]):
        rate = tape.funding
        if tape.short_funding.shape[1]:
            rate = np.where(units[:, n] < 0.0, tape.short_funding, rate)
        paid = -_times(units[:, n], tape.oracle_px * rate)
        usd[:, n] = np.where(due, np.nan_to_num(paid), 0.0)
    made = [_of_perps(market, "funding", n, usd[:, n]) for n in range(units.shape[1])]
    rest = played.rows.funding_usd[:, :coins] - usd.sum(axis=1)
    size = np.abs(usd).sum(axis=1) + np.abs(played.rows.funding_usd)
    rest = np.where(np.abs(rest) > 1e-12 * size, rest, 0.0)
    return [*made, _of_perps(market, "funding", units.shape[1], rest)]


def _dividends(market: Market, units: F64) -> list[Part]:
    """What shorts owe to longs, on each sub-book."""
    tape = market.tape
    a_unit = np.zeros_like(tape.mark_px)
    for n in np.flatnonzero(tape.action_kind == Action.CASH):
        if tape.action_instrument[n] < a_unit.shape[1]:
            a_unit[tape.action_row[n], tape.action_instrument[n]] += tape.action_value[n]
    return [
        _of_perps(market, "dividend", n, _times(units[:, n], a_unit)) for n in range(units.shape[1])
    ]


# --------------------------------------------------------------------------- by weights


def _divided(part: Part, weight: F64) -> list[Part]:
    """A part by sub-books, whose (n, R) weights add up to 1 in each row."""
    return [part._replace(usd=part.usd * weight[:, n], strategy=n) for n in range(weight.shape[1])]


def _only(part: Part, which: B8) -> Part:
    return part._replace(
        row=part.row[which],
        instrument=part.instrument[which],
        account=part.account[which],
        usd=part.usd[which],
    )


def _weights(row: I64, instrument: I64, shared: Shared) -> F64:
    """(n, R) by the units of an instrument in the row before, else in the row, else by capital."""
    made = np.tile(shared.share, (len(row), 1))
    known = instrument >= 0
    for held in (shared.held, held_before(shared.held)):  # the row before has the last word
        units = np.abs(held[row, :, np.maximum(instrument, 0)])
        total = units.sum(axis=1)
        use = known & (total > 0.0)
        made[use] = units[use] / total[use, None]
    return made


def _tokens(market: Market, played: Played, shared: Shared) -> list[Part]:
    """Moves of tokens and of settle currencies; the new units of a split are the price's."""
    fills = played.fills
    new = (fills["reason"] == Reason.ACTION) & (fills["instrument"] >= len(market.names.coins))
    lost, _ = fill_costs(market, fills[new])
    own = fills[new]
    split = Part("token_price", own["row"], own["instrument"], own["account"], lost)
    parts = [*of_tokens(market, played), split, *of_currencies(market, played)]
    return [x for p in parts for x in _divided(p, _weights(p.row, p.instrument, shared))]


def _payments(market: Market, played: Played, shared: Shared) -> list[Part]:
    """Flows of cash: by units of a token, by what a liquidation closed, else by capital."""
    made = []
    for part in of_payments(market, played):
        keep = np.ones(len(part.row), np.bool_)
        if part.cause == "dividend":  # of perps they are told by position
            keep = part.instrument >= len(market.names.coins)
        own = _only(part, keep)
        weight = _weights(own.row, own.instrument, shared)
        if own.cause in ("liquidation", "bad_debt"):
            weight = _closed(own, weight, played, shared)
        made += _divided(own, weight)
    return made


def _closed(part: Part, weight: F64, played: Played, shared: Shared) -> F64:
    """(n, R) by the value of what was closed by force in the account and row."""
    fills, made = played.fills, weight.copy()
    forced = np.isin(fills["reason"], _BY_FORCE)
    for n, (row, account) in enumerate(zip(part.row, part.account, strict=True)):
        which = forced & (fills["row"] == row) & (fills["account"] == account)
        usd = np.abs(shared.shares[which] * fills["px"][which][:, None]).sum(axis=0)
        if usd.sum() > 0.0:
            made[n] = usd / usd.sum()
    return made


# --------------------------------------------------------------------------- fills and crosses


def _fills(market: Market, played: Played, shared: Shared) -> list[Part]:
    """Fees, and the price of each fill under the cause of its reason, by whose it was."""
    fills = played.fills
    lost, fees = fill_costs(market, fills)
    part = np.divide(
        shared.shares,
        fills["size"][:, None],
        out=np.zeros_like(shared.shares),
        where=fills["size"][:, None] != 0.0,
    )
    made = []
    whole = Part("fees", fills["row"], fills["instrument"], fills["account"], -fees)
    made += _divided(whole, part)
    for reason in np.unique(fills["reason"]):
        if reason == Reason.ACTION:  # the price's own, told by position and by units
            continue
        which = fills["reason"] == reason
        own = fills[which]
        cause = OF_REASON[Reason(int(reason))]
        whole = Part(cause, own["row"], own["instrument"], own["account"], lost[which])
        made += _divided(whole, part[which])
    return made


def _crosses(market: Market, shared: Shared) -> tuple[Records, I64]:
    """What crossed as records of fills, at mark or fair price and without a fee; and whose."""
    row, strategy, instrument = np.nonzero(shared.crossed)
    tape, perps = market.tape, len(market.names.coins)
    px = np.hstack([tape.mark_px, tape.fair_px])[row, instrument]
    made = np.zeros(len(row), FILL)
    made["row"], made["instrument"] = row, instrument
    made["size"] = shared.crossed[row, strategy, instrument]
    made["decided"] = shared.decided[row, strategy, instrument]
    made["px"], made["value_px"] = px, px
    made["account"] = np.append(market.names.perp_account, 0)[np.minimum(instrument, perps)]
    for turned, i, kind, _ in zip(*shared.turns, strict=True):
        if kind in (SETTLED, FAILED):
            ended = (row == turned) & (instrument == i)
            made["reason"][ended] = Reason.ACTION if kind == SETTLED else Reason.SHOCK
    return made, strategy


def _savings(market: Market, shared: Shared) -> list[Part]:
    """What each side of a cross would have cost at the venue, and the same as a gain of crossing.

    At its terms: the fee, and half-spread and impact of any size. Impact that grows with the order
    is left out, which makes the gain smaller.
    """
    fills, strategy = _crosses(market, shared)
    orders = fills["reason"] == Reason.TARGET
    fills, strategy = fills[orders], strategy[orders]
    fee, px = _at_venue(market, fills)
    size = fills["size"]
    perp = fills["instrument"] < len(market.names.coins)
    where = (market, fills["account"], fills["row"])
    made = []
    for cause, usd in (
        ("fees", -np.abs(size) * px * fee),
        ("slippage", -size * (px - fills["value_px"])),
    ):
        cost = np.nan_to_num(np.where(perp, in_usd(usd, *where), usd))
        whole = Part(cause, fills["row"], fills["instrument"], fills["account"], cost)
        made.append(whole._replace(usd=-cost, strategy=len(shared.names)))
        made += [_only(whole, strategy == n)._replace(strategy=n) for n in range(len(shared.names))]
    return made


def _at_venue(market: Market, fills: Records) -> tuple[F64, F64]:
    """(n,) fee, and price of an order of this side: at the book's mid, or a token's quote."""
    tape, tokens, perps = market.tape, market.tokens, len(market.names.coins)
    row, instrument, sign = fills["row"], fills["instrument"], np.sign(fills["size"])
    fee, px = np.zeros(len(fills)), np.zeros(len(fills))
    perp = instrument < perps
    at = (row[perp], instrument[perp])
    terms = market.terms[tape.era[at[0]], at[1]]
    mid = np.where(np.isnan(tape.mid_px[at]), tape.mark_px[at], tape.mid_px[at])
    fee[perp], px[perp] = terms["fee_frac"], mid * (1.0 + sign[perp] * terms["cost_frac"])
    k = instrument[~perp] - perps
    bid, ask = tape.bid_px[row[~perp], k], tape.ask_px[row[~perp], k]
    side = sign[~perp]
    quote = np.where(side > 0.0, ask, bid)
    quote = np.where(bid == ask, ask * (1.0 + side * tokens.half_spread_frac[k]), quote)
    fee[~perp], px[~perp] = tokens.fee_frac[k], quote * (1.0 + side * tokens.friction_frac[k])
    return fee, px


def own_fills(market: Market, played: Played, shared: Shared) -> Own:
    """The fills of the book by whose they were, then what crossed, in the order of the rows."""
    which, strategy = np.nonzero(shared.shares)
    fills = np.array(played.fills[which])
    part = shared.shares[which, strategy]
    fills["fee_usd"] *= part / fills["size"]
    fills["size"] = part
    crosses, whose = _crosses(market, shared)
    joined = np.concatenate([fills, crosses])
    order = np.argsort(joined["row"], kind="stable")
    crossed = np.arange(len(joined)) >= len(fills)
    return Own(joined[order], np.concatenate([strategy, whose])[order], crossed[order])
