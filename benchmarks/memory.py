"""Peak resident memory of W2, each way of running it in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.driver import Driver
from benchmarks.workloads import prices, workload
from perpkit.ledger import frames

WAYS = ("market", "equity", "ledger", "frames")
STATUS = Path("/proc/self/status")


class Memory(NamedTuple):
    """Peak memory of one way of running W2."""

    way: str
    peak_mb: float
    above_imports_mb: float
    mb_per_million: float  # above the imports, a million market-hours


def peak_mb() -> float:
    """Largest resident memory of this process so far.

    Linux counts what the parent held at the fork into ``ru_maxrss``, but not into ``VmHWM``.
    """
    if STATUS.exists():
        lines = dict(x.partition(":")[::2] for x in STATUS.read_text(encoding="ascii").splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def child(way: str) -> dict[str, float]:
    """Run W2 up to one point of the way, in this process."""
    imported = peak_mb()
    work = workload("W2", 64)
    prices.cache_clear()
    if way != "market":
        driver = Driver(work)
        played = driver.run(driver.prepare(work.values, ledger=way != "equity"))
        if way == "frames":
            frames(work.market, played, work.strategy.name)
    return {"imports": imported, "peak": peak_mb(), "cells": work.cells}


def measure() -> list[Memory]:
    """Peak memory of the market alone, and of runs that keep ever more."""
    made = []
    for way in WAYS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", way],
            check=True,
            capture_output=True,
            text=True,
        )
        told = json.loads(done.stdout)
        above = told["peak"] - told["imports"]
        made.append(Memory(way, told["peak"], above, above / told["cells"] * 1e6))
    return made


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1])))
