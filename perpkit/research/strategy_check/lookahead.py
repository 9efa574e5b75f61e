"""The look-ahead audit: the future is replaced by noise, and what came before must not change.

``decide`` is asked in every hour with the rows after it replaced, which are all within reach of the
arrays that it gets; ``targets`` gets the whole tape anew for many cuts. The calendar stays as it
is: that the market shuts on Friday is known on Monday.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from perpkit.arrays import F64, I64, Past
from perpkit.errors import StrategyError
from perpkit.research.strategy_check.findings import Finding, failed, passed, place, skipped
from perpkit.research.strategy_check.trace import Trace, ask, columns_of, past_of, plan_on, planned
from perpkit.strategy.load import Strategy, load
from perpkit.units import stamp

NAME: Final = "look-ahead"
_PRICES = ("oracle_px", "mark_px", "volume_usd", "bid_px", "ask_px", "fair_px", "nav_px")
_RATES = ("premium", "funding", "funding_total")
_ANNOUNCED = ("hours_to_ex_dividend", "hours_to_earnings", "pair_dividend_usd")
_KNOWN_AHEAD = ("time_ns", "phase", "hours_to_close", "hours_to_reopen", "hours_to_cash_open")
_EVEN_CUTS, _TURNS = 16, 48  # of a plan: evenly spread, and where it changes
_SEED = 7


def wild(past: Past) -> Past:
    """Rows of the same kind that say nothing of what came: prices moved by 30%, rates drawn."""
    draw = np.random.default_rng(_SEED)
    made: dict[str, Any] = {}
    for name, column in columns_of(past):
        if name in _PRICES:
            made[name] = column * np.exp(draw.normal(0.0, 0.3, column.shape))
        elif name in _RATES:
            made[name] = draw.normal(0.0, 0.01, column.shape)
        elif name in _ANNOUNCED:
            made[name] = draw.integers(0, 1_000, column.shape).astype(np.float64)
        elif name == "live":
            made[name] = draw.random(column.shape) < 0.5
        else:
            made[name] = column.copy()
    return past_of(made.values())


def backwards(past: Past) -> Past:
    """The rows in reverse order: what happened, at another time."""
    return past_of(
        (column if name in _KNOWN_AHEAD else column[::-1]).copy()
        for name, column in columns_of(past)
    )


FUTURES: Final[dict[str, Callable[[Past], Past]]] = {"noise": wild, "hours of their own": backwards}


def audit(traces: list[Trace]) -> Finding:
    """Hold a strategy to not knowing what comes later, on every recorded market."""
    if not any(trace.decisions for trace in traces):
        return skipped(NAME, "nothing was asked for in these hours; use --hours or --data")
    asked = 0
    for trace in traces:
        own = _audit_plan if trace.strategy.decide is None else _audit_decide
        for says, future in FUTURES.items():
            try:
                seen, fault = own(trace, future(trace.past))
            except StrategyError as e:
                return failed(NAME, f"{e}, once the hours after it were replaced by {says}")
            if fault:
                return failed(
                    NAME,
                    f"{place(trace.strategy)}: {fault} once the hours after it were replaced by "
                    f"{says}: it knows what comes later",
                )
            asked += seen
    what = "cuts" if traces[0].strategy.decide is None else "hours"
    return passed(NAME, f"equal to the last bit in {asked:,} {what}, what follows being replaced")


def _fresh(trace: Trace) -> Strategy:
    """The strategy loaded anew, so that nothing it may keep outside its memory is known to it."""
    return load(str(trace.strategy.file))


# --------------------------------------------------------------------------- decide


def revealing(truth: Past, future: Past) -> Iterator[Past]:
    """The market in each hour: the truth up to now, and behind the slices another future."""
    shown = [column.view() for column in future]
    for view in shown:
        view.flags.writeable = False
    for t in range(len(truth.time_ns)):
        for (_, column), (_, row) in zip(columns_of(future), columns_of(truth), strict=True):
            column[t] = row[t]
        yield past_of(view[: t + 1] for view in shown)


def _audit_decide(trace: Trace, future: Past) -> tuple[int, str]:
    views = [step.view for step in trace.steps]
    answers = ask(_fresh(trace), trace.values, revealing(trace.past, future), views)
    for t, (step, answer) in enumerate(zip(trace.steps, answers, strict=True)):
        if not step.answer.same(answer):
            return t, difference(trace, t, step.answer.targets(), answer.targets())
    return len(trace.steps), ""


def difference(trace: Trace, t: int, before: F64, after: F64) -> str:
    """The first target that differs, in words."""
    unlike = before.view(np.uint64) != after.view(np.uint64)
    when = stamp(int(trace.past.time_ns[t]))
    if not unlike.any():
        return f"at {when} its memory is another"
    n = int(np.flatnonzero(unlike)[0])
    return f"at {when} its target of {trace.names[n]} is {_of(after[n])} and not {_of(before[n])}"


def _of(value: float) -> str:
    return "not set" if np.isnan(value) else f"{value:.10g}"


# --------------------------------------------------------------------------- targets


def _audit_plan(trace: Trace, future: Past) -> tuple[int, str]:
    truth = trace.past
    cuts = _cuts(trace.plan)
    strategy = _fresh(trace)
    for cut in cuts:
        joined = past_of(
            np.concatenate((known[: cut + 1], unknown[cut + 1 :]))
            for (_, known), (_, unknown) in zip(columns_of(truth), columns_of(future), strict=True)
        )
        plan = planned(strategy, plan_on(trace.ground, joined), trace.values)
        same = (plan == trace.plan) | (np.isnan(plan) & np.isnan(trace.plan))
        wrong = np.flatnonzero(~same[: cut + 1].all(axis=1))
        if wrong.size:
            t = int(wrong[-1])
            fault = difference(trace, t, trace.plan[t], plan[t])
            after = "" if t == cut else f" with the rows up to {stamp(int(truth.time_ns[cut]))}"
            return len(cuts), fault + after
    return len(cuts), ""


def _cuts(plan: F64) -> I64:
    """Last rows that stay: some evenly spread, and some in which the plan changes."""
    hours = len(plan)
    even = np.linspace(0, hours - 2, _EVEN_CUTS).astype(np.int64)
    filled = np.nan_to_num(plan, nan=-1.0)
    turns = np.flatnonzero((filled[1:-1] != filled[:-2]).any(axis=1)) + 1
    if turns.size > _TURNS:
        turns = turns[np.linspace(0, turns.size - 1, _TURNS).astype(np.int64)]
    return np.unique(np.concatenate((even, turns)))
