"""The result frames: causes formed from positions, fills and payments.

Equity is the loop's own sum of cash and values. The causes here never look at it: price effects
come from the positions of the row before and the change of the price, costs from the fills, flows
from the payments. That both agree to the last digits is a check of both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64, Event, Flow, Reason
from perpkit.play import Played
from perpkit.tape import Market

CAUSES = (
    "perp_price",
    "token_price",
    "funding",
    "yield",
    "dividend",
    "fees",
    "slippage",
    "interest",
    "transfer",
    "settlement",
    "liquidation",
    "bad_debt",
)
_OF_FLOW = {
    Flow.DIVIDEND: "dividend",
    Flow.YIELD: "yield",
    Flow.TRANSFER: "transfer",
    Flow.MARGIN_LOST: "liquidation",
    Flow.BAD_DEBT: "bad_debt",
}
_NAV_KINDS = ("treasury", "stable")


class Causes(NamedTuple):
    """All rows of the attribution, each (n,)."""

    row: I64
    cause: I64
    instrument: I64
    account: I64
    usd: F64


class Part(NamedTuple):
    """Rows of one cause, each (n,)."""

    cause: str
    row: I64
    instrument: I64
    account: I64
    usd: F64


def frames(market: Market, played: Played, strategy: str) -> dict[str, pl.DataFrame]:
    """Every frame of a result, by name.

    Returns
    -------
    equity, attribution, accounts, positions, funding, fills, events; columns as in
    ``docs/files.md``
    """
    causes = _merge(_parts(market, played), market)
    return {
        "equity": _equity(market, played, causes),
        "attribution": _attribution(market, causes, strategy),
        "accounts": _accounts(market, played),
        "positions": _positions(market, played, strategy),
        "funding": _funding(market, played),
        "fills": _fills(market, played, strategy),
        "events": _events(market, played),
    }


# --------------------------------------------------------------------------- causes


def _change(px: F64) -> F64:
    """Change of a price from the row before, 0 in the first row; NaN where either is absent."""
    return np.vstack([np.zeros_like(px[:1]), np.diff(px, axis=0)])


def _held_before(units: F64) -> F64:
    return np.vstack([np.zeros_like(units[:1]), units[:-1]])


def _earned(units: F64, px: F64) -> F64:
    """What a price change earned on the units of the row before; nothing held earns nothing."""
    held = _held_before(units)
    return np.where(held == 0.0, 0.0, held * np.where(held == 0.0, 0.0, _change(px)))


def _dense(cause: str, usd: F64, first: int, account: I64) -> Part:
    row, column = np.nonzero(usd)
    return Part(cause, row, column + first, account[column], usd[row, column])


def _parts(market: Market, played: Played) -> list[Part]:
    tape, rows, coins = market.tape, played.rows, len(market.names.coins)
    wallet = np.zeros(len(market.names.tokens), np.int64)
    by_nav = np.isin(market.names.kinds, _NAV_KINDS)[None, :]
    # Growth needs a NAV in both rows: one that starts has not grown yet.
    growth = np.nan_to_num(_held_before(rows.units) * _change(tape.nav_px))
    grown = np.where(by_nav, growth, 0.0)
    moved = _earned(rows.units, tape.fair_px) - grown
    made = [
        _dense("perp_price", _earned(rows.position, tape.mark_px), 0, market.names.perp_account),
        _dense("token_price", moved, coins, wallet),
        _dense("yield", grown, coins, wallet),
    ]
    made.append(_dense("funding", rows.funding_usd, 0, market.names.perp_account))
    for flow, cause in _OF_FLOW.items():
        own = played.payments[played.payments["flow"] == flow]
        made.append(Part(cause, own["row"], own["instrument"], own["account"], own["usd"]))
    fills = played.fills
    lost = -fills["size"] * (fills["px"] - fills["value_px"])
    forced = fills["reason"] != Reason.TARGET
    for cause, usd, which in (
        ("slippage", lost, ~forced),
        ("liquidation", lost, forced),
        ("fees", -fills["fee_usd"], np.ones(len(fills), np.bool_)),
    ):
        own = fills[which]
        made.append(Part(cause, own["row"], own["instrument"], own["account"], usd[which]))
    return made


def _merge(parts: list[Part], market: Market) -> Causes:
    """Join the parts, ordered by row, cause, instrument and account, equal ones summed."""
    instruments = len(market.names.coins) + len(market.names.tokens) + 1
    accounts = len(market.names.accounts)
    keys = [
        ((p.row * len(CAUSES) + CAUSES.index(p.cause)) * instruments + p.instrument + 1) * accounts
        + p.account
        for p in parts
    ]
    key, usd = np.concatenate(keys), np.concatenate([p.usd for p in parts])
    key, usd = key[usd != 0.0], usd[usd != 0.0]
    # Each part is in order already, which a stable sort of the joined ones makes use of.
    order = np.argsort(key, kind="stable")
    key, usd = key[order], usd[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    usd = np.add.reduceat(usd, first) if first.size else usd
    key, account = np.divmod(key[first], accounts)
    key, instrument = np.divmod(key, instruments)
    row, cause = np.divmod(key, len(CAUSES))
    return Causes(row, cause, instrument - 1, account, usd)


# --------------------------------------------------------------------------- frames


def _time(market: Market, row: Any, name: str = "time") -> pl.Series:
    at = market.tape.time_ns[np.asarray(row, np.int64)] // 1_000_000
    return pl.Series(name, at).cast(pl.Datetime("ms", "UTC"))


def _names(names: tuple[str, ...], index: Any, name: str) -> pl.Series:
    """Names of index numbers; -1 is the last name."""
    numbers = np.asarray(index, np.int64)
    numbers = np.where(numbers < 0, len(names) - 1, numbers)
    return pl.Series(name, list(names), dtype=pl.String).gather(numbers).alias(name)


def _attribution(market: Market, causes: Causes, strategy: str) -> pl.DataFrame:
    names = market.names
    return pl.DataFrame(
        {
            "time": _time(market, causes.row),
            "strategy": _same(strategy, len(causes.row)),
            "account": _names(names.accounts, causes.account, "account"),
            "instrument": _names(
                (*names.coins, *names.tokens, ""), causes.instrument, "instrument"
            ),
            "cause": _names(CAUSES, causes.cause, "cause"),
            "usd": causes.usd,
        }
    )


def _same(text: str, rows: int) -> pl.Series:
    return pl.Series([text], dtype=pl.String).new_from_index(0, rows)


def _equity(market: Market, played: Played, causes: Causes) -> pl.DataFrame:
    rows, tape = played.rows, market.tape
    hours = len(tape.time_ns)
    # One bin an hour and cause.
    bins = causes.row * len(CAUSES) + causes.cause
    # Without any row bincount forgets the weights and counts in integers.
    summed = np.bincount(bins, causes.usd, hours * len(CAUSES)).astype(np.float64)
    summed = summed.reshape(hours, len(CAUSES))
    value = _value(rows.position, tape.mark_px)
    worth = _value(rows.units, tape.fair_px)
    return pl.DataFrame(
        {
            "time": _time(market, np.arange(hours)),
            "equity_usd": rows.equity_usd,
            "cash_usd": (rows.cash_usd + rows.transit_usd).sum(axis=1),
            "margin_ratio": _ratios(played).max(axis=1),
            "gross_usd": np.abs(value).sum(axis=1) + np.abs(worth).sum(axis=1),
            "net_delta_usd": value.sum(axis=1) + _token_delta(market, rows.units).sum(axis=1),
            **{f"{cause}_usd": summed[:, n] for n, cause in enumerate(CAUSES)},
        }
    )


def _value(units: F64, px: F64) -> F64:
    return np.where(units == 0.0, 0.0, units * np.where(units == 0.0, 0.0, px))


def _token_delta(market: Market, units: F64) -> F64:
    """Exposure of tokens to their underlying, USD at the paired perp's mark, else at fair price."""
    delta = np.zeros_like(units)
    for k, kind in enumerate(market.names.kinds):
        if kind in _NAV_KINDS:
            continue
        perp = int(market.names.token_perp[k])
        if perp < 0:
            delta[:, k] = _value(units, market.tape.fair_px)[:, k]
        else:
            whole = _value(units[:, k], market.tape.multiplier[:, k])
            delta[:, k] = _value(whole, market.tape.mark_px[:, perp])
    return delta


