"""How long a simulated year takes, warm: sixteen coins drawn and written, in one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request

COINS = 16


class Simulating(NamedTuple):
    """Seconds on the wall of one simulation, over several rounds."""

    what: str
    rounds: int
    seconds: float
    least: float
    most: float
    mb: float


def measure(rounds: int) -> list[Simulating]:
    """Simulate a year of sixteen coins so many times, after one that counts for nothing."""
    made = []
    for venues in (("baseline",), ("xyz",)):
        request = Request(stocks=tuple(f"S{n:02d}" for n in range(COINS)), venues=venues)
        with tempfile.TemporaryDirectory() as top:
            out = Path(top) / "year"
            simulate(request, out)
            took = []
            for _ in range(rounds):
                begun = time.perf_counter()
                simulate(request, out)
                took.append(time.perf_counter() - begun)
            size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
        what = f"{COINS} coins on {venues[0]}, a year"
        made.append(Simulating(what, rounds, median(took), min(took), max(took), size))
    return made
