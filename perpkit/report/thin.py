"""Fewer points than hours, with every extreme kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTS = 1_600  # about one a pixel of the widest chart


def thin(*values: NDArray[Any], points: int = POINTS) -> NDArray[np.int64]:
    """Rows to draw of series that share their rows.

    In each of equally long stretches the rows of the least and the largest number of every series
    stay, with its first and its last row, and the row after a gap or before one: what was
    interrupted is drawn interrupted.

    Parameters
    ----------
    values : (T,) each; NaN is a gap
    points : rows that are wanted; somewhat more may stay, never an extreme less

    Returns
    -------
    ascending row numbers
    """
    hours = len(values[0]) if values else 0
    per = 2 * len(values)
    stretches = max(1, points // max(1, per))
    if hours <= points:
        return np.arange(hours, dtype=np.int64)
    edges = np.linspace(0, hours, stretches + 1).astype(np.int64)
    starts = edges[:-1]
    stretch = np.repeat(np.arange(stretches), np.diff(edges))
    keep = np.zeros(hours, np.bool_)
    keep[[0, hours - 1]] = True
    keep[starts] = True
    for told in values:
        series = np.asarray(told, np.float64)
        gap = np.isnan(series)
        for sign in (1.0, -1.0):
            filled = np.where(gap, -np.inf, sign * series)
            most = np.maximum.reduceat(filled, starts)
            hit = np.flatnonzero(~gap & (filled == most[stretch]))
            _, first = np.unique(stretch[hit], return_index=True)
            keep[hit[first]] = True
        turns = np.flatnonzero(gap[1:] != gap[:-1])
        if len(turns) <= points:  # a series of gaps alone would keep every row
            keep[turns] = keep[turns + 1] = True
    return np.flatnonzero(keep)
