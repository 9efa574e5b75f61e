"""Premium samples by hand, and the hour's average against a walk through every update."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import TERM, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.market.loop import form_market
from perpkit.market.premium import premium_of
from perpkit.tape import settings_of

NAN = float("nan")
ONE_SIDED, TWO_SIDED = 0.0, 1.0


# ------------------------------------------------------------------- one sample


def test_xyz100_row_of_the_documentation() -> None:
    # Hyperliquid documentation, info endpoint, perpetuals: impact 24,946 and 25,956, oracle 25,372.
    # (24946 + 25956) / 2 / 25372 - 1 = 25451 / 25372 - 1 = 79 / 25372 = 0.0031136686
    made = premium_of(25372.0, 25400.0, 24946.0, 25956.0, TWO_SIDED)
    assert made == pytest.approx(0.0031136686, abs=5e-11)
    # The oracle lies inside the impact spread, so the core formula gives nothing.
    assert premium_of(25372.0, 25400.0, 24946.0, 25956.0, ONE_SIDED) == 0.0


@pytest.mark.parametrize(
    ("bid", "ask", "one_sided", "two_sided"),
    [
        (99.0, 101.0, 0.0, 0.0),
        (99.9, 101.9, 0.0, 0.009),  # inside the spread: (99.9 + 101.9) / 200 - 1
        (100.0, 102.0, 0.0, 0.01),  # at its edge
        (101.0, 103.0, 0.01, 0.02),  # bid 1 above
        (97.0, 99.5, -0.005, -0.0175),  # ask 0.5 below
        (103.0, 103.0, 0.03, 0.03),
    ],
)
def test_dead_band(bid: float, ask: float, one_sided: float, two_sided: float) -> None:
    assert premium_of(100.0, 100.0, bid, ask, ONE_SIDED) == pytest.approx(one_sided, abs=1e-15)
    assert premium_of(100.0, 100.0, bid, ask, TWO_SIDED) == pytest.approx(two_sided, abs=1e-15)


@pytest.mark.parametrize("sides", [ONE_SIDED, TWO_SIDED])
@pytest.mark.parametrize(("bid", "ask"), [(NAN, NAN), (99.0, NAN), (NAN, 101.0)])
def test_without_impact_prices_it_is_mark_over_oracle(bid: float, ask: float, sides: float) -> None:
    assert premium_of(100.0, 100.3, bid, ask, sides) == pytest.approx(0.003, abs=1e-15)


@given(st.floats(1, 1e4), st.floats(-0.2, 0.2), st.floats(0, 0.05))
def test_one_sided_is_nearer_to_zero_than_two_sided(
    oracle: float, lean: float, half: float
) -> None:
    bid, ask = oracle * (1 + lean - half), oracle * (1 + lean + half)
    one = premium_of(oracle, oracle, bid, ask, ONE_SIDED)
    two = premium_of(oracle, oracle, bid, ask, TWO_SIDED)
    assert abs(one) <= abs(two) + 1e-12
    assert abs(two - one) <= half + 1e-12
    assert one * two >= -1e-12


# ------------------------------------------------------------------- the hour's average


def row(external: float, mid: float, half: float) -> dict[str, float]:
    """One hour of a coin; impact prices half a width around the mid."""
    return {
        "external_px": external,
        "mid_px": mid,
        "impact_bid_px": mid * (1 - half),
        "impact_ask_px": mid * (1 + half),
    }


def play(hours: list[dict[str, float]], terms: dict[str, float]) -> Tape:
    """Form the market of one coin, uncompiled."""
    tape = blank(Tape, T=len(hours), M=1, K=0, U=1, N=0, X=1, Y=0)
    for name in ("oracle_px", "mark_px", "premium", *hours[0]):
        getattr(tape, name)[:] = np.nan
    for t, values in enumerate(hours):
        for name, value in values.items():
            getattr(tape, name)[t, 0] = value
    made: Any = np.zeros((1, 1), TERM).view(np.recarray)
    for name, value in terms.items():
        made[name] = value
    form_market(tape, made, blank(Tokens, K=0), settings_of(RunConfig()), 0, len(hours))
    return tape


def walked(start: tuple[float, float], now: dict[str, float], terms: dict[str, float]) -> float:
    """The average over all updates of an hour, each taken from the one before."""
    oracle, mark = start
    frac, updates = terms["step_frac"], int(terms["updates_per_hour"])
    external, mid = now["external_px"], now["mid_px"]
    bid, ask = now["impact_bid_px"], now["impact_ask_px"]
    floor = ceiling = mark  # reach of an oracle that is measured from the hour's first mark
    samples = []
    for _ in range(updates):
        if terms["step_on_mark"]:
            floor, ceiling = floor * (1 - frac), ceiling * (1 + frac)
            oracle = sorted((floor, external, ceiling))[1]
        else:
            oracle = sorted((oracle * (1 - frac), external, oracle * (1 + frac)))[1]
        mark = oracle if math.isnan(mid) else sorted((mark * (1 - frac), mid, mark * (1 + frac)))[1]
        if math.isnan(bid):
            samples.append(mark / oracle - 1)
        elif terms["two_sided"]:
            samples.append((bid + ask) / 2 / oracle - 1)
        else:
            samples.append((max(bid - oracle, 0) - max(oracle - ask, 0)) / oracle)
    return math.fsum(samples) / updates


BEFORE = row(100.0, 100.4, 0.0005)
NOW = {
    "rests": row(100.0, 100.4, 0.0005),
    "up a little": row(100.7, 100.9, 0.0005),
    "up 15%": row(115.0, 116.0, 0.001),
    "down 15%": row(85.0, 84.0, 0.001),
    "the book runs ahead": row(100.0, 109.0, 0.002),
    "the book stays behind": row(112.0, 100.4, 0.002),
    "against each other": row(96.0, 104.0, 0.002),
    "no impact prices": row(109.0, 111.0, NAN),
    "no book": row(109.0, NAN, NAN),
}


@pytest.mark.parametrize("updates", [1, 7, 1200])
@pytest.mark.parametrize("name", NOW)
def test_average_is_that_of_every_update(name: str, updates: int) -> None:
    now = NOW[name]
    for frac, two_sided, step_on_mark in product((0.0001, 0.005, 0.01), (0.0, 1.0), (0.0, 1.0)):
        terms = {
            "step_frac": frac,
            "updates_per_hour": float(updates),
            "two_sided": two_sided,
            "step_on_mark": step_on_mark,
        }
        made = play([BEFORE, now], terms).premium[1, 0]
        assert made == pytest.approx(walked((100.0, 100.4), now, terms), abs=1e-12), terms


@given(
    st.floats(80, 125),
    st.floats(80, 125),
    st.floats(0.0001, 0.02),
    st.integers(1, 60),
    st.sampled_from([ONE_SIDED, TWO_SIDED]),
)
def test_average_is_that_of_every_update_anywhere(
    external: float, mid: float, frac: float, updates: int, sides: float
) -> None:
    terms = {"step_frac": frac, "updates_per_hour": float(updates), "two_sided": sides}
    terms["step_on_mark"] = 0.0
    now = row(external, mid, 0.0005)
    made = play([BEFORE, now], terms).premium[1, 0]
    assert made == pytest.approx(walked((100.0, 100.4), now, terms), abs=1e-12)


def test_average_of_two_updates_by_hand() -> None:
    # Oracle 100 to 102 at 1%: 101, then 102 (102.01 would be allowed). Book 104 wide 0, two-sided:
    # 104/101 - 1 = 0.0297029703, 104/102 - 1 = 0.0196078431; the mean is 0.0246554067.
    terms = {"step_frac": 0.01, "updates_per_hour": 2.0, "two_sided": 1.0}
    tape = play([row(100.0, 100.0, 0.0), row(102.0, 104.0, 0.0)], terms)
    assert tape.premium[1, 0] == pytest.approx(0.0246554067, abs=5e-11)
    assert tape.premium[0, 0] == 0.0


def test_first_hour_has_one_sample() -> None:
    terms = {"step_frac": 0.01, "updates_per_hour": 1200.0, "two_sided": 1.0}
    tape = play([row(100.0, 103.0, 0.0)], terms)
    assert tape.premium[0, 0] == pytest.approx(0.03, abs=1e-15)


def test_recorded_premium_wins() -> None:
    terms = {"step_frac": 0.01, "updates_per_hour": 1.0, "two_sided": 1.0}
    hours = [row(100.0, 103.0, 0.0) | {"premium": 0.5}, row(100.0, 103.0, 0.0)]
    tape = play(hours, terms)
    assert tape.premium[:, 0].tolist() == pytest.approx([0.5, 0.03], abs=1e-15)


def test_recorded_prices_need_no_walk() -> None:
    # Oracle and mark from the chain: a missing premium is formed from the prices as they stand.
    tape = blank(Tape, T=2, M=1, K=0, U=1, N=0, X=0, Y=1)
    tape.premium[:, 0] = [0.5, NAN]
    tape.impact_bid_px[:] = np.nan
    tape.impact_ask_px[:] = np.nan
    tape.oracle_px[:, 0] = [100.0, 120.0]
    tape.mark_px[:, 0] = [100.0, 120.6]
    made: Any = np.zeros((1, 1), TERM).view(np.recarray)
    made["step_frac"], made["updates_per_hour"] = 0.01, 1200.0
    form_market(tape, made, blank(Tokens, K=0), settings_of(RunConfig()), 0, 2)
    assert tape.premium[:, 0].tolist() == pytest.approx([0.5, 0.005], abs=1e-15)
    assert tape.oracle_px[:, 0].tolist() == [100.0, 120.0]
