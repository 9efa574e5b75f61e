"""Read a dataset folder: find the files of each table, cast them, check them, cut the span."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

from perpkit.dataset.casting import cast_columns
from perpkit.dataset.checks import PART, Source, check, check_alone
from perpkit.dataset.description import FILE, Description, PerpMeta, TokenMeta, read_description
from perpkit.dataset.schema import (
    FUNDING,
    ONCHAIN,
    PERPS,
    SHOCKS,
    TABLES,
    TOKENS,
    Table,
    required,
)
from perpkit.errors import DataError, nearest
from perpkit.units import HOUR_NS, stamp

_MS_NS: Final = 1_000_000
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A checked dataset.

    Frames hold exactly the columns of the schema, in its order, absent ones as nulls, sorted by
    instrument and time. `perps_meta` and `tokens_meta` keep the order of ``dataset.toml``, which
    is the order of the instrument axes. `digest` is the SHA-256 of all files read, in the order
    of their names. `notes` are sentences on what was left unread.
    """

    folder: Path
    name: str
    source: str
    licence: str
    prices: str
    perps_meta: dict[str, PerpMeta]
    tokens_meta: dict[str, TokenMeta]
    perps: pl.DataFrame
    funding: pl.DataFrame
    tokens: pl.DataFrame
    actions: pl.DataFrame
    shocks: pl.DataFrame
    notes: tuple[str, ...]
    digest: str


def prices_of(folder: Path) -> str:
    """Whether a dataset brings prices ``onchain`` or ``external``, by ``dataset.toml`` alone."""
    return read_description(folder).prices


def read_dataset(folder: Path, start_ns: int | None = None, end_ns: int | None = None) -> Dataset:
    """Read a dataset folder and refuse it on any fault in its files.

    Parameters
    ----------
    folder : holds ``dataset.toml`` and the tables, each ``X.parquet`` or a folder ``X/`` of parts
    start_ns, end_ns : first and last instant to keep, both inclusive; None for all there is.
        Funding rows are kept for one hour more, for settlements stamped late, and shocks from the
        beginning. Faults are looked for in the whole files.

    Raises
    ------
    DataError
        In one sentence: which file, what is wrong in it, and what to do.
    """
    folder = Path(folder)
    about = read_description(folder)
    files = {table.name: _files_of(folder, table) for table in TABLES}
    notes = _misnamed(folder)
    frames: dict[str, pl.DataFrame] = {}
    for table in TABLES:
        frame, extra = _read_table(folder, table, files[table.name], about)
        if extra:
            notes.append(f"{_label(folder, table)}: not read: {', '.join(extra)}")
        frames[table.name] = _cut(table, frame, start_ns, end_ns)
        if table is PERPS and frames[table.name].is_empty():
            raise _nothing_left(frame)
    return Dataset(
        folder=folder,
        name=about.name,
        source=about.source,
        licence=about.licence,
        prices=about.prices,
        perps_meta=about.perps,
        tokens_meta=about.tokens,
        notes=tuple(notes),
        digest=_digest(
            folder, [folder / FILE, *(path for some in files.values() for path in some)]
        ),
        **frames,
    )


def read_settlements(path: Path) -> tuple[pl.DataFrame, int]:
    """Read one Parquet file of settlements, of any coins, and refuse it on any fault.

    Parameters
    ----------
    path : holds the columns of the table ``funding``; a row that is there twice counts once

    Returns
    -------
    DataFrame with the columns of ``funding``, sorted by coin and time, and how many rows repeated
    another one

    Raises
    ------
    DataError
        In one sentence: what is wrong in the file, and what to do.
    """
    path = Path(path)
    source = Source(path.name, (path.name,))
    about = Description(path.name, "", "", ONCHAIN, perps={}, tokens={})
    frame, _ = _read_part(path, 0, FUNDING, source, about)
    count = frame.height
    frame = frame.unique(maintain_order=True).sort(FUNDING.keys, maintain_order=True)
    if not count:
        raise DataError(f"{path.name} holds no row; give a file of settlements")
    check_alone(FUNDING, frame, source)
    return frame.drop(PART), count - frame.height


def _label(folder: Path, table: Table) -> str:
    return f"{table.name}/" if (folder / table.name).is_dir() else f"{table.name}.parquet"


