"""All checks of one strategy, in their order, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from perpkit.errors import DataError, StrategyError
from perpkit.research.strategy_check.behaviour import (
    bounds,
    compiles,
    determinism,
    finite,
    idle,
    scale,
)
from perpkit.research.strategy_check.findings import (
    CHECKS,
    Finding,
    Status,
    failed,
    passed,
    skipped,
)
from perpkit.research.strategy_check.grounds import Ground
from perpkit.research.strategy_check.guard import Guard, watching
from perpkit.research.strategy_check.lookahead import audit
from perpkit.research.strategy_check.trace import Trace, record
from perpkit.run import check_names
from perpkit.strategy.load import Strategy, find, load
from perpkit.strategy.supply import check_supply


def examine(
    what: str,
    grounds: tuple[Ground, ...],
    *,
    params: Mapping[str, Any] | None = None,
    compiled: bool = True,
) -> Iterator[Finding]:
    """Ask every question of :data:`CHECKS`; answers come as they are found.

    Parameters
    ----------
    what : path or name of a strategy
    grounds : the market it is checked on, and one of stress where it is to be played
    params : parameters, those not given at their defaults
    compiled : whether to compile it too

    Raises
    ------
    DataError, RequestError
        If a market cannot be played at all.
    """
    guard = Guard(find(what))
    try:
        with watching(guard):
            strategy = load(what)
        check_names(strategy)
    except StrategyError as e:
        yield failed("loads", str(e))
        yield from _rest("loads", guard)
        return
    yield passed(
        "loads", f"{strategy.name}: {strategy.doc or 'no first line that says what it is'}"
    )
    traces: list[Trace] = []
    runs = []
    for name, ground in zip(("demo", "stress"), grounds, strict=False):
        with watching(guard):
            runs.append(_dry_run((name, ground), strategy, params or {}, traces))
    if not traces and all(run.status is Status.SKIPPED for run in runs):
        raise DataError(runs[0].says)
    yield from runs
    if len(grounds) < 2:
        yield skipped("stress", "no market of stress was given")
    yield guard.finding()
    if any(run.status is Status.FAILED for run in runs):
        yield from _rest("files", guard, "it does not run")
        return
    for name, check in (
        ("look-ahead", lambda: audit(traces)),
        ("determinism", lambda: determinism(traces[0])),
        ("finite", lambda: finite(traces[0])),
        ("scale", lambda: scale(traces[0])),
        ("idle", lambda: idle(traces[0])),
        ("bounds", lambda: bounds(traces[0])),
    ):
        yield _asked(name, check)
    if compiled:
        yield _asked("compiles", lambda: compiles(traces[0]))
    else:
        yield skipped("compiles", "not asked for")


def _rest(last: str, guard: Guard, why: str = "it does not load") -> Iterator[Finding]:
    names = list(CHECKS)
    for name in names[names.index(last) + 1 :]:
        yield guard.finding() if name == "files" and guard.found else skipped(name, why)


def _dry_run(
    on: tuple[str, Ground], strategy: Strategy, params: Mapping[str, Any], traces: list[Trace]
) -> Finding:
    name, ground = on
    try:
        check_supply(strategy, ground.market)
    except StrategyError as e:
        return failed(name, str(e))
    except DataError as e:
        return skipped(name, str(e))
    try:
        trace = record(strategy, ground, **params)
    except StrategyError as e:
        return failed(name, str(e))
    traces.append(trace)
    perps = len(ground.market.names.coins)
    return passed(
        name,
        f"{ground.hours:,} hours of {ground.name}, {perps} perps: {trace.decisions:,} targets, "
        f"{len(trace.played.fills):,} fills",
    )


def _asked(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except StrategyError as e:
        return failed(name, str(e))
