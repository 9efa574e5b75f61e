"""The hourly frames of a run as arrays, and what panels of prices and rates share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.report.chart import Trace, numbers, shade, times
from perpkit.report.reading import Run
from perpkit.report.thin import POINTS
from perpkit.units import HOUR_MS

LEGIBLE_HOURS: Final = 120 * 24  # beyond, the nights of every day are noise
_POINT_BYTES: Final = 24  # a time and a number as text, and a half more that thinning keeps
_FEWEST: Final = 200
_SHORT: Final = 400  # hours that are drawn each


@dataclass(frozen=True, slots=True)
class Grid:
    """A frame with one row an hour and name, hour by hour.

    Attributes
    ----------
    time_ms : (T,)
    names : N coins or tokens
    frame : its rows, the names of an hour together
    """

    time_ms: I64
    names: tuple[str, ...]
    frame: pl.DataFrame

    def of(self, column: str) -> F64:
        """(T, N) of a column, NaN for null; each coin's hours lie together."""
        made = numbers(self.frame[column]).reshape(len(self.time_ms), len(self.names))
        return np.asfortranarray(made)

    def phase(self, *phases: str) -> B8:
        """(T, N) whether the hour is of these phases."""
        told = self.frame["phase"].is_in(phases).to_numpy()
        made = np.asarray(told, np.bool_).reshape(len(self.time_ms), len(self.names))
        return np.asfortranarray(made)

    def hours(self) -> F64:
        """(T,) from each row to the next, 0 at the last."""
        return np.append(np.diff(self.time_ms) / HOUR_MS, 0.0)


def grid(frame: pl.DataFrame, name: str) -> Grid:
    """Rows of ``market`` or ``quotes`` as a grid; ``name`` is the column of coins or tokens."""
    names = tuple(frame[name].unique(maintain_order=True).cast(pl.String))
    step = max(1, len(names))
    return Grid(times(frame["time"].gather_every(step)), names, frame)


class Spells(NamedTuple):
    """Unbroken stretches of rows: the first of each, and the first after it."""

    first: I64
    after: I64


def spells(on: B8) -> Spells:
    """Stretches in which something is so.

    Parameters
    ----------
    on : (T,)

    Returns
    -------
    rows of its stretches; ``after`` is T for one that lasts to the end
    """
    edge = np.diff(np.concatenate(([0], on.astype(np.int8), [0])))
    return Spells(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1))


def shading(time_ms: I64, closed: B8, extended: B8) -> list[Trace]:
    """Traces that shade closed sessions whole, and extended ones along the foot.

    Extended ones are left out where the span is long.

    Parameters
    ----------
    time_ms, closed, extended : (T,)
    """
    ends = np.append(time_ms, time_ms[-1:] + HOUR_MS)
    made = []
    for name, on, height in (("closed", closed, 1.0), ("extended", extended, 0.06)):
        first, after = spells(on)
        if first.size and (height == 1.0 or len(time_ms) <= LEGIBLE_HOURS):
            made.append(shade(f"{name} session", time_ms[first], ends[after], height))
    return made


def shaded(traces: Sequence[Trace]) -> str:
    """What the shades of a chart are, in words; nothing where there are none."""
    names = {str(trace.get("name")) for trace in traces}
    told = "Shaded: the stock's session is closed" if "closed session" in names else ""
    if "extended session" in names:
        told += "; along the foot: extended" if told else "Shaded along the foot: extended session"
    return f"{told}. " if told else ""


def points(hours: int, lines: int, kilobytes: int) -> int:
    """Points of each of so many lines that share a number of kilobytes of the page."""
    share = kilobytes * 1000 // (_POINT_BYTES * max(1, lines))
    return int(np.clip(share, _SHORT if hours <= _SHORT else _FEWEST, POINTS))


def thinned(wanted: int, hours: int) -> str:
    """The note of a line of so many hours, drawn in so many points."""
    if hours <= wanted:
        return ""
    return " Drawn in stretches of hours; the least and the largest of each stay."


def quantiles(values: F64, wanted: tuple[float, ...]) -> F64:
    """Quantiles down the rows, NaN left out; linear between two values.

    Parameters
    ----------
    values : (R, ...)
    wanted : Q shares, 0 to 1

    Returns
    -------
    (Q, ...), NaN where a column has no value
    """
    ordered = np.sort(values, axis=0)  # NaN come last
    last = np.isfinite(ordered).sum(axis=0) - 1
    made = np.full((len(wanted), *values.shape[1:]), np.nan)
    for n, share in enumerate(wanted if values.shape[0] else ()):
        place = np.maximum(last, 0) * share
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(last, 0))
        left = np.take_along_axis(ordered, low[None], 0)[0]
        right = np.take_along_axis(ordered, high[None], 0)[0]
        made[n] = np.where(last >= 0, left + (right - left) * (place - low), np.nan)
    return made


def mean(values: F64, axis: int) -> F64:
    """Mean along an axis, NaN left out; NaN where nothing is left."""
    there = np.isfinite(values)
    if there.all():
        return np.asarray(values.mean(axis=axis), np.float64)
    total, count = np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis)
    made: F64 = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return made


def term(run: Run, key: str, time_ms: I64) -> dict[str, F64]:
    """A number of the rulebook as it was in force, by coin.

    Returns
    -------
    (T,) of each coin: the value at each hour, NaN where there is none or it is no number
    """
    told: dict[str, list[tuple[int, float]]] = {}
    for one in run.manifest["terms"]:
        if one["key"] == key:
            for coin in one["coins"]:
                told.setdefault(coin, []).append((one["from_ns"] // 1_000_000, _number(one)))
    return {coin: _in_force(eras, time_ms) for coin, eras in told.items()}


def _number(one: Mapping[str, Any]) -> float:
    value = one["value"]
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if plain else float("nan")


def _in_force(eras: list[tuple[int, float]], time_ms: I64) -> F64:
    begun, values = (np.array(told) for told in zip(*sorted(eras), strict=True))
    era = np.searchsorted(begun, time_ms, side="right") - 1
    return np.where(era >= 0, values[np.maximum(era, 0)], np.nan)
