"""When the terms of a series changed, and which rows fit no terms.

A change is believed when it explains at least `PROOF` rows that the terms before it do not; fewer
are listed as rows that fit nothing. With these rows set aside, a regime that is grown from the past
as far as its rows agree ends at the latest possible change, and one that is grown from the future
begins at the earliest. Between the two every place is possible, and no other is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import F64, I64
from perpkit.research.feasible import FREE, Feasible, Rows, feasible

PROOF: Final = 3
MOST_REGIMES: Final = 40
MOST_ODD: Final = 200
_WHOLE: Final = 2_000


class Change(NamedTuple):
    """Rows between which the terms changed."""

    last_old: int  # the last row that only the terms before fit
    first_new: int  # the first row that only the terms after fit


@dataclass(frozen=True, slots=True)
class Regime:
    """Rows that surely share terms, and what these may be; None where no row is sure."""

    rows: I64
    found: Feasible | None


@dataclass(frozen=True, slots=True)
class Split:
    """A series cut into regimes; `odd` rows fit none. `complete` is false where it was given up."""

    regimes: tuple[Regime, ...]
    changes: tuple[Change, ...]
    odd: tuple[int, ...]
    complete: bool

    @property
    def cost(self) -> int:
        """What the explanation asks to be believed."""
        return PROOF * len(self.changes) + len(self.odd) + (0 if self.complete else FREE)


def split(rows: Rows) -> Split:
    """Cut a series into the fewest regimes whose rows agree.

    Parameters
    ----------
    rows : (R,) ends of what each row allows, ascending in time
    """
    series = _Series(rows)
    everything = np.arange(len(rows.p_lo))
    whole = feasible(rows, effort=_WHOLE)
    if whole is not None:
        return Split((Regime(everything, whole),), (), (), complete=True)
    odd, complete = _odd_rows(series, everything)
    if not complete:
        return Split((), (), (), complete=False)
    made = _cut_between(series, _without(everything, odd), odd)
    return _improved(series, made, everything)


# --------------------------------------------------------------------------- how far rows agree


class _Grown(NamedTuple):
    """How many rows agree, from the first on, and on what."""

    far: int
    found: Feasible | None  # None: of no row


class _Series:
    """The rows, and how far from any place they agree."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def solve(self, which: I64, within: Feasible | None = None) -> Feasible | None:
        """What these rows allow."""
        return feasible(self.rows.take(which), within)

    def reach(self, order: I64, known: _Grown | None = None) -> _Grown:
        """How many rows agree, from the first of an order on; so many are known to.

        Rows that the middle of what is left does not fit show where the next end may lie.
        """
        good, found = known or _Grown(0, None)
        if not good:
            good, found = min(1, len(order)), self.solve(order[:1])
        bad, step = len(order) + 1, 1
        while good + 1 < bad and found is not None:
            likely = good + self._first_misfit(order[good : bad - 1], found.inner)
            tried = min(max(likely, good + step), bad - 1)
            more = self.solve(order[:tried], found)
            if more is not None:
                step = 1 if tried == likely else 2 * step
                good, found = tried, more
            else:
                bad, step = tried, max(1, min(step, tried - good) // 2)
        return _Grown(good, found)

    def _first_misfit(self, which: I64, inner: tuple[float, float, float]) -> int:
        broken = np.flatnonzero(misfit(self.rows.take(which), inner) > 1.0)
        return int(broken[0]) if broken.size else len(which)


def misfit(rows: Rows, terms: tuple[float, float, float]) -> F64:
    """How far each row lies from what terms allow, in units; 0 within.

    Parameters
    ----------
    rows : (R,)
    terms : m, a = m c and b = m I, the last two in units
    """
    m, a, b = terms
    lowest = np.minimum(m * rows.p_lo + a, np.maximum(b, m * rows.p_lo - a))
    highest = np.minimum(m * rows.p_hi + a, np.maximum(b, m * rows.p_hi - a))
    far: F64 = np.maximum(np.maximum(lowest - rows.y_hi, rows.y_lo - highest), 0.0)
    return far


def _without(order: I64, odd: set[int]) -> I64:
    return order[~np.isin(order, list(odd))] if odd else order


# --------------------------------------------------------------------------- rows that fit nothing


def _odd_rows(series: _Series, order: I64) -> tuple[set[int], bool]:
    """Rows whose removal saves more than it costs; and whether the series came to an end."""
    odd: set[int] = set()
    begin, regimes = 0, 1
    rest, reached = order, series.reach(order)
    while reached.far < len(rest):
        if regimes > MOST_REGIMES or len(odd) > MOST_ODD:
            return odd, False
        patched = _patch(series, rest, reached)
        if patched is not None:
            odd |= patched.removed
            rest, reached = patched.left, patched.reached
            continue
        begin = int(np.searchsorted(order, rest[reached.far]))
        rest, regimes = _without(order[begin:], odd), regimes + 1
        reached = series.reach(rest)
    return odd, True


class _Patched(NamedTuple):
    """Rows set aside, those left, and how far they agree."""

    removed: frozenset[int]
    left: I64
    reached: _Grown


def _patch(series: _Series, rest: I64, reached: _Grown) -> _Patched | None:
    """Set rows aside so that the terms hold as long as new ones would; None: they changed."""
    new = series.reach(rest[reached.far :])
    horizon = int(rest[reached.far - 1 + new.far])
    made = _Patched(frozenset(), rest, reached)
    while len(made.removed) < PROOF - 1:
        made = _without_culprit(series, made, horizon)
        if _last(made) >= horizon:
            return made
    return None


def _last(made: _Patched) -> int:
    """The last row that agrees; beyond all rows where none is left that does not."""
    far = made.reached.far
    return int(made.left[far - 1]) if far < len(made.left) else FREE


def _without_culprit(series: _Series, made: _Patched, horizon: int) -> _Patched:
    """Set aside the row that lets the terms hold longest, of those that contradict each other."""
    place = made.reached.far
    breaking = int(made.left[place])
    left = made.left[made.left != breaking]
    best = _Patched(made.removed | {breaking}, left, series.reach(left, made.reached))
    if _last(best) >= horizon:
        return best
    for row in _conflict(series, made.left[: place + 1]):
        left = made.left[made.left != row]
        tried = _Patched(made.removed | {row}, left, series.reach(left))
        if row != breaking and _last(tried) > _last(best):
            best = tried
    return best


def _conflict(series: _Series, which: I64) -> list[int]:
    """Some of these rows that contradict one another, none of which can be spared."""
    used: set[int] = set()
    feasible(series.rows.take(which), used=used)
    core = sorted(used)
    for row in list(core):
        fewer = [kept for kept in core if kept != row]
        if series.solve(which[fewer]) is None:
            core = fewer
    return [int(which[row]) for row in core]


# --------------------------------------------------------------------------- changes


def _cut_between(series: _Series, order: I64, odd: set[int]) -> Split:
    """Regimes and changes of rows that hold no odd one."""
    latest = _starts(series, order)
    back = _starts(series, order[::-1])
    # Grown from the future, a regime's last place is where the one before it may begin at most.
    earliest = [len(order) - start for start in reversed(back[1:])]
    changes = tuple(
        Change(int(order[early - 1]), int(order[late]))
        for early, late in zip(earliest, latest[1:], strict=True)
    )
    regimes = []
    for first, past in zip(latest, [*earliest, len(order)], strict=True):
        sure = order[first:past]
        found = feasible(series.rows.take(sure), effort=_WHOLE) if len(sure) else None
        regimes.append(Regime(sure, found))
    return Split(tuple(regimes), changes, tuple(sorted(odd)), complete=True)


def _starts(series: _Series, order: I64) -> list[int]:
    """Where each regime begins when each is grown as far as its rows agree."""
    starts, place = [0], series.reach(order).far
    while place < len(order):
        starts.append(place)
        place += series.reach(order[place:]).far
    return starts


def _improved(series: _Series, made: Split, everything: I64) -> Split:
    """Take for odd what only interrupts terms that go on, and take back what fits after all."""
    for before, after in zip(made.regimes, made.regimes[2:], strict=False):
        joined = _interrupted(series, made, before, after)
        if joined is not None:
            made = min(made, _cut_between(series, _without(everything, joined), joined), key=_cost)
    odd = set(made.odd)
    for row in made.odd:
        fewer = odd - {row}
        if len(_starts(series, _without(everything, fewer))) <= len(made.regimes):
            odd = fewer
    if odd == set(made.odd):
        return made
    return _cut_between(series, _without(everything, odd), odd)


def _cost(made: Split) -> int:
    return made.cost


def _interrupted(series: _Series, made: Split, before: Regime, after: Regime) -> set[int] | None:
    """Odd rows if the terms of two regimes are one and the rows between are an interruption."""
    if not (before.rows.size and after.rows.size):
        return None
    both = np.concatenate([before.rows, after.rows])
    found = series.solve(both)
    if found is None:
        return None
    between = np.arange(before.rows[-1] + 1, after.rows[0])
    alien = between[misfit(series.rows.take(between), found.inner) > 1.0]
    return {*made.odd, *alien.tolist()} if len(alien) < 2 * PROOF else None
