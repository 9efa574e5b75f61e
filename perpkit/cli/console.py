"""What the terminal shows while a run is under way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

Stage = Callable[[str], None]
Progress = Callable[[int, int], None]

_PATIENCE_S = 2  # a phase that takes longer says for how long


@contextmanager
def stages() -> Iterator[tuple[Stage, Progress]]:
    """Show the phase of a run and how far it is; silent where stderr is not a terminal.

    A terminal that cannot move its cursor gets a line a phase. ``NO_COLOR`` leaves out styles.
    """
    console = Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto")
    with _interrupts() as stop_if_told:
        if not console.is_terminal:
            yield (lambda _: stop_if_told()), (lambda _, __: stop_if_told())
        elif console.is_dumb_terminal:
            yield _told_in_lines(console, stop_if_told), (lambda _, __: stop_if_told())
        else:
            with _bar(console) as bar:
                yield _told_in_place(bar, stop_if_told)


@contextmanager
def _interrupts() -> Iterator[Callable[[], None]]:
    """Give a function that raises after Ctrl-C, which ends the run whatever becomes of it.

    A compiler or a strategy that the exception passes through may drop it, or fail on its account.
    """
    told = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal told
        told = True
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
    except Exception as e:
        if told:
            raise KeyboardInterrupt from e
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _told_in_lines(console: Console, stop_if_told: Callable[[], None]) -> Stage:
    def stage(now: str) -> None:
        stop_if_told()
        console.print(now, markup=False, highlight=False)

    return stage


def _told_in_place(bar: Bar, stop_if_told: Callable[[], None]) -> tuple[Stage, Progress]:
    task = bar.add_task("starting", total=None)
    name = "starting"

    def stage(now: str) -> None:
        nonlocal name
        stop_if_told()
        name = now
        bar.reset(task, total=None, description=now)

    def progress(done: int, whole: int) -> None:
        stop_if_told()
        bar.update(task, description=f"{name} {done / whole:.0%}")

    return stage, progress


def _bar(console: Console) -> Bar:
    spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
    said = TextColumn("{task.description}", style="none", markup=False)
    return Bar(spinner, said, _Seconds(), console=console, transient=True)


class _Seconds(ProgressColumn):
    """How long the phase has taken."""

    def render(self, task: Task) -> Text:
        """Seconds, or nothing while there are few."""
        seconds = int(task.elapsed or 0.0)
        return Text(f"{seconds} s" if seconds >= _PATIENCE_S else "", style="dim")
