"""Interleaved rounds: each engine once a round, so that a busy machine slows all of them alike.

The clock is the processor time of the thread, which another process on the same core does not
count to. The first round warms caches and is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.driver import Driver, plan_of
from benchmarks.plain import Plain
from benchmarks.workloads import Workload, shocked, sweep_values, workload
from perpkit.ledger import frames

SHORT_RUN = 100_000  # market-hours below which a round is repeated
Timed = Callable[[], float]


class Row(NamedTuple):
    """One line of the table; ratios are medians of ratios inside one round."""

    workload: str
    engine: str
    rounds: int
    seconds: float
    ns: float  # per market-hour
    least_ns: float
    most_ns: float
    ratio: float | None  # to the C loop of the same output
    note: str = ""


def clocked(call: Callable[[], object]) -> float:
    """Seconds of this thread on a processor."""
    begun = time.thread_time()
    call()
    return time.thread_time() - begun


def rows_of(
    name: str, cells: int, engines: dict[str, tuple[Timed, str]], rounds: int, note: str = ""
) -> list[Row]:
    """Time engines in turn; each names the engine its ratio is taken to."""
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for turn in range(rounds + 1):
        for engine, (run, _) in engines.items():
            seconds = run()
            if turn:
                found[engine].append(seconds)
    made = []
    for engine, (_, base) in engines.items():
        ns = [s / cells * 1e9 for s in found[engine]]
        ratio = None
        if base:
            ratio = median(a / b for a, b in zip(found[engine], found[base], strict=True))
        seconds = median(found[engine])
        made.append(Row(name, engine, rounds, seconds, median(ns), min(ns), max(ns), ratio, note))
    return made


def agree(work: Workload) -> None:
    """Refuse to time two programs that do not do the same."""
    driver, plain = Driver(work), Plain(work)
    for ledger in (True, False):
        stage = driver.prepare(work.values, ledger=ledger)
        played = driver.run(stage)
        out, kept = plain.prepare(ledger=ledger)
        plain.run(plain.carry(work.values), out)
        ours = played.rows.equity_usd
        assert np.all(np.abs(ours - kept.equity) <= 1e-9 * np.abs(ours)), f"{work.name}: equity"
        assert len(np.unique(ours)) > 1, f"{work.name}: nothing was traded"
        if ledger:
            settled = played.rows.funding_usd
            assert np.allclose(settled, kept.rows["funding_usd"], rtol=1e-9), work.name
            for n, name in enumerate(("fills", "payments")):
                mine, count = played[n + 1], (out.n_fills, out.n_payments)[n]
                assert len(mine) == count, f"{work.name}: {name}"
                for field in mine.dtype.names:
                    theirs = getattr(kept, name)[:count][field]
                    assert np.allclose(mine[field], theirs, rtol=1e-9), f"{work.name}: {name}"


def timed_driver(driver: Driver, *, ledger: bool) -> Timed:
    """One run of perpkit's loop; what it writes to is laid out before the clock starts."""

    def run() -> float:
        stage = driver.prepare(driver.work.values, ledger=ledger)
        return clocked(lambda: driver.run(stage))

    return run


def timed_plain(plain: Plain, values: dict[str, Any], *, ledger: bool) -> Timed:
    """One run of the C loop."""
    carry = plain.carry(values)

    def run() -> float:
        out, kept = plain.prepare(ledger=ledger)
        return clocked(lambda: (plain.run(carry, out), kept))

    return run


def single_runs(name: str, markets: int, rounds: int) -> list[Row]:
    """One portfolio, with its ledger and without, and for one market a plan."""
    work = workload(name, markets)
    agree(work)
    driver, plain = Driver(work), Plain(work)
    engines = {
        "perpkit, ledger": (timed_driver(driver, ledger=True), "C, ledger"),
        "C, ledger": (timed_plain(plain, work.values, ledger=True), ""),
        "perpkit": (timed_driver(driver, ledger=False), "C"),
        "C": (timed_plain(plain, work.values, ledger=False), ""),
    }
    if markets == 1:
        plan = plan_of(work)
        planned = Driver(work, plan)
        own = Plain(work, plan)
        engines["perpkit, plan"] = (timed_driver(planned, ledger=False), "C, plan")
        engines["C, plan"] = (timed_plain(own, work.values, ledger=False), "")
    rounds *= 5 if work.cells < SHORT_RUN else 1
    return rows_of(name, work.cells, engines, rounds)


def frame_runs(name: str, markets: int, rounds: int) -> list[Row]:
    """The result frames of a played run; the clock on the wall, as polars uses every core."""
    work = workload(name, markets)
    driver = Driver(work)
    played = driver.run(driver.prepare(work.values, ledger=True))

    def run() -> float:
        begun = time.perf_counter()
        frames(work.market, played, work.strategy.name)
        return time.perf_counter() - begun

    return rows_of(name, work.cells, {"frames": (run, "")}, rounds, "wall clock")


def sweep_runs(name: str, markets: int, rounds: int, sets: int) -> list[Row]:
    """Many parameter sets after one another, equity alone, the state of each made anew."""
    work = workload(name, markets)
    driver, plain = Driver(work), Plain(work)
    chosen = sweep_values(work)[:sets]

    def ours() -> None:
        for values in chosen:
            driver.run(driver.prepare(values, ledger=False))

    def theirs() -> None:
        for values in chosen:
            out, _ = plain.prepare(ledger=False)
            plain.run(plain.carry(values), out)

    engines = {
        "perpkit": ((lambda: clocked(ours)), "C"),
        "C": ((lambda: clocked(theirs)), ""),
    }
    note = "1,000 sets"
    if sets < 1_000:
        note = f"extrapolated from {sets} of 1,000 sets"
    made = rows_of(name, work.cells * sets, engines, rounds, note)
    return [row._replace(seconds=row.seconds * 1_000 / sets) for row in made]


def measure(rounds: int, *, full: bool) -> list[Row]:
    """Every row of the loop's table."""
    agree(shocked(8))
    return [
        *single_runs("W1", 1, rounds),
        *single_runs("W2", 64, rounds),
        *frame_runs("W1", 1, rounds),
        *frame_runs("W2", 64, min(rounds, 3)),
        *sweep_runs("W3_1", 1, 1 if full else rounds, 1_000 if full else 40),
        *sweep_runs("W3_16", 16, 1 if full else rounds, 1_000 if full else 4),
    ]
