"""Times in another unit, and times off the hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from perpkit.dataset.schema import FUNDING, PERPS, TABLES, TIME, TOKENS
from perpkit.research.quality.raw import ROW, Edit, Found, Raw
from perpkit.research.quality.telling import (
    LATE_MS,
    Place,
    first_ms,
    found,
    moment,
    places,
    removed,
    rows,
)
from perpkit.units import HOUR_MS

NAME = "stamps"
_SCALES: Final = (  # how many of the stored unit make a millisecond, and the word for it
    (1e-3, "seconds"),
    (1e3, "microseconds"),
    (1e6, "nanoseconds"),
)
_MS: Final = pl.col("time").cast(pl.Int64)
_LEGAL: Final = (946_684_800_000, 4_102_444_800_000)  # 2000 to 2100


def check_units(raw: Raw) -> Iterator[Found]:
    """Times that are seconds, microseconds or nanoseconds read as milliseconds."""
    for table in TABLES:
        if not raw.has(table.name):
            continue
        frame = raw.tables[table.name]
        if frame.select(_MS.is_between(*_LEGAL).all()).item():
            continue
        bad = frame.filter(~_MS.is_between(*_LEGAL))
        for place in places(raw, table.name, bad):
            yield _scaled(raw, place)


def _scaled(raw: Raw, place: Place) -> Found:
    where = f"time is not within the years 2000 to 2100 in {rows(place.bad.height)}"
    for scale, word in _SCALES:
        cells = place.bad.select(ROW, (_MS / scale).round().cast(pl.Int64).alias("ms"))
        if cells["ms"].is_between(*_LEGAL).all():
            after = cells.select(ROW, pl.col("ms").cast(TIME).alias("after"))
            say = f"{where}: {word} stored as milliseconds; --fix rescales them"
            edit = Edit(place.table, "time", after, True, f"{word} stored as milliseconds")
            return found(raw, NAME, place, say, edit)
    say = f"{where}; no unit makes them legal, so --fix leaves them: repair them at the source"
    return found(raw, NAME, place, say, removed(place.table, place.bad, say, sure=False))


def check(raw: Raw) -> Iterator[Found]:
    """Rows of prices off the hour, and settlements more than ten minutes past it.

    A stamp at most ten minutes from an hour without a row of its own is snapped to it. Any other
    is counted for the hour it lies in by the checks that follow, and is not changed.
    """
    for table in (PERPS, TOKENS, FUNDING):
        if not raw.has(table.name):
            continue
        late = _MS % HOUR_MS
        off = late > (LATE_MS if table is FUNDING else 0)
        frame = raw.tables[table.name]
        if not frame.select(off.any()).item():
            continue
        for place in places(raw, table.name, frame.filter(off)):
            good = raw.of(table.name, place.instrument).filter(~off)
            yield _snapped(raw, place, good)


def _snapped(raw: Raw, place: Place, good: pl.DataFrame) -> Found:
    late = _MS % HOUR_MS
    near = (late <= LATE_MS) | (late >= HOUR_MS - LATE_MS)
    up = pl.when(late >= HOUR_MS - LATE_MS).then(HOUR_MS).otherwise(0)
    taken = good.select(_MS - late).to_series()
    aims = place.bad.select(ROW, near.alias("near"), (_MS - late + up).alias("ms"))
    free = ~pl.col("ms").is_in(taken.implode()) & pl.col("ms").is_first_distinct()
    aims = aims.with_columns(free.alias("free"))
    cells = aims.select(ROW, pl.col("ms").cast(TIME).alias("after"), "near", "free")
    sure = cells.filter(pl.col("near") & pl.col("free"))
    unsure = cells.filter(~pl.col("near") & pl.col("free"))
    double = place.bad.join(cells.filter(~pl.col("free")), on=ROW, how="semi")
    what = "more than ten minutes past its hour" if place.table == "funding" else "off the hour"
    edits = [
        Edit(place.table, "time", sure, True, "at most 10 minutes from its hour"),
        Edit(place.table, "time", unsure, False, what),
        removed(place.table, double, what, sure=False),
    ]
    if sure.height == place.bad.height:
        fix = "--fix snaps them to the hour, ten minutes at the most"
    elif sure.height:
        left = place.bad.height - sure.height
        fix = f"--fix snaps {sure.height:,} of them; {left:,} lie too far off or on a taken hour"
    else:
        fix = (
            "--fix leaves them, as they lie more than ten minutes off or their hour has a row: "
            "give each the full hour by which it was known"
        )
    say = f"time is {what} in {rows(place.bad.height)}, first {moment(first_ms(place.bad))}; {fix}"
    kept = [edit for edit in edits if edit.cells.height]
    return found(raw, NAME, place, say, *kept)
