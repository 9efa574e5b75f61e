"""Who reads a file while a strategy is loaded or asked: data from outside may know the future.

Python tells of every file that it opens; polars, which reads outside Python, is asked at its own
functions. What a library reads of its own, below the interpreter's folders, is its affair.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import polars as pl

from perpkit.research.strategy_check.findings import Finding, failed, passed
from perpkit.shipped import shipped_folder

NAME: Final = "files"
_CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib", ".pth")
_READERS = ("read_", "scan_")
_OUTSIDE: Final = {
    "socket.connect": "connects to another machine",
    "subprocess.Popen": "starts a process",
    "os.system": "starts a process",
    "os.fork": "starts a process",
    "sqlite3.connect": "opens a database",
}
_UNSEEN = ("pyarrow", "duckdb", "h5py", "mmap")  # modules that read files where nobody is told
_OWN = Path(__file__).resolve().parents[2]  # perpkit


class Guard:
    """Notes what a strategy's file, or one beside it, reaches for."""

    def __init__(self, file: Path) -> None:
        self.file = str(file.resolve())
        self.folder = str(file.resolve().parent) + os.sep
        self.found: dict[str, None] = {}  # sentence parts, in order
        self.active = False

    def note(self, what: str) -> None:
        """Note what was done, with the line of the strategy that did it."""
        frame, place = sys._getframe(1), ""  # noqa: SLF001, the documented way to the caller
        own = None
        while frame is not None:
            name = frame.f_code.co_filename
            if self._is_own(name):
                own, place = frame, f"{Path(name).name}:{frame.f_lineno}"
                break
            frame = frame.f_back  # type: ignore[assignment]
        if own is not None:
            self.found.setdefault(f"{place}: {what}")

    def _is_own(self, name: str) -> bool:
        """Whether code is the strategy's; one that is installed has libraries beside it."""
        return name == self.file or (name.startswith(self.folder) and not _is_library(name))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one audit event of the interpreter."""
        if event == "open":
            path = arguments[0]
            if isinstance(path, (str, bytes)) and _is_data(os.fsdecode(path)):
                self.note(f"reads {os.fsdecode(path)}")
        elif event in _OUTSIDE:
            self.note(_OUTSIDE[event])

    def note_import(self, module: str, by: str) -> None:
        """Only where the strategy itself imports it: libraries import what they like."""
        if module in _UNSEEN and self._is_own(by):
            self.note(f"imports {module}, which reads files")

    def finding(self) -> Finding:
        """What the report says."""
        if not self.found:
            return passed(NAME, "neither when it is loaded nor when it is asked")
        first, *more = self.found
        others = f" (and {len(more)} more)" if more else ""
        return failed(
            NAME,
            f"{first}{others}: data from outside may know what comes later, and the look-ahead "
            "audit cannot replace it; write what is constant into the file",
        )


def _is_library(path: str) -> bool:
    if Path(path).is_relative_to(_OWN):
        return True
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, *map(str, _site_folders())}
    return any(path.startswith(prefix + os.sep) for prefix in prefixes)


def _site_folders() -> Iterator[Path]:
    for name in ("numpy", "polars", "numba"):
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin is not None:
            yield Path(origin).parents[1]


def _is_data(path: str) -> bool:
    """Whether a file is data rather than code or a library's own."""
    full = Path(path).absolute()
    if full.is_relative_to(shipped_folder("data")):
        return True
    system = str(full).startswith(("/dev/", "/proc/", "/sys/", "/etc/", "/usr/"))
    return full.suffix not in _CODE and not system and not _is_library(str(full))


_listening: list[Guard] = []
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for guard in _listening:
        if guard.active:
            guard.active = False  # what it does itself is not the strategy's
            try:
                guard.hear(event, arguments)
            finally:
                guard.active = True


@contextmanager
def watching(guard: Guard) -> Iterator[None]:
    """Let a guard hear what is opened; polars tells it itself."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    told = [name for name in dir(pl) if name.startswith(_READERS)]
    before = {name: getattr(pl, name) for name in told}
    importing = builtins.__import__, importlib.import_module
    try:
        builtins.__import__ = _telling_import(guard, importing[0])
        importlib.import_module = _telling_import(guard, importing[1])
        for name, reader in before.items():
            setattr(pl, name, _telling(guard, name, reader))
        _listening.append(guard)
        guard.active = True
        yield
    finally:
        guard.active = False
        _listening.remove(guard)
        builtins.__import__, importlib.import_module = importing
        for name, reader in before.items():
            setattr(pl, name, reader)


def _telling_import(guard: Guard, importing: Callable[..., Any]) -> Callable[..., Any]:
    """The interpreter tells of no import of a module that somebody has imported before."""

    def told(name: str, *arguments: Any, **named: Any) -> Any:
        guard.note_import(name.partition(".")[0], sys._getframe(1).f_code.co_filename)  # noqa: SLF001
        return importing(name, *arguments, **named)

    return told


def _telling(guard: Guard, name: str, reader: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(reader)
    def told(*arguments: Any, **named: Any) -> Any:
        source = arguments[0] if arguments else next(iter(named.values()), "")
        what = f"reads {source}" if isinstance(source, (str, Path)) else f"calls polars.{name}"
        guard.note(what)
        return reader(*arguments, **named)

    return told
