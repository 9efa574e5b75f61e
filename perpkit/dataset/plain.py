"""Tables of a plain dataset: each one file or a folder of parts, read whole and checked whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

from perpkit.dataset.casting import cast_columns
from perpkit.dataset.checks import PART, Source, check, check_all_have_rows
from perpkit.dataset.description import FILE, Description
from perpkit.dataset.schema import PERPS, TABLES, Table, required
from perpkit.dataset.span import Span, Tables, nothing_left
from perpkit.errors import DataError, nearest

_BLOCK_BYTES: Final = 1 << 20


def read_plain(folder: Path, about: Description, span: Span) -> Tables:
    """Read every table of a folder, check it and cut the span out of it.

    Raises
    ------
    DataError
        On the first fault, wherever in the files it is.
    """
    files = {table.name: _files_of(folder, table) for table in TABLES}
    notes = _misnamed(folder)
    frames: dict[str, pl.DataFrame] = {}
    first_ms = 0
    for table in TABLES:
        frame, extra = _read_table(folder, table, files[table.name], about)
        if extra:
            notes.append(f"{_label(folder, table)}: not read: {', '.join(extra)}")
        frames[table.name] = span.cut(table, frame)
        if table is PERPS:
            times = frame["time"].cast(pl.Int64).sort()
            first_ms = int(times[0])
            if frames[table.name].is_empty():
                raise nothing_left(first_ms, int(times[-1]))
    every = [folder / FILE, *(path for some in files.values() for path in some)]
    return Tables(frames, tuple(notes), _digest(folder, every), first_ms)


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
        piece, unread = read_part(path, part, table, source, about)
        pieces.append(piece)
        extra.update(dict.fromkeys(unread))
    if pieces:
        frame = pl.concat(pieces).sort(table.keys, maintain_order=True)
        check(table, frame, source, about)
        frame = frame.drop(PART)
    else:
        frame = pl.DataFrame(schema=table.dtypes)
    there = set(frame[table.instrument].unique())
    check_all_have_rows(table, there, source, about)
    return frame, list(extra)


def read_part(
    path: Path, part: int, table: Table, source: Source, about: Description
) -> tuple[pl.DataFrame, list[str]]:
    """Read one file of a table: its rows, cast, and the names of columns left unread.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column or has one of a wrong type.
    """
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


def _digest(folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
