"""``perpkit data show``: what a dataset holds, where it comes from, which terms hold for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import I64
from perpkit.dataset import read_dataset
from perpkit.dataset.content import read_parts
from perpkit.dataset.description import PerpMeta, read_description
from perpkit.dataset.parts import is_store, read_index
from perpkit.dataset.schema import PERPS, TABLES, Table
from perpkit.errors import DataError
from perpkit.research.coverage import HOURLY, Coverage, of_frame, of_parts
from perpkit.research.terms import eras
from perpkit.rulebook import CoinTerms, Rulebook, open_rulebook
from perpkit.units import HOUR_NS, stamp

TERMS: Final = (
    "funding_multiplier",
    "interest_8h",
    "clamp_8h",
    "cap_1h",
    "interval_hours",
    "max_leverage",
)
NOT_SAID: Final = "not said"  # rows whose oracle_source is null
_MS_NS: Final = 1_000_000


class Held(NamedTuple):
    """One table of a dataset."""

    name: str
    rows: int
    instruments: int
    files: int
    size_bytes: int


class InForce(NamedTuple):
    """Terms of a perp from an instant on; None where the rulebook does not know."""

    from_ns: int
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a dataset holds. `terms` is None of a perp whose venue the rulebook does not have."""

    name: str
    source: str
    licence: str
    prices: str
    store: bool
    tables: tuple[Held, ...]
    coverage: tuple[Coverage, ...]
    oracle: dict[str, dict[str, int]]  # rows by coin and source
    perps: dict[str, PerpMeta]
    terms: dict[str, tuple[InForce, ...] | None]

    @property
    def hours(self) -> tuple[int, int]:
        """First hour of any table that goes on, and the one after the last, since 1970."""
        runs = [run for one in self.coverage for run in one.runs]
        return min(run.first for run in runs), max(run.last for run in runs) + 1

    def slices(self, most: int) -> I64:
        """Bounds of equal slices of time, whole hours, at most so many; (S + 1,)."""
        first, end = self.hours
        size = -(-(end - first) // most)
        return np.append(np.arange(first, end, size), end).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, times as text."""
        return {
            "schema": 1,
            "name": self.name,
            "source": self.source,
            "licence": self.licence,
            "prices": self.prices,
            "store": self.store,
            "tables": {held.name: _fields(held) for held in self.tables},
            "coverage": [_covered(one) for one in self.coverage],
            "oracle_source_rows": self.oracle,
            "perps": {
                coin: {
                    "venue": meta.venue,
                    "underlying": meta.underlying,
                    "own_terms": meta.terms,
                    "terms": _in_force(self.terms[coin]),
                }
                for coin, meta in self.perps.items()
            },
        }


def take_inventory(folder: Path | str, rules: Path | None = None) -> Inventory:
    """Look through a dataset.

    Of a store no row is read where its list of parts tells enough; a plain dataset is read and
    checked whole.

    Parameters
    ----------
    folder : the dataset's
    rules : rulebook file or folder of your own, over the shipped one

    Raises
    ------
    DataError, RequestError
        If the dataset cannot be read, or the rulebook cannot.
    """
    folder = Path(folder)
    about = read_description(folder)
    read = _of_store if is_store(folder) else _of_plain
    found = read(folder)
    book = open_rulebook(rules, folder)
    spans = {
        one.instrument: (one.first_ms * _MS_NS, one.last_ms * _MS_NS)
        for one in found.coverage
        if one.table == PERPS.name
    }
    if not spans:
        raise DataError(f"{folder} holds no row of perps; it is the one table a dataset needs")
    widest = min(first for first, _ in spans.values()), max(last for _, last in spans.values())
    return Inventory(
        name=about.name,
        source=about.source,
        licence=about.licence,
        prices=about.prices,
        store=is_store(folder),
        tables=found.tables,
        coverage=found.coverage,
        oracle=found.oracle,
        perps=about.perps,
        terms={
            coin: _terms(meta, spans.get(coin, widest), book) for coin, meta in about.perps.items()
        },
    )


class _Found(NamedTuple):
    tables: tuple[Held, ...]
    coverage: tuple[Coverage, ...]
    oracle: dict[str, dict[str, int]]


def _of_store(folder: Path) -> _Found:
    parts = read_index(folder).parts
    own = {table.name: [part for part in parts if part.table == table.name] for table in TABLES}
    held = [
        Held(
            name,
            sum(part.rows for part in some),
            len({part.instrument for part in some}),
            len(some),
            _size([part.path for part in some]),
        )
        for name, some in own.items()
        if some
    ]
    covered = [one for table in HOURLY for one in of_parts(table, own[table.name])]
    sources = read_parts(PERPS, own[PERPS.name], ("coin", "oracle_source"))
    return _Found(tuple(held), tuple(covered), _oracle(sources))


def _of_plain(folder: Path) -> _Found:
    dataset = read_dataset(folder)
    frames: dict[str, pl.DataFrame] = {table.name: getattr(dataset, table.name) for table in TABLES}
    held = [
        _held(folder, table, frames[table.name]) for table in TABLES if frames[table.name].height
    ]
    covered = [one for table in HOURLY for one in of_frame(table, frames[table.name])]
    return _Found(tuple(held), tuple(covered), _oracle(dataset.perps))


def _held(folder: Path, table: Table, frame: pl.DataFrame) -> Held:
    files = sorted((folder / table.name).glob("*.parquet")) or [folder / f"{table.name}.parquet"]
    instruments = frame[table.instrument].n_unique()
    return Held(table.name, frame.height, instruments, len(files), _size(files))


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.exists())


def _oracle(rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    counts = (
        rows.group_by("coin", pl.col("oracle_source").fill_null(NOT_SAID))
        .len()
        .sort("coin", "len", "oracle_source", descending=[False, True, False])
    )
    made: dict[str, dict[str, int]] = {}
    for coin, source, count in counts.iter_rows():
        made.setdefault(coin, {})[source] = count
    return made


def _terms(meta: PerpMeta, span: tuple[int, int], book: Rulebook) -> tuple[InForce, ...] | None:
    if meta.venue not in book.names("venue"):
        return None
    coin = CoinTerms(meta.coin, meta.venue, meta.terms)
    first, last = span
    dates = book.venue(meta.venue).dates(meta.coin, frozenset(TERMS))
    moments = np.array([first, *(ns for ns in dates if first < ns <= last)], np.int64)
    return tuple(
        InForce(
            int(moments[era.rows][0]),
            {
                key: None if (value := era.values[key]) is None or not value.known else value.value
                for key in TERMS
            },
        )
        for era in eras(coin, TERMS, moments, book)
    )


def _fields(held: Held) -> dict[str, int]:
    return {
        "rows": held.rows,
        "instruments": held.instruments,
        "files": held.files,
        "size_bytes": held.size_bytes,
    }


def _covered(one: Coverage) -> dict[str, Any]:
    return {
        "table": one.table,
        "instrument": one.instrument,
        "rows": one.rows,
        "first": stamp(one.first_ms * _MS_NS),
        "last": stamp(one.last_ms * _MS_NS),
        "missing_hours": sum(gap.hours for gap in one.gaps),
        "gaps": [{"first": stamp(gap.first * HOUR_NS), "hours": gap.hours} for gap in one.gaps],
    }


def _in_force(terms: tuple[InForce, ...] | None) -> list[dict[str, Any]] | None:
    if terms is None:
        return None
    return [{"from": stamp(term.from_ns), **term.values} for term in terms]
