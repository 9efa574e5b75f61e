"""Rules, and the compile-and-cache of the functions built from them.

A rule is a plain Python function: it runs uncompiled as it stands, and compiled wherever a compiled
function calls it. Only three kinds of function are compiled themselves, each with an explicit
signature: the market loop, the book loop, and a strategy's entry.

Numba's own cache notices an edit only in the file of the compiled function, so each entry lives in
a folder named by a digest of every source it is made of: an edit anywhere compiles anew.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
from numba import types
from numba.extending import register_jitable
from numba.np.numpy_support import from_dtype

from perpkit.arrays import Axes, Past, Target, View
from perpkit.layout import layout

Func = TypeVar("Func", bound=Callable[..., Any])

_HERE = Path(__file__).parent


def rule(func: Func) -> Func:
    """Mark a function as a rule: callable from compiled code, unchanged in plain Python."""
    register_jitable(no_cfunc_wrapper=True, no_cpython_wrapper=True, forceinline=True)(func)
    return func


# --------------------------------------------------------------------------- types


def numba_type(shape: Any, *, readonly: bool = False) -> Any:
    """The numba type of an array layout, a tuple of :mod:`perpkit.arrays`, or a scalar type."""
    if isinstance(shape, Axes):
        record = from_dtype(np.dtype(shape.dtype))
        return types.Array(record, len(shape.names), "C", readonly=readonly)
    if shape is int:
        return types.int64
    if shape is float:
        return types.float64
    parts = [numba_type(part, readonly=readonly) for part in layout(shape).values()]
    return types.BaseTuple.from_types(parts, shape)


BYTES = Axes("u1", ("bytes",))

# decide(t, past, book, params as bytes, memory as bytes, target): one signature for every strategy,
# so that one compiled book loop serves them all.
DECIDE: Any = types.void(
    types.int64,
    numba_type(Past, readonly=True),
    numba_type(View),
    numba_type(BYTES),
    numba_type(BYTES),
    numba_type(Target),
)


# --------------------------------------------------------------------------- compile and cache


class CacheError(OSError):
    """Compiled code cannot be kept; the message is one sentence that says what to do."""


def cache_root() -> Path:
    """Where compiled code is kept: ``PERPKIT_CACHE``, else the user's cache folder."""
    if told := os.environ.get("PERPKIT_CACHE"):
        return Path(told)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "perpkit"


# Beside the rules: what their arrays and codes are.
SHARED = ("arrays", "codes", "layout", "lend", "records", "rule", "shapes", "shown")


def rule_sources() -> tuple[Path, ...]:
    """Every file whose text decides what the compiled loops compute."""
    rules = [p for folder in ("market", "book") for p in sorted((_HERE / folder).glob("*.py"))]
    return (
        *(_HERE / f"{name}.py" for name in SHARED),
        *rules,
    )


# What this process runs: a rule that is edited from now on must not be taken for it, or code made
# of the old text would be kept, and called, under the digest of the new one.
_AS_IMPORTED = {path: path.read_bytes() for path in rule_sources()}


def digest(sources: Iterable[Path], constants: str = "") -> str:
    """Hex digest of source texts, interpreter, numba and the flags that change generated code.

    ``constants`` tells the values that compiled code holds and no source shows: what a module read
    when it was imported.
    """
    seen = hashlib.sha256()
    flags = (sys.version_info[:2], numba.__version__, np.__version__, numba.config.BOUNDSCHECK)
    seen.update(repr((flags, constants)).encode())
    for path in sources:
        text = _AS_IMPORTED.get(path) or path.read_bytes()
        seen.update(f"{path.name}:{len(text)}:".encode())
        seen.update(text)
    return seen.hexdigest()[:16]


class Entry(NamedTuple):
    """One entry of the cache."""

    kind: str  # market, book, strategy: the first part of the folder's name
    sources: tuple[Path, ...]  # every file the result depends on
    constants: str = ""  # see digest

    @property
    def folder(self) -> Path:
        """Where the compiled code is kept."""
        return cache_root() / f"{self.kind}-{digest(self.sources, self.constants)}"


def _named_apart(func: Callable[..., Any], folder: Path) -> None:
    """Give a function a name that no other compiled one has.

    Numba names code by module, function and a count within the process that compiled it, and finds
    it by that name: of two strategies that two processes compiled, the one would be called for the
    other.
    """
    func.__qualname__ = f"{func.__name__}_{folder.name.rpartition('-')[2]}"


@contextmanager
def _numba_for(folder: Path, effort: int) -> Iterator[None]:
    """Set numba up for one compilation, then put it back: cache folder, effort, and plain loops.

    What an hour loops over is short. Vectorised, each loop is guarded by branches that a run of
    one market pays for every hour and that 64 markets gain nothing from.
    """
    level = type(numba.config.OPT)(min(effort, numba.config.OPT))
    wanted = {"CACHE_DIR": str(folder), "LOOP_VECTORIZE": 0, "OPT": level}
    before = {name: getattr(numba.config, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(numba.config, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(numba.config, name, value)


def compile_cached(
    func: Func, signature: Any, entry: Entry, *, counted: bool, effort: int = 3
) -> Func:
    """Compile a function, or load it from the cache entry made from the same sources.

    Parameters
    ----------
    func : the plain function
    signature : numba signature
    entry : where the compiled code is kept, and everything it depends on
    counted : whether array references are counted. Counting costs 60 to 70 ns an array and call
        and a third of the compile time; only code that makes arrays of its own needs it.
    effort : LLVM's optimisation level, 1 to 3; no level changes a bit of a result

    Raises
    ------
    CacheError
        If the cache folder cannot be written; ``PERPKIT_CACHE`` names another.
    """
    folder = entry.folder
    _named_apart(func, folder)
    compile_it = numba.njit(signature, cache=True, error_model="numpy", _nrt=counted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Where numba cannot write it falls back, unsaid, to a cache that sees no edit elsewhere.
        tempfile.TemporaryFile(dir=folder).close()
        with _numba_for(folder, effort):
            compiled: Func = compile_it(func)
    except OSError as e:
        raise CacheError(
            f"compiled code cannot be kept in {cache_root()} ({e.strerror or e}); "
            "set PERPKIT_CACHE to a folder that can be written"
        ) from e
    return compiled


def is_cached(entry: Entry) -> bool:
    """Whether compiled code made from the same sources exists."""
    return any(entry.folder.glob("**/*.nbc"))
