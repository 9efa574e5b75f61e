"""What the terminal shows while a command is under way: its phase, how far it is, and how long yet.

All of it is on standard error, and only where that is a terminal.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import ProgressColumn, SpinnerColumn, Task
from rich.text import Text

from perpkit.cli.interrupts import Interrupts, interrupts
from perpkit.cli.leaving import NOTHING, saved

T = TypeVar("T")

# Phases of perpkit.run in which numba and LLVM are at work; LLVM does not survive an exception.
COMPILER = ("compiling, once", "loading the engine")
_PATIENCE_S = 2  # a phase that takes longer says for how long
_SURE_S = 0.5  # after which a rate says something


class UnderWay:
    """A command under way, as the functions that do its work are given it."""

    def __init__(self, shown: _Shown, answer: Interrupts) -> None:
        self._shown, self._answer = shown, answer

    def stage(self, now: str) -> None:
        """Begin a phase."""
        self._answer.check()
        self._shown.stage(now)

    def progress(self, done: int, whole: int) -> None:
        """Say how much of the phase is done."""
        self._answer.check()
        self._shown.progress(done, whole)

    def keep(self, work: Callable[[], T], meanwhile: str, then: str) -> T:
        """Save something whole: Ctrl-C waits for its end; see :meth:`Interrupts.keep`."""
        return self._answer.keep(work, meanwhile, then)


@contextmanager
def stages(unit: str = "hours", *, says: str = NOTHING, quiet: bool = False) -> Iterator[UnderWay]:
    """Show the phase of a command and how far it is; silent where stderr is not a terminal.

    A terminal that cannot move its cursor gets a line a phase. ``NO_COLOR`` leaves out styles.

    Parameters
    ----------
    unit : of what progress counts; bytes are told as MB
    says : what is saved where Ctrl-C ends the command
    quiet : whether nothing is to be shown
    """
    saved(says)
    console = Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto")
    with (
        _shown(console, unit, quiet=quiet) as shown,
        interrupts(shown.clear, lambda: shown.name in COMPILER) as answer,
    ):
        yield UnderWay(shown, answer)


# --------------------------------------------------------------------------- what is shown


class _Shown:
    """Nothing, which is what is shown to anything but a terminal."""

    def __init__(self) -> None:
        self.name = "starting"

    def stage(self, now: str) -> None:
        """A phase begins."""
        self.name = now

    def progress(self, done: int, whole: int) -> None:
        """The phase is so far."""

    def clear(self) -> None:
        """Put the terminal back in order, from any thread."""


class _Lines(_Shown):
    """A line a phase."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def stage(self, now: str) -> None:
        super().stage(now)
        self._console.print(now, markup=False, highlight=False)


class _Bar(_Shown):
    """One line that changes in its place."""

    def __init__(self, bar: Bar, pace: _Pace) -> None:
        super().__init__()
        self._bar, self._pace = bar, pace
        self._task = bar.add_task(self.name, total=None)

    def stage(self, now: str) -> None:
        super().stage(now)
        self._pace.begin()
        self._bar.reset(self._task, total=None, description=now)

    def progress(self, done: int, whole: int) -> None:
        self._pace.so_far(done, whole)

    def clear(self) -> None:
        self._bar.stop()


@contextmanager
def _shown(console: Console, unit: str, *, quiet: bool) -> Iterator[_Shown]:
    if quiet or not (sys.stderr.isatty() and console.is_terminal):  # FORCE_COLOR makes no terminal
        yield _Shown()
    elif console.is_dumb_terminal or not console.is_interactive:
        yield _Lines(console)
    else:
        spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
        pace = _Pace(unit)
        with Bar(spinner, pace, console=console, transient=True) as bar:
            yield _Bar(bar, pace)


class _Pace(ProgressColumn):
    """The phase: its share done, its rate and the time left, or how long it has taken."""

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._unit, self._clock = unit, clock
        self.begin()

    def begin(self) -> None:
        """A phase begins."""
        self._begun = self._at = self._clock()
        self._done = self._whole = 0

    def so_far(self, done: int, whole: int) -> None:
        """So much is done now."""
        self._done, self._whole, self._at = done, whole, self._clock()

    def render(self, task: Task) -> Text:
        """The line."""
        return Text(task.description, no_wrap=True, overflow="ellipsis").append(
            self.says(), style="dim"
        )

    def says(self) -> str:
        """What is behind the name of the phase."""
        now = self._clock()
        if not self._whole:
            seconds = int(now - self._begun)
            return f"  {span(seconds)}" if seconds >= _PATIENCE_S else ""
        told = f"  {self._done / self._whole:.0%}"
        took = self._at - self._begun
        if not self._done or took < _SURE_S:
            return told
        rate = self._done / took
        left = (self._whole - self._done) / rate - (now - self._at)
        return f"{told}  {per_second(rate, self._unit)}  {span(max(round(left), 0))} left"


def per_second(rate: float, unit: str) -> str:
    """A rate as people read it.

    >>> per_second(41234.4, "hours"), per_second(0.42, "windows"), per_second(2.5e6, "bytes")
    ('41,234 hours/s', '0.4 windows/s', '2.5 MB/s')
    """
    if unit == "bytes":
        rate, unit = rate / 1e6, "MB"
    return f"{rate:,.0f} {unit}/s" if rate >= 10.0 else f"{rate:.1f} {unit}/s"


def span(seconds: int) -> str:
    """Seconds as people read them.

    >>> span(7), span(65), span(7384)
    ('7 s', '1 min 05 s', '2 h 03 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
