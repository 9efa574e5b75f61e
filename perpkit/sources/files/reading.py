"""Read files piece by piece: text in blocks of whole lines, Parquet in batches of rows.

A piece holds few rows, so that the size of a file does not matter, and knows which line or row of
the file each of its rows is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from perpkit.errors import DataError, RequestError
from perpkit.sources.files.mapping import Layout
from perpkit.sources.files.pieces import Choose, Piece
from perpkit.sources.files.text import PACKED, read_text

_BUFFER_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 1 << 17
_TEXT: Final = (".csv", ".tsv", ".txt")
_PARQUET: Final = (".parquet", ".pq")


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files to read: those given, and those of a folder by name.

    Raises
    ------
    RequestError
        If a path is not there, a folder holds none, or a name does not say what a file is.
    """
    if not paths:
        raise RequestError("no file to import is given; name files, or a folder of them")
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [x for x in sorted(path.rglob("*")) if x.is_file() and _kind(x) is not None]
            # A folder may hold a README.txt beside its data.
            inside = [x for x in inside if not x.name.startswith(".") and x.suffix != ".txt"]
            if not inside:
                raise RequestError(f"{path} holds no CSV or Parquet file; name the files")
            found += inside
        elif not path.exists():
            raise RequestError(f"{path} is not there; name the files to import")
        elif _kind(path) is None:
            endings = ", ".join((*_TEXT, *_PARQUET))
            packed = ", ".join(PACKED)
            raise RequestError(
                f"{path.name}: its ending does not say what it is; "
                f"give it one of {endings} (text also with {packed} after it)"
            )
        else:
            found.append(path)
    if len(set(found)) < len(found):
        twice = next(path for path in found if found.count(path) > 1)
        raise RequestError(f"{twice} is given twice; name each file once")
    return found


def pieces(path: Path, layout: Layout, choose: Choose) -> Iterator[Piece]:
    """Read a file in pieces.

    Parameters
    ----------
    layout : how it is laid out, if it is text
    choose : told the file's columns, gives those to read

    Raises
    ------
    DataError
        If the file cannot be read, is cut short, or has lines of unequal length.
    """
    reader = _parquet if _kind(path) == "parquet" else read_text
    try:
        yield from reader(path, layout, choose)
    except (OSError, EOFError) as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise DataError(f"{path.name} cannot be read ({reason}); fetch it again") from e


def _kind(path: Path) -> str | None:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings and endings[-1] in _PARQUET:
        return "parquet"
    if len(endings) == 2 and endings[1] in PACKED:
        endings = endings[:1]
    return "text" if endings and endings[-1] in _TEXT else None


# --------------------------------------------------------------------------- Parquet


def _parquet(path: Path, _: Layout, choose: Choose) -> Iterator[Piece]:
    import pyarrow as pa  # noqa: PLC0415  heavy, and not needed for text
    from pyarrow import parquet  # noqa: PLC0415

    try:
        # Without a buffer a column of a row group is read whole, and a file may be one row group.
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            wanted = list(choose(file.schema_arrow.names))
            first = 1
            for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
                rows = pl.DataFrame(pl.from_arrow(batch))
                share = (first + rows.height) / (file.metadata.num_rows + 1)
                yield Piece(rows, path.name, _by_row(first), share)
                first += rows.height
    except pa.ArrowException as e:
        reason = " ".join(str(e).split())
        raise DataError(f"{path.name} cannot be read as Parquet ({reason}); fetch it again") from e


def _by_row(first: int) -> Callable[[int], str]:
    return lambda row: f"row {first + row:,}"
