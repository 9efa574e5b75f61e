"""A coin's hours through the market loop, uncompiled, from rows written as dicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from perpkit.arrays import TERM, Closed, Session, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.loop import form_market
from perpkit.tape import settings_of

NAN = float("nan")

# trade.xyz as documented from 2026-04-30 on, without bounds.
XYZ = {
    "two_sided": 1.0,
    "step_frac": 0.005,
    "updates_per_hour": 1200.0,
    "external_session": float(Session.US_24_5),
    "oracle_closed": float(Closed.EWMA),
    "oracle_tau_hours": 0.5,
    "ewma_cap_frac": 0.1,
    "median_mark": 1.0,
    "mark_ema_seconds": 150.0,
    "mark_step_frac": 0.01,
    "bound_frac": NAN,
    "interest_8h": 0.0001,
    "clamp_8h": 0.0003,
    "cap_1h": 0.04,
    "funding_multiplier": 0.5,
    "interval_hours": 1.0,
}


def book(external: float, mid: float, half: float = 0.0, *, opened: bool = True) -> dict[str, Any]:
    """One hour: external price, and impact prices half a width around a mid; NaN for none."""
    return {
        "external_px": external,
        "mid_px": mid,
        "impact_bid_px": mid * (1.0 - half),
        "impact_ask_px": mid * (1.0 + half),
        "opened": opened,
    }


def laid(rows: list[dict[str, Any]], terms: dict[str, float]) -> tuple[Tape, Any]:
    """Tape and terms of one coin; rates are due each hour."""
    hours = len(rows)
    tape = blank(Tape, T=hours, M=1, K=0, U=1, N=0, X=1, Y=1, S=len(Session))
    for name in ("oracle_px", "mark_px", "premium", "funding", "mid_px", "external_px"):
        getattr(tape, name)[:] = np.nan
    for name in ("impact_bid_px", "impact_ask_px"):
        getattr(tape, name)[:] = np.nan
    tape.by_formula[:] = tape.due[:] = True
    tape.first_frac[:] = tape.second_frac[:] = np.nan
    for t, row in enumerate(rows):
        for name, value in row.items():
            column = name if name.endswith(("_px", "_frac")) else "opened"
            getattr(tape, column)[t] = value
    made: Any = np.zeros((1, 1), TERM).view(np.recarray)
    for name, value in (XYZ | terms).items():
        made[name] = value
    return tape, made


def solve(rows: list[dict[str, Any]], **terms: float) -> Tape:
    """Prices, premiums and rates of these hours under trade.xyz's terms but for those told."""
    tape, made = laid(rows, terms)
    form_market(tape, made, blank(Tokens, K=0), settings_of(RunConfig()), 0, len(rows))
    return tape
