"""The market loop: forming prices and funding of 64 coins over three years of hours.

Stocks as trade.xyz prices them: external prices in the 24/5 week, the impact-price average outside
it, median mark with its EMA, discovery bounds, two-sided premium, hourly rates; beside it the plain
rule set. Calm moves the price some 0.3% an hour; rough 2%, with a basis of 0.6%.
"""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import clocked
from benchmarks.workloads import HOURS, MARKETS, SEED
from perpkit.arrays import TERM, Closed, Session, Tape, Tokens
from perpkit.config import check_config
from perpkit.layout import blank
from perpkit.market.loop import compiled
from perpkit.sessions import EXTERNAL_SESSIONS, external_switches
from perpkit.tape import settings_of

PLAIN = {"interest_8h": 1e-4, "clamp_8h": 3e-4, "cap_1h": 0.04, "funding_multiplier": 0.5}
PLAIN |= {"interval_hours": 1, "two_sided": 1, "step_frac": 0.005, "updates_per_hour": 1_200}
XYZ = PLAIN | {"external_session": Session.US_24_5, "oracle_closed": Closed.EWMA}
XYZ |= {"oracle_tau_hours": 0.5, "ewma_cap_frac": 0.1, "median_mark": 1, "mark_ema_seconds": 150}
XYZ |= {"mark_step_frac": 0.01, "bound_frac": 0.05, "bound_threshold_frac": 0.9}
XYZ |= {"bound_resets": 2, "bound_always": 1}
WEEK = EXTERNAL_SESSIONS.index("us_24_5")


class Forming(NamedTuple):
    """One set of terms and prices, timed."""

    what: str
    ns: float  # per market-hour, median
    least_ns: float
    most_ns: float


def tape_of(move: float, basis: float) -> Tape:
    """External prices that stand still outside the pricing week, and a book that does not."""
    draw = np.random.default_rng(SEED)
    tape = blank(Tape, T=HOURS, M=MARKETS, K=0, U=1, N=0, X=MARKETS, Y=MARKETS, S=len(Session))
    tape.time_ns[:] = 1_704_067_200_000_000_000 + np.arange(HOURS) * 3_600_000_000_000
    week = external_switches(tape.time_ns, "us_24_5")
    tape.opened[:, WEEK] = week.open_at_start
    tape.first_frac[:, WEEK], tape.second_frac[:, WEEK] = week.first_frac, week.second_frac
    steps = np.clip(draw.standard_normal((HOURS, MARKETS)), -4.0, 4.0) * move
    level = np.zeros((HOURS, MARKETS))
    for t in range(1, HOURS):
        level[t] = 0.999 * level[t - 1] + steps[t]  # pulled back, to stay in one range
    true_px = 100.0 * np.exp(level)
    last_open = np.maximum.accumulate(np.where(week.open_at_start, np.arange(HOURS), 0))
    tape.external_px[:] = true_px[last_open]
    tape.mid_px[:] = true_px * (1.0 + basis * draw.standard_normal((HOURS, MARKETS)))
    tape.impact_bid_px[:] = tape.mid_px * 0.9998
    tape.impact_ask_px[:] = tape.mid_px * 1.0002
    tape.by_formula[:], tape.due[:] = True, True
    return tape


def terms_of(values: dict[str, Any]) -> Any:
    """One era of the same terms for all coins."""
    terms = np.zeros((1, MARKETS), TERM).view(np.recarray)
    for name, value in values.items():
        terms[name] = value
    return terms


def measure(rounds: int) -> list[Forming]:
    """Time each case in turn, the first round dropped."""
    loop, settings, tokens = compiled(), settings_of(check_config({})), blank(Tokens, K=0)
    calm, rough = tape_of(0.003, 0.0002), tape_of(0.02, 0.006)
    cases = {
        "trade.xyz, calm": (calm, terms_of(XYZ)),
        "trade.xyz, rough": (rough, terms_of(XYZ)),
        "plain": (calm, terms_of(PLAIN)),
    }
    found: dict[str, list[float]] = {what: [] for what in cases}
    for turn in range(rounds + 1):
        for what, (tape, terms) in cases.items():
            for name in ("oracle_px", "mark_px", "premium", "funding"):
                getattr(tape, name)[:] = np.nan
            tape.path[:] = np.zeros(MARKETS, tape.path.dtype)
            seconds = clocked(lambda x=tape, y=terms: loop(x, y, tokens, settings, 0, HOURS))
            assert not np.isnan(tape.funding[1:]).any(), f"{what}: a rate is missing"
            if turn:
                found[what].append(seconds / tape.mark_px.size * 1e9)
    return [Forming(what, median(x), min(x), max(x)) for what, x in found.items()]
