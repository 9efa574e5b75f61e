"""How a command ends that Ctrl-C ended: one sentence, and what is saved in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

STOPPED: Final = 130
NOTHING: Final = "nothing was written"


class _Saved:
    """What there is to say of this process, kept in one place as its signal handlers are."""

    says = NOTHING
    ending = Lock()


def saved(says: str = NOTHING) -> None:
    """From now on, this is what is said to be saved where Ctrl-C ends the command."""
    _Saved.says = says


def untouched(folder: Path) -> str:
    """What is said before a folder is written to."""
    older = folder.is_dir() and any(folder.iterdir())
    return f"{NOTHING}, the older result in {folder} is untouched" if older else NOTHING


def kept(folder: Path) -> tuple[str, str]:
    """What is said while a folder is being written, and when it is."""
    return f"if {folder} is there, it is whole", f"the result is in {folder}"


def sentence() -> str:
    """What is said of a command that Ctrl-C ends now."""
    return f"stopped; {_Saved.says}"


def say(told: str) -> None:
    """One line on standard error, whatever it quotes."""
    print(f"perpkit: {' '.join(told.split())}", file=sys.stderr)


def leave_at_once(tidy: Callable[[], None]) -> None:
    """End the process where it stands; returns where another thread does so already."""
    if not _Saved.ending.acquire(blocking=False):
        return
    tidy()
    say(sentence())
    sys.stderr.flush()
    os._exit(STOPPED)
