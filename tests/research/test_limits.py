"""Step limits and discovery bounds on recorded prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from perpkit.research.limits import Bounds, Prices, audit_bounds, audit_steps
from perpkit.rulebook import CoinTerms, open_rulebook
from perpkit.units import to_ns

BOOK = open_rulebook()
THURSDAY = datetime(2026, 8, 13, 12, tzinfo=UTC)
FRIDAY_CLOSE = datetime(2026, 8, 15, 0, tzinfo=UTC)  # 20:00 New York
SUNDAY_OPEN = datetime(2026, 8, 17, 0, tzinfo=UTC)


def recorded(hours: int = 96, start: datetime = THURSDAY, px: float = 100.0) -> Prices:
    """Calm hours: every price the same."""
    time_ns = np.array([to_ns(start + timedelta(hours=n)) for n in range(hours)], np.int64)
    flat = np.full(hours, px)
    none = np.full(hours, np.nan)
    return Prices(time_ns, flat, flat.copy(), none, none.copy())


def row(prices: Prices, moment: datetime) -> int:
    return int(np.flatnonzero(prices.time_ns == to_ns(moment))[0])


def coin(**terms: object) -> CoinTerms:
    told = {
        "external_session": "us_24_5",
        "bound_frac": 0.05,
        "bound_resets": 0,
        "bound_threshold_frac": "none",
        "bound_when": "closed",
    }
    return CoinTerms("xyz:X", "xyz", told | terms)


def only(bounds: Bounds) -> object:
    (spell,) = bounds.spells
    return spell


# --------------------------------------------------------------------------- discovery bounds


def test_the_reference_is_the_last_external_oracle() -> None:
    prices = recorded()
    prices.oracle_px[row(prices, FRIDAY_CLOSE)] = 101.0  # the week's last
    prices.oracle_px[row(prices, FRIDAY_CLOSE) + 1 :] = 103.0
    (spell,) = audit_bounds(coin(), prices, BOOK).spells
    assert spell.from_ns == to_ns(FRIDAY_CLOSE)
    assert spell.reference_px == 101.0
    # The hour that ends at Sunday's opening is the last without an external price.
    assert spell.to_ns == to_ns(SUNDAY_OPEN)
    assert spell.rows == 48
    assert (spell.lowest_px, spell.highest_px) == pytest.approx((95.95, 106.05))


@pytest.mark.parametrize(
    ("resets", "inside", "beyond"),
    [
        # Excursions (1 +- 5%)^(r + 1) - 1: 5%, 10.25% and -9.75%, 15.7625% and -14.2625%.
        (0, (104.99, 95.01), (105.1, 94.9)),
        (1, (110.2, 90.3), (110.3, 90.2)),
        (2, (115.7, 85.8), (115.8, 85.7)),
    ],
)
def test_resets_widen_the_bound(
    resets: int, inside: tuple[float, float], beyond: tuple[float, float]
) -> None:
    terms = coin(bound_resets=resets, bound_threshold_frac=0.9)
    for px, broken in (*[(p, 0) for p in inside], *[(p, 1) for p in beyond]):
        prices = recorded()
        prices.mark_px[row(prices, FRIDAY_CLOSE) + 20] = px
        (spell,) = audit_bounds(terms, prices, BOOK).spells
        assert spell.broken == broken, px
        if broken:
            assert spell.first_ns == prices.time_ns[row(prices, FRIDAY_CLOSE) + 20]


def test_highs_and_lows_count_in_whole_closed_hours() -> None:
    prices = recorded()
    place = row(prices, FRIDAY_CLOSE)
    prices.mark_high_px[:] = 100.5
    prices.mark_high_px[place] = 120.0  # of an hour that was priced from outside
    prices.mark_low_px[place + 3] = 90.0
    (spell,) = audit_bounds(coin(), prices, BOOK).spells
    assert (spell.low_px, spell.high_px, spell.broken) == (90.0, 100.5, 1)


def test_unknown_resets_leave_only_what_lies_beyond_open() -> None:
    prices = recorded()
    terms = coin(bound_resets="unknown", bound_threshold_frac="unknown")
    (spell,) = audit_bounds(terms, prices, BOOK).spells
    assert (spell.resets, spell.broken) == (None, 0)
    prices.mark_px[row(prices, FRIDAY_CLOSE) + 5] = 107.0
    bounds = audit_bounds(terms, prices, BOOK)
    assert bounds.spells == ()
    assert bounds.untested == (("beyond the bound, and its resets are not known", 48),)


def test_a_close_that_was_not_recorded_leaves_its_weekend_untested() -> None:
    whole = recorded()
    place = row(whole, FRIDAY_CLOSE)
    missing = np.ones(96, bool)
    missing[place - 1 : place + 1] = False
    bounds = audit_bounds(coin(), Prices(*(column[missing] for column in whole)), BOOK)
    assert bounds.spells == ()
    assert bounds.untested == (("the price at the close is not recorded", 48),)
    # A row less than an hour before the close will do.
    missing[place - 1] = True
    near = audit_bounds(coin(), Prices(*(column[missing] for column in whole)), BOOK)
    assert near.spells[0].from_ns == whole.time_ns[place - 1]


def test_data_that_begin_within_a_weekend_have_no_reference() -> None:
    bounds = audit_bounds(coin(), recorded(10, FRIDAY_CLOSE + timedelta(hours=4)), BOOK)
    assert bounds.spells == ()
    assert bounds.untested == (("the price at the close is not recorded", 10),)


def test_open_hours_are_held_against_their_own_oracle() -> None:
    prices = recorded(24)
    prices.mark_px[7] = 106.0
    always = audit_bounds(coin(bound_when="always"), prices, BOOK)
    assert (always.live.rows, always.live.broken) == (24, 1)
    assert always.live.first_ns == prices.time_ns[7]
    assert always.live.furthest_frac == pytest.approx(0.06)
    assert audit_bounds(coin(), prices, BOOK).live.rows == 0


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"bound_frac": "none"}, "the venue has no such bound"),
        ({"bound_frac": "unknown"}, "bound_frac unknown"),
        ({"external_session": "24/7"}, "the market has no hours without an external price"),
        ({"external_session": "none"}, "the market has no hours without an external price"),
    ],
)
def test_where_there_is_no_bound_to_test(terms: dict[str, object], why: str) -> None:
    bounds = audit_bounds(coin(**terms), recorded(12), BOOK)
    assert (bounds.spells, bounds.untested) == ((), ((why, 12),))


# --------------------------------------------------------------------------- steps


def steps(prices: Prices, **terms: object) -> tuple[object, object]:
    told = {
        "step_frac": 0.01,
        "updates_per_hour": 1,
        "step_base": "oracle",
        "mark_step_frac": 0.02,
    }
    oracle, mark = audit_steps(CoinTerms("X", "baseline", told | terms), prices, BOOK)
    return oracle, mark


def test_many_updates_an_hour_are_not_testable() -> None:
    for one in audit_steps(CoinTerms("xyz:NVDA", "xyz", {}), recorded(30), BOOK):
        assert one.tested == 0
        ((why, moves),) = one.untested
        assert why.startswith("not testable at this resolution: 1,200 updates of ")
        assert moves == 29


def test_one_update_an_hour_is() -> None:
    prices = recorded(30)
    prices.oracle_px[10:] = 101.0
    prices.mark_px[10:] = 103.0
    oracle, mark = steps(prices)
    assert (oracle.tested, oracle.broken) == (29, 0)  # type: ignore[attr-defined]
    assert (mark.tested, mark.broken) == (29, 1)  # type: ignore[attr-defined]
    assert mark.first_ns == prices.time_ns[10]  # type: ignore[attr-defined]
    prices.oracle_px[20:] = 99.9
    oracle, _ = steps(prices)
    assert (oracle.broken, oracle.first_ns) == (1, prices.time_ns[20])  # type: ignore[attr-defined]


def test_a_gap_allows_as_many_steps_as_it_has_hours() -> None:
    whole = recorded(30)
    whole.oracle_px[10:] = 104.0  # 1.01^4 = 1.0406
    kept = np.ones(30, bool)
    kept[7:10] = False
    oracle, _ = steps(Prices(*(column[kept] for column in whole)))
    assert oracle.broken == 0  # type: ignore[attr-defined]
    kept[7] = True
    oracle, _ = steps(Prices(*(column[kept] for column in whole)))
    assert oracle.broken == 1  # type: ignore[attr-defined]


def test_the_base_may_be_the_mark() -> None:
    prices = recorded(30)
    prices.oracle_px[10] = 101.9
    prices.mark_px[9] = 101.0
    assert steps(prices, step_base="mark", mark_step_frac="none")[0].broken == 0  # type: ignore[attr-defined]
    assert steps(prices, step_base="oracle", mark_step_frac="none")[0].broken > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"step_frac": "unknown"}, "step_frac unknown"),
        ({"step_frac": "none"}, "the venue has no such limit"),
    ],
)
def test_where_there_is_no_step_to_test(terms: dict[str, object], why: str) -> None:
    oracle, _ = steps(recorded(5), **terms)
    assert oracle.untested == ((why, 4),)  # type: ignore[attr-defined]
