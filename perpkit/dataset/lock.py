"""One writer at a time on a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from perpkit.errors import RequestError

LOCK_FILE: Final = ".lock"


class Busy(RequestError):  # noqa: N818, it passes
    """Another process is writing there."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    The system lets go of it when the process ends in whatever way, so a killed writer leaves no
    lock behind, only its file.

    Raises
    ------
    Busy
        If another writer holds it.
    """
    path = folder / LOCK_FILE
    handle = _open(folder, path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; an unlocked one is no harm
            path.unlink()
        os.close(handle)


def _open(folder: Path, path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _take(handle):
            error = _busy(folder, handle)
            os.close(handle)
            raise error
        if _is_at(handle, path):
            return handle
        os.close(handle)  # the writer before removed the file between opening and locking


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _busy(folder: Path, handle: int) -> Busy:
    try:
        who = os.read(handle, 20).decode("ascii", "replace").strip()
    except OSError:
        who = ""
    by = f"process {who}" if who.isdigit() else "another process"
    return Busy(
        f"{folder} is being written by {by}; wait until it has ended, or name another folder"
    )
