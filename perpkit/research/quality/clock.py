"""New York's clock stored as UTC: an hour is missing in spring, another doubled in autumn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from perpkit.dataset.schema import FUNDING, PERPS, TIME, TOKENS, Table
from perpkit.research.findings import Severity
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import Place, first_ms, found, hour_ms, moment, rows
from perpkit.units import HOUR_MS

NAME = "zone"
_ZONE: Final = "America/New_York"
_LOCAL: Final = ZoneInfo(_ZONE)
_LEGAL: Final = (946_684_800_000, 4_102_444_800_000)  # 2000 to 2100


def check(raw: Raw) -> Iterator[Found]:
    """Instruments that lack the hour that New York skips in spring and double that of autumn.

    Each change of the clocks within their rows must show, so that a gap alone is none.
    """
    for table in (PERPS, FUNDING, TOKENS):
        if not raw.has(table.name):
            continue
        frame = raw.tables[table.name]
        ends = frame.select(hour_ms().min().alias("a"), hour_ms().max().alias("b")).row(0)
        if not _LEGAL[0] <= ends[0] <= ends[1] < _LEGAL[1]:
            continue
        changes = _changes(*ends)
        names = [] if not changes else _local(frame, table, changes)
        every = frame[table.instrument].n_unique()
        whole = len(names) > 1 and len(names) == every
        for group in [names] if whole else [[name] for name in names]:
            yield _told(raw, table, group, sure=not all(spring for _, spring in changes))


def _changes(first_ms: int, last_ms: int) -> list[tuple[int, bool]]:
    """Hours on New York's clock that are skipped (True) or doubled within a span, as if UTC."""
    made = []
    for year in range(1970 + first_ms // 31_557_600_000, 1971 + last_ms // 31_557_600_000):
        for day in range(366):
            noon = datetime(year, 1, 1, 12) + timedelta(days=day)  # noqa: DTZ001 - a wall clock
            before = (noon - timedelta(days=1)).replace(tzinfo=_LOCAL).utcoffset()
            after = noon.replace(tzinfo=_LOCAL).utcoffset()
            if before is None or after is None or before == after or noon.year != year:
                continue
            spring = after > before
            at = noon.replace(hour=2 if spring else 1, tzinfo=ZoneInfo("UTC"))
            ms = int(at.timestamp() * 1000)
            if first_ms < ms - HOUR_MS and ms + 2 * HOUR_MS < last_ms:
                made.append((ms, spring))
    return made


def _local(frame: pl.DataFrame, table: Table, changes: list[tuple[int, bool]]) -> list[str]:
    near = {ms + n * HOUR_MS for ms, _ in changes for n in (-1, 0, 1)}
    counts = (
        frame.select(table.instrument, hour_ms().alias("at"))
        .filter(pl.col("at").is_in(sorted(near)))
        .group_by(table.instrument, "at")
        .len()
    )
    seen = {(name, at): count for name, at, count in counts.iter_rows()}
    made = []
    for name in frame[table.instrument].drop_nulls().unique(maintain_order=True):
        shows = [
            (seen.get((name, ms), 0) == (0 if spring else 2))
            and seen.get((name, ms - HOUR_MS), 0) == 1
            and seen.get((name, ms + HOUR_MS), 0) == 1
            for ms, spring in changes
        ]
        if all(shows):
            made.append(str(name))
    return made


def _told(raw: Raw, table: Table, names: list[str], *, sure: bool) -> Found:
    """A finding; sure where an hour is doubled, as a missing one alone may be a gap."""
    key = table.instrument
    bad = raw.tables[table.name].filter(pl.col(key).is_in(names))
    again = pl.int_range(pl.len()).over(key, hour_ms()) > 0
    wall = pl.col("time").dt.replace_time_zone(None)
    early, late = (
        wall.dt.replace_time_zone(_ZONE, ambiguous=which, non_existent="null")
        for which in ("earliest", "latest")
    )
    utc = pl.when(again).then(late).otherwise(early).dt.convert_time_zone("UTC").cast(TIME)
    cells = bad.sort(key, "time", ROW).select(ROW, utc.alias("after"))
    cells = cells.filter(pl.col("after").is_not_null())
    edit = Edit(table.name, "time", cells, sure, "New York's clock stored as UTC")
    name = names[0] if len(names) == 1 else f"all {key}s"
    fix = "--fix converts them" if sure else "--fix leaves them, as it may be a gap: compare a day"
    say = (
        "time is New York's clock stored as UTC, as an hour is missing or doubled at each change "
        f"of its clocks, in {rows(bad.height)}, first {moment(first_ms(bad))}; {fix}"
    )
    grade = Severity.ERROR if sure else Severity.WARNING
    return found(raw, NAME, Place(table.name, name, bad), say, edit, severity=grade)