def _ratios(played: Played) -> F64:
    value, need = played.rows.value_usd, played.rows.maintenance_usd
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(value > 0.0, need / value, np.inf)
    return np.where(need == 0.0, 0.0, ratio)


def _accounts(market: Market, played: Played) -> pl.DataFrame:
    rows, names = played.rows, market.names.accounts
    hours = len(market.tape.time_ns)
    return pl.DataFrame(
        {
            "time": _time(market, np.repeat(np.arange(hours), len(names))),
            "account": _names(names, np.tile(np.arange(len(names)), hours), "account"),
            "cash_usd": rows.cash_usd.reshape(-1),
            "margin_value_usd": rows.value_usd.reshape(-1),
            "initial_usd": rows.initial_usd.reshape(-1),
            "maintenance_usd": rows.maintenance_usd.reshape(-1),
            "margin_ratio": _ratios(played).reshape(-1),
        }
    )


def _positions(market: Market, played: Played, strategy: str) -> pl.DataFrame:
    tape, rows, names = market.tape, played.rows, market.names
    held = np.hstack([rows.position, rows.units])
    px = np.hstack([tape.mark_px, tape.fair_px])
    liquidation = np.hstack([rows.liquidation_px, np.full_like(rows.units, np.nan)])
    account = np.concatenate([names.perp_account, np.zeros(len(names.tokens), np.int64)])
    row, n = np.nonzero(held)
    return pl.DataFrame(
        {
            "time": _time(market, row),
            "strategy": _same(strategy, len(row)),
            "account": _names(names.accounts, account[n], "account"),
            "instrument": _names(names.coins + names.tokens, n, "instrument"),
            "position": held[row, n],
            "px": px[row, n],
            "value_usd": held[row, n] * px[row, n],
            "liquidation_px": pl.Series(liquidation[row, n]).fill_nan(None),
        }
    )


