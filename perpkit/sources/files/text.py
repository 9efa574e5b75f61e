"""Read text in blocks of whole lines, packed or not."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from perpkit.errors import DataError
from perpkit.sources.files.mapping import Layout
from perpkit.sources.files.pieces import Choose, Piece, Wanted

_BLOCK_BYTES: Final = 1 << 24
_LINE: Final = b"\n"
_QUOTE: Final = b'"'
_EMPTY_LINES: Final = re.compile(rb"(?m)^\r?\n")
PACKED: Final = {".lz4": "lz4", ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


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


def read_text(path: Path, layout: Layout, choose: Choose) -> Iterator[Piece]:
    """Give the pieces of a text file; as `perpkit.sources.files.reading.pieces`."""
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
    packed = PACKED.get(path.suffix.lower())
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
