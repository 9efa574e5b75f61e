"""Recorded oracles and marks held against the venue's limits: step by step, and off hours.

Nothing here says what a price should have been: recorded prices have the limits in them already,
and a breach means that the data or the rulebook's term is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from perpkit.arrays import B8, F64, I64
from perpkit.research.terms import Era, eras
from perpkit.rulebook import CoinTerms, Rulebook
from perpkit.rulebook.keys import NONE
from perpkit.sessions import external_switches, session_hours
from perpkit.units import HOUR_NS

_TICK: Final = 1e-4  # of the price: five significant digits, the coarsest tick there is
_WIDE: Final = 1.0  # a limit that lets a price double between two rows tests nothing
_NEAR_HOURS: Final = 1.0  # furthest that the row of the reference may lie before the close
_RESETS: Final = ("bound_resets", "bound_threshold_frac")
_BOUND: Final = ("bound_frac", "bound_when", "external_session", *_RESETS)


@dataclass(frozen=True, slots=True)
class Steps:
    """How far one price moved from row to row, against the limit of one update."""

    price: str
    tested: int
    broken: int
    first_ns: int | None
    untested: tuple[tuple[str, int], ...]  # why, and how many moves


@dataclass(frozen=True, slots=True)
class Spell:
    """One spell without an external price, and how far the mark went from its reference."""

    from_ns: int  # the reference's row
    to_ns: int
    reference_px: float  # oracle of the last row with an external price
    rows: int
    resets: int | None  # None: not known, and the mark is held against a bound without any
    low_px: float
    high_px: float
    lowest_px: float  # what the bound allows, its resets included
    highest_px: float
    broken: int
    first_ns: int | None


@dataclass(frozen=True, slots=True)
class Live:
    """Marks of rows with an external price, against a bound around the oracle of the same row."""

    rows: int
    furthest_frac: float | None
    broken: int
    first_ns: int | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Discovery bounds: spell by spell, in open hours, and what could not be tested."""

    spells: tuple[Spell, ...]
    live: Live
    untested: tuple[tuple[str, int], ...]  # why, and how many rows


class Prices(NamedTuple):
    """Recorded prices of one coin, (R,) each, ascending; NaN where absent."""

    time_ns: I64
    oracle_px: F64
    mark_px: F64
    mark_high_px: F64
    mark_low_px: F64


def prices_of_coin(perps: pl.DataFrame, coin: str) -> Prices:
    """Recorded prices of a coin from a dataset's table of perps."""
    own = perps.filter(pl.col("coin") == coin).sort("time")
    columns = (own[n].cast(pl.Float64).fill_null(np.nan).to_numpy() for n in Prices._fields[1:])
    return Prices(own["time"].dt.epoch("ms").to_numpy().astype(np.int64) * 1_000_000, *columns)


# --------------------------------------------------------------------------- steps


def audit_steps(coin: CoinTerms, prices: Prices, book: Rulebook) -> list[Steps]:
    """Hold each move of oracle and mark against the venue's limit of one update.

    In k hours a price goes at most to ``base (1 + s)^(k n)``, s of one update, n updates an hour.
    Where that is twice the price the rows are too far apart: not testable at this resolution.

    Parameters
    ----------
    coin : whose terms hold
    prices : recorded rows
    book : the rulebook

    Returns
    -------
    of the oracle (``step_frac``), and of the mark (``mark_step_frac``)
    """
    return [
        _steps(coin, prices, book, "oracle_px", "step_frac"),
        _steps(coin, prices, book, "mark_px", "mark_step_frac"),
    ]


def _steps(coin: CoinTerms, prices: Prices, book: Rulebook, price: str, key: str) -> Steps:
    later = prices.time_ns[1:]
    tested = np.zeros(len(later), np.bool_)
    broken = tested.copy()
    untested: dict[str, int] = {}
    px = getattr(prices, price)
    both = ~np.isnan(px[1:]) & ~np.isnan(px[:-1])
    for era in eras(coin, (key, "updates_per_hour", "step_base"), later, book):
        rows = era.rows & both
        why = _no_step(era, key)
        if not why:
            updates = era.number("updates_per_hour") * ((later - prices.time_ns[:-1]) / HOUR_NS)
            up = np.expm1(updates * np.log1p(era.number(key)))
            narrow = rows & (up < _WIDE)
            tested |= narrow
            on_mark = key == "step_frac" and era.word("step_base") == "mark"
            base = prices.mark_px[:-1] if on_mark else px[:-1]
            lowest = base * np.exp(updates * np.log1p(-era.number(key)))
            outside = (px[1:] > base * (1.0 + up) * (1.0 + _TICK)) | (
                px[1:] < lowest * (1.0 - _TICK)
            )
            broken |= narrow & outside
            rows &= ~narrow
            hourly = era.number("updates_per_hour")
            why = (
                f"not testable at this resolution: {hourly:,.0f} updates of "
                f"{era.number(key):.2%} an hour"
            )
        if count := int(rows.sum()):
            untested[why] = untested.get(why, 0) + count
    first = int(later[np.argmax(broken)]) if broken.any() else None
    return Steps(price, int(tested.sum()), int(broken.sum()), first, tuple(untested.items()))


def _no_step(era: Era, key: str) -> str:
    if lacking := era.lacking():
        return f"{', '.join(sorted(lacking))} unknown"
    return "the venue has no such limit" if era.word(key) == NONE else ""


# --------------------------------------------------------------------------- discovery bounds


