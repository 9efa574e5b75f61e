"""The parts of a store and its list of them, ``store.json``.

A part holds one table's rows of one instrument and one month. Its name ends in the first digits of
its SHA-256, so a part is never changed: another content is another file. Which parts count says
``store.json`` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from perpkit.dataset.schema import TABLES
from perpkit.errors import DataError

STORE_FILE: Final = "store.json"
WATCH_FILE: Final = ".watch.json"  # hours that perpkit data watch has not seen the end of
SCHEMA: Final = 1
NO_INSTRUMENT: Final = "_"  # stands in a part's name for an instrument that is null
_DIGITS: Final = 12
_KEYS: Final = {
    "table": str,
    "instrument": str | None,
    "month": str,
    "rows": int,
    "first_ms": int,
    "last_ms": int,
    "sha256": str,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One live file of a store.

    `month` is ``YYYY-MM`` in UTC; `first_ms` and `last_ms` are times of rows, milliseconds since
    1970; `instrument` is None for rows that name none.
    """

    folder: Path
    table: str
    instrument: str | None
    month: str
    rows: int
    first_ms: int
    last_ms: int
    sha256: str

    @property
    def name(self) -> str:
        """Path below the folder, as messages say it."""
        return part_name(self.table, self.instrument, self.month, self.sha256)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / self.name

    @property
    def order(self) -> tuple[int, bool, str, str]:
        """Sorting key: table as the schema lists them, instrument, month."""
        names = [table.name for table in TABLES]
        return (
            names.index(self.table),
            self.instrument is not None,
            self.instrument or "",
            self.month,
        )

    def content(self) -> bytes:
        """The file's bytes.

        Raises
        ------
        DataError
            If the file is missing, or is not the one that was written.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.name} cannot be read ({error.strerror or error}) although {STORE_FILE} "
                "lists it; bring the file back, or fetch or import its rows into a new folder"
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DataError(
                f"{self.name} is not the file that {STORE_FILE} lists: its digest differs; "
                "bring the file back, or fetch or import its rows into a new folder"
            )
        return content


@dataclass(frozen=True, slots=True)
class Index:
    """What ``store.json`` says: the live parts in order, the digest of the description, if any."""

    parts: tuple[Part, ...] = ()
    description: str | None = None

    def to_text(self) -> str:
        """The file's text, one part a line."""
        lines = ",\n".join(
            "  " + json.dumps({key: getattr(part, key) for key in _KEYS}, ensure_ascii=False)
            for part in sorted(self.parts, key=lambda part: part.order)
        )
        parts = f"[\n{lines}\n ]" if lines else "[]"
        return (
            f'{{"schema": {SCHEMA},\n "description": {json.dumps(self.description)},\n'
            f' "parts": {parts}}}\n'
        )


def part_name(table: str, instrument: str | None, month: str, sha256: str) -> str:
    """Path of a part below its folder.

    >>> part_name("perps", "xyz:NVDA", "2026-01", "0123456789abcdef" * 4)
    'perps/xyz%3ANVDA.2026-01.0123456789ab.parquet'
    """
    return f"{table}/{file_name(instrument)}.{month}.{sha256[:_DIGITS]}.parquet"


def file_name(instrument: str | None) -> str:
    """An instrument as part of a file's name, percent-encoded.

    >>> file_name("xyz:NVDA"), file_name(None), file_name("_")
    ('xyz%3ANVDA', '_', '%5F')
    """
    if instrument is None:
        return NO_INSTRUMENT
    return "%5F" if instrument == NO_INSTRUMENT else quote(instrument, safe="")


def description_name(sha256: str) -> str:
    """Name of a description that was committed and not yet put in the place of dataset.toml."""
    return f"dataset.{sha256[:_DIGITS]}.toml"


def pending_description(folder: Path) -> Path | None:
    """The description of a commit that was cut short after its rename; None as a rule."""
    found = sorted(folder.glob("dataset.*.toml"))
    if not found:
        return None
    digest = read_index(folder).description
    names = {path.name: path for path in found}
    return None if digest is None else names.get(description_name(digest))


def is_store(folder: Path) -> bool:
    """Whether a folder holds a store."""
    return (folder / STORE_FILE).is_file()


def read_index(folder: Path) -> Index:
    """Read ``store.json``; errors as `parse_index`."""
    return parse_index(folder, index_text(folder))


def index_text(folder: Path) -> bytes:
    """The bytes of ``store.json``.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    path = folder / STORE_FILE
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); see that it may be, or bring it "
            "back from a copy"
        ) from error


def parse_index(folder: Path, text: bytes) -> Index:
    """Understand the bytes of ``store.json``.

    Raises
    ------
    DataError
        If it is not as perpkit writes it.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise _broken(f"it is not JSON ({error})") from error
    version = told.get("schema") if isinstance(told, dict) else None
    if type(version) is not int or version != SCHEMA:
        raise DataError(f"{STORE_FILE}: schema is {version!r}; this perpkit reads schema {SCHEMA}")
    if not isinstance(told.get("parts"), list):
        raise _broken("it lists no parts")
    if not isinstance(told.get("description"), str | None):
        raise _broken("its description is not a digest")
    return Index(tuple(_parts(folder, told["parts"])), told.get("description"))


def _parts(folder: Path, told: list[Any]) -> Iterable[Part]:
    known = {table.name for table in TABLES}
    seen: set[tuple[str, str | None, str]] = set()
    kinds = tuple(_KEYS.items())
    for entry in told:
        good = isinstance(entry, dict) and entry.keys() == _KEYS.keys()
        if not good or not all(isinstance(entry[key], kind) for key, kind in kinds):
            raise _broken(f"a part is given as {str(entry)[:80]}")
        if entry["table"] not in known:
            raise _broken(f'a part is of the table "{entry["table"]}"')
        part = Part(folder, **entry)
        key = (part.table, part.instrument, part.month)
        if key in seen:
            raise _broken(f"it lists {part.table} of {part.instrument} in {part.month} twice")
        seen.add(key)
        yield part


def _broken(why: str) -> DataError:
    return DataError(
        f"{STORE_FILE} is not as perpkit writes it: {why}; "
        "bring it back from a copy, or fetch or import into a new folder"
    )
