"""The mark of a venue that takes a median: by hand, its limits, its bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solving import NAN, book, solve

from perpkit.arrays import Session
from perpkit.market.update import middle

ALWAYS = {"external_session": float(Session.ALWAYS), "oracle_closed": 0.0}
HALF = 1800.0 / math.log(2.0)  # with two updates an hour the basis EMA keeps half of its weight
TWO = {**ALWAYS, "updates_per_hour": 2.0, "mark_ema_seconds": HALF, "mark_step_frac": NAN}
FREE = {"step_frac": 1.0}


@given(st.permutations([1.0, 2.0, 3.0]))
def test_middle_of_three(px: list[float]) -> None:
    assert middle(*px) == 2.0


@given(st.floats(1, 9), st.floats(1, 9), st.floats(1, 9))
def test_middle_is_the_median(one: float, two: float, three: float) -> None:
    assert middle(one, two, three) == sorted((one, two, three))[1]


# ------------------------------------------------------------------- median and basis EMA


def test_median_by_hand() -> None:
    # Oracle 100. The EMA of mid - oracle, in weights of 1,800 s: row 0 has 0 of 1.
    # Mid 101: (0/2 + 1) / (1/2 + 1) = 2/3, then (1/2 + 1) / (3/4 + 1) = 6/7.
    tape = solve([book(100.0, 100.0), book(100.0, 101.0)], **TWO, **FREE)
    assert tape.mark_px[1, 0] == pytest.approx(100.0 + 6 / 7, abs=1e-12)
    assert tape.high_px[1, 0] == pytest.approx(100.0 + 6 / 7, abs=1e-12)
    assert tape.low_px[1, 0] == pytest.approx(100.0 + 2 / 3, abs=1e-12)


def test_mid_is_the_median_when_the_average_is_beyond_it() -> None:
    # After 6/7 the mid falls to 100.2: the EMA (3/2 / 2 + 0.2) / (7/8 + 1) = 0.5067 is above it.
    hours = [book(100.0, 100.0), book(100.0, 101.0), book(100.0, 100.2)]
    tape = solve(hours, **TWO, **FREE)
    assert tape.mark_px[2, 0] == pytest.approx(100.2, abs=1e-12)


def test_oracle_is_the_median_when_the_average_is_on_the_other_side() -> None:
    # The mid falls to 99.9: (0.75 - 0.1) / 1.875 = 0.3467 above the oracle, the mid below it; then
    # (0.325 - 0.1) / 1.9375 = 0.1161, still above.
    hours = [book(100.0, 100.0), book(100.0, 101.0), book(100.0, 99.9)]
    tape = solve(hours, **TWO, **FREE)
    assert tape.mark_px[2, 0] == 100.0
    assert (tape.high_px[2, 0], tape.low_px[2, 0]) == (100.0, 100.0)


def test_without_a_book_the_mark_is_the_oracle_and_the_average_fades() -> None:
    hours = [book(100.0, 100.0), book(100.0, 101.0), book(100.0, NAN), book(100.0, 101.0)]
    tape = solve(hours, **TWO, **FREE)
    assert tape.mark_px[2, 0] == 100.0
    # Two updates without a book leave a quarter of both sums: 3/8 and 7/16.
    # (3/16 + 1) / (7/32 + 1) = 38/39, then (19/32 + 1) / (39/64 + 1) = 102/103.
    assert tape.mark_px[3, 0] == pytest.approx(100.0 + 102 / 103, abs=1e-12)
    assert tape.low_px[3, 0] == pytest.approx(100.0 + 38 / 39, abs=1e-12)


def test_the_average_fades_in_hours_that_are_solved_at_once() -> None:
    # A basis of 2 for hours, three hours without a book, then a basis of 1: nothing is left of 2.
    hours = [book(100.0, 100.0), *[book(100.0, 102.0)] * 3, *[book(100.0, NAN)] * 3]
    tape = solve([*hours, book(100.0, 101.0)])
    assert tape.mark_px[7, 0] == pytest.approx(101.0, abs=1e-9)
    assert tape.high_px[7, 0] == pytest.approx(101.0, abs=1e-9)
    # The median is the average basis where it is below the mid's; it never was 2 in that hour.
    assert tape.premium[7, 0] == pytest.approx(0.01, abs=1e-6)


def test_premium_without_impact_prices_is_that_of_the_marks() -> None:
    hours = [book(100.0, 100.0, NAN), book(100.0, 101.0, NAN)]
    tape = solve(hours, **TWO, **FREE)
    assert tape.premium[1, 0] == pytest.approx((2 / 3 + 6 / 7) / 2 / 100.0, abs=1e-12)


def test_average_of_150_seconds_over_1200_updates() -> None:
    # Two hours of basis 0 settle its weights; then a basis of 1 for an hour: 1 - exp(-3600/150).
    hours = [book(100.0, 100.0)] * 3 + [book(100.0, 101.0)]
    tape = solve(hours, **ALWAYS)
    kept = math.exp(-3.0 / 150.0)
    assert tape.mark_px[3, 0] == pytest.approx(101.0 - kept**1200, abs=1e-9)
    assert tape.low_px[3, 0] == pytest.approx(101.0 - kept, abs=1e-9)
    bare = [hour | {"impact_bid_px": NAN, "impact_ask_px": NAN} for hour in hours]
    told = sum(1.0 - kept**k for k in range(1, 1201)) / 1200 / 100.0
    assert solve(bare, **ALWAYS).premium[3, 0] == pytest.approx(told, abs=1e-12)


# ------------------------------------------------------------------- step limits

# Updates that a gap takes, up ceil(ln(1 + g) / ln(1 + r)), down ceil(ln(1 - g) / ln(1 - r)).
STEPS = [
    (0.05, (5, 6), (10, 11)),
    (0.10, (10, 11), (20, 22)),
    (0.15, (15, 17), (29, 33)),
    (0.30, (27, 36), (53, 72)),
    (0.45, (38, 60), (75, 120)),
]


@pytest.mark.parametrize(("gap", "mark_steps", "oracle_steps"), STEPS)
def test_updates_a_gap_takes(
    gap: float, mark_steps: tuple[int, int], oracle_steps: tuple[int, int]
) -> None:
    for way, updates in zip((1.0, -1.0), mark_steps, strict=True):
        # The oracle jumps with book and average: the protocol's 1% of the last mark alone holds.
        hours = [book(100.0, 100.0), book(100.0 * (1 + way * gap), 100.0 * (1 + way * gap))]
        for n in (updates, updates - 1):
            terms = {**ALWAYS, **FREE, "mark_step_frac": 0.01, "updates_per_hour": float(n)}
            mark = solve(hours, **terms).mark_px[1, 0]
            assert (mark == hours[1]["external_px"]) == (n == updates), (way, n)
    for way, updates in zip((1.0, -1.0), oracle_steps, strict=True):
        # The relayer's own 0.5% on the oracle.
        hours = [book(100.0, 100.0), book(100.0 * (1 + way * gap), 100.0)]
        for n in (updates, updates - 1):
            oracle = solve(hours, **ALWAYS, updates_per_hour=float(n)).oracle_px[1, 0]
            assert (oracle == hours[1]["external_px"]) == (n == updates), (way, n)


def test_a_recorded_crash_takes_42_updates_of_the_relayer() -> None:
    # xyz:SKHX, 2026-07-27: 1,127.9 to 917.25, -18.68%, in "two minutes": 42 * 3 s = 126 s.
    for n, there in ((42, True), (41, False)):
        tape = solve([book(1127.9, 1127.9), book(917.25, 917.25)], **ALWAYS, updates_per_hour=n)
        assert (tape.oracle_px[1, 0] == 917.25) == there


def test_supplied_marks_are_limited_as_the_oracle_is() -> None:
    # External price and mid rise by 3%. Oracle and oracle + average start from 100, and each may
    # rise 0.5% an update: 101.0025 after two, and the median of both and 103 is that.
    tape = solve([book(100.0, 100.0), book(103.0, 103.0)], **ALWAYS, updates_per_hour=2.0)
    assert tape.oracle_px[1, 0] == pytest.approx(101.0025, abs=1e-12)
    assert tape.mark_px[1, 0] == pytest.approx(101.0025, abs=1e-12)
    assert tape.low_px[1, 0] == pytest.approx(100.5, abs=1e-12)


def test_second_supplied_mark_steps_from_itself() -> None:
    # The mid alone jumps to 105; the average of one update an hour is the jump itself. The second
    # mark may rise from 100 to 100.5, then 101.0025, the median of 100, that and 105.
    hours = [book(100.0, 100.0), book(100.0, 105.0), book(100.0, 105.0)]
    tape = solve(hours, **ALWAYS, updates_per_hour=1.0)
    assert tape.mark_px[:, 0].tolist() == pytest.approx([100.0, 100.5, 101.0025], abs=1e-9)


def test_mark_steps_from_the_last_mark() -> None:
    # Without the relayer's limit the protocol's 1% holds the mark: 101, then 102.01.
    hours = [book(100.0, 100.0), book(100.0, 105.0), book(100.0, 105.0)]
    tape = solve(hours, **ALWAYS, **FREE, updates_per_hour=1.0)
    assert tape.mark_px[:, 0].tolist() == pytest.approx([100.0, 101.0, 102.01], abs=1e-9)
    assert tape.oracle_px[:, 0].tolist() == [100.0] * 3


# ------------------------------------------------------------------- discovery bounds


def far(mid: float, hours: int = 40) -> list[dict[str, float]]:
    """A weekend whose book stands at a price from the first hour on."""
    return [book(100.0, 100.0)] * 3 + [book(100.0, mid, opened=False)] * hours


@pytest.mark.parametrize(
    ("bound", "resets", "up", "down"),
    # (1 + b)^(r + 1) - 1 and (1 - b)^(r + 1) - 1, in per cent.
    [
        (0.05, 2, 15.76, -14.26),  # NVDA, CL, BRENTOIL
        (0.10, 1, 21.00, -19.00),  # MU, SKHX
        (0.02, 1, 4.04, -3.96),  # SP500
        (0.035, 1, 7.12, -6.88),  # XYZ100
        (0.05, 0, 5.00, -5.00),  # a static bound
    ],
)
def test_how_far_a_weekend_can_go(bound: float, resets: int, up: float, down: float) -> None:
    terms = {
        "bound_frac": bound,
        "bound_threshold_frac": 0.9 if resets else NAN,
        "bound_resets": float(resets),
    }
    for mid, furthest in ((150.0, up), (60.0, down)):
        tape = solve(far(mid), **terms)
        edge = 100.0 * (1.0 + math.copysign(bound, furthest)) ** (resets + 1)
        assert edge - 100.0 == pytest.approx(furthest, abs=5e-3)
        assert tape.mark_px[-1, 0] == pytest.approx(edge, abs=1e-9)
        assert tape.oracle_px[-1, 0] == pytest.approx(edge, abs=1e-9)
        beyond = tape.high_px[1:].max() - edge if mid > 100.0 else edge - tape.low_px[1:].min()
        assert beyond < 1e-9, "no mark beyond the bounds, so no liquidation there"


def test_the_reference_moves_when_the_oracle_is_near_the_bound() -> None:
    # Bound 10%, threshold 50%, one update an hour, tau so that an update closes half of the gap.
    terms = {
        "updates_per_hour": 1.0,
        "oracle_tau_hours": 1.0 / math.log(2.0),
        "ewma_cap_frac": NAN,
        "bound_frac": 0.1,
        "bound_threshold_frac": 0.5,
        "bound_resets": 1.0,
        "mark_step_frac": NAN,
        "step_frac": 1.0,
    }
    start = [book(100.0, 100.0)]
    # Mid 109.8: the oracle comes to 104.9, short of 105; the mark's bound is still 110.
    short = solve([*start, book(100.0, 109.8, opened=False)], **terms)
    assert short.oracle_px[1, 0] == pytest.approx(104.9, abs=1e-12)
    assert short.path.reference_px[0] == 100.0
    # Mid 112: to 106, and the reference to 110; the same update's mark has the new bounds.
    hours = [*start, *[book(100.0, 112.0, opened=False)] * 2]
    tape = solve(hours, **terms)
    assert tape.oracle_px[:, 0].tolist() == pytest.approx([100.0, 106.0, 109.0], abs=1e-9)
    assert tape.path.reference_px[0] == pytest.approx(110.0, abs=1e-12)
    assert tape.mark_px[1, 0] == pytest.approx(112.0, abs=1e-9)
    # No reset is left, so 121 is the last price; the way down has one of its own.
    hours = [*hours, *[book(100.0, 140.0, opened=False)] * 5]
    tape = solve(hours, **terms)
    assert tape.mark_px[-1, 0] == pytest.approx(121.0, abs=1e-9)
    hours += [book(100.0, 60.0, opened=False)] * 9
    tape = solve(hours, **terms)
    assert (tape.path.resets_up[0], tape.path.resets_down[0]) == (1, 1)
    assert tape.mark_px[-1, 0] == pytest.approx(110.0 * 0.9 * 0.9, abs=1e-9)


def test_counters_start_anew_when_external_prices_return() -> None:
    terms = {"bound_frac": 0.05, "bound_threshold_frac": 0.9, "bound_resets": 1.0}
    first = far(150.0, 10)
    tape = solve(first, **terms)
    assert (tape.path.resets_up[0], tape.path.reference_px[0]) == (1, pytest.approx(105.0))
    again = [*first, book(108.0, 108.0), *[book(108.0, 150.0, opened=False)] * 10]
    tape = solve(again, **terms)
    assert tape.mark_px[len(first), 0] == pytest.approx(108.0, abs=1e-6)
    assert tape.mark_px[-1, 0] == pytest.approx(108.0 * 1.05**2, abs=1e-9)


@pytest.mark.parametrize(("always", "mark"), [(1.0, 105.0), (0.0, 106.0)])
def test_bounds_hold_in_session_where_they_always_do(always: float, mark: float) -> None:
    # External price 100, book 106 for hours: the average follows it, the bound of 5% may not.
    hours = [book(100.0, 100.0)] * 3 + [book(100.0, 106.0)] * 3
    tape = solve(hours, bound_frac=0.05, bound_always=always)
    assert tape.mark_px[-1, 0] == pytest.approx(mark, abs=1e-6)
    assert tape.oracle_px[-1, 0] == 100.0


def test_live_reference_moves_with_the_external_price() -> None:
    hours = [book(100.0, 100.0)] * 3 + [book(110.0, 118.0)] * 2
    tape = solve(hours, bound_frac=0.05, bound_always=1.0)
    assert tape.mark_px[-1, 0] == pytest.approx(115.5, abs=1e-9)


def test_mid_alone_is_bounded_too() -> None:
    # The plain mark within bounds.
    tape = solve(far(150.0, 30), median_mark=0.0, bound_frac=0.05)
    assert tape.mark_px[-1, 0] == pytest.approx(105.0, abs=1e-9)


def test_bounds_move_within_the_hour() -> None:
    # The oracle goes from 100 to the impact bid of 108 and passes 105 after half an hour; the
    # mid of 112 lies beyond the bound of 110, which is 121 from then on.
    hours = [book(100.0, 100.0)] * 3
    hours.append({**book(100.0, 112.0, opened=False), "impact_bid_px": 108.0})
    terms = {"bound_frac": 0.1, "bound_threshold_frac": 0.5, "bound_resets": 1.0}
    tape = solve(hours, **terms)
    assert tape.path.reference_px[0] == pytest.approx(110.0, abs=1e-12)
    assert tape.mark_px[3, 0] == pytest.approx(112.0, abs=1e-3)
    assert solve(hours, bound_frac=0.1).mark_px[3, 0] == pytest.approx(110.0, abs=1e-9)


def test_an_extreme_between_two_updates_that_are_walked() -> None:
    # A recorded mid below the impact bid, as no book has at one moment: the oracle rises to the bid
    # away from the mid, and oracle + average rises with it before it falls to the mid.
    hours = [book(101.0, 100.05)] * 3
    inside = {**book(101.0, 100.0, opened=False), "impact_bid_px": 104.0, "impact_ask_px": 104.0}
    tape = solve([*hours, inside])
    gain, kept = 1.0 - math.exp(-3 / 1800), math.exp(-3 / 150)
    oracle, average, marks = 101.0, -0.95, []
    for _ in range(1200):
        oracle += gain * (104.0 - oracle)
        average = kept * average + (1.0 - kept) * (100.0 - oracle)
        marks.append(oracle + average)
    highest = max(marks)
    assert highest > max(marks[0], marks[-1]) + 0.1, "neither its first nor its last"
    assert tape.high_px[3, 0] == pytest.approx(highest, abs=1e-9)
    assert tape.low_px[3, 0] == pytest.approx(min(marks), abs=1e-9)


def test_oracle_and_average_that_decay_alike() -> None:
    # 150 s both: the course of their sum is no sum of two powers, and is walked.
    hours = [book(100.0, 100.0)] * 3 + [book(100.0, 103.0, opened=False)]
    tape = solve(hours, oracle_tau_hours=150.0 / 3600.0)
    kept = math.exp(-3 / 150)
    oracle, average, marks = 100.0, 0.0, []
    for _ in range(1200):
        oracle += (1.0 - kept) * (103.0 - oracle)
        average = kept * average + (1.0 - kept) * (103.0 - oracle)
        marks.append(sorted((oracle, oracle + average, 103.0))[1])
    assert tape.oracle_px[3, 0] == pytest.approx(oracle, abs=1e-9)
    assert tape.mark_px[3, 0] == pytest.approx(marks[-1], abs=1e-9)
    assert tape.low_px[3, 0] == pytest.approx(marks[0], abs=1e-9)


def test_premium_without_impact_prices_and_beyond_the_bounds() -> None:
    # The mid of 108 is beyond 105: the average of min(100 + EMA, 105) / 100 - 1.
    hours = [book(100.0, 100.0, NAN)] * 3 + [book(100.0, 108.0, NAN)]
    tape = solve(hours, **ALWAYS, bound_frac=0.05, bound_always=1.0)
    kept = math.exp(-3 / 150)
    told = sum(min(8.0 * (1.0 - kept**k), 5.0) for k in range(1, 1201)) / 1200 / 100.0
    assert tape.premium[3, 0] == pytest.approx(told, abs=1e-12)
    assert tape.mark_px[3, 0] == pytest.approx(105.0, abs=1e-9)


def test_a_reset_that_lies_beyond_the_other_trigger() -> None:
    # Bound 2%, threshold a half: at 99 the reference falls to 98, whose upper trigger of 98.98 the
    # oracle has passed as well: an update later it is back at 98 * 1.02, and so on to the last.
    hours = [book(100.0, 100.0), book(100.0, 98.0, opened=False)]
    terms = {"bound_frac": 0.02, "bound_threshold_frac": 0.5, "bound_resets": 1.0}
    tape = solve(hours, **terms)
    assert (tape.path.resets_down[0], tape.path.resets_up[0]) == (1, 1)
    assert tape.path.reference_px[0] == pytest.approx(98.0 * 1.02, abs=1e-9)
    assert tape.oracle_px[1, 0] == pytest.approx(98.0 + 2.0 * math.exp(-2.0), abs=1e-9)
