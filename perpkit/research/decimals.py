"""Published decimals: rates and premiums are rounded, each for itself, to eight or ten of them."""

from __future__ import annotations

from typing import Final

import numpy as np

from perpkit.arrays import F64, I64

FEWEST: Final = 8
MOST: Final = 10


def whole(values: F64) -> I64:
    """Numbers as integers of 1e-10.

    >>> whole(np.array([0.0000125]))
    array([125000])
    """
    return np.rint(values * 10.0**MOST).astype(np.int64)


def decimals_of(*columns: F64) -> int:
    """Decimals that numbers were rounded to: the most that any has, 8 to 10; NaN counts for none.

    >>> decimals_of(np.array([0.0000125, 0.0001446433]))
    10
    """
    fewest = FEWEST
    for values in columns:
        numbers = whole(values[~np.isnan(values)])
        while fewest < MOST and np.any(numbers % 10 ** (MOST - fewest)):
            fewest += 1
    return fewest
