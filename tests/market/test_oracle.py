"""Oracle and mark within the step limit, by hand and on the demo's two gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.arrays import F64, TERM, Tape, Tokens
from perpkit.config import RunConfig
from perpkit.dataset import Dataset, read_dataset
from perpkit.layout import blank
from perpkit.market.loop import form_market
from perpkit.market.steps import within_steps
from perpkit.shipped import shipped_folder
from perpkit.tape import form, settings_of
from perpkit.units import stamp

COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")  # of the demo, on its first venue
NAN = float("nan")


def play(external: list[float], mid: list[float] | None = None, **terms: float) -> Tape:
    """Form the market of one coin, uncompiled; 1% an update, one update an hour unless told."""
    hours = len(external)
    tape = blank(Tape, T=hours, M=1, K=0, U=1, N=0, X=1, Y=0)
    for name in ("oracle_px", "mark_px", "mid_px", "impact_bid_px", "impact_ask_px", "premium"):
        getattr(tape, name)[:] = np.nan
    tape.external_px[:, 0] = external
    if mid is not None:
        tape.mid_px[:, 0] = mid
    made: Any = np.zeros((1, 1), TERM).view(np.recarray)
    for name, value in {"step_frac": 0.01, "updates_per_hour": 1.0, **terms}.items():
        made[name] = value
    form_market(tape, made, blank(Tokens, K=0), settings_of(RunConfig()), 0, hours)
    return tape


def rows_to_arrive(tape: Tape, gap: int) -> int:
    """In which row, counted from the gap's own, the oracle is at the external price."""
    there = tape.oracle_px[gap:, 0] == tape.external_px[gap:, 0]
    return int(np.argmax(there)) + 1


# ------------------------------------------------------------------- the limit by hand


def test_15_per_cent_up_takes_15_rows_at_one_update_an_hour() -> None:
    # 1.01^14 = 1.14947 < 1.15 <= 1.01^15 = 1.16097
    tape = play([100.0] * 3 + [115.0] * 20)
    assert rows_to_arrive(tape, 3) == 15
    assert tape.oracle_px[3, 0] == pytest.approx(101.0, abs=1e-12)
    assert tape.oracle_px[16, 0] == pytest.approx(114.94742132376, abs=1e-9)  # 100 * 1.01^14
    assert tape.bound[:, 0].tolist() == [False] * 3 + [True] * 14 + [False] * 6


def test_15_per_cent_down_takes_17_rows_at_one_update_an_hour() -> None:
    # 0.99^16 = 0.85146 > 0.85 >= 0.99^17 = 0.84294: down steps are steps of a smaller price
    tape = play([100.0] * 3 + [85.0] * 20)
    assert rows_to_arrive(tape, 3) == 17
    assert tape.oracle_px[3, 0] == pytest.approx(99.0, abs=1e-12)
    assert tape.bound[:, 0].sum() == 16


@pytest.mark.parametrize(
    ("move", "frac", "updates"),
    # Updates a gap takes, ln(1 + g) / ln(1 + r) rounded up; down ln(1 - g) / ln(1 - r).
    [
        (1.05, 0.01, 5),
        (1.10, 0.01, 10),
        (1.15, 0.01, 15),
        (1.30, 0.01, 27),
        (1.45, 0.01, 38),
        (0.95, 0.01, 6),
        (0.90, 0.01, 11),
        (0.85, 0.01, 17),
        (0.70, 0.01, 36),
        (0.55, 0.01, 60),
        (1.15, 0.005, 29),
        (0.85, 0.005, 33),
        (0.55, 0.005, 120),
    ],
)
def test_updates_a_gap_takes(move: float, frac: float, updates: int) -> None:
    tape = play([100.0] + [100.0 * move] * (updates + 2), step_frac=frac)
    assert rows_to_arrive(tape, 1) == updates
    # The same number within one hour, and not one less.
    for n, arrives in ((updates, True), (updates - 1, False)):
        within = play([100.0, 100.0 * move], step_frac=frac, updates_per_hour=n)
        assert (within.oracle_px[1, 0] == 100.0 * move) == arrives


