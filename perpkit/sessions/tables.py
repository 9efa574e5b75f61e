"""The lists of days that ship with perpkit, read when first asked for."""

from __future__ import annotations

import tomllib
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from perpkit.arrays import I64

DATA: Final = Path(__file__).parent / "data"
DAY_S: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()

Window = tuple[int, int]  # seconds since local midnight; the last may be the next midnight


class Exchange(NamedTuple):
    """Trading days of an exchange."""

    first: int  # days since the epoch, both included
    last: int
    closed: I64  # (N,) weekdays without a session, ascending
    special: dict[int, Window]  # sessions that open late or close early


class Regime(NamedTuple):
    """Windows of external pricing in Korea, from a day on."""

    since: int
    pre_market: Window
    main: Window
    after_hours: Window


def day_number(day: date) -> int:
    """Days since the epoch.

    >>> day_number(date(1970, 1, 2))
    1
    """
    return day.toordinal() - _EPOCH


def read(name: str) -> dict[str, Any]:
    """One file of ``perpkit/sessions/data``."""
    return tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def nyse() -> Exchange:
    """NYSE and Nasdaq."""
    return _exchange(read("nyse"))


@cache
def krx() -> Exchange:
    """The Korea Exchange, with what the calendar it was made from does not have."""
    listed, own = _exchange(read("krx")), pricing()["korea"]
    closed = np.union1d(listed.closed, [day_number(x["day"]) for x in own["closed"]])
    late = {day_number(x["day"]): window(x["hours"]) for x in own["late"]}
    return listed._replace(closed=closed, special=listed.special | late)


@cache
def cme_days() -> dict[int, list[Window]]:
    """Days on which index futures keep other hours than the week's, and their windows."""
    told = read("cme")["days"]
    return {
        day_number(date.fromisoformat(day)): [window(x) for x in windows]
        for day, windows in told.items()
    }


@cache
def pricing() -> dict[str, Any]:
    """The windows of external pricing."""
    return read("pricing")


def korea_regimes() -> list[Regime]:
    """Windows in Korea, ascending by their first day."""
    return [
        Regime(
            day_number(x["from"]) if "from" in x else krx().first,
            window(x["pre_market"]),
            window(x["main"]),
            window(x["after_hours"]),
        )
        for x in pricing()["korea"]["windows"]
    ]


def window(text: str) -> Window:
    """Two local times as seconds since midnight.

    >>> window("18:00-24:00")
    (64800, 86400)
    """
    opens, closes = text.split("-")
    return _seconds(opens), _seconds(closes)


def seconds(at: time) -> int:
    """Seconds since midnight."""
    return at.hour * 3600 + at.minute * 60 + at.second


def _seconds(text: str) -> int:
    return DAY_S if text == "24:00" else seconds(time.fromisoformat(text))


def _exchange(told: dict[str, Any]) -> Exchange:
    return Exchange(
        day_number(told["first"]),
        day_number(told["last"]),
        np.array([day_number(day) for day in told["closed"]], np.int64),
        {day_number(date.fromisoformat(d)): window(hours) for d, hours in told["special"].items()},
    )
