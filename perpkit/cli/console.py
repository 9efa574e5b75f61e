"""What the terminal shows while a run is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Stage = Callable[[str], None]
Progress = Callable[[int, int], None]


@contextmanager
def stages() -> Iterator[tuple[Stage, Progress]]:
    """Show the phase of a run and how far it is; silent where stderr is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield (lambda _: None), (lambda _, __: None)
        return
    with console.status("starting") as status:
        name = "starting"

        def stage(now: str) -> None:
            nonlocal name
            name = now
            status.update(now)

        def progress(done: int, whole: int) -> None:
            status.update(f"{name} {done / whole:.0%}")

        yield stage, progress
