"""Funding, dividends and yield."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from perpkit.arrays import Flow
from perpkit.book.payments import funding_usd
from perpkit.errors import DataError

# --------------------------------------------------------------------------- funding


@pytest.mark.parametrize(
    ("position", "oracle", "rate", "expected"),
    [
        # Hyperliquid documentation, info endpoint, perpetuals: short 15 XYZ100 at 0.00000625
        # received 2.378343; 2.378343 / 15 / 0.00000625 is an oracle of 25,369.
        (-15.0, 25_369.0, 0.00000625, 2.37834375),
        # Long 10 NVDA at 205.08, premium 0.1%: 10 x 205.08 x 0.00004375.
        (10.0, 205.08, 0.00004375, -0.08972250),
        (10.0, 205.08, -0.00004375, 0.08972250),
    ],
)
def test_funding_of_one_settlement(lab, position, oracle, rate, expected):
    assert funding_usd(position, oracle, rate) == pytest.approx(expected, abs=1e-12)
    market = lab.market([oracle * 1.01] * 3, oracle=oracle, rate=[0.0, 0.0, rate])
    run = lab.play(market, {0: [position]}, margin=100_000.0)
    assert run.cause("funding").tolist() == pytest.approx([0.0, 0.0, expected], abs=1e-12)
    assert run.rows.cash_usd[2, 1] == pytest.approx(100_000.0 + expected)


def test_funding_is_paid_on_the_position_before_the_fills_of_its_row(lab):
    # Filled in row 2, closed in row 5: paid in rows 3, 4 and 5, not in 2 and not in 6. Each rate
    # is its own, so a payment off by a row shows.
    rates = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64]
    market = lab.market([100.0] * 7, rate=rates)
    run = lab.play(market, {1: [-1.0], 4: [0.0]})
    paid = [(p.row, p.quantity, p.usd) for p in run.paid(Flow.FUNDING)]
    assert paid == [(3, -1.0, 8.0), (4, -1.0, 16.0), (5, -1.0, 32.0)]


def test_funding_is_paid_on_the_old_size_when_the_row_changes_it(lab):
    market = lab.market([100.0] * 5, rate=0.001)
    run = lab.play(market, {0: [10.0], 1: [-30.0]})
    assert [(p.row, p.usd) for p in run.paid(Flow.FUNDING)] == [
        (2, pytest.approx(-1.0)),
        (3, pytest.approx(3.0)),
        (4, pytest.approx(3.0)),
    ]


@pytest.mark.parametrize(("units", "usd"), [(10.0, -0.2), (-10.0, -0.1)])
def test_a_swap_costs_long_and_short_what_is_theirs(lab, units, usd):
    # 2 bp a night of 1,000 USD from a long and 1 bp from a short.
    market = lab.market([100.0] * 4, rate=0.0002)
    short = np.full_like(market.tape.funding, -0.0001)
    market = replace(market, tape=market.tape._replace(short_funding=short))
    run = lab.play(market, {0: [units]})
    assert run.rows.funding_usd[:, 0].tolist() == [0.0, 0.0, pytest.approx(usd), pytest.approx(usd)]
    frame = run.frames["funding"]
    assert frame["payment_usd"].to_list() == pytest.approx([usd, usd])
    assert frame["funding"].to_list() == [0.0002, 0.0002] if units > 0 else [-0.0001, -0.0001]
    assert abs(run.unexplained).max() < 1e-12


def test_funding_is_paid_at_the_oracle_of_its_row(lab):
    market = lab.market([100.0] * 4, oracle=[100.0, 90.0, 120.0, 80.0], mid=300.0, rate=0.001)
    run = lab.play(market, {0: [-1.0]})
    assert [p.usd for p in run.paid(Flow.FUNDING)] == pytest.approx([0.12, 0.08])


def test_funding_is_paid_over_hours_without_a_price(lab):
    market = lab.market(
        [100.0] * 5, oracle=[99.0] * 5, rate=[0.0, 0.0, 0.001, 0.002, 0.004],
        stale=[False, False, True, True, False],
    )  # fmt: skip
    run = lab.play(market, {0: [-1.0]})
    assert [p.usd for p in run.paid(Flow.FUNDING)] == pytest.approx([0.099, 0.198, 0.396])


def test_only_settlements_that_are_due_are_paid(lab):
    due = [True, False, False, True, False, True]
    market = lab.market([100.0] * 6, rate=0.001, due=due)
    run = lab.play(market, {0: [-1.0]})
    assert [p.row for p in run.paid(Flow.FUNDING)] == [3, 5]


def test_missing_funding_on_a_position_ends_the_run_with_coin_and_hour(lab):
    rates = [[0.0, 0.0]] * 3 + [[nan, 0.0]] + [[0.0, 0.0]]
    market = lab.market([[100.0, 100.0]] * 5, rate=rates)
    for chunk in (1, 4_096):
        # Row 3 is 2026-08-12 05:00, three hours after the first.
        with pytest.raises(DataError, match="of xyz:A is not recorded at 2026-08-12 05:00Z"):
            lab.play(market, {0: [1.0, 1.0]}, chunk_rows=chunk)


@pytest.mark.parametrize(
    "plan",
    [
        {0: [nan, 1.0]},  # the other coin
        {2: [1.0, nan]},  # filled in the very row: it did not settle on this position
        {0: [1.0, nan], 1: [0.0, nan]},  # closed before
    ],
)
def test_missing_funding_without_a_position_is_nobodys_loss(lab, plan):
    rates = [[0.0, 0.0]] * 3 + [[nan, 0.0]] + [[0.0, 0.0]]
    market = lab.market([[100.0, 100.0]] * 5, rate=rates)
    assert lab.play(market, plan).paid(Flow.BAD_DEBT) == []


def test_missing_funding_where_none_is_due_is_none(lab):
    market = lab.market([100.0] * 5, rate=nan, due=False)
    assert lab.play(market, {0: [1.0]}).payments == []


# --------------------------------------------------------------------------- dividends


def test_dividend_goes_to_the_units_held_before_the_fills_of_its_row(lab):
    # Bought in row 1, ten more in row 2 and all sold in row 3; 0.50 a unit in rows 1 to 4.
    dividends = [(row, 0, 0.5) for row in (1, 2, 3, 4)]
    market = lab.market([100.0] * 5, bid=[10.0] * 5, dividends=dividends)
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 20.0], 2: [nan, 0.0]})
    paid = [(p.row, p.quantity, p.usd) for p in run.paid(Flow.DIVIDEND)]
    assert paid == [(2, 10.0, 5.0), (3, 20.0, 10.0)]
    assert run.cause("dividend").tolist() == [0.0, 0.0, 5.0, 10.0, 0.0]
    assert run.rows.cash_usd[-1, 0] == pytest.approx(50_015.0)


def test_dividend_of_one_token_is_not_paid_on_another(lab):
    market = lab.market([100.0] * 3, bid=[[10.0, 10.0]] * 3, dividends=[(2, 1, 0.5)])
    run = lab.play(market, {0: [nan, 10.0, 3.0]})
    (paid,) = run.paid(Flow.DIVIDEND)
    assert (paid.instrument, paid.account, paid.usd) == (2, 0, 1.5)


# --------------------------------------------------------------------------- yield


def test_apr_pays_in_new_units_at_the_fair_price(lab):
    # 8.76% a year is 0.00001 an hour: 0.01 unit on 1,000, worth 2 USD a unit, and on what grew.
    market = lab.market([100.0] * 4, bid=[2.0] * 4, apr=0.0876, kinds=["stable"])
    run = lab.play(market, {0: [nan, 1_000.0]})
    assert run.rows.units[:, 0] == pytest.approx([0.0, 1_000.0, 1_000.01, 1_000.0200001])
    assert run.cause("yield") == pytest.approx([0.0, 0.0, 0.02, 0.0200002])
    assert run.cause("token_price") == pytest.approx([0.0] * 4)


def test_apr_is_paid_before_the_fills_of_its_row(lab):
    market = lab.market([100.0] * 4, bid=[1.0] * 4, apr=[0.0, 8.76, 8.76, 8.76])
    run = lab.play(market, {0: [nan, 1_000.0], 1: [nan, 0.0]})
    # Bought in row 1 without yield; one unit comes in row 2, and all 1,001 are sold there.
    assert [(p.row, p.quantity) for p in run.paid(Flow.YIELD)] == [(2, pytest.approx(1.0))]
    assert run.fills[1].size == pytest.approx(-1_001.0)


def test_dividends_come_before_yield(lab):
    # The new units of the row, 100 of them, get no dividend of the row.
    market = lab.market([100.0] * 3, bid=[1.0] * 3, apr=876.0, dividends=[(2, 0, 0.01)])
    run = lab.play(market, {0: [nan, 1_000.0]})
    assert run.paid(Flow.YIELD)[0].quantity == pytest.approx(100.0)
    assert run.paid(Flow.DIVIDEND)[0].usd == pytest.approx(10.0)


def test_nav_growth_is_yield_and_what_the_price_does_beyond_it_is_not(lab):
    # 1,000 units from row 1 on. NAV +0.0001 each hour; the fair price +0.0003, then -0.0002.
    fair = [1.0, 1.0, 1.0003, 1.0001]
    market = lab.market(
        [100.0] * 4, bid=fair, nav=[1.0, 1.0001, 1.0002, 1.0003], kinds=["treasury"]
    )
    run = lab.play(market, {0: [nan, 1_000.0]})
    assert run.cause("yield") == pytest.approx([0.0, 0.0, 0.1, 0.1])
    assert run.cause("token_price") == pytest.approx([0.0, 0.0, 0.2, -0.3])


def test_nav_of_an_equity_token_is_no_yield(lab):
    market = lab.market([100.0] * 3, bid=[1.0, 1.0, 1.1], nav=[1.0, 1.0, 1.1], kinds=["equity"])
    run = lab.play(market, {0: [nan, 1_000.0]})
    assert run.cause("yield").tolist() == [0.0] * 3
    assert run.cause("token_price")[2] == pytest.approx(100.0)


def test_a_nav_that_is_recorded_from_the_middle_on_is_no_yield_of_its_own(lab):
    market = lab.market([100.0] * 4, bid=[1.0] * 4, nav=[nan, nan, 1.0, 1.0], kinds=["treasury"])
    run = lab.play(market, {0: [nan, 1_000.0]})
    assert run.cause("yield").tolist() == pytest.approx([0.0] * 4)