@pytest.mark.parametrize("move", [1.15, 0.85, 1.45, 0.55])
def test_1200_updates_an_hour_bind_nothing(move: float) -> None:
    # One update about every 3 s: 1.01^1200 = 153,000
    tape = play([100.0] + [100.0 * move] * 3, updates_per_hour=1200)
    assert tape.oracle_px[1, 0] == 100.0 * move
    assert not tape.bound.any()


def test_base_is_the_last_oracle_or_the_last_mark() -> None:
    # Hour 0 is free: oracle 100, mark 90. Then the external price is 110.
    by_oracle = play([100.0, 110.0], [90.0, 90.0], step_on_mark=0.0)
    by_mark = play([100.0, 110.0], [90.0, 90.0], step_on_mark=1.0)
    assert by_oracle.oracle_px[:, 0].tolist() == pytest.approx([100.0, 101.0], abs=1e-12)
    assert by_mark.oracle_px[:, 0].tolist() == pytest.approx([100.0, 90.9], abs=1e-12)
    assert by_oracle.mark_px[:, 0].tolist() == by_mark.mark_px[:, 0].tolist() == [90.0, 90.0]


def test_mark_base_can_move_the_oracle_while_its_target_rests() -> None:
    # Oracle 100 may be at most 1% above the mark of 90, wherever it was before: 90.9.
    tape = play([100.0, 100.0], [90.0, 90.0], step_on_mark=1.0)
    assert tape.oracle_px[1, 0] == pytest.approx(90.9, abs=1e-12)
    assert tape.bound[1, 0]


def test_first_price_is_free() -> None:
    tape = play([NAN, NAN, 250.0, 250.0], [NAN, NAN, 240.0, 240.0])
    assert np.isnan(tape.oracle_px[:2]).all()
    assert np.isnan(tape.mark_px[:2]).all()
    assert (tape.oracle_px[2, 0], tape.mark_px[2, 0]) == (250.0, 240.0)
    assert not tape.bound.any()


def test_without_a_book_mark_is_oracle_and_premium_zero() -> None:
    tape = play([100.0, 100.5, 115.0, 115.0])
    assert tape.mark_px.tolist() == tape.oracle_px.tolist()
    assert tape.premium[:, 0].tolist() == [0.0] * 4


def test_mark_is_limited_too() -> None:
    tape = play([100.0] * 3, [100.0, 110.0, 110.0])
    assert tape.mark_px[:, 0].tolist() == pytest.approx([100.0, 101.0, 102.01], abs=1e-12)
    # trade.xyz, perp-mechanics/mark-price: 50 bp an update. 100 * 1.005^2 = 101.0025
    tape = play([100.0] * 2, [100.0, 110.0], step_frac=0.005, updates_per_hour=2)
    assert tape.mark_px[1, 0] == pytest.approx(101.0025, abs=1e-12)
    assert not tape.bound.any(), "the oracle was not held"


def test_mark_is_limited_from_the_hour_without_a_book() -> None:
    # Mark 105, then mark = oracle = 100 for an hour, then the book is back at 105: 100 * 1.01.
    tape = play([100.0] * 3, [105.0, NAN, 105.0])
    assert tape.mark_px[:, 0].tolist() == pytest.approx([105.0, 100.0, 101.0], abs=1e-12)


def test_mid_is_recorded_or_between_the_impact_prices() -> None:
    tape = blank(Tape, T=3, M=1, K=0, U=1, N=0, X=1, Y=0)
    tape.external_px[:] = 9.0
    tape.mid_px[:, 0] = [10.0, NAN, NAN]
    tape.impact_bid_px[:, 0] = [8.0, 8.0, NAN]
    tape.impact_ask_px[:, 0] = [9.0, 9.0, 9.0]
    terms: Any = np.zeros((1, 1), TERM).view(np.recarray)
    terms["step_frac"], terms["updates_per_hour"] = 0.5, 1.0
    form_market(tape, terms, blank(Tokens, K=0), settings_of(RunConfig()), 0, 3)
    assert tape.mark_px[:, 0].tolist() == [10.0, 8.5, 9.0]  # in the last, without a mid, the oracle


# ------------------------------------------------------------------- properties

PRICES = st.floats(0.01, 1e5)
FRACS = st.floats(0.0, 0.2)
UPDATES = st.integers(1, 1200)


