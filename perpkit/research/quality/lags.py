"""Two series held against each other at every shift of whole hours."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import F64
from perpkit.research.quality.rhythm import FARTHEST
from perpkit.research.quality.telling import hour_ms
from perpkit.units import HOUR_MS

_LAGS: Final = range(-FARTHEST, FARTHEST + 1)
_LEAST: Final = 48  # hours that two series must share
_MOST: Final = 5_000  # the last so many tell as much as three years do
_SURE: Final = 0.8  # a correlation at the stored hour that no other hour need be asked after
_GOOD: Final = (
    0.5  # of a correlation; a broker's tokens and perps have 0.87 to 0.98 at the right hour
)
_MARGIN: Final = 0.2  # by which the best hour beats the stored one
_EXTREME: Final = 8.0  # of the usual distance from the middle
_EQUAL: Final = 0.9  # share of equal rates at the right hour


class Line(NamedTuple):
    """Values of one instrument on a common clock, NaN where absent."""

    first: int  # hour since the epoch
    values: F64


def line(own: pl.DataFrame, value: pl.Expr) -> Line | None:
    """Values of rows that ascend in time, the last of them; None where they are too few."""
    told = own.select((hour_ms() // HOUR_MS).alias("hour"), value.cast(pl.Float64).alias("value"))
    told = told.filter(pl.col("value").is_finite()).tail(_MOST)
    if told.height < _LEAST:
        return None
    hour = told["hour"].to_numpy().astype(np.int64)
    values = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
    values[hour - hour[0]] = told["value"].to_numpy()
    return Line(int(hour[0]), values)


def returns(told: Line | None) -> Line | None:
    """Steps from hour to hour."""
    return None if told is None else Line(told.first + 1, np.diff(told.values))


def _at(line: Line, lag: int, first: int, count: int) -> F64:
    """Values of a line moved `lag` hours back, on a clock."""
    made = np.full(count, np.nan)
    start = line.first - lag - first
    low, high = max(start, 0), min(start + len(line.values), count)
    if low < high:
        made[low:high] = line.values[low - start : high - start]
    return made


def lag_of(base: Line | None, other: Line | None) -> int | None:
    """Hours that a series is later than another it moves with; None where they show none."""
    if base is None or other is None:
        return None
    base, other = _tamed(base), _tamed(other)
    found_at: dict[int, float] = {}
    for lag in sorted(_LAGS, key=abs):
        moved = _at(other, lag, base.first, len(base.values))
        both = np.isfinite(moved) & np.isfinite(base.values)
        if both.sum() >= _LEAST:
            a, b = base.values[both], moved[both]
            if a.std() > 0 and b.std() > 0:
                found_at[lag] = float(np.corrcoef(a, b)[0, 1])
        if found_at.get(0, 0.0) >= _SURE:
            return 0
    if not found_at:
        return None
    best = max(found_at, key=lambda lag: (found_at[lag], -abs(lag)))
    if found_at[best] < _GOOD:
        return None
    return best if found_at[best] >= found_at.get(0, 0.0) + _MARGIN else 0


def _tamed(line: Line) -> Line:
    """Without the extremes, of which a single one would make or break a correlation."""
    known = line.values[np.isfinite(line.values)]
    middle = float(np.median(known))
    away = float(np.median(np.abs(known - middle)))
    if away == 0.0:
        return line
    far = _EXTREME * away
    return Line(line.first, np.clip(line.values, middle - far, middle + far))


def equal_lag(base: Line | None, other: Line | None) -> int | None:
    """The same where the two hold the same numbers; the commonest of them tells nothing."""
    if base is None or other is None:
        return None
    known = base.values[np.isfinite(base.values)]
    numbers, counts = np.unique(known, return_counts=True)
    telling = np.isfinite(base.values) & (base.values != numbers[np.argmax(counts)])
    share: dict[int, float] = {}
    for lag in sorted(_LAGS, key=abs):
        moved = _at(other, lag, base.first, len(base.values))
        both = telling & np.isfinite(moved)
        if both.sum() >= _LEAST / 4:
            share[lag] = float(np.mean(np.abs(base.values[both] - moved[both]) < 1e-12))
        if share.get(0, 0.0) >= _EQUAL:
            return 0
    if not share:
        return None
    best = max(share, key=lambda lag: (share[lag], -abs(lag)))
    return best if share[best] >= _EQUAL else None
