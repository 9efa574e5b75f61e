"""How the panels say times, spells and money."""

from __future__ import annotations

import numpy as np

from perpkit.headline import plain
from perpkit.report.panel import Cell
from perpkit.units import HOUR_MS

_DAY_H = 24.0
_IN_DAYS_H = 72.0  # from here on a spell is told in days


def instant(time_ms: int | np.int64) -> str:
    """An hour of the run, UTC, from ms since 1970.

    >>> instant(0)
    '1970-01-01 00:00'
    """
    return str(np.datetime64(int(time_ms), "ms").astype("datetime64[m]")).replace("T", " ")


def clock(text: str) -> str:
    """An instant of ``summary.json`` as the panels say it.

    >>> clock("2026-08-17T07:00:00Z")
    '2026-08-17 07:00'
    """
    return text[:16].replace("T", " ")


def lasted(hours: float) -> str:
    """A spell in hours, or in days where it is long.

    >>> lasted(41.0), lasted(1896.0)
    ('41 h', '79 days')
    """
    if hours < _IN_DAYS_H:
        return f"{hours:,.0f} h"
    days = hours / _DAY_H
    return f"{days:,.1f} days" if days < 30.0 and days % 1.0 else f"{days:,.0f} days"


def between(begun_ms: int | np.int64, ended_ms: int | np.int64) -> str:
    """The spell from one instant to another."""
    return lasted((int(ended_ms) - int(begun_ms)) / HOUR_MS)


def signed(usd: float) -> str:
    """USD with their sign; what rounds to nothing has none.

    >>> signed(3997.894), signed(-12.5), signed(-0.001)
    ('+3,997.89', '-12.50', '0.00')
    """
    told = round(usd, 2) + 0.0
    return "0.00" if told == 0.0 else f"{told:+,.2f}"


def count(number: float, noun: str) -> str:
    """A number of things.

    >>> count(1, "fill"), count(1200, "fill")
    ('1 fill', '1,200 fills')
    """
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def usd(value: float | None, why: str = "n/a") -> Cell:
    """USD to a cent for a table; nothing is a dash, what is undefined says why."""
    if value is None:
        return Cell(why, None)
    return Cell(plain(round(value, 2) + 0.0) if value else "\N{EN DASH}", value)


def whole(value: float | None, why: str = "n/a") -> Cell:
    """USD without cents for a table, of sums that only tell a size."""
    return Cell(why, None) if value is None else Cell(f"{round(value) + 0:,}", value)


def bp(value: float | None, why: str = "n/a") -> Cell:
    """A fraction in basis points for a table."""
    return Cell(why, None) if value is None else Cell(f"{value * 1e4 + 0.0:,.2f}", value)


def rate(value: float | None, why: str = "n/a") -> Cell:
    """A fraction as a percentage for a table."""
    return Cell(why, None) if value is None else Cell(f"{value + 0.0:.2%}", value)
