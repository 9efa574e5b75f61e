"""Read files piece by piece: text in blocks of whole lines, Parquet in batches of rows.

A piece holds few rows, so that the size of a file does not matter, and knows which line or row of
the file each of its rows is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from perpkit.errors import DataError, RequestError
from perpkit.sources.files.mapping import Layout

_BLOCK_BYTES: Final = 1 << 24
_BUFFER_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 1 << 17
_LINE: Final = b"\n"
_QUOTE: Final = b'"'
_EMPTY_LINES: Final = re.compile(rb"(?m)^\r?\n")
_COMPRESSED: Final = {".lz4": "lz4", ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_TEXT: Final = (".csv", ".tsv", ".txt")
_PARQUET: Final = (".parquet", ".pq")

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


@dataclass(frozen=True, slots=True)
class _Stream:
    """A file, and what it holds unpacked."""

    raw: Any
    unpacked: Any

    def read(self, size: int) -> bytes:
        found: bytes = self.unpacked.read(size)
        return found

    def close(self) -> None:
        self.unpacked.close()
        self.raw.close()


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
            inside = [x for x in inside if not x.name.startswith(".")]
            if not inside:
                raise RequestError(f"{path} holds no CSV or Parquet file; name the files")
            found += inside
        elif not path.exists():
            raise RequestError(f"{path} is not there; name the files to import")
        elif _kind(path) is None:
            endings = ", ".join((*_TEXT, *_PARQUET))
            packed = ", ".join(_COMPRESSED)
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
    reader = _parquet if _kind(path) == "parquet" else _text
    try:
        yield from reader(path, layout, choose)
    except (OSError, EOFError) as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise DataError(f"{path.name} cannot be read ({reason}); fetch it again") from e


def _kind(path: Path) -> str | None:
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    if endings and endings[-1] in _PARQUET:
        return "parquet"
    if len(endings) == 2 and endings[1] in _COMPRESSED:
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


# --------------------------------------------------------------------------- text


def _text(path: Path, layout: Layout, choose: Choose) -> Iterator[Piece]:
    stream, size = _open(path), max(path.stat().st_size, 1)
    try:
        blocks = _blocks(stream, path.name)
        head, block, line = _head(next(blocks, b""), layout, path.name)
        wanted = choose(head)
        while True:
            if not block.isspace():
                text = _Text(path.name, layout, head, block, line)
                share = stream.raw.tell() / size
                yield Piece(text.read(wanted), path.name, text.place, share)
            line += block.count(_LINE)
            following = next(blocks, None)
            if following is None:
                return
            block = following
    finally:
        stream.close()


def _open(path: Path) -> _Stream:
    raw = path.open("rb", buffering=0)
    packed = _COMPRESSED.get(path.suffix.lower())
    if packed is None:
        return _Stream(raw, raw)
    import pyarrow as pa  # noqa: PLC0415  it reads all of these, lz4 too

    return _Stream(raw, pa.CompressedInputStream(raw, packed))


def _blocks(stream: _Stream, name: str) -> Iterator[bytes]:
    """Blocks that end with a line, none of them inside quotes."""
    rest = b""
    while True:
        more = stream.read(_BLOCK_BYTES)
        if not more:
            if rest:
                yield rest
            return
        text = rest + more
        end = _last_line(text)
        if end == 0 and len(text) > 4 * _BLOCK_BYTES:
            raise DataError(f"{name} has no end of line in {len(text):,} bytes; is it a table?")
        if end:
            yield text[:end]
        rest = text[end:]


def _last_line(text: bytes) -> int:
    """Where the last whole line ends; a quoted field may hold line ends of its own."""
    end = text.rfind(_LINE) + 1
    if _QUOTE not in text:
        return end
    while end and text.count(_QUOTE, 0, end) % 2:
        end = text.rfind(_LINE, 0, end - 1) + 1
    return end


def _head(block: bytes, layout: Layout, name: str) -> tuple[list[str], bytes, int]:
    """Column names, the block after them, and the line it begins with."""
    lines = block.removeprefix(b"\xef\xbb\xbf").split(_LINE, layout.skip_lines + 1)
    if len(lines) <= layout.skip_lines or not lines[layout.skip_lines].strip():
        raise DataError(f"{name} has no line of column names; give a file with one")
    try:
        told = lines[layout.skip_lines].decode("utf-8")
    except UnicodeDecodeError as e:
        line = layout.skip_lines + 1
        raise DataError(f"{name}, line {line} is not UTF-8 text; save the file as UTF-8") from e
    head = next(csv.reader([told.strip("\r")], delimiter=layout.separator))
    head = [column.strip() for column in head]
    twice = next((column for column in head if head.count(column) > 1), None)
    if twice is not None:
        raise DataError(f'{name}: column "{twice}" is there twice; rename one of the two')
    rest = lines[-1] if len(lines) > layout.skip_lines + 1 else b""
    return head, rest, layout.skip_lines + 2


@dataclass(frozen=True, slots=True)
class _Text:
    """A block of lines, without their head; its first line is `line` of the file."""

    file: str
    layout: Layout
    head: list[str]
    block: bytes
    line: int

    def read(self, wanted: Wanted) -> pl.DataFrame:
        """Parse the wanted columns; all as text where one cell does not parse."""
        block = self.block if self._is_even() else self._without_empty_lines()
        types = {name: wanted.get(name, pl.String()) for name in self.head}
        try:
            return _parse(block, self.layout, types, list(wanted))
        except PolarsError:
            self._without_empty_lines()  # a long line may have made up for a short one
        try:
            texts = dict.fromkeys(self.head, pl.String())
            return _parse(block, self.layout, texts, list(wanted))
        except PolarsError as e:
            reason = " ".join(str(e).split(".")[0].split())
            raise DataError(
                f"{self.file}, from line {self.line:,}: cannot be read as text with separator "
                f"{self.layout.separator!r} ({reason}); save it as UTF-8 CSV"
            ) from e

    def _is_even(self) -> bool:
        """Whether there are as many fields as lines of the head's width have."""
        block = self.block if _QUOTE not in self.block else _unquoted(self.block)
        lines = block.count(_LINE) + (not block.endswith(_LINE))
        return block.count(self.layout.separator.encode()) == (len(self.head) - 1) * lines

    def _without_empty_lines(self) -> bytes:
        """The block without lines that the parser would make rows of nulls.

        A line with too few or too many fields, as a file that was cut short has, is refused.
        """
        width = len(self.head)
        for record, number in self._records():
            if record and len(record) != width:
                raise DataError(
                    f"{self.file}, line {number:,}: {len(record)} fields where the head names "
                    f"{width}; was the file cut short, or is the separator another one?"
                )
        return _EMPTY_LINES.sub(b"", self.block)

    def _records(self) -> Iterator[tuple[list[str], int]]:
        lines = io.StringIO(self.block.decode("utf-8", "replace"), newline="")
        reader = csv.reader(lines, delimiter=self.layout.separator)
        begins = 0
        for record in reader:
            yield record, self.line + begins
            begins = reader.line_num

    def place(self, row: int) -> str:
        """Name the line of a row; lines that are empty or within quotes are counted."""
        filled = (number for record, number in self._records() if record)
        number = next((n for i, n in enumerate(filled) if i == row), self.line)
        return f"line {number:,}"


def _parse(block: bytes, layout: Layout, types: dict[str, Any], wanted: list[str]) -> pl.DataFrame:
    head = list(types)
    return pl.read_csv(
        block,
        has_header=False,
        schema=types,
        columns=[head.index(name) for name in wanted],
        separator=layout.separator,
        decimal_comma=layout.decimal == ",",
        null_values=list(layout.null),
    ).select(wanted)


def _unquoted(block: bytes) -> bytes:
    return re.sub(rb'"[^"]*"', b"", block)