def _funding(market: Market, played: Played) -> pl.DataFrame:
    tape, names = market.tape, market.names
    # Settlement comes before liquidation and fills: on the position of the row before.
    held = _held_before(played.rows.position)
    rate = tape.funding
    if tape.short_funding.shape[1]:
        rate = np.where(held < 0.0, tape.short_funding, rate)
    row, m = np.nonzero((held != 0.0) & tape.due & ~np.isnan(rate))
    return pl.DataFrame(
        {
            "time": _time(market, row),
            "coin": _names(names.coins, m, "coin"),
            "account": _names(names.accounts, names.perp_account[m], "account"),
            "position": held[row, m],
            "oracle_px": tape.oracle_px[row, m],
            "funding": rate[row, m],
            "payment_usd": played.rows.funding_usd[row, m],
        }
    )


def _fills(market: Market, played: Played, strategy: str) -> pl.DataFrame:
    fills, names = played.fills, market.names
    perp = fills["instrument"] < len(names.coins)
    way = np.where(perp, np.where(fills["reason"] == Reason.BACKSTOP, 1, 0), 2)
    reasons = tuple(r.name.lower() for r in Reason)
    return pl.DataFrame(
        {
            "fill_id": np.arange(len(fills)),
            "time": _time(market, fills["row"]),
            "decided_at": _time(market, fills["decided"], "decided_at"),
            "strategy": _same(strategy, len(fills)),
            "account": _names(names.accounts, fills["account"], "account"),
            "instrument": _names(names.coins + names.tokens, fills["instrument"], "instrument"),
            "way": _names(("book", "backstop", "quote"), way, "way"),
            "side": _names(("buy", "sell"), (fills["size"] < 0.0).astype(np.int64), "side"),
            "size": np.abs(fills["size"]),
            "px": fills["px"],
            "fee_usd": fills["fee_usd"],
            "slippage_usd": -fills["size"] * (fills["px"] - fills["value_px"]),
            "reason": _names(reasons, fills["reason"], "reason"),
            "settlement_id": pl.Series([None] * len(fills), dtype=pl.Int64),
        }
    )


def _events(market: Market, played: Played) -> pl.DataFrame:
    events, names = played.events, market.names
    kinds = tuple(e.name.lower() for e in Event)
    detail = [_detail(e) for e in events]
    share = events["kind"] == Event.TRIMMED  # its number is a share, told in the detail
    return pl.DataFrame(
        {
            "time": _time(market, events["row"]),
            "kind": _names(kinds, events["kind"], "kind"),
            "instrument": _names(
                (*names.coins, *names.tokens, ""), events["instrument"], "instrument"
            ),
            "account": _names(names.accounts, events["account"], "account"),
            "value_usd": pl.Series(np.where(share, np.nan, events["usd"])).fill_nan(None),
            "detail": pl.Series(detail, dtype=pl.String),
        }
    )


_DETAILS = {
    Event.LIQUIDATION: "closed {usd:,.2f} USD on the book: the account fell below maintenance",
    Event.BACKSTOP: "{usd:,.2f} USD taken over by the venue's backstop; the margin left is lost",
    Event.BAD_DEBT: "the account ended {usd:,.2f} USD below zero; the venue bears it",
    Event.TRIMMED: "margin or cash allowed {usd:.1%} of the order; the target stands",
    Event.REENTRY_REFUSED: 'not entered again after a liquidation (after_liquidation = "stop")',
    Event.TRANSFER_SENT: "{usd:,.2f} USD sent from the wallet",
    Event.TRANSFER_ARRIVED: "{usd:,.2f} USD arrived",
    Event.TRANSFER_REFUSED: "{usd:,.2f} USD wanted and the wallet has none",
}


def _detail(event: Any) -> str:
    return _DETAILS[Event(int(event["kind"]))].format(usd=float(event["usd"]))
