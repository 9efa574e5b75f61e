"""Margin and the weekend: how near the end was, and what closed hours did."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.metrics.numbers import Value, largest, ratio, smallest
from perpkit.metrics.reading import Run, add_up, found_all, instant_of, rows_of
from perpkit.tape import WALLET

# Closed without the strategy's will, the other leg of the hedge left standing.
FORCED = ("partial", "liquidation", "backstop", "adl", "venue_failed")
NAKED_FRAC = 0.05  # of capital: beyond what lots, drift and a band of rebalancing leave
STRAINED_RATIO = 0.5


def liquidation_distance(run: Run) -> tuple[I64, F64, B8]:
    """Of each position with a liquidation price: its place in what is held, and the distance.

    Also whether a closed spell begins at its row.
    """
    held = run.net
    mine = run.names.is_perp[held.instrument]
    mine &= np.isfinite(held.liquidation_px) & (held.px > 0.0)
    away = held.liquidation_px[mine] / held.px[mine] - 1.0
    begins = run.closed & ~np.vstack((np.zeros_like(run.closed[:1]), run.closed[:-1]))
    begins[0] = False  # the run begins inside the spell
    place = held.row[mine], run.names.underlying[held.instrument[mine]]
    away = np.where(held.position[mine] < 0.0, away, -away)
    return np.flatnonzero(mine), away, begins[place]


def nearest(run: Run) -> dict[str, Value]:
    """How near liquidation came, and where."""
    which, away, begins = liquidation_distance(run)
    found: dict[str, Value] = {
        "min_liquidation_distance_frac": smallest(away),
        "min_liquidation_distance_at": None,
        "min_liquidation_distance_coin": None,
        "weekend_liquidation_distance_frac": smallest(away[begins]),
    }
    if away.size:
        worst = int(which[np.argmin(away)])  # the first of equal ones
        found["min_liquidation_distance_at"] = instant_of(run, int(run.net.row[worst]))
        coin = run.names.instruments[int(run.net.instrument[worst])]
        found["min_liquidation_distance_coin"] = coin
    return found


def hours_naked(run: Run, events: pl.DataFrame) -> float:
    """Hours of open exposure that a forced close began, until it was closed or hedged."""
    forced = events.filter(pl.col("kind").cast(pl.String).is_in(FORCED))
    rows = found_all(rows_of(forced["time"], run.time_ms), forced["time"], "events.time")
    naked = np.abs(run.net_delta_usd) > NAKED_FRAC * run.context.capital_usd
    rows = rows[naked[rows]]
    spell = np.cumsum(~naked)  # the same number throughout a spell
    # A spell that the close fell into counts from the close on, others not at all.
    since = np.full(int(spell[-1]) + 1, naked.size)
    np.minimum.at(since, spell[rows], rows)
    mine = naked & (np.arange(naked.size) >= since[spell])
    return float(run.hours[mine].sum())


def pledged_yield(run: Run) -> float | None:
    """Yield of tokens by the share of them that was pledged in the row before."""
    held, columns = run.net, len(run.names.instruments)
    pledged = held.in_margin & ~run.names.is_perp[held.instrument]
    if not pledged.any():
        return None
    keys, size = held.row * columns + held.instrument, run.time_ms.size * columns
    whole = add_up(keys, held.position, size)
    part = add_up(keys[pledged], held.position[pledged], size)
    share = part / np.where(whole == 0.0, 1.0, whole)
    earned = run.booked.of("yield") & (run.booked.instrument < columns)
    before = np.maximum(run.booked.row[earned] - 1, 0)  # the start stands for the row before it
    return float(run.booked.usd[earned] @ share[before * columns + run.booked.instrument[earned]])


def margin_metrics(run: Run, events: pl.DataFrame) -> dict[str, Value]:
    """Group margin."""
    kinds = events["kind"].cast(pl.String).value_counts()
    count = dict(zip(kinds["kind"].to_list(), kinds["count"].to_list(), strict=True))
    to_margin = events.filter(pl.col("account").cast(pl.String) != WALLET)["kind"]
    sent, refused = (
        int((to_margin.cast(pl.String) == kind).sum())
        for kind in ("transfer_sent", "transfer_refused")
    )
    known = run.margin_ratio[~np.isnan(run.margin_ratio)]
    # Rows are written after the close: the ratio that caused it stands in none of them.
    closed = count.get("liquidation", 0) + count.get("backstop", 0)
    partly = count.get("partial", 0)
    at_work = ratio(float(run.margin_usd @ run.hours), float(run.equity_usd @ run.hours))
    return {
        **nearest(run),
        "worst_margin_ratio": largest(np.append(known, 1.0) if closed + partly else known),
        "margin_strained_hours": float(run.hours[run.margin_ratio > STRAINED_RATIO].sum()),
        "margin_capital_frac": at_work,
        "pledged_yield_usd": pledged_yield(run),
        "liquidations": closed,
        "partial_liquidations": partly,
        "adls": count.get("adl", 0),
        "naked_after_close_hours": hours_naked(run, events),
        "margin_calls": sent + refused,
        "topups": sent,
        "redemptions_refused": count.get("redeem_refused", 0),
    }


def holding(run: Run) -> B8:
    """(T, U): is a position held, in a perp or its token, at the end of the row."""
    held, names = run.net, run.names
    mine = names.paired[held.instrument]
    on = np.zeros_like(run.closed)
    on[held.row[mine], names.underlying[held.instrument[mine]]] = True
    return on


def worst_gap(price: F64, closed: B8, on: B8) -> float | None:
    """Largest move across a closed spell of what was held at some row from its eve to its end."""
    worst: float | None = None
    for u in range(price.shape[1]):
        edge = np.diff(closed[:, u].astype(np.int8))
        eve, back = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) + 1
        back = back[back > eve[0]] if eve.size else back[:0]
        for first, last in zip(eve, back, strict=False):
            move = float(price[last, u] / price[first, u] - 1.0)
            seen = on[first:last, u].any() and np.isfinite(move)
            if seen and (worst is None or abs(move) > abs(worst)):
                worst = move
    return worst


def weekend_metrics(run: Run) -> dict[str, Value]:
    """Group weekend; all None where nothing was held in closed hours."""
    on = holding(run)
    shut = (on & run.closed).any(axis=1)
    hours = float(run.hours[shut].sum())
    booked = run.booked
    mine = (booked.instrument < len(run.names.instruments)) & (booked.row > 0)
    mine &= run.closed[booked.row - 1, run.names.underlying[booked.instrument]]
    ratios = run.margin_ratio[shut]
    return {
        "closed_held_hours": hours,
        "closed_pnl_usd": float(booked.usd[mine].sum()) if hours else None,
        "closed_funding_usd": float(booked.usd[mine & booked.of("funding")].sum())
        if hours
        else None,
        "closed_worst_margin_ratio": largest(ratios[~np.isnan(ratios)]),
        "closed_worst_gap_frac": worst_gap(run.oracle_px, run.closed, on),
    }
