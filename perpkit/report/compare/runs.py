"""The runs of a comparison: their names, their common hours, and what forbids comparing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.errors import RequestError
from perpkit.report.chart import numbers, times
from perpkit.report.reading import Run
from perpkit.report.said import instant

COLOURS = ("@1", "@2", "@3", "@4", "@5", "@6", "@7", "@8")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


class Runs(NamedTuple):
    """Runs that can be compared; the first is what the others are set against."""

    names: tuple[str, ...]
    runs: tuple[Run, ...]
    time_ms: tuple[I64, ...]
    equity_usd: tuple[F64, ...]
    common: tuple[int, int]  # first and last hour of all of them, ms; the second earlier: none

    def look(self, n: int) -> tuple[str, str]:
        """Colour and dash of a run."""
        return COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]

    @property
    def one_span(self) -> bool:
        """Whether all of them begin and end together."""
        return all((t[0], t[-1]) == (self.time_ms[0][0], self.time_ms[0][-1]) for t in self.time_ms)

    @property
    def one_capital(self) -> bool:
        """Whether all of them began with the same capital."""
        return len({run.capital for run in self.runs}) == 1

    def span(self, n: int) -> str:
        """First and last hour of a run."""
        return f"{instant(self.time_ms[n][0])} to {instant(self.time_ms[n][-1])}"


def told_apart(runs: Sequence[Run]) -> Runs:
    """Name the runs, each its own, and see that each has hours in common with the first.

    Raises
    ------
    RequestError
        If one has no two hours in common with the first.
    """
    names = _names([run.name for run in runs])
    time_ms = tuple(times(run.frames["equity"]["time"]) for run in runs)
    equity = tuple(numbers(run.frames["equity"]["equity_usd"]) for run in runs)
    begun, ended = max(int(t[0]) for t in time_ms), min(int(t[-1]) for t in time_ms)
    told = Runs(names, tuple(runs), time_ms, equity, (begun, ended))
    for n in range(1, len(runs)):
        if len(np.intersect1d(time_ms[0], time_ms[n])) < 2:
            raise RequestError(
                f"{names[0]} ({told.span(0)}) and {names[n]} ({told.span(n)}) have no two hours in "
                "common, so there is nothing to compare; run one of them over the other's span"
            )
    return told


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Names, those that come again with a number."""
    taken = set(given)
    seen: Counter[str] = Counter()
    made = []
    for name in given:
        seen[name] += 1
        told, number = name, seen[name]
        while seen[name] > 1 and told in taken:
            told = f"{name} ({number})"
            number += 1
        taken.add(told)
        made.append(told)
    return tuple(made)
