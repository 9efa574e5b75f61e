"""Compiled code for a run: loaded where it is in the cache, else compiled there, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba

from perpkit.book import loop as book_loop
from perpkit.market import loop as market_loop
from perpkit.strategy.door import compiled_entry, is_compiled
from perpkit.strategy.load import Strategy

LOADING, COMPILING = "loading the engine", "compiling, once"
_BOOK = "from perpkit.book.loop import compiled; compiled()"


def engine_stage(*strategies: Strategy) -> str:
    """What is about to happen: loading compiled code, or compiling it, which happens once."""
    loops = market_loop.is_compiled() and book_loop.is_compiled()
    return LOADING if loops and all(map(is_compiled, strategies)) else COMPILING


def prepare(*strategies: Strategy) -> None:
    """Load the two loops and the strategies' entries.

    The book loop takes as long to compile as all the rest, and a process compiles one thing at a
    time: a second process does it meanwhile, where there is a second processor.

    Raises
    ------
    CacheError
        If the cache folder cannot be written.
    StrategyError
        If a strategy cannot be compiled.
    """
    helper = _compile_book_apart() if _worth_it(strategies) else None
    try:
        market_loop.compiled()
        for strategy in strategies:
            compiled_entry(strategy)
    finally:
        if helper is not None:
            helper.wait()
    book_loop.compiled()  # from the cache now; whatever befell the helper, here it is said


def _worth_it(strategies: tuple[Strategy, ...]) -> bool:
    ready = market_loop.is_compiled() and all(map(is_compiled, strategies))
    alone = len(_processors()) < 2 or bool(numba.config.DISABLE_JIT) or not sys.executable
    return not (book_loop.is_compiled() or ready or alone)


def _processors() -> range | set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _compile_book_apart() -> subprocess.Popen[bytes] | None:
    """A process that compiles the book loop into the cache; none where none can be started."""
    home = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    try:
        return subprocess.Popen(  # noqa: S603 (our own words to our own interpreter)
            [sys.executable, "-c", _BOOK],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
