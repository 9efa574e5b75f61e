"""The helpers that strategies share, plain and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import perpkit
from perpkit import strategy as shared
from perpkit.arrays import Past, Target, View
from perpkit.layout import blank
from perpkit.strategy import helpers
from perpkit.strategy.door import PLAIN, _entry
from perpkit.strategy.helpers import (
    close_pair,
    equity_usd,
    fill_cost_frac,
    gross_usd,
    hysteresis,
    lots,
    open_pair,
    pair_cost_frac,
    room_usd,
    trailing_apr,
)
from perpkit.strategy.load import load

UNITS = st.floats(-1e9, 1e9)


@given(units=UNITS, per=st.sampled_from([1.0, 10.0, 1_000.0, 0.1]))
def test_lots_are_whole_near_and_odd(units: float, per: float) -> None:
    made = lots(units, per)
    assert abs(made - units) <= 0.5 / per * (1 + 1e-9) + abs(units) * 1e-12
    assert made * per == pytest.approx(round(made * per), rel=1e-12, abs=1e-6)
    assert lots(-units, per) == -made


def test_lots_of_what_is_no_number() -> None:
    assert math.isnan(lots(math.nan, 10.0))
    assert lots(math.inf, 10.0) == math.inf
    assert lots(-math.inf, 10.0) == -math.inf


def past(total: list[float]) -> Past:
    made = blank(Past, T=len(total), M=1, K=0, U=1)
    made.funding_total[:, 0] = total
    return made


def test_trailing_apr_is_simple_and_needs_its_hours() -> None:
    told = past([0.0, 1e-5, 3e-5, 3e-5])
    assert trailing_apr(told, 0, 2) == pytest.approx(2e-5 * 8760 / 2)
    assert trailing_apr(told, 0, 3) == pytest.approx(3e-5 * 8760 / 3)
    assert math.isnan(trailing_apr(told, 0, 4))
    assert math.isnan(trailing_apr(told, 0, 0))


@pytest.mark.parametrize(
    ("on", "value", "wanted"),
    [
        (False, 0.11, True),
        (False, 0.10, False),
        (False, 0.05, False),
        (True, 0.05, True),
        (True, 0.02, True),
        (True, 0.019, False),
        (True, math.nan, True),
        (False, math.nan, False),
    ],
)
def test_hysteresis(on: bool, value: float, wanted: bool) -> None:
    assert hysteresis(on, value, 0.10, 0.02) is wanted


@pytest.fixture
def book() -> View:
    made = blank(View, M=3, K=1, A=2)
    made.perps.token[:] = (0, -1, -1)
    made.perps.position[:] = (-2.0, 3.0, 0.0)
    made.perps.mark_px[:] = (100.0, 10.0, math.nan)
    made.tokens.multiplier[:] = 0.5
    made.accounts.equity_usd[:] = (600.0, 400.0)
    return made


def test_equity_and_gross(book: View) -> None:
    assert equity_usd(book) == 1_000.0
    assert gross_usd(book) == 230.0


def test_room_counts_what_waits_for_its_fill_whole(book: View) -> None:
    mine = np.zeros(3, [("on", "?")]).view(np.recarray)
    assert room_usd(book, mine, 250.0, 0.6) == 600.0 - 230.0
    mine.on[:] = (True, False, True)  # 200 USD held, and nothing of the third yet
    assert room_usd(book, mine, 250.0, 0.6) == 600.0 - 250.0 - 30.0 - 250.0
    mine.on[:] = (False, True, False)
    assert room_usd(book, mine, 10.0, 0.2) == 200.0 - 230.0


def test_the_cost_of_a_pair_is_that_of_both_legs(book: View) -> None:
    told = past([0.0, 0.0])
    book.perps.cost_frac[:] = 0.0013
    book.tokens.cost_frac[:] = 0.002
    assert pair_cost_frac(told, book, 0, 1e4) == pytest.approx(0.0033)
    assert math.isnan(pair_cost_frac(told, book, 1, 1e4))
    book.perps.impact_coefficient[:] = 0.1
    assert math.isnan(pair_cost_frac(told, book, 0, 1e4))
    told.volume_usd[-1] = 1e6
    assert pair_cost_frac(told, book, 0, 1e4) == pytest.approx(0.0033 + 0.01)
    assert fill_cost_frac(told, book, 0, 1e4) == pytest.approx(0.0113)
    book.tokens.impact_per_usd[:] = 2.0 / 1e6
    assert pair_cost_frac(told, book, 0, 1e4) == pytest.approx(0.0133 + 0.02 / (1 - 0.02**2))
    assert pair_cost_frac(told, book, 0, 1e6) == math.inf
    book.tokens.cost_frac[:] = math.nan
    assert math.isnan(pair_cost_frac(told, book, 0, 1e4))


def test_a_pair_is_neutral_and_is_closed_whole(book: View) -> None:
    target = blank(Target, M=3, K=1)
    target.perps[:] = target.tokens[:] = math.nan
    open_pair(target, book, 0, 4.0)
    open_pair(target, book, 1, 4.0)
    assert target.perps[0] == -4.0
    assert target.tokens[0] == 8.0
    assert np.isnan(target.perps[1:]).all()
    close_pair(target, book, 0)
    close_pair(target, book, 1)
    assert target.perps[:2].tolist() == [0.0, 0.0]
    assert target.tokens[0] == 0.0
    assert math.isnan(target.perps[2])


def test_all_are_offered_and_documented() -> None:
    for name in shared.__all__:
        assert getattr(shared, name).__doc__
    rules = {
        n for n, f in vars(helpers).items() if getattr(f, "__module__", "") == helpers.__name__
    }
    assert rules < set(shared.__all__)


def test_an_edit_of_the_helpers_compiles_anew() -> None:
    carry = load("funding_carry")
    assert Path(helpers.__file__) in _entry(carry, PLAIN).sources


def test_compiled_and_plain_are_equal(tmp_path: Path, plain_demo: Callable[..., Path]) -> None:
    week = plain_demo(tmp_path / "week", 24, 24 * 3)
    file = tmp_path / "s.py"
    file.write_text(
        "from perpkit.strategy import (close_pair, equity_usd, gross_usd, hysteresis, lots,\n"
        "    open_pair, trailing_apr)\n"
        "class Memory:\n    on: bool\n"
        "def decide(t, past, book, p, mine, target):\n"
        "    for m in range(len(book.perps)):\n"
        "        apr = trailing_apr(past, m, 8)\n"
        "        on = hysteresis(mine[m].on, apr, 0.05, 0.0)\n"
        "        perp = book.perps[m]\n"
        "        if on and not mine[m].on and gross_usd(book) < equity_usd(book):\n"
        "            open_pair(target, book, m, lots(5e3 / perp.mark_px, perp.lots_per_unit))\n"
        "        elif mine[m].on and not on:\n            close_pair(target, book, m)\n"
        "        mine[m].on = on\n"
    )
    plain = perpkit.backtest(file, week, pure_python=True)
    assert plain.frames["fills"].height > 0
    compiled = perpkit.backtest(file, week)
    for name, frame in compiled.frames.items():
        assert_frame_equal(frame, plain.frames[name], check_exact=True)
