"""Some rows of a file, and where in it they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

# Columns of the file by the dtype they are read as; others stay text.
Wanted = dict[str, pl.DataType]
Choose = Callable[[Sequence[str]], Wanted]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file; `place` says where row i of them stands.

    `done` is the share of the file read with them.
    """

    rows: pl.DataFrame
    file: str
    place: Callable[[int], str]
    done: float
