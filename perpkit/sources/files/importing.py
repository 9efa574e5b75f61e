"""Import files into a dataset: all of them, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import polars as pl

from perpkit.dataset.schema import EXTERNAL, NEEDED, ONCHAIN, PERPS
from perpkit.dataset.store import Store
from perpkit.dataset.writer import Writer
from perpkit.errors import DataError, RequestError, nearest
from perpkit.sources.files.bars import Bars, Prices
from perpkit.sources.files.candles import Candles
from perpkit.sources.files.describing import (
    About,
    Known,
    coin_of,
    described,
    known,
    prices_of,
)
from perpkit.sources.files.hourly import Hourly
from perpkit.sources.files.mapping import FileMap
from perpkit.sources.files.reading import files_of, pieces
from perpkit.sources.files.shaping import Shaper
from perpkit.sources.files.slips import ROW

Progress = Callable[[int, int], None]
_LANDS: Final = {"bars": "perps", "candles": "perps"}


@dataclass(slots=True)
class Imported:
    """What an import brought: rows by instrument, and sentences on what it did not."""

    folder: Path
    table: str
    files: int
    rows: dict[str, int] = field(default_factory=dict)
    new_rows: int = 0  # of those how many were not there as they are
    first_ms: int | None = None
    last_ms: int | None = None
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "folder": str(self.folder),
            "table": self.table,
            "files": self.files,
            "rows": dict(sorted(self.rows.items())),
            "new_rows": self.new_rows,
            "first_ms": self.first_ms,
            "last_ms": self.last_ms,
            "notes": list(self.notes),
        }


def import_files(
    mapping: FileMap,
    paths: Sequence[Path],
    folder: Path,
    *,
    about: About | None = None,
    only: Iterable[str] = (),
    replace: bool = False,
    trade_range: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Read files by a mapping into the store of a dataset.

    Parameters
    ----------
    mapping : from `built_in` or `read_mapping`
    paths : files, or folders of them
    folder : of the dataset, new or existing
    about : what the files do not say
    only : instruments to take; none: those that ``dataset.toml`` lists, else all
    replace : whether values that differ from those there replace them
    trade_range : of candles, take the highest and lowest trade for those of the mark
    progress : called now and then with how many bytes are read, of how many

    Raises
    ------
    RequestError, DataError
        In one sentence: which file, line and column, what is wrong, and what to do. Nothing is
        then written.
    """
    files = files_of(paths)
    about = About() if about is None else about
    before = known(folder, about)
    done = Imported(folder, _LANDS.get(mapping.table.name, mapping.table.name), len(files))
    only = frozenset(only)
    with Store(folder).writer(replace=replace) as writer:
        sink = _Sink(writer, mapping, before, about, only, done)
        sink.candles.trade_range = trade_range
        try:
            for path, read, whole in _sizes(files):
                for share in sink.read(path):
                    if progress is not None:
                        progress(read + int(share * path.stat().st_size), whole)
            sink.finish()
        finally:
            sink.close()
        if not done.rows:
            raise DataError(_nothing(mapping, sink.left_out))
        if mapping.table is PERPS and not Store(folder).parts("perps"):
            _refuse_priceless(files, mapping, before, about, sink.filled)
        text = described(before, mapping, done.rows, about, folder)
        if text is not None:
            writer.describe(text)
    done.new_rows = writer.new_rows
    _note(done, mapping, sink, only)
    return done


