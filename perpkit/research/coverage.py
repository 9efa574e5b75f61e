"""Which hours a dataset records of each instrument, and which it lacks in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64, I64
from perpkit.dataset.content import read_parts
from perpkit.dataset.parts import Part
from perpkit.dataset.schema import FUNDING, PERPS, TOKENS, Table
from perpkit.units import HOUR_MS

HOURLY: Final = (PERPS, FUNDING, TOKENS)  # the tables that go on; in the others nothing can lack
_DAY_HOURS: Final = 24


class Run(NamedTuple):
    """Rows without a gap: first and last hour since 1970, and the hours from one to the next."""

    first: int
    last: int
    step: int


class Gap(NamedTuple):
    """Hours that lie between two rows and have none: the first of them, and how many."""

    first: int
    hours: int


class Coverage(NamedTuple):
    """What a table records of one instrument.

    `first_ms` and `last_ms` are the times of its first and last row; `runs` are in order.
    """

    table: str
    instrument: str
    rows: int
    first_ms: int
    last_ms: int
    runs: tuple[Run, ...]

    @property
    def gaps(self) -> list[Gap]:
        """Hours without a row between the first and the last."""
        return [
            Gap(one.last + one.step, two.first - one.last - one.step)
            for one, two in zip(self.runs, self.runs[1:], strict=False)
            if two.first - one.last > one.step
        ]

    def share(self, edges: I64) -> F64:
        """How much of each slice of time is recorded.

        Parameters
        ----------
        edges : (S + 1,) hours since 1970, ascending: the slices' bounds

        Returns
        -------
        (S,) fractions, 1 where every hour of the slice is recorded
        """
        made = np.zeros(len(edges) - 1)
        for run in self.runs:
            low = np.maximum(edges[:-1], run.first)
            high = np.minimum(edges[1:], run.last + run.step)
            made += np.maximum(high - low, 0)
        return made / np.diff(edges)


def of_parts(table: Table, parts: Sequence[Part]) -> list[Coverage]:
    """Coverage of every instrument in a store's parts.

    A part with as many rows as its span has hours lacks none and is not opened.

    Raises
    ------
    DataError
        If a part that must be opened is missing or was changed.
    """
    own: dict[str, list[Part]] = {}
    for part in parts:
        own.setdefault(part.instrument or "", []).append(part)
    return [
        Coverage(
            table.name,
            name,
            sum(part.rows for part in some),
            min(part.first_ms for part in some),
            max(part.last_ms for part in some),
            tuple(_joined(run for part in some for run in _runs_of(table, part))),
        )
        for name, some in own.items()
    ]


def of_frame(table: Table, frame: pl.DataFrame) -> list[Coverage]:
    """Coverage of every instrument in the rows of a table, sorted by its keys."""
    made = []
    for (name,), rows in frame.group_by(table.instrument, maintain_order=True):
        times = _times(rows)
        runs = tuple(_joined(_runs(times // HOUR_MS, hourly=table is not FUNDING)))
        made.append(
            Coverage(table.name, str(name), len(times), int(times[0]), int(times[-1]), runs)
        )
    return made


def _runs_of(table: Table, part: Part) -> Iterator[Run]:
    first, last = part.first_ms // HOUR_MS, part.last_ms // HOUR_MS
    if part.rows == last - first + 1:
        yield Run(first, last, 1)
        return
    times = _times(read_parts(table, [part], ("time",)))
    yield from _runs(times // HOUR_MS, hourly=table is not FUNDING)


def _times(rows: pl.DataFrame) -> I64:
    return rows["time"].cast(pl.Int64).to_numpy()


def _runs(hours: I64, *, hourly: bool) -> Iterator[Run]:
    apart = np.diff(hours)
    # Settlements may be hours apart: as far as most of them are, if that divides a day.
    step = 1
    if not hourly and len(apart):
        often = int(np.bincount(np.minimum(apart, _DAY_HOURS + 1)).argmax())
        step = often if often and _DAY_HOURS % often == 0 else 1
    ends = np.flatnonzero(apart > step)
    for low, high in zip([0, *(ends + 1)], [*ends, len(hours) - 1], strict=True):
        yield Run(int(hours[low]), int(hours[high]), step)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs that follow each other without a gap, made one."""
    now: Run | None = None
    for run in runs:
        if now is not None and now.step == run.step and run.first - now.last <= run.step:
            now = Run(now.first, run.last, run.step)
            continue
        if now is not None:
            yield now
        now = run
    if now is not None:
        yield now
