"""The set of all terms that fit: complete, and no wider than it must be."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from perpkit.research.feasible import PER_ONE, Feasible, Rows, feasible

EXACT = settings(max_examples=120, derandomize=True, deadline=None)
FEW = settings(max_examples=25, derandomize=True, deadline=None)


class Row(NamedTuple):
    p_lo: int
    p_hi: int
    y_lo: int
    y_hi: int


def rows_of(rows: list[Row]) -> Rows:
    return Rows(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def formula(p: Fraction, m: Fraction, a: Fraction, b: Fraction) -> Fraction:
    """Eight hours' rate by the venue's text, with a = m c and b = m I."""
    if m == 0:
        return min(max(b, -a), a)
    pull = min(max(b / m - p, -a / m), a / m)
    return m * (p + pull)


def baselines(rows: list[Row], m: Fraction, a: Fraction) -> tuple[Fraction, Fraction] | None:
    """Values of b that fit all rows at given m and a; None where there are none.

    The rate rises with b, so each row allows an interval of b.
    """
    low, high = Fraction(-(10**15)), Fraction(10**15)
    for row in rows:
        lowest = m * row.p_lo - a  # rate at the row's lowest premium, at the smallest b
        if lowest > row.y_hi or m * row.p_hi + a < row.y_lo:
            return None
        if m * row.p_lo + a > row.y_hi:
            high = min(high, Fraction(row.y_hi))
        if m * row.p_hi - a < row.y_lo:
            low = max(low, Fraction(row.y_lo))
    return (low, high) if low <= high else None


def fits(rows: list[Row], m: Fraction, a: Fraction, b: Fraction) -> bool:
    """Whether each row holds, by the formula alone."""
    return all(
        formula(Fraction(row.p_lo), m, a, b) <= row.y_hi
        and formula(Fraction(row.p_hi), m, a, b) >= row.y_lo
        for row in rows
    )


def corners(rows: list[Row], m: Fraction) -> Iterator[Fraction]:
    """Values of a at which some row begins or ceases to bind, and those between them."""
    found = {Fraction(0), m * PER_ONE}
    for row in rows:
        for p, y in ((row.p_lo, row.y_hi), (row.p_hi, row.y_lo)):
            found |= {abs(m * p - y)}
    ascending = sorted(a for a in found if a >= 0)
    yield from ascending
    yield from ((low + high) / 2 for low, high in pairwise(ascending))


def some_fit(rows: list[Row], m: Fraction) -> bool:
    """Whether any clamp and interest fit at this multiplier."""
    return any(baselines(rows, m, a) is not None for a in corners(rows, m) if a <= m * PER_ONE)


def some_fit_clamp(rows: list[Row], c: Fraction) -> bool:
    """Whether any multiplier up to 10 and interest fit at this clamp (in units)."""
    found = {Fraction(0), Fraction(10)}
    for row in rows:
        for p, y in ((row.p_lo, row.y_hi), (row.p_hi, row.y_lo)):
            found |= {y / (p + s * c) for s in (1, -1) if p + s * c != 0}
    ascending = sorted(m for m in found if 0 <= m <= 10)
    between = [(x + y) / 2 for x, y in pairwise(ascending)]
    return any(baselines(rows, m, m * c) is not None for m in (*ascending, *between))


@st.composite
def consistent(draw: st.DrawFn) -> tuple[list[Row], tuple[Fraction, Fraction, Fraction]]:
    """Rows around some terms, with ends of any width down to none: ties and corners are common."""
    m = Fraction(draw(st.integers(0, 24)), 8)
    a = m * draw(st.integers(0, 40))
    b = m * draw(st.integers(-30, 30))
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        p = draw(st.integers(-80, 80))
        y = formula(Fraction(p), m, a, b)
        wide_p, wide_y = draw(st.integers(0, 3)), draw(st.integers(0, 5))
        rows.append(Row(p - wide_p, p + wide_p, int(y // 1) - wide_y, int(-(-y // 1)) + wide_y))
    return rows, (m, a, b)


def found_in(found: Feasible, m: Fraction, a: Fraction, b: Fraction) -> bool:
    """Whether a box holds terms given in units."""
    if not found.multiplier.low <= m <= found.multiplier.high:
        return False
    if not found.baseline_8h.low <= b / PER_ONE <= found.baseline_8h.high:
        return False
    if m == 0:
        return True
    c, i = a / m / PER_ONE, b / m / PER_ONE
    return bool(
        found.clamp_8h.low <= c <= found.clamp_8h.high
        and found.interest_8h.low <= i <= found.interest_8h.high
    )


# --------------------------------------------------------------------------- complete and tight


@given(consistent())
@EXACT
def test_the_box_holds_the_terms_that_made_the_rows(
    made: tuple[list[Row], tuple[Fraction, Fraction, Fraction]],
) -> None:
    rows, (m, a, b) = made
    assert fits(rows, m, a, b)
    found = feasible(rows_of(rows), effort=10_000)
    assert found is not None
    assert found.exact
    assert found_in(found, m, a, b)


@given(consistent(), st.data())
@EXACT
def test_whatever_else_fits_is_in_the_box(
    made: tuple[list[Row], tuple[Fraction, Fraction, Fraction]], data: st.DataObject
) -> None:
    rows, (m, a, b) = made
    steps = [Fraction(data.draw(st.integers(-40, 40)), 64) for _ in range(3)]
    m, a, b = max(m + steps[0] / 8, Fraction(0)), max(a + steps[1] * 8, Fraction(0)), b + steps[2]
    assume(fits(rows, m, a, b))
    found = feasible(rows_of(rows))
    assert found is not None
    assert found_in(found, m, a, b)


@given(consistent())
@EXACT
def test_the_ends_of_the_box_are_reached(
    made: tuple[list[Row], tuple[Fraction, Fraction, Fraction]],
) -> None:
    rows, _ = made
    found = feasible(rows_of(rows), effort=10_000)
    assert found is not None
    beyond = Fraction(1, 10**6)
    m = found.multiplier
    if m.low > Fraction(1, 1_000):  # below that the interest's own limit of 1 tells
        assert some_fit(rows, m.low)
        assert not some_fit(rows, m.low - beyond)
    assert some_fit(rows, m.high)
    assert m.high == 10 or not some_fit(rows, m.high + beyond)
    low, high = found.clamp_8h.low * PER_ONE, found.clamp_8h.high * PER_ONE
    assert some_fit_clamp(rows, low)
    assert low == 0 or not some_fit_clamp(rows, low - beyond)
    if m.low > 0:
        assert some_fit_clamp(rows, high)
        assert high == PER_ONE or not some_fit_clamp(rows, high + beyond)


@given(
    st.lists(
        st.builds(
            lambda p, y, w: Row(p, p + w, y, y + w),
            st.integers(-60, 60),
            st.integers(-60, 60),
            st.integers(0, 8),
        ),
        min_size=1,
        max_size=6,
    )
)
@FEW
def test_no_fit_is_found_only_where_there_is_none(rows: list[Row]) -> None:
    used: set[int] = set()
    found = feasible(rows_of(rows), used=used)
    candidates = {Fraction(n, 16) for n in range(161)}
    for one in rows:
        for other in rows:
            for p, q in ((one.p_lo, other.p_hi), (one.p_hi, other.p_lo), (one.p_lo, other.p_lo)):
                for y, z in ((one.y_lo, other.y_hi), (one.y_hi, other.y_lo)):
                    if p != q:
                        candidates.add(Fraction(y - z, p - q))
                    if p + q:
                        candidates.add(Fraction(y + z, p + q))
    there_is = any(some_fit(rows, m) for m in candidates if 0 <= m <= 10)
    if there_is:
        assert found is not None
    if found is None:
        assert not there_is
        # The rows named are a contradiction by themselves.
        assert feasible(rows_of([rows[n] for n in sorted(used)])) is None


@given(consistent(), st.integers(0, 5))
@EXACT
def test_a_start_from_fewer_rows_leads_to_the_same(
    made: tuple[list[Row], tuple[Fraction, Fraction, Fraction]], count: int
) -> None:
    rows, _ = made
    fewer = feasible(rows_of(rows[: max(1, count)]))
    assert fewer is not None
    one = feasible(rows_of(rows), effort=10_000)
    other = feasible(rows_of(rows), fewer, effort=10_000)
    assert one is not None
    assert other is not None
    for name in ("multiplier", "clamp_8h", "interest_8h", "baseline_8h"):
        assert getattr(one, name) == getattr(other, name), name


def test_little_effort_gives_an_outer_box() -> None:
    # Without a clamp every baseline fits: there are as many ranges to look into as rows.
    premiums = np.arange(-60, 60, dtype=np.int64) * 1_000_003
    rows = Rows(premiums - 3, premiums + 3, premiums - 24, premiums + 24)
    rough, fine = feasible(rows, effort=4), feasible(rows, effort=10_000)
    assert rough is not None
    assert fine is not None
    assert fine.exact
    assert not rough.exact
    assert fine.multiplier.within(rough.multiplier)
    assert fine.clamp_8h.within(rough.clamp_8h)
    assert float(fine.clamp_8h.high) < 1e-8
    assert (fine.interest_8h.low, fine.interest_8h.high) == (-1, 1)


def test_a_straight_jump_down_fits_nothing() -> None:
    # The rate cannot fall as the premium rises.
    falling = [Row(0, 1, 10, 11), Row(5, 6, 3, 4)]
    assert feasible(rows_of(falling)) is None


@pytest.mark.parametrize("rate", [0, 7])
def test_one_row_leaves_almost_everything_open(rate: int) -> None:
    found = feasible(rows_of([Row(0, 0, rate, rate)]))
    assert found is not None
    assert found.multiplier.high == 10
    assert (found.clamp_8h.low, found.clamp_8h.high) == (0 if rate == 0 else found.clamp_8h.low, 1)
