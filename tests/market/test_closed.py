"""The oracle while there is no external price, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from solving import NAN, book, laid, solve

from perpkit.arrays import Closed, Session, Tokens
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.loop import form_market
from perpkit.market.update import ewma_gain, impact_difference
from perpkit.tape import settings_of

OPEN = book(100.0, 100.0)
FREE = {"step_frac": 1.0}  # no limit of the relayer


def closed(mid: float, half: float = 0.0, **more: Any) -> dict[str, Any]:
    """An hour without external price; the last one still stands in the data."""
    return book(100.0, mid, half, opened=False) | more


# ------------------------------------------------------------------- one step


@pytest.mark.parametrize(
    ("bid", "ask", "difference"),
    [
        (101.0, 102.0, 1.0),  # bid above: max(1, 0) - 0
        (97.0, 98.0, -2.0),  # ask below: 0 - max(2, 0)
        (99.0, 101.0, 0.0),  # inside the spread
        (NAN, 98.0, -2.0),
        (101.0, NAN, 1.0),
        (NAN, 101.0, 0.0),
        (99.0, NAN, 0.0),
        (NAN, NAN, 0.0),
    ],
)
def test_impact_difference_is_one_sided(bid: float, ask: float, difference: float) -> None:
    assert impact_difference(100.0, bid, ask) == difference


def test_one_step_weighs_at_most_a_tenth_of_the_time_constant() -> None:
    # 3 s of 30 min: 1 - exp(-1/600) = 0.0016652785; an hour counts as 3 min: 1 - exp(-0.1).
    assert ewma_gain(3.0, 0.5, 0.1) == pytest.approx(0.0016652785491, abs=1e-12)
    assert ewma_gain(3600.0, 0.5, 0.1) == pytest.approx(0.0951625819640, abs=1e-12)
    assert ewma_gain(3600.0, 0.5, NAN) == pytest.approx(0.8646647167634, abs=1e-12)  # 1 - exp(-2)


# ------------------------------------------------------------------- impact-price average


def test_two_updates_by_hand() -> None:
    # tau 8 h, two updates an hour: each leaves exp(-0.5 / 8) = 0.9394130628 of the gap of 3.
    # 103 - 3 * 0.9394130628 = 100.1817608, and 103 - 3 * 0.8824969026 = 100.3525093
    terms = {"updates_per_hour": 2.0, "oracle_tau_hours": 8.0, **FREE}
    tape = solve([OPEN, closed(103.0)], **terms)
    assert tape.oracle_px[1, 0] == pytest.approx(100.3525092922, abs=1e-9)
    # Two-sided premium: the mean of 103 / 100.1817608 - 1 and 103 / 100.3525093 - 1.
    assert tape.premium[1, 0] == pytest.approx((0.0281312601 + 0.0263819072) / 2, abs=1e-9)
    # Below the oracle it falls as it rose.
    tape = solve([OPEN, closed(97.0)], **terms)
    assert tape.oracle_px[1, 0] == pytest.approx(99.6474907078, abs=1e-9)


def test_cap_of_a_step() -> None:
    # One update an hour: 2 * (1 - exp(-0.1)) with the cap, 2 * (1 - exp(-2)) without.
    capped = solve([OPEN, closed(102.0)], updates_per_hour=1.0, **FREE)
    assert capped.oracle_px[1, 0] == pytest.approx(100.190325163928, abs=1e-9)
    free = solve([OPEN, closed(102.0)], updates_per_hour=1.0, ewma_cap_frac=NAN, **FREE)
    assert free.oracle_px[1, 0] == pytest.approx(101.729329433527, abs=1e-9)


@pytest.mark.parametrize(
    ("mid", "edge"),
    # Impact prices 0.5% around the mid: 102 - 0.51 = 101.49 and 98 + 0.49 = 98.49.
    [(102.0, 101.49), (98.0, 98.49), (100.3, 100.0)],
)
def test_it_stops_at_the_edge_of_the_spread(mid: float, edge: float) -> None:
    tape = solve([OPEN] + [closed(mid, 0.005)] * 40)
    assert tape.oracle_px[-1, 0] == pytest.approx(edge, abs=1e-12)
    # One-sided there is no premium any more, two-sided half the spread is left.
    assert tape.premium[-1, 0] == pytest.approx(mid / edge - 1, abs=1e-12)
    core = solve([OPEN] + [closed(mid, 0.005)] * 40, two_sided=0.0)
    assert core.premium[-1, 0] == pytest.approx(0.0, abs=1e-12)


def test_a_side_without_depth_adds_nothing() -> None:
    no_ask = closed(98.0, impact_ask_px=NAN)
    no_bid = closed(103.0, impact_bid_px=NAN)
    tape = solve([OPEN, no_ask, no_bid, closed(103.0)])
    assert tape.oracle_px[:3, 0].tolist() == [100.0] * 3
    assert tape.oracle_px[3, 0] > 102.5


@pytest.mark.parametrize(
    ("tau", "after_an_hour", "average"),
    # Gap closed in an hour 1 - exp(-1/tau), average gap over it tau (1 - exp(-1/tau)).
    [(8.0, 0.1175, 0.940), (1.0, 0.632, 0.632), (0.5, 0.865, 0.432)],
)
def test_how_fast_a_gap_closes(tau: float, after_an_hour: float, average: float) -> None:
    tape = solve([OPEN, closed(105.0)], oracle_tau_hours=tau, two_sided=0.0)
    assert (tape.oracle_px[1, 0] - 100.0) / 5.0 == pytest.approx(after_an_hour, abs=5e-4)
    exact = 1.0 - math.exp(-1.0 / tau)
    assert (tape.oracle_px[1, 0] - 100.0) / 5.0 == pytest.approx(exact, abs=1e-12)
    # The premium is a little less than gap / 100: it is a share of the oracle, which rises.
    path = [105.0 - 5.0 * math.exp(-k / (1200.0 * tau)) for k in range(1, 1201)]
    assert sum(105.0 - px for px in path) / 1200 / 5.0 == pytest.approx(average, abs=1e-3)
    told = sum(105.0 / px - 1.0 for px in path) / 1200
    assert tape.premium[1, 0] == pytest.approx(told, abs=1e-12)


@pytest.mark.parametrize(
    ("tau", "cost"),
    # A move of 5% that holds for 48 hours, m = 0.5, c = 3 bp: what longs pay over it.
    [(8.0, 0.0241), (1.0, 0.00328), (0.5, 0.00178)],
)
def test_what_a_weekend_move_costs_longs(tau: float, cost: float) -> None:
    tape = solve([OPEN] + [closed(105.0)] * 48, oracle_tau_hours=tau)
    assert tape.funding[1:, 0].sum() == pytest.approx(cost, rel=0.03)


def test_relayers_limit_holds_the_average_too() -> None:
    # One update an hour, tau 8 h: 10 * (1 - exp(-0.1)) = 0.95 a step, more than 0.5% of 100.
    tape = solve([OPEN, closed(110.0)], updates_per_hour=1.0, oracle_tau_hours=8.0)
    assert tape.oracle_px[1, 0] == pytest.approx(100.5, abs=1e-12)
    assert not tape.bound[1, 0]  # there is no external price to be held away from


# ------------------------------------------------------------------- closing and reopening


def test_it_starts_from_the_last_external_price_and_returns_in_steps() -> None:
    hours = [OPEN, book(102.0, 102.0), closed(107.1), closed(107.1), book(101.0, 107.1)]
    tape = solve(hours, updates_per_hour=4.0, oracle_tau_hours=8.0)
    assert tape.oracle_px[1, 0] == pytest.approx(102.0, abs=1e-12)
    # Four steps an hour leave exp(-0.125) of the gap; the data's 100 of closed hours is no price.
    for t, left in ((2, math.exp(-0.125)), (3, math.exp(-0.25))):
        assert tape.oracle_px[t, 0] == pytest.approx(107.1 - 5.1 * left, abs=1e-9)
    # Back to 101 by at most 0.5% an update: 103.1281 * 0.995^4 = 101.0810, not there yet.
    assert tape.oracle_px[4, 0] == pytest.approx(tape.oracle_px[3, 0] * 0.995**4, abs=1e-9)
    assert tape.bound[:, 0].tolist() == [False, False, False, False, True]


def test_turns_within_the_hour() -> None:
    # Ten updates; the external price comes after 0.4 of the hour and goes after 0.7.
    inside = closed(103.0, first_frac=0.4, second_frac=0.7) | {"external_px": 101.0}
    terms = {"updates_per_hour": 10.0, "oracle_tau_hours": 8.0, **FREE}
    tape = solve([OPEN, closed(100.0), inside], **terms)
    # From 101 three updates more of the average: each leaves exp(-1/80).
    left = math.exp(-3 / 80)
    assert tape.oracle_px[2, 0] == pytest.approx(103.0 - 2.0 * left, abs=1e-9)
    path = [103.0 - 3.0 * math.exp(-k / 80) for k in (1, 2, 3, 4)]
    path += [101.0] * 3 + [103.0 - 2.0 * math.exp(-k / 80) for k in (1, 2, 3)]
    told = sum(103.0 / px - 1.0 for px in path) / 10
    assert tape.premium[2, 0] == pytest.approx(told, abs=1e-12)


def test_a_turn_on_an_update_belongs_after_it() -> None:
    # 1/3 and 2/3 of 3 updates are 1 and 2, whatever their binary form.
    for n, frac in ((1, 1 / 3), (2, 2 / 3)):
        tape = solve(
            [OPEN, closed(110.0, first_frac=frac) | {"external_px": 100.0}],
            updates_per_hour=3.0,
            **FREE,
        )
        assert tape.oracle_px[1, 0] == 100.0, n
        shut = book(100.0, 110.0) | {"first_frac": frac}
        tape = solve([OPEN, shut], updates_per_hour=3.0, oracle_tau_hours=8.0, **FREE)
        left = math.exp(-(3 - n) / 24)
        assert tape.oracle_px[1, 0] == pytest.approx(110.0 - 10.0 * left, abs=1e-9), n


def test_a_venue_that_begins_to_price_itself() -> None:
    # Plain terms up to row 1: the oracle and the mark go on from there.
    rows = [book(100.0, 100.5), book(101.0, 101.5), closed(105.0), closed(105.0)]
    tape, made = laid(rows, {"updates_per_hour": 2.0, "oracle_tau_hours": 8.0})
    both = np.zeros((2, 1), made.dtype).view(np.recarray)
    both[1] = made[0]
    both[0, 0].step_frac, both[0, 0].updates_per_hour = 0.05, 1.0
    tape.era[:] = [0, 0, 1, 1]
    form_market(tape, both, blank(Tokens, K=0), settings_of(RunConfig()), 0, 4)
    assert tape.oracle_px[:2, 0].tolist() == [100.0, 101.0]
    # An hour leaves exp(-1/8) of the gap of 4; its first step, 0.242, is within 0.5% of 101.
    for t, left in ((2, math.exp(-0.125)), (3, math.exp(-0.25))):
        assert tape.oracle_px[t, 0] == pytest.approx(105.0 - 4.0 * left, abs=1e-9), t


def test_plain_terms_between_solved_ones_leave_nothing_of_the_first() -> None:
    # Bounded at 10% around 100 and pulled to 110, then plain terms at 200, then bounded again:
    # the bounds are those of 200, with all their resets.
    bounded = {"bound_frac": 0.1, "bound_threshold_frac": 0.5, "bound_resets": 1.0}
    rows = [OPEN, closed(140.0), closed(140.0), *[book(200.0, 200.0)] * 2]
    rows += [closed(300.0) | {"external_px": 200.0}] * 9
    tape, made = laid(rows, {"updates_per_hour": 20.0, **FREE, **bounded})
    both = np.repeat(made, 2, axis=0).view(np.recarray)
    plain = {"oracle_closed": float(Closed.EXTERNAL), "median_mark": 0.0, "bound_frac": NAN}
    for name, value in plain.items():
        both[1, 0][name] = value
    tape.era[3:5] = 1
    others = (blank(Tokens, K=0), settings_of(RunConfig()))
    form_market(tape, both, *others, 0, 3)
    assert (tape.path.resets_up[0], tape.path.reference_px[0]) == (1, pytest.approx(110.0))
    form_market(tape, both, *others, 3, 5)
    assert (tape.path.resets_up[0], tape.path.reference_px[0]) == (0, 200.0)
    assert (tape.path.supplied_px[0], tape.path.basis_weight[0]) == (0.0, 0.0)
    form_market(tape, both, *others, 5, len(rows))
    assert tape.mark_px[5, 0] > 200.0
    assert tape.mark_px[-1, 0] == pytest.approx(200.0 * 1.1 * 1.1, abs=1e-9)


# ------------------------------------------------------------------- other venues


def test_frozen_index_stands_at_the_last_external_price() -> None:
    # Binance before 2026-05-15: the premium of a weekend is measured against Friday's close.
    hours = [OPEN, book(104.0, 104.0), *[closed(110.0)] * 3, book(106.0, 110.0)]
    tape = solve(hours, oracle_closed=float(Closed.FROZEN))
    assert tape.oracle_px[:, 0].tolist() == [100.0, 104.0, 104.0, 104.0, 104.0, 106.0]
    assert tape.premium[3, 0] == pytest.approx(110 / 104 - 1, abs=1e-12)


def test_frozen_index_is_reached_by_steps() -> None:
    # The market closes before the oracle has arrived: it goes on to the last external price.
    hours = [OPEN, book(103.0, 103.0), closed(103.0), closed(103.0)]
    tape = solve(hours, oracle_closed=float(Closed.FROZEN), updates_per_hour=2.0)
    told = [100.0, 100.0 * 1.005**2, 100.0 * 1.005**4, 103.0]
    assert tape.oracle_px[:, 0].tolist() == pytest.approx(told, abs=1e-9)


def test_blend_by_hand() -> None:
    # One update an hour, weight of the external price exp(-1) and exp(-2), average with tau 30 min:
    # 104 - 4 exp(-2) = 103.4586588671, then 104 - 4 exp(-4) = 103.9267374444.
    # 0.3678794412 * 100 + 0.6321205588 * 103.4586588671 = 102.1862893758
    # 0.1353352832 * 100 + 0.8646647168 * 103.9267374444 = 103.3953113199
    terms = {"oracle_closed": float(Closed.BLEND), "blend_tau_hours": 1.0, "ewma_cap_frac": NAN}
    hours = [OPEN, closed(104.0), closed(104.0), book(101.0, 104.0), closed(104.0)]
    tape = solve(hours, updates_per_hour=1.0, **terms, **FREE)
    told = [100.0, 102.1862893758, 103.3953113199, 101.0]
    assert tape.oracle_px[:4, 0].tolist() == pytest.approx(told, abs=1e-9)
    # After a reopening the weights start anew, from the new last price: 101, gap 3.
    share, average = math.exp(-1), 104.0 - 3.0 * math.exp(-2)
    assert tape.oracle_px[4, 0] == pytest.approx(share * 101.0 + (1 - share) * average, abs=1e-9)


def test_a_mid_alone_moves_the_average_of_a_blend() -> None:
    # As in the blend by hand above: 0.3678794412 * 100 + 0.6321205588 * 103.4586588671.
    terms = {"oracle_closed": float(Closed.BLEND), "blend_tau_hours": 1.0, "ewma_cap_frac": NAN}
    bare = {"impact_bid_px": NAN, "impact_ask_px": NAN}
    tape = solve([OPEN, closed(104.0, **bare)], updates_per_hour=1.0, **terms, **FREE)
    assert tape.oracle_px[1, 0] == pytest.approx(102.1862893758, abs=1e-9)
    # The premium stays that of the mark.
    premium = tape.mark_px[1, 0] / tape.oracle_px[1, 0] - 1.0
    assert tape.premium[1, 0] == pytest.approx(premium, abs=1e-15)


def test_own_mark_by_hand() -> None:
    # No external price at all. The first oracle is the mid of 50; then it follows its mark, an
    # update behind, with 1 - exp(-1/8) = 0.1175030974: 50, then 50 + 4 * 0.1175030974.
    terms = {
        "external_session": float(Session.NEVER),
        "oracle_closed": float(Closed.OWN_MARK),
        "oracle_tau_hours": 8.0,
        "ewma_cap_frac": NAN,
        "mark_step_frac": NAN,
        "updates_per_hour": 1.0,
    }
    hours = [book(NAN, NAN), book(NAN, 50.0), book(NAN, 54.0), book(NAN, 54.0)]
    tape = solve(hours, **terms, **FREE)
    told = [NAN, 50.0, 50.0, 50.4700123896]
    assert tape.oracle_px[:, 0].tolist() == pytest.approx(told, abs=1e-9, nan_ok=True)
    # An average basis of 150 s is the last one when an update comes once an hour: median 54.
    assert tape.mark_px[1:, 0].tolist() == pytest.approx([50.0, 54.0, 54.0], abs=1e-9)
    assert not tape.bound.any()


# ------------------------------------------------------------------- chunks


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_chunks_change_no_bit(chunk: int) -> None:
    draw = np.random.default_rng(7)
    rows = []
    for t in range(30):
        row = book(100.0 + draw.normal(), 100.0 + draw.normal(0, 4), 0.001, opened=t % 11 < 5)
        rows.append(row | ({"first_frac": 0.37} if t % 7 == 3 else {}))
    terms = {"bound_frac": 0.03, "bound_threshold_frac": 0.9, "bound_resets": 2.0}
    whole = solve(rows, **terms)
    tape, made = laid(rows, terms)
    for first in range(0, 30, chunk):
        last = min(first + chunk, 30)
        form_market(tape, made, blank(Tokens, K=0), settings_of(RunConfig()), first, last)
    for name in ("oracle_px", "mark_px", "high_px", "low_px", "premium", "funding", "bound"):
        assert getattr(tape, name).tobytes() == getattr(whole, name).tobytes(), name
