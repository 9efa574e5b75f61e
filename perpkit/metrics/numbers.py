"""Small numbers with an honest answer where there is none: None, never NaN or a misleading 0."""

from __future__ import annotations

from math import isfinite
from typing import Final, TypeAlias

import numpy as np

from perpkit.arrays import B8, F64

Value: TypeAlias = float | int | str | None

# Below this a return, a drawdown or a deviation of returns is rounding, not a number.
NOISE: Final = 1e-12


def ratio(top: float | None, bottom: float | None, floor: float = 0.0) -> float | None:
    """Quotient; None where a part is missing or the divisor is no larger than ``floor`` in size.

    >>> ratio(1.0, 4.0), ratio(1.0, 0.0), ratio(None, 2.0)
    (0.25, None, None)
    """
    if top is None or bottom is None or not abs(bottom) > floor:
        return None
    value = float(top) / float(bottom)
    return value if isfinite(value) else None


def times(value: float | None, factor: float) -> float | None:
    """Product that keeps None."""
    return None if value is None else value * factor


def positive(value: float) -> float | None:
    """Keep a value above zero, else None: a divisor that must not change sign."""
    return float(value) if value > 0.0 else None


def mean(x: F64) -> float | None:
    """Mean, None of nothing."""
    return float(x.mean()) if x.size else None


def largest(x: F64) -> float | None:
    """Largest value, None of nothing."""
    return float(x.max()) if x.size else None


def smallest(x: F64) -> float | None:
    """Smallest value, None of nothing."""
    return float(x.min()) if x.size else None


def deviation(x: F64) -> float | None:
    """Find the standard deviation (n - 1); None under two values or where it is rounding."""
    if x.size < 2:
        return None
    value = float(x.std(ddof=1))
    scale = max(1.0, float(np.abs(x).max()))
    return value if value > NOISE * scale else None


def share(mask: B8) -> float | None:
    """Share of true values, None of nothing."""
    return float(mask.mean()) if mask.size else None


def longest_run(mask: B8) -> int:
    """Most true values in a row.

    >>> longest_run(np.array([True, True, False, True]))
    2
    """
    edges = np.flatnonzero(np.concatenate(([True], ~mask, [True])))
    return int(np.diff(edges).max()) - 1
