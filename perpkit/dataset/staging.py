"""Rows on their way into a store: one file an instrument, to which chunks are appended."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from perpkit.dataset.parts import file_name
from perpkit.dataset.schema import TABLES, Table

STAGING: Final = ".staging"
_LENGTH_BYTES: Final = 8


class Staging:
    """The folder ``.staging`` of a store; empty at the start, whatever a killed run left there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / STAGING
        self.remove()
        self.folder.mkdir()
        self._files: dict[tuple[str, str | None], Path] = {}

    def add(self, table: Table, frame: pl.DataFrame) -> None:
        """Append rows, cast to the table's dtypes, with any subset of its columns."""
        for (name,), rows in frame.partition_by(
            table.instrument, as_dict=True, maintain_order=True
        ).items():
            path = self._files.get((table.name, name))
            if path is None:
                path = self.folder / table.name / file_name(name)
                path.parent.mkdir(exist_ok=True)
                self._files[table.name, name] = path
            chunk = io.BytesIO()
            rows.write_ipc_stream(chunk)
            with path.open("ab") as file:
                file.write(len(chunk.getbuffer()).to_bytes(_LENGTH_BYTES, "little"))
                file.write(chunk.getbuffer())

    def instruments(self) -> list[tuple[Table, str | None]]:
        """Of which there are rows, sorted."""
        tables = {table.name: (n, table) for n, table in enumerate(TABLES)}
        keys = sorted(self._files, key=lambda key: (tables[key[0]][0], key[1] or ""))
        return [(tables[name][1], instrument) for name, instrument in keys]

    def chunks(self, table: Table, instrument: str | None) -> list[pl.DataFrame]:
        """Rows of an instrument as they came, one frame each time."""
        return list(_chunks(self._files[table.name, instrument]))

    def remove(self) -> None:
        """Remove the folder and all in it."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def _chunks(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        while length := file.read(_LENGTH_BYTES):
            yield pl.read_ipc_stream(io.BytesIO(file.read(int.from_bytes(length, "little"))))
