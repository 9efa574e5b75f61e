"""Which of the rows that something happens at are the hour's."""

from __future__ import annotations

from perpkit.arrays import I64
from perpkit.rule import rule


@rule
def first_from(rows: I64, t: int) -> int:
    """How many of ascending rows come before ``t``."""
    low, high = 0, rows.shape[0]
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < t:
            low = middle + 1
        else:
            high = middle
    return low