class _Sink:
    """Takes the rows of files and adds them to the store in the form of the table."""

    def __init__(
        self,
        writer: Writer,
        mapping: FileMap,
        before: Known,
        about: About,
        only: frozenset[str],
        done: Imported,
    ) -> None:
        self.left_out: set[str] = set()
        self.unread: dict[str, None] = {}  # columns, in the order of the files
        self.filled: set[str] = set()  # columns of which a row has a value
        self.candles = Candles(Store(done.folder))
        self._writer, self._mapping, self._before = writer, mapping, before
        self._about, self._only, self._done = about, only, done
        listed = before.instruments(mapping)
        wanted = only or listed
        self._taken = None if wanted is None or mapping.table.name == "bars" else frozenset(wanted)
        self._bars = Bars(mapping.times)
        given = mapping.cells
        marks = "mark_px" in given and not {"mark_high_px", "mark_low_px"} & given.keys()
        self._hourly = Hourly(mapping.table, extremes=marks)

    def read(self, path: Path) -> Iterator[float]:
        """Take all rows of a file, and say which share of it is read."""
        shaper = Shaper(self._mapping, path.name, self._taken)
        self._bars.file = path.name
        for piece in pieces(path, self._mapping.layout, shaper.choose):
            rows = shaper.shape(piece)
            if rows.is_empty():
                pass
            elif self._mapping.table.name == "bars":
                self._bars.add(rows)
            elif self._mapping.last:
                candles = self._mapping.table.name == "candles"
                self._hourly.add(self.candles.traded(rows) if candles else rows)
            else:
                self._add(rows.drop(ROW))
            yield piece.done
        self.left_out |= shaper.left_out
        self.unread |= dict.fromkeys(shaper.unread)

    def finish(self) -> None:
        """Add what waited for the last row."""
        for rows in self._hourly.hours():
            self._add(rows)
        if self._mapping.table.name != "bars":
            return
        for prices in self._bars.prices():
            coins = self._coins(prices.symbol)
            if not coins:
                self.left_out.add(prices.symbol)
            for coin in coins:
                rows = self._where_there(coin, prices)
                self._add(rows.select("time", pl.lit(coin).alias("coin"), "external_px"))

    def close(self) -> None:
        """Remove what was put aside."""
        self._hourly.close()

    def _coins(self, symbol: str) -> list[str]:
        coins = self._before.coins_of(symbol)
        if self._before.said is None or (self._only and not coins):
            if self._about.venue is None:
                raise RequestError(
                    f"nothing says which perp has the underlying {symbol}; give --venue, as in "
                    "--venue xyz for xyz:" + symbol
                )
            coins = [coin_of(symbol, self._about.venue)]
        return [coin for coin in coins if not self._only or {coin, symbol} & self._only]

    def _where_there(self, coin: str, prices: Prices) -> pl.DataFrame:
        """Lay prices on hours: on the chain's where those are recorded, else on all.

        After the last bar only hours that are there are filled, as nobody knows of later ones.
        """
        hours, said = prices.hours, self._before.said
        last = hours.tail(1)
        there = self.candles.store.rows("perps", coin, None, prices.holds_ms - 1).select("time")
        after = there.join(last.select(was="time"), how="cross").filter(
            pl.col("time") > pl.col("was")
        )
        later = after.select("time", pl.lit(last["external_px"][0]).alias("external_px"))
        if said is None or said.prices == EXTERNAL:
            return pl.concat([hours, later])
        if there.is_empty():
            raise DataError(
                f"{coin} has no hours in {self._done.folder} yet, on which its recorded prices "
                "lie; import them before the share's"
            )
        return pl.concat([hours.join(there, on="time", how="semi"), later])

    def _add(self, rows: pl.DataFrame) -> None:
        table = self._mapping.table.name
        if table == "candles":
            rows = self.candles.perps(self.candles.traded(rows))
        elif table == "tokens":
            rows = _quoted(rows)
        if rows.is_empty():
            return
        instrument = PERPS.instrument if table in _LANDS else self._mapping.table.instrument
        filled = [name for name in rows.columns if rows[name].null_count() < rows.height]
        needed = [name for name in ("time", instrument, "kind") if name in rows.columns]
        self.filled.update(filled)
        rows = rows.select(list(dict.fromkeys([*needed, *filled])))
        self._writer.add(self._done.table, rows)
        self._count(rows, instrument)

    def _count(self, rows: pl.DataFrame, instrument: str) -> None:
        done, ms = self._done, rows["time"].cast(pl.Int64).to_numpy()
        for name, count in rows[instrument].value_counts().iter_rows():
            done.rows[name or ""] = done.rows.get(name or "", 0) + int(count)
        first, last = int(ms.min()), int(ms.max())
        done.first_ms = first if done.first_ms is None else min(first, done.first_ms)
        done.last_ms = last if done.last_ms is None else max(last, done.last_ms)


