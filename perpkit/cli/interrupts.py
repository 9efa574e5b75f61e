"""Ctrl-C while a command is under way: the first ends it in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType
from typing import TypeVar

from perpkit.cli.leaving import leave_at_once, saved

T = TypeVar("T")


class Interrupts:
    """What to do about Ctrl-C.

    The first raises KeyboardInterrupt, at once or when :meth:`check` is called: a strategy that
    the exception passes through may drop it, or fail on its account. While :meth:`keep` is at work
    it waits for its end. The second ends the process where it is, and so does the first while
    `brittle` says that no exception may be raised.
    """

    def __init__(self, tidy: Callable[[], None], brittle: Callable[[], bool]) -> None:
        self._tidy, self._brittle = tidy, brittle
        self.told = False
        self._keeping = False

    def note(self, _: int, __: FrameType | None) -> None:
        """Answer the signal, in the main thread."""
        again, self.told = self.told, True
        if again or self._brittle():
            leave_at_once(self._tidy)
        elif not self._keeping:
            raise KeyboardInterrupt

    def watch(self, pipe: int) -> None:
        """Answer it in a thread of its own where the main one is in code that hears no signal."""
        heard = 0
        while told := os.read(pipe, 1):
            heard += told[0] == signal.SIGINT
            if heard > 1 or (heard and self._brittle()):
                leave_at_once(self._tidy)

    def check(self) -> None:
        """End the command if Ctrl-C said so."""
        if self.told:
            raise KeyboardInterrupt

    def keep(self, work: Callable[[], T], meanwhile: str, then: str) -> T:
        """Do some work whole, and only then end the command if Ctrl-C said so.

        Parameters
        ----------
        meanwhile, then : what is said to be saved while it is done, and from its end on
        """
        self._keeping = True
        saved(meanwhile)
        try:
            made = work()
            saved(then)
        finally:
            self._keeping = False
        self.check()
        return made


@contextmanager
def interrupts(tidy: Callable[[], None], brittle: Callable[[], bool]) -> Iterator[Interrupts]:
    """Answer Ctrl-C, unless somebody else listens already or nobody is to.

    Parameters
    ----------
    tidy : puts the terminal back in order; called before the process ends at once
    brittle : whether what is under way must not see an exception
    """
    made = Interrupts(tidy, brittle)
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield made
        return
    try:
        signal.signal(signal.SIGINT, made.note)
    except ValueError:  # only the main thread may
        yield made
        return
    try:
        with _watched(made):
            yield made
    except BaseException as e:  # polars panics where Ctrl-C meets it, and that is no Exception
        if made.told:
            raise KeyboardInterrupt from e
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _watched(made: Interrupts) -> Iterator[None]:
    """Have a thread told of signals too; not on Windows, whose pipes Python does not wake."""
    if sys.platform == "win32":
        yield
        return
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    thread = Thread(target=made.watch, args=(reads,), name="perpkit-ctrl-c", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writes)  # the thread reads the end
        thread.join()
        os.close(reads)
