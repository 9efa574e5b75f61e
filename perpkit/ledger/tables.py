"""The frames of a result, one function each; columns as in ``docs/files.md``."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from perpkit.arrays import F64, Event, Reason, Records
from perpkit.codes import CAUSES
from perpkit.ledger.causes import Causes, fill_costs, held_before
from perpkit.ledger.holdings import NAV_KINDS, ROUNDING_FRAC, Holdings, holdings, in_usd
from perpkit.ledger.members import own_fills
from perpkit.ledger.words import (
    CROSS,
    EVENTS,
    REASONS,
    WAYS,
    detail_of,
    told_usd,
    way_of,
    why_undone,
)
from perpkit.play import Played
from perpkit.tape import Market
from perpkit.tape.splits import premiums


def _time(market: Market, row: Any, name: str = "time") -> pl.Series:
    at = market.tape.time_ns[np.asarray(row, np.int64)] // 1_000_000
    return pl.Series(name, at).cast(pl.Datetime("ms", "UTC"))


def _names(names: tuple[str, ...], index: Any, name: str) -> pl.Series:
    """Names of index numbers; -1 is the last name."""
    numbers = np.asarray(index, np.int64)
    numbers = np.where(numbers < 0, len(names) - 1, numbers)
    return pl.Series(name, list(names), dtype=pl.String).gather(numbers).alias(name)


def attribution_frame(market: Market, causes: Causes, strategies: tuple[str, ...]) -> pl.DataFrame:
    """The causes by account, instrument and strategy."""
    names = market.names
    return pl.DataFrame(
        {
            "time": _time(market, causes.row),
            "strategy": _names(strategies, causes.strategy, "strategy"),
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


def equity_frame(market: Market, played: Played, causes: Causes) -> pl.DataFrame:
    """Equity, and the causes of its change, one row an hour."""
    rows, tape, names = played.rows, market.tape, market.names
    hours = len(tape.time_ns)
    # One bin an hour and cause.
    bins = causes.row * len(CAUSES) + causes.cause
    # Without any row bincount forgets the weights and counts in integers.
    summed = np.bincount(bins, causes.usd, hours * len(CAUSES)).astype(np.float64)
    summed = summed.reshape(hours, len(CAUSES))
    value = in_usd(_value(rows.position, tape.mark_px), market, names.perp_account)
    worth = _value(rows.units, tape.fair_px)
    cash = in_usd(rows.cash_usd + rows.transit_usd, market, np.arange(len(names.accounts)))
    return pl.DataFrame(
        {
            "time": _time(market, np.arange(hours)),
            "equity_usd": rows.equity_usd,
            "cash_usd": cash.sum(axis=1),
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
        if kind in NAV_KINDS:
            continue
        perp = int(market.names.token_perp[k])
        if perp < 0:
            delta[:, k] = _value(units, market.tape.fair_px)[:, k]
        else:
            whole = _value(units[:, k], market.tape.multiplier[:, k])
            usd = _value(whole, market.tape.mark_px[:, perp])
            delta[:, k] = in_usd(usd, market, market.names.perp_account[perp])
    return delta


def _ratios(played: Played) -> F64:
    value, need = played.rows.value_usd, played.rows.maintenance_usd
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(value > 0.0, need / value, np.inf)
    return np.where(need == 0.0, 0.0, ratio)


def accounts_frame(market: Market, played: Played) -> pl.DataFrame:
    """Cash and margin of each account, one row an hour and account."""
    rows, names = played.rows, market.names.accounts
    hours, every = len(market.tape.time_ns), np.arange(len(names))
    return pl.DataFrame(
        {
            "time": _time(market, np.repeat(np.arange(hours), len(names))),
            "account": _names(names, np.tile(every, hours), "account"),
            "cash_usd": in_usd(rows.cash_usd, market, every).reshape(-1),
            "margin_value_usd": in_usd(rows.value_usd, market, every).reshape(-1),
            "initial_usd": in_usd(rows.initial_usd, market, every).reshape(-1),
            "maintenance_usd": in_usd(rows.maintenance_usd, market, every).reshape(-1),
            "margin_ratio": _ratios(played).reshape(-1),
        }
    )


def positions_frame(market: Market, played: Played, strategy: str) -> pl.DataFrame:
    """What is held, one row an hour, instrument, account and strategy."""
    rows, shared = played.rows, played.shared
    lying = holdings(rows)
    if shared is None:
        return _positions(market, played, strategy, lying)
    coins, frames = len(market.names.coins), []
    for n, name in enumerate(shared.names):
        own = shared.held[:, n]
        part = np.zeros_like(rows.units)
        np.divide(own[:, coins:], rows.units, out=part, where=rows.units != 0.0)
        kept = played._replace(rows=rows._replace(position=own[:, :coins]))
        units = lying.units * part[:, lying.token]
        frames.append(_positions(market, kept, name, lying._replace(units=units)))
    return pl.concat(frames).sort("time", maintain_order=True)


def _positions(market: Market, played: Played, strategy: str, lying: Holdings) -> pl.DataFrame:
    """What one strategy holds."""
    tape, rows, names = market.tape, played.rows, market.names
    held = np.hstack([rows.position, lying.units])
    px = np.hstack([tape.mark_px, tape.fair_px])
    instrument = np.concatenate([np.arange(len(names.coins)), len(names.coins) + lying.token])
    account = np.concatenate([names.perp_account, lying.account])
    row, n = np.nonzero(held)
    told, where = px[row, instrument[n]], account[n]
    perp = instrument[n] < len(names.coins)
    liquidation = np.full(len(row), np.nan)
    liquidation[perp] = rows.liquidation_px[row[perp], n[perp]]
    over = np.full(len(row), np.nan)
    token = instrument[n[~perp]] - len(names.coins)
    over[~perp] = premiums(tape, names.token_perp)[row[~perp], token]
    value = held[row, n] * told
    return pl.DataFrame(
        {
            "time": _time(market, row),
            "strategy": _same(strategy, len(row)),
            "account": _names(names.accounts, where, "account"),
            "instrument": _names(names.coins + names.tokens, instrument[n], "instrument"),
            "position": held[row, n],
            "px": told,
            # A token's fair price is in USD, a perp's mark in the currency of its account.
            "value_usd": np.where(perp, in_usd(value, market, where, row), value),
            "liquidation_px": pl.Series(liquidation).fill_nan(None),
            "liquidation_distance_frac": pl.Series(np.abs(liquidation / told - 1.0)).fill_nan(None),
            "premium_frac": pl.Series(over).fill_nan(None),
        }
    )


def _settled_on(played: Played, coins: int) -> F64:
    """(T, M) positions that funding settles on.

    Settlement comes before liquidation and fills: on the position of the row before, as its
    venue's failure or a split has left it.
    """
    held, fills = held_before(played.rows.position), played.fills
    before = np.isin(fills["reason"], (Reason.SHOCK, Reason.ACTION))
    moved = fills[before & (fills["instrument"] < coins)]
    was = np.abs(held)
    np.add.at(held, (moved["row"], moved["instrument"]), moved["size"])
    held[np.abs(held) <= ROUNDING_FRAC * was] = 0.0  # of a position that is gone
    return held


def funding_frame(market: Market, played: Played) -> pl.DataFrame:
    """Every settlement on a position."""
    tape, names = market.tape, market.names
    held = _settled_on(played, len(names.coins))
    rate = tape.funding
    if tape.short_funding.shape[1]:
        rate = np.where(held < 0.0, tape.short_funding, rate)
    row, m = np.nonzero((held != 0.0) & tape.due & ~np.isnan(rate))
    account = names.perp_account[m]
    paid = played.rows.funding_usd[row, m]
    return pl.DataFrame(
        {
            "time": _time(market, row),
            "coin": _names(names.coins, m, "coin"),
            "account": _names(names.accounts, account, "account"),
            "position": held[row, m],
            "oracle_px": tape.oracle_px[row, m],
            "funding": rate[row, m],
            "payment_usd": in_usd(paid, market, account, row),
        }
    )


def fills_frame(market: Market, played: Played, strategy: str) -> pl.DataFrame:
    """Every trade by strategy, forced ones too, and what crossed within a portfolio."""
    names, shared = market.names, played.shared
    told: tuple[str, ...] = (strategy,)
    fills, whose = played.fills, np.zeros(len(played.fills), np.int64)
    way = way_of(fills, len(names.coins))
    if shared is not None:
        fills, whose, crossed = own_fills(market, played, shared)
        told, way = shared.names, np.where(crossed, CROSS, way_of(fills, len(names.coins)))
    lost, fees = fill_costs(market, fills)
    return pl.DataFrame(
        {
            "fill_id": np.arange(len(fills)),
            "time": _time(market, fills["row"]),
            "decided_at": _time(market, fills["decided"], "decided_at"),
            "strategy": _names(told, whose, "strategy"),
            "account": _names(names.accounts, fills["account"], "account"),
            "instrument": _names(names.coins + names.tokens, fills["instrument"], "instrument"),
            "way": _names(WAYS, way, "way"),
            "side": _names(("buy", "sell"), (fills["size"] < 0.0).astype(np.int64), "side"),
            "size": np.abs(fills["size"]),
            "px": fills["px"],
            "fee_usd": fees,
            "slippage_usd": np.where(fills["reason"] == Reason.ACTION, 0.0, lost),
            "reason": _names(REASONS, fills["reason"], "reason"),
            "settlement_id": pl.Series(_settlements(fills), dtype=pl.Int64),
        }
    )


def _settlements(fills: Records) -> list[int | None]:
    """Number of each fill's settlement; None where it settled at once."""
    return [int(n) or None for n in fills["settlement_id"]]


def events_frame(market: Market, played: Played) -> pl.DataFrame:
    """What happened beside fills, in a sentence each."""
    events, names = played.events, market.names
    usd = told_usd(market, events)
    share = events["kind"] == Event.TRIMMED  # its number is a share, told in the detail
    detail = [
        detail_of(int(kind), int(account), float(told))
        for kind, account, told in zip(events["kind"], events["account"], usd, strict=True)
    ]
    for n, why in why_undone(market, events).items():
        detail[n] += f": {why}"
    return pl.DataFrame(
        {
            "time": _time(market, events["row"]),
            "kind": _names(EVENTS, events["kind"], "kind"),
            "instrument": _names(
                (*names.coins, *names.tokens, ""), events["instrument"], "instrument"
            ),
            "account": _names(names.accounts, events["account"], "account"),
            "value_usd": pl.Series(np.where(share, np.nan, usd)).fill_nan(None),
            "detail": pl.Series(detail, dtype=pl.String),
        }
    )