def _sizes(files: list[Path]) -> list[tuple[Path, int, int]]:
    """Each file with the bytes before it and of all."""
    sizes = [path.stat().st_size for path in files]
    before = accumulate(sizes, initial=0)
    return [(path, done, max(sum(sizes), 1)) for path, done in zip(files, before, strict=False)]


def _quoted(rows: pl.DataFrame) -> pl.DataFrame:
    """Quotes with both sides; a mid alone is both."""
    bid, ask, mid = pl.col("bid_px"), pl.col("ask_px"), pl.col("mid_px")
    sided = bid.is_not_null() | ask.is_not_null()
    both = sided & mid.is_not_null()
    if rows.select(both.any()).item():
        row = rows.filter(both).row(0, named=True)
        raise DataError(
            f"tokens: {row['token']} at {row['time']:%Y-%m-%d %H:%M}Z has a mid and a bid or ask; "
            "leave the mid out"
        )
    return rows.with_columns(
        pl.when(sided).then(bid).otherwise(mid).alias("bid_px"),
        pl.when(sided).then(ask).otherwise(mid).alias("ask_px"),
    ).drop("mid_px")


def _refuse_priceless(
    files: list[Path], mapping: FileMap, before: Known, about: About, filled: set[str]
) -> None:
    """Refuse the first prices of a dataset that no reader would take.

    Prices that perpkit is to form may come later, with the bars of their stocks.
    """
    said = None if before.said is None else before.said.prices
    prices = said or prices_of(mapping, about)
    absent = [name for name in NEEDED[ONCHAIN] if name not in filled]
    if prices != ONCHAIN or not absent:
        return
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    if "external_px" in filled:
        do = "give --prices external, so that perpkit forms oracle and mark of external_px"
    else:
        do = (
            "add the column, or name the one that has it in a mapping file; or add external_px and "
            "give --prices external"
        )
    what = " and ".join(absent)
    raise DataError(f"{files[0].name}{more}: no row has {what}, which recorded prices need; {do}")


def _nothing(mapping: FileMap, left_out: set[str]) -> str:
    if not left_out:
        return f"the files hold no row of {mapping.table.name}; name others"
    names = sorted(left_out)
    there = nearest("", names) if len(names) <= 20 else f"there are {len(names)}, {names[0]} first"
    return (
        f"no row of the files is of an instrument that was asked for or that dataset.toml lists; "
        f"{there}: name some with --only"
    )


def _note(done: Imported, mapping: FileMap, sink: _Sink, only: frozenset[str]) -> None:
    if not done.new_rows:
        done.notes.append("nothing was new: every row was there already, as it is")
    done.notes += mapping.says
    if mapping.table.name != "bars":
        absent = sorted(only - done.rows.keys())
        if absent:
            done.notes.append(f"asked for and not in the files: {', '.join(absent)}")
    if sink.left_out:
        names = sorted(sink.left_out)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        done.notes.append(f"left out, as not asked for: {', '.join(names[:3])}{more}")
    if sink.unread and mapping.label.startswith("format"):
        done.notes.append(
            f"columns that {mapping.label} does not read: {', '.join(sink.unread)}; rename one, or "
            "write a mapping file, if it is meant"
        )
    for coin, count in sorted(sink.candles.without.items()):
        done.notes.append(
            f"left out: {count:,} candles of {coin} at whose end no premium was settled"
        )