@given(PRICES, PRICES, FRACS, UPDATES)
def test_within_bounds_and_free_inside_them(px: float, base: float, frac: float, n: int) -> None:
    made = within_steps(px, base, frac, float(n))
    low, high = base * (1 - frac) ** n, base * (1 + frac) ** n
    assert low * (1 - 1e-12) <= made <= high * (1 + 1e-12)
    assert min(px, base) * (1 - 1e-12) <= made <= max(px, base) * (1 + 1e-12), "no overshoot"
    if low <= px <= high:
        assert made == px


@given(PRICES, PRICES, PRICES, FRACS, UPDATES)
def test_higher_target_never_a_lower_price(
    one: float, other: float, base: float, frac: float, n: int
) -> None:
    low, high = sorted((one, other))
    assert within_steps(low, base, frac, float(n)) <= within_steps(high, base, frac, float(n))


@given(PRICES, PRICES, st.floats(0.0001, 0.05), st.integers(1, 40))
def test_many_updates_at_once_are_many_single_updates(
    px: float, base: float, frac: float, n: int
) -> None:
    walked = base
    for _ in range(n):
        walked = within_steps(px, walked, frac, 1.0)
    assert within_steps(px, base, frac, float(n)) == pytest.approx(walked, rel=1e-12)


# ------------------------------------------------------------------- the demo


PLAIN = RunConfig(coins=COINS)


@pytest.fixture(scope="module")
def demo() -> Dataset:
    return read_dataset(shipped_folder("data") / "demo")


def walk(external: F64, frac: float) -> F64:
    """The oracle at one update an hour, an update after another."""
    oracle = external.copy()
    for t in range(1, len(oracle)):
        step = frac * oracle[t - 1]
        oracle[t] = np.clip(external[t], oracle[t - 1] - step, oracle[t - 1] + step)
    return oracle


@pytest.mark.parametrize(
    ("coin", "gap", "rows"),
    # 20:00 New York on Friday 30 January (winter) and 24 April (summer), see the demo's README.
    [("sim:FALC", "2026-01-31 01:00Z", 15), ("sim:HAWK", "2026-04-25 00:00Z", 17)],
)
def test_demo_gaps_crawl(demo: Dataset, coin: str, gap: str, rows: int) -> None:
    market = form(demo, PLAIN)
    m, tape = market.names.coins.index(coin), market.tape
    at = [stamp(int(ns)) for ns in tape.time_ns].index(gap)
    move = tape.external_px[at, m] / tape.external_px[at - 1, m] - 1
    assert move == pytest.approx({15: 0.15, 17: -0.15}[rows], abs=1e-4)
    arrived = tape.oracle_px[at : at + 48, m] == tape.external_px[at : at + 48, m]
    assert int(np.argmax(arrived)) + 1 == rows
    assert tape.bound[at : at + 48, m].sum() == rows - 1


def test_demo_facts_are_those_of_an_independent_walk(demo: Dataset) -> None:
    market = form(demo, PLAIN)
    bound, largest = 0, 0.0
    for m, coin in enumerate(market.names.coins):
        external = demo.perps.filter(pl.col("coin") == coin)["external_px"].to_numpy()
        oracle = walk(external, 0.01)
        np.testing.assert_allclose(market.tape.oracle_px[:, m], oracle, rtol=1e-12)
        away = np.abs(external / oracle - 1.0)
        bound += int((away > 1e-9).sum())
        largest = max(largest, float(away.max()))
    assert 200 < bound < 0.02 * market.tape.oracle_px.size
    assert market.facts["oracle_hours_bound"] == bound
    assert market.facts["oracle_largest_lag_frac"] == pytest.approx(largest, abs=1e-12)
    # In the first hour of HAWK's fall the oracle stands at 99 and the share at 85: 14 / 99.
    assert largest == pytest.approx(14 / 99, abs=1e-3)


def test_demo_at_1200_updates_binds_nowhere(demo: Dataset) -> None:
    market = form(demo, RunConfig(coins=COINS, terms={"updates_per_hour": 1200}))
    assert not market.tape.bound.any()
    assert market.facts["oracle_hours_bound"] == 0
    assert market.facts["oracle_largest_lag_frac"] == 0.0
    assert market.tape.oracle_px.tolist() == market.tape.external_px.tolist()
