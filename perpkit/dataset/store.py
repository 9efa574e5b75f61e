"""A dataset folder that grows: parts by instrument and month, committed all at once.

The rename of ``store.json`` is the commit. Parts it does not name are left-overs of a killed
writer: no reader looks at them and the next writer removes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from perpkit.dataset.content import read_parts, table_named
from perpkit.dataset.parts import Index, Part, index_text, is_store, parse_index
from perpkit.dataset.writer import Writer, open_writer


class Store:
    """The store in a folder, as ``store.json`` lists it at the moment of asking.

    >>> store = Store("data/xyz")
    >>> with store.writer() as writer:  # doctest: +SKIP
    ...     writer.add("funding", rows)
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._understood: tuple[bytes, Index] = (b"", Index())

    def index(self) -> Index:
        """What ``store.json`` says now; nothing where there is none yet."""
        if not is_store(self.folder):
            return Index()
        text = index_text(self.folder)
        if text != self._understood[0]:  # reading it is quick, understanding thousands of parts not
            self._understood = text, parse_index(self.folder, text)
        return self._understood[1]

    def parts(self, table: str) -> list[Part]:
        """Live parts of a table, sorted by instrument and month."""
        name = table_named(table).name
        return [part for part in self.index().parts if part.table == name]

    def last_ms(self, table: str, instrument: str | None) -> int | None:
        """Time of the latest row of an instrument, milliseconds since 1970; None without any."""
        return max(
            (part.last_ms for part in self.parts(table) if part.instrument == instrument),
            default=None,
        )

    def rows(
        self,
        table: str,
        instrument: str | None,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> pl.DataFrame:
        """Rows of an instrument between two instants, both included, sorted by the table's keys.

        Only the parts that meet the span are read.

        Returns
        -------
        DataFrame with all columns of the table, absent ones as nulls

        Raises
        ------
        DataError
            If a part is missing or was changed.
        """
        meet = [
            part
            for part in self.parts(table)
            if part.instrument == instrument
            and (from_ms is None or part.last_ms >= from_ms)
            and (to_ms is None or part.first_ms <= to_ms)
        ]
        time = pl.col("time").cast(pl.Int64)
        low = pl.lit(value=True) if from_ms is None else time >= from_ms
        high = pl.lit(value=True) if to_ms is None else time <= to_ms
        return read_parts(table_named(table), meet).filter(low & high)

    @contextmanager
    def writer(self, *, replace: bool = False) -> Iterator[Writer]:
        """Add rows to the folder, all of them when the block ends, or none when it fails.

        Parameters
        ----------
        replace : whether a new cell replaces an old one that differs; a null never does

        Raises
        ------
        RequestError
            If another process writes there, or the folder holds something else.
        DataError
            If rows contradict those already there, or break a rule of their table.
        """
        with open_writer(self.folder, replace=replace) as writer:
            yield writer
