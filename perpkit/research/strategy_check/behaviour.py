"""What a strategy does beside looking ahead: repeat itself, keep to numbers, scale, ignore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from perpkit.arrays import F64, Past, View
from perpkit.errors import StrategyError
from perpkit.research.strategy_check.findings import Finding, failed, passed, place, skipped
from perpkit.research.strategy_check.lookahead import difference
from perpkit.research.strategy_check.trace import (
    UNTOUCHED,
    Trace,
    ask,
    columns_of,
    past_of,
    plan_on,
    planned,
    record,
    slices,
)
from perpkit.strategy.door import compiled_entry
from perpkit.strategy.load import load
from perpkit.strategy.params import Parameter
from perpkit.units import stamp

CAPITAL = 8.0  # times as much: a power of two, by which floats scale without rounding
_HOLE_HOURS = 3  # every third premium is missing
_BITS = UNTOUCHED.view(np.uint64)


# --------------------------------------------------------------------------- determinism


def determinism(trace: Trace) -> Finding:
    """Load and play anew, and hold both runs to each other."""
    name = "determinism"
    other = record(load(str(trace.strategy.file)), trace.ground, **trace.values)
    where = place(trace.strategy)
    for t, (one, two) in enumerate(zip(trace.steps, other.steps, strict=True)):
        if not one.answer.same(two.answer):
            fault = difference(trace, t, one.answer.targets(), two.answer.targets())
            return failed(name, f"{where}: {fault} in a second run; draw nothing, ask no clock")
    if trace.plan.tobytes() != other.plan.tobytes():
        return failed(name, f"{where}: its plan is another in a second run; draw nothing")
    if trace.played.fills.tobytes() != other.played.fills.tobytes():
        return failed(name, f"{where}: its fills are others in a second run")
    return passed(name, f"equal to the last bit, {len(trace.played.fills):,} fills")


# --------------------------------------------------------------------------- finite


def with_holes(past: Past) -> Past:
    """A market in which what may be unknown is unknown: premiums now and then, NAVs always."""
    premium, nav = past.premium.copy(), np.full_like(past.nav_px, np.nan)
    premium[::_HOLE_HOURS] = np.nan
    return past._replace(premium=premium, nav_px=nav)


def finite(trace: Trace) -> Finding:
    """Look for infinite and impossible targets, also where data is missing."""
    name = "finite"
    holes = with_holes(trace.past)
    if trace.strategy.decide is None:
        rows = [planned(trace.strategy, plan_on(trace.ground, holes), trace.values)]
        nans = 0
    else:
        views = [step.view for step in trace.steps]
        answers = ask(load(str(trace.strategy.file)), trace.values, slices(holes), views)
        rows = [np.array([answer.targets() for answer in answers])]
        told = np.array([step.answer.targets() for step in trace.steps])
        nans = int((np.isnan(told) & (told.view(np.uint64) != _BITS)).sum())
    fault = _impossible(trace, rows[0])
    if fault:
        return failed(name, f"{place(trace.strategy)}: {fault}")
    says = "none is infinite, nor negative for a token, also with premiums and NAVs missing"
    if nans:
        says += f"; NaN was written {nans:,} times, which leaves the standing target"
    return passed(name, says)


def _impossible(trace: Trace, told: F64) -> str:
    perps = len(trace.ground.market.names.coins)
    wrong = np.isinf(told)
    wrong[:, perps:] |= told[:, perps:] < 0.0
    if not wrong.any():
        return ""
    t, n = (int(x) for x in np.argwhere(wrong)[0])
    when = stamp(int(trace.past.time_ns[t]))
    return (
        f"where premiums and NAVs are missing its target of {trace.names[n]} is {told[t, n]} "
        f"at {when}"
    )


# --------------------------------------------------------------------------- scale


def scale(trace: Trace) -> Finding:
    """Ask with several times the capital: sizes follow it, or do not depend on it.

    The market grows with it: a share of the volume is a size that follows.
    """
    name = "scale"
    if trace.strategy.decide is None:
        return skipped(name, "a plan knows no capital")
    if not trace.decisions:
        return skipped(name, "nothing was asked for in these hours; use --hours or --data")
    told = [step.answer.targets() for step in trace.steps]
    deeper = trace.past._replace(volume_usd=trace.past.volume_usd * CAPITAL)
    values = _scaled_values(trace)
    grown = _asked(trace, values, deeper, [_grown(step.view) for step in trace.steps])
    t, n = _misscaled(trace, told, grown)
    if t < 0:
        return passed(
            name,
            f"with {CAPITAL:g} times the capital, positions and USD parameters targets are "
            f"{CAPITAL:g} times as large",
        )
    richer = _asked(trace, trace.values, trace.past, [_richer(step.view) for step in trace.steps])
    if all(a.tobytes() == b.tobytes() for a, b in zip(told, richer, strict=True)):
        return passed(name, "sizes do not depend on capital")
    return failed(
        name,
        f"{place(trace.strategy)}: with {CAPITAL:g} times the capital, positions and parameters in "
        f"USD, its target of {trace.names[n]} at {stamp(int(trace.past.time_ns[t]))} is "
        f"{grown[t][n]:.10g} and not {CAPITAL:g} times {told[t][n]:.10g}; give sizes as fractions "
        'of equity, or as parameters with unit="USD"',
    )


def _asked(trace: Trace, values: dict[str, Any], past: Past, views: list[View]) -> list[F64]:
    strategy = load(str(trace.strategy.file))
    return [answer.targets() for answer in ask(strategy, values, slices(past), views)]


def _scaled_values(trace: Trace) -> dict[str, Any]:
    values = dict(trace.values)
    for parameter in trace.strategy.parameters:
        usd = parameter.unit == "USD" or parameter.name.endswith("_usd")
        if usd and parameter.kind is float:
            values[parameter.name] *= CAPITAL
    return values


def _richer(view: View) -> View:
    accounts = view.accounts.copy()
    for column in ("cash_usd", "equity_usd", "free_usd"):
        accounts[column] *= CAPITAL
    return view._replace(accounts=accounts)


def _grown(view: View) -> View:
    perps, tokens = view.perps.copy(), view.tokens.copy()
    perps["position"] *= CAPITAL
    for column in ("units", "pledged", "pending"):
        tokens[column] *= CAPITAL
    return _richer(view._replace(perps=perps, tokens=tokens))


def _misscaled(trace: Trace, told: list[F64], grown: list[F64]) -> tuple[int, int]:
    """The first target that is not as many times as large, up to whole lots; -1 for none."""
    names = trace.ground.market.names
    for t, (one, many) in enumerate(zip(told, grown, strict=True)):
        view = trace.steps[t].view
        lot = 1.0 / view.perps["lots_per_unit"]
        share = np.zeros(len(names.tokens))
        for m, k in enumerate(names.perp_token):
            if k >= 0:
                share[k] = max(share[k], lot[m] / view.tokens["multiplier"][k])
        allowed = (CAPITAL + 1.0) * np.concatenate((lot, share)) + 1e-9 * np.abs(many)
        near = np.abs(many - CAPITAL * one) <= allowed
        wrong = np.flatnonzero(~(near | (np.isnan(one) & np.isnan(many))))
        if wrong.size:
            return t, int(wrong[0])
    return -1, -1


# --------------------------------------------------------------------------- idle


def idle(trace: Trace) -> Finding:
    """Add a perp and its token that have no price yet, last, and see that nothing changes."""
    name = "idle"
    if trace.strategy.decide is None:
        return _idle_plan(trace)
    names = trace.ground.market.names
    coins, tokens = len(names.coins), len(names.tokens)
    views = [_with_one_more(step.view) for step in trace.steps]
    strategy = load(str(trace.strategy.file))
    answers = ask(strategy, trace.values, slices(wider(trace.past)), views)
    for t, (step, answer) in enumerate(zip(trace.steps, answers, strict=True)):
        kept = np.concatenate((answer.perps[:coins], answer.tokens[:tokens]))
        told = step.answer.targets()
        if kept.tobytes() != told.tobytes():
            return failed(name, f"{place(strategy)}: {difference(trace, t, told, kept)}{_ADDED}")
        if fault := _asked_for(trace, t, (answer.perps[coins], answer.tokens[tokens])):
            return failed(name, f"{place(strategy)}: {fault}")
    return passed(name, "a perp and a token without a price, added last, change no target")


_ADDED = " with a perp and a token added that have no price yet; count only those that have one"


def _asked_for(trace: Trace, t: int, asked: tuple[float, float]) -> str:
    """What it wants of the instruments that have no price; to want none of them is fine."""
    for value, what in zip(asked, ("perp", "token"), strict=True):
        if not (np.isnan(value) or value == 0.0):
            when = stamp(int(trace.past.time_ns[t]))
            return f"at {when} it asks for {value:g} of a {what} that has no price yet"
    return ""


def wider(past: Past) -> Past:
    """The market with a perp, a token and an underlying more, none of which has a price."""
    blank: dict[str, Any] = {"funding_total": 0.0, "volume_usd": 0.0, "live": False}
    blank |= {"pair_dividend_usd": 0.0}
    blank |= dict.fromkeys(("hours_to_ex_dividend", "hours_to_earnings"), np.inf)
    copied = ("phase", "hours_to_close", "hours_to_reopen", "hours_to_cash_open")
    made: dict[str, Any] = {}
    for name, column in columns_of(past):
        if column.ndim == 1:
            made[name] = column
            continue
        added = column[:, :1].copy() if name in copied else np.empty((len(column), 1), column.dtype)
        if name not in copied:
            added[:] = blank.get(name, np.nan)
        made[name] = np.ascontiguousarray(np.concatenate((column, added), axis=1))
    return past_of(made.values())


def _with_one_more(view: View) -> View:
    tokens, underlyings = len(view.tokens), 1 + int(view.perps["underlying"].max())
    perps = _appended(view.perps)
    perps["account"][-1], perps["lots_per_unit"][-1] = view.perps["account"][0], 1.0
    perps["token"][-1], perps["underlying"][-1] = tokens, underlyings
    perps["mark_px"][-1] = perps["liquidation_px"][-1] = np.nan
    more = _appended(view.tokens)
    perps["liquidity_usd"][-1], perps["split_factor"][-1] = np.inf, 1.0
    more["cost_frac"][-1], more["split_factor"][-1] = np.nan, 1.0
    more["fair_px"][-1], more["multiplier"][-1], more["underlying"][-1] = np.nan, 1.0, underlyings
    return view._replace(perps=perps, tokens=more)


def _appended(records: Any) -> Any:
    return np.concatenate((records, np.zeros(1, records.dtype))).view(type(records))


def _idle_plan(trace: Trace) -> Finding:
    name, names = "idle", trace.ground.market.names
    coins, tokens = len(names.coins), len(names.tokens)
    told = plan_on(trace.ground, wider(trace.past))
    told = told._replace(
        coins=(*told.coins, "none:IDLE"),
        tokens=(*told.tokens, "IDLE"),
        token_of=(*told.token_of, tokens),
    )
    where = place(trace.strategy)
    plan = planned(trace.strategy, told, trace.values)
    kept = np.concatenate((plan[:, :coins], plan[:, coins + 1 : -1]), axis=1)
    same = (kept == trace.plan) | (np.isnan(kept) & np.isnan(trace.plan))
    if not same.all():
        t = int(np.flatnonzero(~same.all(axis=1))[0])
        return failed(name, f"{where}: {difference(trace, t, trace.plan[t], kept[t])}{_ADDED}")
    for t in range(len(plan)):
        if fault := _asked_for(trace, t, (plan[t, coins], plan[t, -1])):
            return failed(name, f"{where}: {fault}")
    return passed(name, "a perp and a token without a price, added last, change no target")


# --------------------------------------------------------------------------- bounds


def ends(parameter: Parameter) -> Iterator[float | bool]:
    """The least and the most that a parameter may be, where it has such."""
    if parameter.kind is bool:
        yield from (False, True)
        return
    for end in (parameter.ge, parameter.le):
        if end is not None:
            yield parameter.kind(end)


def bounds(trace: Trace) -> Finding:
    """Play with each parameter at its least and at its most, the others as they are."""
    name, runs = "bounds", 0
    strategy = trace.strategy
    if not strategy.parameters:
        return skipped(name, "it has no parameters")
    faults = []
    for parameter in strategy.parameters:
        for end in ends(parameter):
            runs += 1
            try:
                record(strategy, trace.ground, **{**trace.values, parameter.name: end})
            except StrategyError as e:
                faults.append(f"with {parameter.name} = {end}: {e}")
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return failed(name, faults[0] + more)
    free = [p.name for p in strategy.parameters if p.kind is not bool and None in (p.ge, p.le)]
    says = f"{runs} runs"
    if free:
        says += f"; without a least or a most: {', '.join(free)}"
    return passed(name, says)


# --------------------------------------------------------------------------- compiled


def compiles(trace: Trace) -> Finding:
    """Compile the strategy, and hold what the compiled code answers to what Python did."""
    name = "compiles"
    if trace.strategy.decide is None:
        return skipped(name, "a plan is plain Python")
    if numba.config.DISABLE_JIT:
        return skipped(name, "numba is switched off (NUMBA_DISABLE_JIT)")
    views = [step.view for step in trace.steps]
    entry = compiled_entry(trace.strategy)
    answers = ask(trace.strategy, trace.values, slices(trace.past), views, entry)
    for t, (step, answer) in enumerate(zip(trace.steps, answers, strict=True)):
        if not step.answer.same(answer):
            fault = difference(trace, t, step.answer.targets(), answer.targets())
            return failed(name, f"{place(trace.strategy)}: {fault} once it is compiled")
    return passed(name, "to machine code that answers as Python does, and that a backtest finds")
