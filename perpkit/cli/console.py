"""What the terminal shows while a run is under way."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from perpkit.cli import stopped

Stage = Callable[[str], None]
Progress = Callable[[int, int], None]

# Phases of perpkit.run in which numba and LLVM are at work; LLVM does not survive an exception.
COMPILER = ("compiling, once", "loading the engine")
_PATIENCE_S = 2  # a phase that takes longer says for how long


@contextmanager
def stages() -> Iterator[tuple[Stage, Progress]]:
    """Show the phase of a run and how far it is; silent where stderr is not a terminal.

    A terminal that cannot move its cursor gets a line a phase. ``NO_COLOR`` leaves out styles.
    """
    console = Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto")
    with _shown(console) as shown, _interrupts(shown) as stop_if_told:

        def stage(now: str) -> None:
            stop_if_told()
            shown.stage(now)

        def progress(done: int, whole: int) -> None:
            stop_if_told()
            shown.progress(done, whole)

        yield stage, progress


# --------------------------------------------------------------------------- Ctrl-C


@contextmanager
def _interrupts(shown: _Shown) -> Iterator[Callable[[], None]]:
    """Make Ctrl-C end the run at once, or at the next call of the function given.

    A strategy that the exception passes through may drop it, or fail on its account. The compiler
    may do so too, or crash: there the process ends where it is. It holds nothing but code that is
    put into the cache whole or not at all.
    """
    told = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal told
        told = True
        if shown.name in COMPILER:
            shown.leave()
            code = stopped()
            sys.stderr.flush()
            os._exit(code)
        raise KeyboardInterrupt

    def stop_if_told() -> None:
        if told:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield stop_if_told  # somebody else listens, or nobody is to
        return
    try:
        signal.signal(signal.SIGINT, note)
    except ValueError:  # only the main thread may
        yield stop_if_told
        return
    try:
        yield stop_if_told
    except BaseException as e:  # polars panics where Ctrl-C meets it, and that is no Exception
        if told:
            raise KeyboardInterrupt from e
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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

    def leave(self) -> None:
        """Put the terminal back in order."""


class _Lines(_Shown):
    """A line a phase."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def stage(self, now: str) -> None:
        super().stage(now)
        self._console.print(now, markup=False, highlight=False)


class _Bar(_Shown):
    """One line that changes in its place, with how long the phase has taken."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task(self.name, total=None)

    def stage(self, now: str) -> None:
        super().stage(now)
        self._bar.reset(self._task, total=None, description=now)

    def progress(self, done: int, whole: int) -> None:
        self._bar.update(self._task, description=f"{self.name} {done / whole:.0%}")

    def leave(self) -> None:
        self._bar.stop()


@contextmanager
def _shown(console: Console) -> Iterator[_Shown]:
    if not console.is_terminal:
        yield _Shown()
    elif console.is_dumb_terminal:
        yield _Lines(console)
    else:
        spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
        said = TextColumn("{task.description}", style="none", markup=False)
        with Bar(spinner, said, _Seconds(), console=console, transient=True) as bar:
            yield _Bar(bar)


class _Seconds(ProgressColumn):
    """How long the phase has taken."""

    def render(self, task: Task) -> Text:
        """Seconds, or nothing while there are few."""
        seconds = int(task.elapsed or 0.0)
        return Text(f"{seconds} s" if seconds >= _PATIENCE_S else "", style="dim")
