"""Hours and settlements that are missing within the span of an instrument."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from perpkit.arrays import I64
from perpkit.dataset.schema import FUNDING, PERPS, TOKENS, Table
from perpkit.research.findings import Severity
from perpkit.research.history import intervals
from perpkit.research.quality.raw import Found, Raw
from perpkit.research.quality.telling import Place, found, hour_ms, moment, rows
from perpkit.units import HOUR_MS, HOUR_NS

NAME = "gaps"


def check(raw: Raw) -> Iterator[Found]:
    """Missing rows, in one finding for those that every instrument of the table lacks."""
    for table in (PERPS, FUNDING, TOKENS):
        if not raw.has(table.name):
            continue
        lacking, spans = _missing(raw, table)
        if not lacking:
            continue
        shared = _shared(lacking, spans)
        if shared.size:
            yield _told(raw, table, f"all {table.instrument}s", shared)
        for name, hours in lacking.items():
            own = np.setdiff1d(hours, shared)
            if own.size:
                yield _told(raw, table, name, own)


def _missing(raw: Raw, table: Table) -> tuple[dict[str, I64], dict[str, tuple[int, int]]]:
    """Missing hours of each instrument that has any, and the first and last hour of each."""
    name = table.instrument
    frame = raw.tables[table.name].select(name, (hour_ms() // HOUR_MS).alias("hour"))
    ends = frame.group_by(name, maintain_order=True).agg(
        pl.col("hour").min().alias("first"), pl.col("hour").max().alias("last")
    )
    spans = {str(own): (first, last) for own, first, last in ends.iter_rows()}
    step = pl.col("hour").diff().over(name)
    wide = frame.with_columns(step.alias("step")).filter(pl.col("step") > 1)
    lacking: dict[str, I64] = {}
    for own in wide[name].unique(maintain_order=True):
        hours = frame.filter(pl.col(name) == own)["hour"].to_numpy().astype(np.int64)
        if gone := _gone(hours, settled=table is FUNDING):
            lacking[str(own)] = np.concatenate(gone)
    return lacking, spans


def _gone(hours: I64, *, settled: bool) -> list[I64]:
    every = np.ones(len(hours), np.int64)
    if settled:
        told = intervals(hours * HOUR_NS)
        if told is None:
            return []
        every = told
    apart = np.diff(hours)
    # A settlement covers the interval before it, so the row after a gap knows how long each was.
    return [
        np.arange(hours[n] + every[n + 1], hours[n + 1], every[n + 1])
        for n in np.flatnonzero(apart > every[1:])
    ]


def _shared(lacking: dict[str, I64], spans: dict[str, tuple[int, int]]) -> I64:
    """Hours that all instruments lack whose span holds them, two at least."""
    gone, count = np.unique(np.concatenate(list(lacking.values())), return_counts=True)
    firsts = np.sort([first for first, _ in spans.values()])
    lasts = np.sort([last for _, last in spans.values()])
    there = np.searchsorted(firsts, gone) - np.searchsorted(lasts, gone, side="right")
    shared: I64 = gone[(count >= there) & (count >= 2)]
    return shared


def _told(raw: Raw, table: Table, name: str, hours: I64) -> Found:
    starts = np.flatnonzero(np.concatenate([[True], np.diff(hours) > 1]))
    longest = int(np.diff(np.append(starts, len(hours))).max())
    what = "settlement" if table is FUNDING else "hour"
    gaps = "in one gap" if len(starts) == 1 else f"in {len(starts):,} gaps"
    if table is FUNDING:
        gaps, extent = "", ""
    else:
        extent = "" if len(starts) == 1 else f", the longest {rows(longest, 'hour')}"
    first = int(hours[0]) * HOUR_MS
    verb = "is" if len(hours) == 1 else "are"
    say = (
        f"{rows(len(hours), what)} {verb} missing{' ' + gaps if gaps else ''}, first "
        f"{moment(first)}{extent}; --fix leaves gaps, as nothing tells what was there: fetch or "
        "import these hours again"
    )
    at = pl.DataFrame({"time": [first]}, schema={"time": pl.Int64})
    place = Place(table.name, name, at)
    return found(raw, NAME, place, say, severity=Severity.WARNING, count=len(hours))
