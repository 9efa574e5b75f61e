"""Files put into a store's folder whole, and what a killed writer left there taken away."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from perpkit.dataset.description import FILE
from perpkit.dataset.parts import STORE_FILE, Index, description_name
from perpkit.dataset.schema import TABLES

_PART: Final = re.compile(r"\.\d{4}-\d{2}\.[0-9a-f]{12}\.parquet")
_PART_CHARS: Final = len(".2026-01.0123456789ab.parquet")
_DESCRIPTION: Final = re.compile(r"dataset\.[0-9a-f]{12}\.toml")


def put(path: Path, content: bytes, beside: Path) -> None:
    """Write a file beside and rename it into place, so that no half of it is ever seen there."""
    part = beside / path.name
    part.write_bytes(content)
    part.replace(path)


def sync(path: Path) -> None:
    """Have the disk keep the content of a file."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder, where the system can be asked to."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(folder: Path, index: Index, beside: Path) -> None:
    """Put ``store.json`` into place: the commit."""
    part = beside / STORE_FILE
    part.write_bytes(index.to_text().encode())
    sync(part)
    part.replace(folder / STORE_FILE)
    sync_folder(folder)


def left_over(name: str) -> bool:
    """Whether a file below a store is named as a part, so that it counts only where listed."""
    return _PART.fullmatch(name[-_PART_CHARS:]) is not None


def settle(folder: Path, index: Index) -> None:
    """Finish a commit that was cut short after its rename, and remove parts that do not count.

    Only files named as perpkit names parts are removed, and only within a store.
    """
    for path in sorted(folder.glob("dataset.*.toml")):
        if index.description is not None and path.name == description_name(index.description):
            path.replace(folder / FILE)
        elif _DESCRIPTION.fullmatch(path.name):
            path.unlink()
    live = {part.name for part in index.parts}
    for table in TABLES:
        home = folder / table.name
        if not home.is_dir():
            continue
        for entry in os.scandir(home):
            if left_over(entry.name) and f"{table.name}/{entry.name}" not in live:
                Path(entry.path).unlink()
        with suppress(OSError):  # not empty
            home.rmdir()
