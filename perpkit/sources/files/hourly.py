"""The last row of each hour, whatever the order of rows and however many there are.

Hour t takes the last row in (t - 1 h, t]. Of the marks of that hour the highest and the lowest are
kept, of its premiums the average, and the time of the row taken is `observed`. Of rows that are
bars or candles the highest high and the lowest low of the hour are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from perpkit.dataset.schema import TIME, Table
from perpkit.errors import DataError
from perpkit.units import HOUR_MS

_HELD_ROWS: Final = 400_000
_COUNT: Final = "__count"
_PREMIUMS: Final = "__premiums"
_AT: Final = "__at"
# A sum of whole numbers is the same in any order. Premiums have ten decimals.
_PREMIUM_UNIT: Final = 1e12
_HIGHEST: Final = ("mark_high_px", "high")
_LOWEST: Final = ("mark_low_px", "low")


@dataclass(slots=True)
class Hourly:
    """Rows on their way to one an hour; those that are too many to hold wait in files by month."""

    table: Table
    extremes: bool
    folder: TemporaryDirectory[str] | None = None
    _held: list[pl.DataFrame] = field(default_factory=list)
    _rows: int = 0
    _files: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows of the table.

        Raises
        ------
        DataError
            If one instrument has two different rows of one time.
        """
        parts = self._ordered(self._parts(rows))
        doubles = self._doubles(parts, ("time",))
        self._hold(self._folded(parts if doubles is None else parts.filter(~doubles)))

    def hours(self) -> Iterator[pl.DataFrame]:
        """Give the rows taken, one an hour, month by month."""
        if not self._files:
            if self._held:
                yield self._finished(self._merged(pl.concat(self._held)))
            return
        self._spill()
        for month in sorted(self._files):
            yield self._finished(self._merged(pl.concat(map(pl.read_parquet, self._files[month]))))

    def close(self) -> None:
        """Remove the files, if there are any."""
        if self.folder is not None:
            self.folder.cleanup()

    def _hold(self, parts: pl.DataFrame) -> None:
        self._held.append(parts)
        self._rows += parts.height
        if self._rows <= _HELD_ROWS:
            return
        merged = self._merged(pl.concat(self._held))
        self._held, self._rows = [merged], merged.height
        if self._rows > _HELD_ROWS // 2:
            self._spill()

    def _spill(self) -> None:
        if not self._held:
            return
        if self.folder is None:
            self.folder = TemporaryDirectory(prefix="perpkit-import-")
        held = pl.concat(self._held).with_columns(pl.col("time").dt.strftime("%Y-%m").alias("m"))
        for (month,), rows in held.partition_by("m", as_dict=True, include_key=False).items():
            files = self._files.setdefault(str(month), [])
            path = Path(self.folder.name) / f"{month}.{len(files)}.parquet"
            rows.write_parquet(path, compression="lz4")
            files.append(path)
        self._held, self._rows = [], 0

    def _parts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows as parts of hours: one row of the input is one part."""
        ms = pl.col("time").cast(pl.Int64)
        hour = (-(-ms // HOUR_MS) * HOUR_MS).cast(TIME)
        made = [hour.alias("time"), pl.col("time").alias(_AT)]
        if self.extremes:
            made += [pl.col("mark_px").alias(name) for name in ("mark_high_px", "mark_low_px")]
        if "premium" in self.table.columns:
            whole = (pl.col("premium") * _PREMIUM_UNIT).round().cast(pl.Int64)
            made += [whole.alias(_PREMIUMS), whole.is_not_null().cast(pl.Int64).alias(_COUNT)]
        return rows.select(*self.table.columns).with_columns(made)

    def _merged(self, parts: pl.DataFrame) -> pl.DataFrame:
        ordered = self._ordered(parts)
        self._doubles(ordered, ("time", "premium", *_HIGHEST, *_LOWEST))
        return self._folded(ordered)

    def _ordered(self, parts: pl.DataFrame) -> pl.DataFrame:
        return parts.sort(self.table.instrument, "time", _AT, maintain_order=True)

    def _folded(self, ordered: pl.DataFrame) -> pl.DataFrame:
        keys = [self.table.instrument, "time"]
        rest = [name for name in ordered.columns if name not in keys]
        return ordered.group_by(keys, maintain_order=True).agg(map(_fold, rest))

    def _doubles(self, ordered: pl.DataFrame, but: tuple[str, ...]) -> pl.Series | None:
        """Rows that repeat the one before, refused where another column than those differs."""
        instrument = self.table.instrument
        same = [pl.col(k).eq_missing(pl.col(k).shift(1)) for k in (instrument, _AT)]
        doubles = ordered.select(pl.all_horizontal(same).fill_null(value=False)).to_series()
        if not doubles.any():
            return None
        for name in self.table.columns:
            own = ordered[name]
            other = doubles & ~own.eq_missing(own.shift(1))
            if name not in but and other.any():
                first = other.arg_true()[0]
                row = ordered.row(first, named=True)
                raise DataError(
                    f"{self.table.name} of {row[instrument]} has two rows of "
                    f"{row[_AT]:%Y-%m-%d %H:%M:%S}Z that differ in {name}, "
                    f"{own[first - 1]} and {row[name]}; remove one of them"
                )
        return doubles

    def _finished(self, parts: pl.DataFrame) -> pl.DataFrame:
        made = []
        if "observed" in self.table.columns:
            made.append(pl.col("observed").fill_null(pl.col(_AT)))
        if "premium" in self.table.columns:
            mean = pl.col(_PREMIUMS) / pl.col(_COUNT) / _PREMIUM_UNIT
            made.append(
                pl.when(pl.col(_COUNT) > 1).then(mean).otherwise("premium").alias("premium")
            )
        return parts.with_columns(made).select(*self.table.columns)


def _fold(name: str) -> pl.Expr:
    cell = pl.col(name)
    if name in _HIGHEST or name == "premium":  # a premium alone is kept as it is
        return cell.max()
    if name in _LOWEST:
        return cell.min()
    return cell.sum() if name in (_PREMIUMS, _COUNT) else cell.last()
