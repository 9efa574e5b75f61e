"""The errors perpkit raises on purpose.

PerpkitError          exit 1: never raised itself
├── RequestError      exit 2: the command, the run file or a setting is wrong
├── DataError         exit 3: the data or the rulebook is wrong, or lacks something
├── StrategyError     exit 4: the strategy file or what it asks for is wrong
└── Stopped           exit 130: Ctrl-C ended a command whose work so far is kept

Each message is one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

_MANY = 60  # names that no sentence should list


class PerpkitError(Exception):
    """Root of every error perpkit raises on purpose."""

    exit_code: ClassVar[int] = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show of it: the sentence, not the way through perpkit."""
        return [f"{type(self).__name__}: {self}"]


class RequestError(PerpkitError):
    """The request cannot be carried out as it was made."""

    exit_code = 2


class DataError(PerpkitError):
    """The data or the rulebook is wrong, or lacks something the run needs."""

    exit_code = 3


class StrategyError(PerpkitError):
    """The strategy cannot be loaded, or asked for something impossible."""

    exit_code = 4


class Stopped(PerpkitError):  # noqa: N818, what ended it is no error
    """Ctrl-C ended a command that keeps what it has done."""

    exit_code = 130


def nearest(name: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown name: what was meant, or what there is.

    >>> nearest("enter_arp", ["enter_apr", "exit_apr"])
    'did you mean enter_apr?'
    >>> nearest("zzz", ["enter_apr", "exit_apr"])
    'there is enter_apr, exit_apr'
    """
    names = list(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if len(names) > _MANY:
        near = get_close_matches(name, names, n=3, cutoff=0.0)
        return f"of {len(names)} names the nearest are {', '.join(near)}"
    return f"there is {', '.join(names)}" if names else "there is none"