def _files_of(folder: Path, table: Table) -> list[Path]:
    single, parts = folder / f"{table.name}.parquet", folder / table.name
    if single.exists() and parts.is_dir():
        raise DataError(
            f"{folder} holds both {single.name} and {parts.name}/; keep one of the two, "
            "or every row would count twice"
        )
    if single.is_dir():
        raise DataError(f"{single.name} is a folder; name a folder of parts {parts.name}/")
    if single.exists():
        return [single]
    if parts.is_dir():
        # Archives made on a Mac carry "._x.parquet" files that are not Parquet.
        found = sorted(path for path in parts.glob("*.parquet") if not path.name.startswith("."))
        if found:
            return found
        raise DataError(f"{parts.name}/ holds no .parquet file; add its parts or remove the folder")
    if table is PERPS:
        raise DataError(f"{folder} holds no perps.parquet; it is the one table a dataset needs")
    return []


def _misnamed(folder: Path) -> list[str]:
    # A table under a wrong name would be missing in silence: all but one are optional.
    known = [table.name for table in TABLES]
    return [
        f"{path.name}: not read: no table has this name; {nearest(path.stem, known)}"
        for path in sorted(folder.glob("*.parquet"))
        if path.stem not in known and not path.name.startswith(".")
    ]


def _read_table(
    folder: Path, table: Table, files: list[Path], about: Description
) -> tuple[pl.DataFrame, list[str]]:
    source = Source(
        _label(folder, table), tuple(path.relative_to(folder).as_posix() for path in files)
    )
    pieces: list[pl.DataFrame] = []
    extra: dict[str, None] = {}
    for part, path in enumerate(files):
        piece, unread = _read_part(path, part, table, source, about)
        pieces.append(piece)
        extra.update(dict.fromkeys(unread))
    if pieces:
        frame = pl.concat(pieces).sort(table.keys, maintain_order=True)
        check(table, frame, source, about)
        frame = frame.drop(PART)
    else:
        frame = pl.DataFrame(schema=table.dtypes)
    _check_all_have_rows(table, frame, source, about)
    return frame, list(extra)


def _read_part(
    path: Path, part: int, table: Table, source: Source, about: Description
) -> tuple[pl.DataFrame, list[str]]:
    name = source.parts[part]
    try:
        file = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        have = file.collect_schema().names()
        wanted = [column for column in table.columns if column in have]
        _check_columns(name, table, have, about)
        raw = file.select(wanted).collect()
    except (PolarsError, PanicException, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(
            f"{name} cannot be read as Parquet ({reason}); write it again from its source"
        ) from error
    frame = cast_columns(table, raw, source, part)
    return frame, [column for column in have if column not in table.columns]


def _check_columns(name: str, table: Table, have: Sequence[str], about: Description) -> None:
    missing = [column for column in required(table, about.prices) if column not in have]
    if missing and about.unlisted:
        spared = required(table, about.prices, unlisted=True)
        missing = [column for column in missing if column in spared]
    if missing:
        why = f' with prices = "{about.prices}"' if table is PERPS else ""
        raise DataError(
            f"{name}: column {', '.join(missing)} is missing, which {table.name} needs{why}; "
            f"there is {', '.join(have)}: add it, or rename one of these"
        )


def _check_all_have_rows(
    table: Table, frame: pl.DataFrame, source: Source, about: Description
) -> None:
    if table not in (PERPS, TOKENS):
        return
    there = set(frame[table.instrument].unique())
    declared = about.perps if table is PERPS else about.tokens
    lacking = [name for name in declared if name not in there]
    if lacking:
        rest = f" (nor have {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        where = f" in {source.label}" if source.parts else f", as there is no {source.label}"
        raise DataError(
            f"{FILE}: {table.instrument} {lacking[0]} has no row{where}{rest}; "
            f"add its rows, or remove it from {FILE}"
        )


def _cut(
    table: Table, frame: pl.DataFrame, start_ns: int | None, end_ns: int | None
) -> pl.DataFrame:
    # Bounds are brought to the file's milliseconds, so that no time can overflow as nanoseconds.
    time_ms = pl.col("time").cast(pl.Int64)
    # What a shock started before the span is still on in it.
    if start_ns is not None and table is not SHOCKS:
        frame = frame.filter(time_ms >= -(-start_ns // _MS_NS))
    if end_ns is None:
        return frame
    if table is FUNDING:
        return frame.filter(time_ms < -(-(end_ns + HOUR_NS) // _MS_NS))
    return frame.filter(time_ms <= end_ns // _MS_NS)


def _nothing_left(perps: pl.DataFrame) -> DataError:
    times = perps["time"].cast(pl.Int64).sort()
    first, last = (stamp(int(times[i]) * _MS_NS) for i in (0, -1))
    return DataError(
        f"perps has no row in the span asked for; the data run from {first} to {last}, "
        "so ask for a span within"
    )


def _digest(folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
