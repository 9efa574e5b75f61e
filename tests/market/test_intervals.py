"""Funding beyond the hour: other intervals, changes of them, other formulas; weekend gaps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solving import book, solve

from perpkit.arrays import B8, TERM, Closed, Formula, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.funding import (
    formula_rate,
    growing_multiplier,
    hours_covered,
    settled_rate,
    short_rate,
)
from perpkit.market.loop import form_market
from perpkit.tape import settings_of
from perpkit.tape.formula import formula_rates

NAN = float("nan")
CORE = {
    "interest_8h": 0.0001,
    "clamp_8h": 0.0005,
    "cap_1h": 0.04,
    "funding_multiplier": 1.0,
    "interval_hours": 1.0,
}


def term(**values: float) -> Any:
    made = np.zeros(1, TERM).view(np.recarray)[0]
    for name, value in (CORE | values).items():
        made[name] = value
    return made


def rates(premiums: list[float], hours: list[int], **terms: float) -> tuple[Any, Any]:
    """Rates of longs and of shorts; the interval in force is told of each row."""
    lengths = sorted(set(hours))
    count = len(premiums)
    tape = blank(Tape, T=count, M=1, K=0, U=1, N=0, X=0, Y=1, Z=1)
    tape.era[:] = [lengths.index(n) for n in hours]
    tape.premium[:, 0] = premiums
    tape.funding[:] = tape.short_funding[:] = NAN
    tape.oracle_px[:] = tape.mark_px[:] = 100.0
    tape.due[:, 0] = [t % n == 0 for t, n in enumerate(hours)]
    tape.by_formula[:] = tape.due
    made = np.array([term(interval_hours=n, **terms) for n in lengths]).reshape(-1, 1)
    records = made.view(np.recarray)
    form_market(tape, records, blank(Tokens, K=0), settings_of(RunConfig()), 0, count)
    return tape.funding[:, 0], tape.short_funding[:, 0]


# ------------------------------------------------------------------- intervals


@pytest.mark.parametrize("hours", [1, 2, 4, 8, 12, 24])
def test_the_average_premium_of_the_interval_settles_at_once(hours: int) -> None:
    # Premiums 10, 20, 30 bp ... hour by hour; the clamp of 5 bp comes off their average.
    premiums = [0.001 * t for t in range(25)]
    made, shorts = rates(premiums, [hours] * 25, cap_1h=1.0)
    for t in range(hours, 25, hours):
        average = sum(premiums[t - hours + 1 : t + 1]) / hours
        assert made[t] == pytest.approx((average - 0.0005) / 8 * hours, abs=1e-15)
    assert np.isnan(made[np.arange(25) % hours != 0]).all()
    np.testing.assert_array_equal(shorts, made)


def test_okx_holds_an_8_hour_rate_within_one_and_a_half_per_cent() -> None:
    # clip(0.02 - 0.0005, 0.015) with interest 0 and a clamp of 5 bp.
    okx = {"interest_8h": 0.0, "cap_1h": 0.015}
    made, _ = rates([0.02] * 9, [8] * 9, **okx)
    assert made[8] == 0.015
    made, _ = rates([0.002] * 9, [8] * 9, **okx)
    assert made[8] == pytest.approx(0.0015, abs=1e-15)


def test_a_longer_interval_from_within_an_hour_of_the_run() -> None:
    # Binance's TSLAUSDT went from 4 to 8 hours on 2026-01-30 at 12:15 UTC: it settles at 08, 12 and
    # 16, and what settles at 16 has passed since 12. Premium 10 bp: 5 bp in 8 hours.
    hours = [4] * 13 + [8] * 12
    made, _ = rates([0.001] * 25, hours)
    settled = {t: float(x) for t, x in enumerate(made) if not math.isnan(x)}
    assert list(settled) == [0, 4, 8, 12, 16, 24]
    told = {4: 0.00025, 8: 0.00025, 12: 0.00025, 16: 0.00025, 24: 0.0005}
    for t, rate in told.items():
        assert settled[t] == pytest.approx(rate, abs=1e-15), t


def test_a_shorter_interval_loses_no_hour() -> None:
    # From 8 to 4 hours at row 6: the settlement of row 8 still covers the eight since row 0.
    hours = [8] * 6 + [4] * 11
    premiums = [0.001] * 5 + [0.003] * 12
    made, _ = rates(premiums, hours)
    average = sum(premiums[1:9]) / 8
    assert made[8] == pytest.approx(average - 0.0005, abs=1e-15)
    assert made[12] == pytest.approx((0.003 - 0.0005) / 2, abs=1e-15)
    assert math.isnan(made[4])


@pytest.mark.parametrize(
    ("hours", "settles"),
    [
        # From 4 to 8 hours within the hour that ends in row 13: row 16 covers the four since 12.
        ([4] * 13 + [8] * 12, {4: 4, 8: 4, 12: 4, 16: 4, 24: 8}),
        # From 8 to 4 hours in row 6: row 8 covers the eight since 0.
        ([8] * 6 + [4] * 11, {8: 8, 12: 4, 16: 4}),
    ],
)
def test_a_recorded_premium_is_that_of_the_hours_it_covers(
    hours: list[int], settles: dict[int, int]
) -> None:
    lengths = sorted(set(hours))
    tape = blank(Tape, T=len(hours), M=1, K=0, U=1, N=0, X=0, Y=0)
    tape.era[:] = [lengths.index(n) for n in hours]
    tape.oracle_px[:] = tape.mark_px[:] = 100.0
    tape.due[:, 0] = [t % n == 0 for t, n in enumerate(hours)]
    told = np.full_like(tape.premium, NAN)
    told[0] = 0.001
    for n, row in enumerate(settles):
        told[row] = 0.001 * (n + 2)
    tape.premium[:] = np.where(np.isnan(told), 0.0, told)
    tape.funding[:] = np.where(tape.due, 0.0, NAN)
    terms = np.array([term(interval_hours=n) for n in lengths]).reshape(-1, 1).view(np.recarray)
    others = (blank(Tokens, K=0), settings_of(RunConfig()))
    made = formula_rates(tape, terms, told, form_market, others)[:, 0]
    assert np.flatnonzero(~np.isnan(made)).tolist() == [0, *settles]
    for row, covered in settles.items():
        rate = (told[row, 0] - 0.0005) / 8 * covered
        assert made[row] == pytest.approx(rate, abs=1e-15), row


def test_hours_since_the_last_settlement() -> None:
    def due(*rows: int) -> B8:
        made = np.zeros((30, 1), np.bool_)
        made[list(rows)] = True
        return made

    assert hours_covered(5, 0, due(4, 5), 8.0) == 1
    assert hours_covered(5, 0, due(1, 5), 8.0) == 4
    assert hours_covered(5, 0, due(5), 8.0) == 8  # none before: a whole interval
    assert hours_covered(0, 0, due(0), 1.0) == 1
    assert hours_covered(24, 0, due(0, 24), 4.0) == 24
    assert hours_covered(25, 0, due(0, 25), 4.0) == 4  # longer ago than any interval


# ------------------------------------------------------------------- other formulas

VENTUALS = {
    "funding_formula": float(Formula.VENTUALS),
    "funding_multiplier": 0.005,
    "funding_gap_frac": 0.19,
}


@pytest.mark.parametrize(
    ("mark", "multiplier"),
    # 0.005 * 400^(R^6), R = |mark / 100 - 1| / 0.19: at half the gap 400^(1/64) = 1.09814.
    [(100.0, 0.005), (119.0, 2.0), (81.0, 2.0), (109.5, 0.0054907), (95.0, 0.0050100)],
)
def test_ventuals_multiplier(mark: float, multiplier: float) -> None:
    made = growing_multiplier(mark, 100.0, term(**VENTUALS))
    assert made == pytest.approx(multiplier, rel=3e-4)


def test_ventuals_rate_reaches_the_cap_near_a_gap_of_19_per_cent() -> None:
    # 2 * (0.19 - 0.0005) / 8 = 0.0474 before the cap of 4%.
    one = term(**VENTUALS)
    assert formula_rate(0.19, 1, 100.0, 119.0, one) == 0.04
    assert formula_rate(0.17, 1, 100.0, 117.0, one) == pytest.approx(
        growing_multiplier(117.0, 100.0, one) * (0.17 - 0.0005) / 8, abs=1e-15
    )
    assert formula_rate(0.9, 1, 100.0, 10_000.0, one) == 0.04, "whatever the gap"
    # Without a gap it is the pre-listing rate: 0.005 * (0.01 - 0.0005) / 8.
    assert formula_rate(0.01, 1, 100.0, 100.0, one) == pytest.approx(5.9375e-6, abs=1e-15)


def test_swap_is_paid_by_longs_and_by_shorts() -> None:
    # Longs pay 0.02% a night and shorts 0.01%: shorts receive -0.01%.
    swap = {
        "funding_formula": float(Formula.CFD_SWAP),
        "swap_long_1d": 0.0002,
        "swap_short_1d": 0.0001,
    }
    one = term(interval_hours=24, **swap)
    assert formula_rate(0.5, 24, 100.0, 150.0, one) == pytest.approx(0.0002, abs=1e-18)
    assert short_rate(0.0002, 24, one) == pytest.approx(-0.0001, abs=1e-18)
    longs, shorts = rates([NAN] * 49, [24] * 49, **swap)
    assert longs[[24, 48]].tolist() == pytest.approx([0.0002] * 2, abs=1e-18)
    assert shorts[[24, 48]].tolist() == pytest.approx([-0.0001] * 2, abs=1e-18)
    assert np.isnan(longs[1:24]).all()


def test_no_rate_before_the_first_price() -> None:
    swap = term(funding_formula=float(Formula.CFD_SWAP), swap_long_1d=0.0002)
    for one in (term(), term(**VENTUALS), swap):
        assert math.isnan(formula_rate(0.001, 1, NAN, NAN, one))
        assert math.isnan(short_rate(NAN, 1, one))


@given(st.floats(-0.5, 0.5), st.integers(1, 24))
def test_premium_formula_is_the_settled_rate(premium: float, hours: int) -> None:
    one = term(interval_hours=hours)
    assert formula_rate(premium, hours, 100.0, 100.0, one) == settled_rate(premium, one)
    assert short_rate(0.25, hours, one) == 0.25


# ------------------------------------------------------------------- weekend gaps


def kept(tau: float, clamp: float, interest: float, gap: float) -> float:
    """Share of a gap that closes as exp(-t / tau) that longs keep after 48 hours of funding."""
    one = term(clamp_8h=clamp, interest_8h=interest)
    paid = 0.0
    for hour in range(48):
        average = gap * tau * (math.exp(-hour / tau) - math.exp(-(hour + 1) / tau))
        paid += settled_rate(average, one)
    return 1.0 - paid / gap


@pytest.mark.parametrize(
    ("tau", "clamp", "interest", "share"),
    # Without clamp and interest tau/8 (1 - exp(-48/tau)) is lost. With 5 bp and 1 bp and a gap of
    # 3% the clamp gives back 5 bp an hour of 8 while the premium is above it.
    [
        (1.0, 0.0, 0.0, 0.875),
        (8.0, 0.0, 0.0, 0.0025),
        (8.0, 0.0005, 0.0001, 0.0783),
        (1.0, 0.0005, 0.0001, 0.8673),
    ],
)
def test_weekend_gap(tau: float, clamp: float, interest: float, share: float) -> None:
    assert kept(tau, clamp, interest, 0.03) == pytest.approx(share, abs=5e-5)


@pytest.mark.parametrize(("tau", "share"), [(8.0, 0.0783), (1.0, 0.8673)])
def test_weekend_gap_through_the_market(tau: float, share: float) -> None:
    # The premium is a share of the oracle, which rises by 3%: the funding in USD is the same gap.
    hours = [book(100.0, 100.0)] + [book(100.0, 103.0, opened=False)] * 48
    terms = {"oracle_tau_hours": tau, "funding_multiplier": 1.0, "clamp_8h": 0.0005}
    tape = solve(hours, **terms, oracle_closed=float(Closed.EWMA))
    paid = float((tape.funding[1:, 0] * tape.oracle_px[1:, 0]).sum())
    assert 1.0 - paid / 3.0 == pytest.approx(share, abs=2e-3)
