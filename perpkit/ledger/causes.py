"""From rows, fills and payments to causes, each with its instrument and account, in USD."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64, Flow, Reason, Records
from perpkit.codes import CAUSES
from perpkit.ledger.holdings import NAV_KINDS, holdings, in_usd, unrealised
from perpkit.play import Played
from perpkit.tape import Market

# What an account pays or is paid, in its settle currency; what tokens earn, in USD, and what perps
# pay on dividends, in the settle currency.
_OF_TOKENS = {Flow.DIVIDEND: "dividend", Flow.YIELD: "yield"}
_OF_FLOW = {
    Flow.TRANSFER: "transfer",
    Flow.MARGIN_LOST: "liquidation",
    Flow.BAD_DEBT: "bad_debt",
    Flow.INTEREST: "interest",
    Flow.VENUE_LOSS: "settlement",
    Flow.SETTLEMENT_COST: "settlement",
}
# What the price of a fill books against mark or fair price.
OF_REASON = {
    Reason.TARGET: "slippage",
    Reason.LIQUIDATION: "liquidation",
    Reason.BACKSTOP: "liquidation",
    Reason.ADL: "liquidation",
    Reason.SEIZED: "liquidation",
    Reason.REDEEMED: "slippage",
    Reason.SWEPT: "slippage",
    Reason.DELEVERED: "slippage",
    Reason.SHOCK: "settlement",
    # Of a split the price's own cause: what it took from the units held, the new ones give back.
    Reason.ACTION: "perp_price",
    Reason.SETTLEMENT: "settlement",
}


class Causes(NamedTuple):
    """All rows of the attribution, each (n,)."""

    row: I64
    cause: I64
    instrument: I64
    account: I64
    usd: F64
    strategy: I64  # number of it; 0 where there is one


class Part(NamedTuple):
    """Rows of one cause, each (n,)."""

    cause: str
    row: I64
    instrument: I64
    account: I64
    usd: F64
    strategy: int = 0


def attribute(market: Market, played: Played) -> Causes:
    """Every cause of a run, ordered by row, cause, instrument and account."""
    parts = [
        *_of_perps(market, played),
        *of_tokens(market, played),
        *of_payments(market, played),
        *_of_fills(market, played),
        *of_currencies(market, played),
    ]
    return merge(parts, market)


def _change(px: F64) -> F64:
    """Change of a price from the row before, 0 in the first row; NaN where either is absent."""
    return np.vstack([np.zeros_like(px[:1]), np.diff(px, axis=0)])


def held_before(units: F64) -> F64:
    """The units of the row before; nothing before the first."""
    return np.vstack([np.zeros_like(units[:1]), units[:-1]])


def _earned(units: F64, px: F64) -> F64:
    """What a price change earned on the units of the row before; nothing held earns nothing."""
    held = held_before(units)
    return np.where(held == 0.0, 0.0, held * np.where(held == 0.0, 0.0, _change(px)))


def dense(cause: str, usd: F64, instrument: I64, account: I64) -> Part:
    """A part from (T, n) amounts with n instruments and accounts; what is 0 is left out."""
    row, column = np.nonzero(usd)
    return Part(cause, row, instrument[column], account[column], usd[row, column])


def _of_perps(market: Market, played: Played) -> list[Part]:
    """Moves of the mark, and funding."""
    account, coins = market.names.perp_account, np.arange(len(market.names.coins))
    moved = _earned(played.rows.position, market.tape.mark_px)
    paid = played.rows.funding_usd
    return [
        dense("perp_price", in_usd(moved, market, account), coins, account),
        dense("funding", in_usd(paid, market, account), coins, account),
    ]


def of_tokens(market: Market, played: Played) -> list[Part]:
    """Moves of the fair price and growth of the NAV, in the account the tokens lie in."""
    tape, held = market.tape, holdings(played.rows)
    by_nav = np.isin(market.names.kinds, NAV_KINDS)[held.token][None, :]
    # Growth needs a NAV in both rows: one that starts has not grown yet.
    growth = np.nan_to_num(held_before(held.units) * _change(tape.nav_px)[:, held.token])
    grown = np.where(by_nav, growth, 0.0)
    moved = _earned(held.units, tape.fair_px[:, held.token]) - grown
    instrument = held.token + len(market.names.coins)
    return [
        dense("token_price", moved, instrument, held.account),
        dense("yield", grown, instrument, held.account),
    ]


def of_payments(market: Market, played: Played) -> list[Part]:
    """Flows of cash, dividends, and yield in new units."""
    payments, made = played.payments, []
    for flow, cause in _OF_FLOW.items():
        own = payments[payments["flow"] == flow]
        usd = in_usd(own["usd"], market, own["account"], own["row"])
        made.append(Part(cause, own["row"], own["instrument"], own["account"], usd))
    for flow, cause in _OF_TOKENS.items():
        own = payments[payments["flow"] == flow]
        usd = np.where(
            own["instrument"] < len(market.names.coins),
            in_usd(own["usd"], market, own["account"], own["row"]),
            own["usd"],
        )
        made.append(Part(cause, own["row"], own["instrument"], own["account"], usd))
    return made


def fill_costs(market: Market, fills: Records) -> tuple[F64, F64]:
    """What the price of each fill cost against mark or fair price, and its fee; both in USD.

    A loss by the price is negative, a fee positive. Perps are priced in the settle currency of
    their account, tokens in USD.
    """
    lost = -fills["size"] * (fills["px"] - fills["value_px"])
    perp = fills["instrument"] < len(market.names.coins)
    where = (market, fills["account"], fills["row"])
    return (
        np.where(perp, in_usd(lost, *where), lost),
        np.where(perp, in_usd(fills["fee_usd"], *where), fills["fee_usd"]),
    )


def _of_fills(market: Market, played: Played) -> list[Part]:
    """Fees, and the price of each fill under the cause of its reason."""
    fills = played.fills
    lost, fees = fill_costs(market, fills)
    made = [Part("fees", fills["row"], fills["instrument"], fills["account"], -fees)]
    for reason in np.unique(fills["reason"]):
        which, cause = fills["reason"] == reason, OF_REASON[Reason(int(reason))]
        if reason == Reason.ACTION:
            token = which & (fills["instrument"] >= len(market.names.coins))
            made.append(_part("token_price", fills, lost, token))
            which &= ~token
        made.append(_part(cause, fills, lost, which))
    return made


def _part(cause: str, fills: Records, usd: F64, which: B8) -> Part:
    own = fills[which]
    return Part(cause, own["row"], own["instrument"], own["account"], usd[which])


def of_currencies(market: Market, played: Played) -> list[Part]:
    """What moves of a settle currency do to cash, cash under way and unrealised profit."""
    px, rows = market.tape.cash_px, played.rows
    if px.shape[1] == 0:
        return []
    counted = rows.cash_usd + rows.transit_usd + unrealised(market, played)
    account = np.arange(px.shape[1])
    return [dense("token_price", _earned(counted, px), np.full(len(account), -1), account)]


def merge(parts: list[Part], market: Market, strategies: int = 1) -> Causes:
    """Join the parts by row, cause, instrument, account and strategy, equal ones summed."""
    instruments = len(market.names.coins) + len(market.names.tokens) + 1
    accounts = len(market.names.accounts)
    keys = []
    for p in parts:
        where = p.row * len(CAUSES) + CAUSES.index(p.cause)
        where = (where * instruments + p.instrument + 1) * accounts + p.account
        keys.append(where * strategies + p.strategy)
    key, usd = np.concatenate(keys), np.concatenate([p.usd for p in parts])
    key, usd = key[usd != 0.0], usd[usd != 0.0]
    # Each part is in order already, which a stable sort of the joined ones makes use of.
    order = np.argsort(key, kind="stable")
    key, usd = key[order], usd[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    usd = np.add.reduceat(usd, first) if first.size else usd
    left = usd != 0.0  # what a split takes and gives is nothing
    key, usd = key[first][left], usd[left]
    key, strategy = np.divmod(key, strategies)
    key, account = np.divmod(key, accounts)
    key, instrument = np.divmod(key, instruments)
    row, cause = np.divmod(key, len(CAUSES))
    return Causes(row, cause, instrument - 1, account, usd, strategy)
