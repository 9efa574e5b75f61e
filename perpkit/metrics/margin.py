"""Margin and the weekend: how near the end was, and what closed hours did."""

from __future__ import annotations

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64
from perpkit.metrics.numbers import Value, largest, smallest
from perpkit.metrics.reading import Run


def liquidation_distance(run: Run) -> tuple[F64, B8]:
    """Of each position with a liquidation price: distance, and whether a closed spell begins."""
    held = run.held
    mine = run.names.is_perp[held.instrument]
    mine &= np.isfinite(held.liquidation_px) & (held.px > 0.0)
    away = held.liquidation_px[mine] / held.px[mine] - 1.0
    begins = run.closed & ~np.vstack((np.zeros_like(run.closed[:1]), run.closed[:-1]))
    begins[0] = False  # the run begins inside the spell
    place = held.row[mine], run.names.underlying[held.instrument[mine]]
    return np.where(held.position[mine] < 0.0, away, -away), begins[place]


def margin_metrics(run: Run, events: pl.DataFrame) -> dict[str, Value]:
    """Group margin."""
    away, begins = liquidation_distance(run)
    kinds = events["kind"].cast(pl.String).value_counts()
    count = dict(zip(kinds["kind"].to_list(), kinds["count"].to_list(), strict=True))
    known = run.margin_ratio[~np.isnan(run.margin_ratio)]
    # Rows are written after the close: the ratio that caused it stands in none of them.
    closed = count.get("liquidation", 0) + count.get("backstop", 0)
    return {
        "min_liquidation_distance_frac": smallest(away),
        "weekend_liquidation_distance_frac": smallest(away[begins]),
        "worst_margin_ratio": largest(np.append(known, 1.0) if closed else known),
        "liquidations": closed,
        "adls": count.get("adl", 0),
        "margin_calls": count.get("transfer_sent", 0) + count.get("transfer_refused", 0),
        "topups": count.get("transfer_sent", 0),
    }


def holding(run: Run) -> B8:
    """(T, U): is a position held, in a perp or its token, at the end of the row."""
    held, names = run.held, run.names
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
