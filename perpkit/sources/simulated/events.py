"""What a scenario does on purpose: jumps, prints, pushes, halts, dividends and splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from perpkit.arrays import B8, I64
from perpkit.errors import RequestError, nearest
from perpkit.sources.simulated.hours import NEW_YORK, Hours
from perpkit.units import HOUR_NS, stamp, to_ns

WHAT: Final = {
    "jump": "the hour's move of the true price, size as a fraction of it",
    "premium": "push of the perps' premium, size in bp, for so many hours",
    "print": "wrong external price, size as a fraction of it, for so many hours",
    "discount": "push of the token's quote off its value, size as a fraction, for so many hours",
    "width": "push of the width of the token's quote, size as a fraction, for so many hours",
    "halt": "the token is halted for so many hours",
    "dividend": "size in USD a share",
    "split": "size in new shares per old",
}
_KEYS: Final = ("what", "stock", "at", "size", "hours", "learnt", "venue")
_DAY_HOURS: Final = 24


class Event(NamedTuple):
    """One thing that happens on purpose.

    Attributes
    ----------
    what : str
        One of ``WHAT``.
    stock : int
        Which stock.
    row : int
    size : float
    hours : int
        How long it lasts, from its row on.
    learnt : float
        Of a jump while the market is shut: the share that perps learn of before it opens.
    venue : str
        "" for every venue.
    """

    what: str
    stock: int
    row: int
    size: float
    hours: int
    learnt: float
    venue: str


def _rows(hours: Hours) -> Mapping[str, Callable[[], B8]]:
    """Which rows a word stands for."""
    closed = hours.closed
    begins = closed & ~hours.shut
    long = np.append(hours.hours_to_reopen[1:], 0.0) >= 1.5 * _DAY_HOURS
    midweek = hours.cash & ~np.append(closed[_DAY_HOURS:], [True] * min(_DAY_HOURS, len(closed)))
    return {
        "any": lambda: np.ones(len(closed), np.bool_),
        "cash": lambda: midweek & (hours.et_hour == 12),
        "evening": lambda: ~hours.shut & ~closed & (hours.et_hour == 17),
        "weekend_close": lambda: begins & long,
        "weekend": lambda: hours.shut & (hours.hours_to_reopen == 36.0),
        "reopen": lambda: hours.reopens,
        "midnight": lambda: ~closed & ~hours.shut & (hours.et_hour == 20),
    }


def row_of(at: object, hours: Hours, where: str) -> int:
    """The row that is meant: ``{share = 0.5, row = "cash"}``, or a moment of New York.

    Raises
    ------
    RequestError
        If it is neither, or is outside the hours.
    """
    if isinstance(at, str | datetime):
        return _moment(at, hours, where)
    if not isinstance(at, Mapping) or set(at) - {"share", "row", "after_hours"}:
        raise RequestError(f'{where}: at was {at!r}; write {{ share = 0.5, row = "cash" }}')
    known = _rows(hours)
    word = str(at.get("row", "any"))
    if word not in known:
        raise RequestError(f"{where}: row {word} is unknown; {nearest(word, known)}")
    share = float(at.get("share", 0.0))
    found: I64 = np.flatnonzero(known[word]())
    found = found[found >= share * (len(hours.time_ns) - 1)]
    row = (int(found[0]) if len(found) else len(hours.time_ns)) + int(at.get("after_hours", 0))
    if not 0 < row < len(hours.time_ns):
        raise RequestError(
            f"{where}: no {word} hour comes after {share:.0%} of these hours; write more --days"
        )
    return row


def _moment(at: str | datetime, hours: Hours, where: str) -> int:
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        raise RequestError(f"{where}: at was {at!r}; write 2026-01-30T20:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(NEW_YORK))
    row = (to_ns(moment) - int(hours.time_ns[0])) // HOUR_NS
    if not 0 < row < len(hours.time_ns):
        raise RequestError(
            f"{where}: {at} is outside {stamp(int(hours.time_ns[0]))} to "
            f"{stamp(int(hours.time_ns[-1]))}; choose another --start or more --days"
        )
    return int(row)


def which(word: object, names: Sequence[str], where: str) -> list[int]:
    """Which stocks are meant: "all", "first", "second", or a ticker.

    A second stock is the first where there is no other.
    """
    ordinal = {"first": 0, "second": min(1, len(names) - 1)}
    if word == "all":
        return list(range(len(names)))
    if isinstance(word, str) and word in ordinal:
        return [ordinal[word]]
    if word not in names:
        known = [*names, "all", *ordinal]
        raise RequestError(f"{where}: stock {word} is unknown; {nearest(str(word), known)}")
    return [names.index(str(word))]


def lay_events(
    told: Iterable[Mapping[str, Any]], hours: Hours, names: Sequence[str], where: str
) -> tuple[Event, ...]:
    """Every event on its row, one for each stock that it is of.

    Raises
    ------
    RequestError
        If an event is not understood, or outside the hours.
    """
    made = []
    for n, one in enumerate(told, 1):
        here = f"{where}: event {n}"
        for key in one:
            if key not in _KEYS:
                raise RequestError(f"{here}: no key {key}: {nearest(key, _KEYS)}")
        what = str(one.get("what"))
        if what not in WHAT:
            raise RequestError(f"{here}: what was {what}: {nearest(what, WHAT)}")
        row = row_of(one.get("at"), hours, here)
        rest = (float(one.get("size", 0.0)), int(one.get("hours", 1)))
        more = (float(one.get("learnt", 0.0)), str(one.get("venue", "")))
        made += [
            Event(what, s, row, *rest, *more) for s in which(one.get("stock", "all"), names, here)
        ]
    return tuple(sorted(made, key=lambda event: (event.row, event.what, event.stock)))


def of(events: Iterable[Event], what: str) -> list[Event]:
    """The events of one kind, by row."""
    return [event for event in events if event.what == what]


def span(event: Event) -> slice:
    """The rows that an event lasts for."""
    return slice(event.row, event.row + max(event.hours, 1))