def audit_bounds(coin: CoinTerms, prices: Prices, book: Rulebook) -> Bounds:
    """Hold the mark of each spell without an external price against the discovery bound.

    The reference is the oracle of the last row whose hour was priced from outside. With r resets
    the mark goes from ``reference (1 - b)^(r + 1)`` to ``reference (1 + b)^(r + 1)``. Highs and
    lows count in hours that lie wholly within the spell. Where the bound holds always, the marks of
    other rows are held against ``oracle (1 +- b)``.

    Parameters
    ----------
    coin : whose terms hold
    prices : recorded rows
    book : the rulebook

    Returns
    -------
    Bounds; a spell whose reference was not recorded within an hour of the close is left untested,
    and so is one beyond a bound whose resets are not known
    """
    made = _Found()
    for era in eras(coin, _BOUND, prices.time_ns, book):
        if why := _no_bound(era):
            made.leave(why, int(era.rows.sum()))
            continue
        if era.word("bound_when") == "always":
            made.hold_live(prices, era)
        for rows in _closed_spells(prices.time_ns, era):
            spell = _spell(prices, era, rows)
            if spell is None:
                made.leave("the price at the close is not recorded", len(rows) - 1)
            elif spell.broken and spell.resets is None:
                made.leave("beyond the bound, and its resets are not known", spell.rows)
            else:
                made.spells.append(spell)
    first = made.broken_ns[0] if made.broken_ns else None
    live = Live(made.rows, made.furthest, len(made.broken_ns), first)
    return Bounds(tuple(made.spells), live, tuple(made.untested.items()))


class _Found:
    """What is known while the eras are gone through."""

    def __init__(self) -> None:
        self.spells: list[Spell] = []
        self.untested: dict[str, int] = {}
        self.rows = 0
        self.furthest: float | None = None
        self.broken_ns: list[int] = []

    def leave(self, why: str, rows: int) -> None:
        """Leave rows untested."""
        if rows:
            self.untested[why] = self.untested.get(why, 0) + rows

    def hold_live(self, prices: Prices, era: Era) -> None:
        """Hold the marks of an era's open hours against the oracle of their own row."""
        closed, _ = _inside(prices.time_ns, era.word("external_session"))
        rows = np.flatnonzero(era.rows & ~closed)
        away = np.abs(prices.mark_px[rows] / prices.oracle_px[rows] - 1.0)
        rows, away = rows[~np.isnan(away)], away[~np.isnan(away)]
        if not rows.size:
            return
        self.rows += rows.size
        self.furthest = max(self.furthest or 0.0, float(away.max()))
        broken = away > era.number("bound_frac") + _TICK
        self.broken_ns += [int(ns) for ns in prices.time_ns[rows[broken]]]


def _no_bound(era: Era) -> str:
    value = era.values["bound_frac"]
    if value is not None and value.value == NONE:
        return "the venue has no such bound"
    if lacking := [key for key in era.lacking() if key not in _RESETS]:
        return f"{', '.join(sorted(lacking))} unknown"
    if era.word("external_session") in {"24/7", NONE}:
        return "the market has no hours without an external price"
    return ""


def _resets(era: Era) -> int | None:
    """Resets of the bound in one direction; None where they are not known."""
    if any(key in _RESETS for key in era.lacking()):
        return None
    if era.word("bound_threshold_frac") == NONE:
        return 0
    return int(era.number("bound_resets", none=0.0))


def _inside(time_ns: I64, session: str) -> tuple[B8, B8]:
    """Whether each hour ends without an external price, and whether it passes wholly so."""
    turns = external_switches(time_ns, session)
    count = (~np.isnan(turns.first_frac)).astype(int) + ~np.isnan(turns.second_frac)
    ends_open = turns.open_at_start ^ (count % 2 == 1)
    return ~ends_open, ~turns.open_at_start & (count == 0)


def _closed_spells(time_ns: I64, era: Era) -> Iterator[I64]:
    """Rows of each spell, the row of its reference first."""
    closed, _ = _inside(time_ns, era.word("external_session"))
    within = np.flatnonzero(closed & era.rows)
    reference = np.maximum.accumulate(np.where(closed, -1, np.arange(len(closed))))
    for first in np.unique(reference[within]):
        rows = within[reference[within] == first]
        yield np.concatenate([[first], rows]) if first >= 0 else np.concatenate([[rows[0]], rows])


def _spell(prices: Prices, era: Era, rows: I64) -> Spell | None:
    session = era.word("external_session")
    first, own = int(rows[0]), rows[1:]
    start = prices.time_ns[first : first + 1]
    if first == own[0] or np.isnan(prices.oracle_px[first]):
        return None
    if float(session_hours(start, session).hours_to_close[0]) > _NEAR_HOURS:
        return None
    _, wholly = _inside(prices.time_ns[own], session)
    mark = prices.mark_px[own]
    high = np.where(wholly, np.fmax(mark, prices.mark_high_px[own]), mark)
    low = np.where(wholly, np.fmin(mark, prices.mark_low_px[own]), mark)
    if np.isnan(mark).all():
        return None
    resets = _resets(era)
    times = 1.0 + (resets or 0)
    reference = float(prices.oracle_px[first])
    highest = reference * (1.0 + era.number("bound_frac")) ** times
    lowest = reference * (1.0 - era.number("bound_frac")) ** times
    broken = (high > highest * (1.0 + _TICK)) | (low < lowest * (1.0 - _TICK))
    return Spell(
        from_ns=int(start[0]),
        to_ns=int(prices.time_ns[own[-1]]),
        reference_px=reference,
        rows=len(own),
        resets=resets,
        low_px=float(np.nanmin(low)),
        high_px=float(np.nanmax(high)),
        lowest_px=lowest,
        highest_px=highest,
        broken=int(broken.sum()),
        first_ns=int(prices.time_ns[own[np.argmax(broken)]]) if broken.any() else None,
    )
