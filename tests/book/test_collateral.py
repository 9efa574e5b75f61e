"""Collateral in the book: what accrues, what it costs to owe, mirrored custody, and the carry."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Accounts, Collateral, Event, Flow, Reason, Settings
from perpkit.book.mirror import count_owed, overdue
from perpkit.layout import blank

# --------------------------------------------------------------------------- accrual

PLEDGED = {(1, 0): {"share": 0.8, "haircut": 0.1}}
DAILY = {"bid": [1.0] * 6, "kinds": ["treasury"], "apr": 8.76, "redeemable": False}


def accrued(lab, plan=None, **made):
    market = lab.market(
        [100.0] * 6,
        **{**DAILY, "redeem": {"accrues": True}, "pledged": {(0, 0): {"share": 0.5}}, **made},
    )
    return lab.play(market, plan or {}, wallet=2_000.0, margin=1_000.0)


def test_units_that_accrue_count_and_cannot_be_sold_before_the_payday(lab):
    # A thousandth an hour, on 1,000; all of it is to be sold from row 3 on, paid out in row 4.
    payday = [[False]] * 4 + [[True]] + [[False]]
    run = accrued(lab, {2: [nan, 0.0]}, payday=payday)
    sold = [-f.size for f in run.fills]
    grown = 1_000.0 * 1.001 ** np.arange(6)  # none in the first hour
    assert sold[0] == pytest.approx(1_000.0)
    assert run.rows.units[:3, 0] == pytest.approx(grown[:3])
    assert run.rows.units[3, 0] == pytest.approx(grown[3] - 1_000.0)
    assert [(e.row, e.instrument) for e in run.told(Event.TRIMMED)] == [(3, 1)]
    assert run.told(Event.TRIMMED)[0].usd == pytest.approx(1_000.0 / grown[3])
    # What accrued is free after the payday, and gone in the same row.
    assert run.rows.units[4, 0] == pytest.approx(0.0, abs=1e-12)
    assert run.rows.equity_usd[3] == pytest.approx(3_000.0 + grown[3] - 1_000.0)
    assert np.abs(run.unexplained).max() < 1e-12


def test_without_accrual_new_units_are_free_at_once(lab):
    run = accrued(lab, {2: [nan, 0.0]}, redeem={"accrues": False})
    assert run.rows.units[3, 0] == 0.0
    assert run.told(Event.TRIMMED) == []


def test_pledged_units_cannot_be_sold(lab):
    run = accrued(lab, {0: [nan, 0.0]}, apr=0.0, pledged={(1, 0): {"share": 0.8}})
    assert run.rows.units[:, 0] == pytest.approx([800.0] * 6)
    assert [e.usd for e in run.told(Event.TRIMMED)] == [0.0]


def test_pledged_tokens_earn_and_meet_margin_less_their_haircut(lab):
    pledged = {(1, 0): {"share": 0.8, "haircut": 0.1, "maintenance_haircut": 0.05}}
    made = {"pledged": pledged, "apr": 0.0, "redeemable": None}
    run = accrued(lab, {0: [-100.0, nan]}, **made)
    # 200 of cash and 800 of tokens: 920 for opening at 20 times, 960 above maintenance.
    assert run.rows.position[1, 0] == -100.0
    assert run.rows.value_usd[:, 1] == pytest.approx([960.0] * 6)
    run = accrued(lab, {0: [-200.0, nan]}, **made)
    assert run.rows.position[1, 0] == -184.0
    assert run.rows.equity_usd == pytest.approx([3_000.0] * 6)


def test_a_strategy_sees_what_is_pledged(lab):
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append((float(book.tokens[0].units), float(book.tokens[0].pledged)))

    pledged = {(0, 0): {"share": 0.5}, (1, 0): {"share": 0.8}}
    accrued(lab, decide, apr=0.0, pledged=pledged)
    assert np.array(seen) == pytest.approx(np.array([(1_800.0, 800.0)] * 6))


# --------------------------------------------------------------------------- interest


def owing(lab, marks, mirrored=False, **settings):
    """Short 10 from row 1 on 100 of cash and 900 of pledged tokens; closed in row 3."""
    pledged = {(1, 0): {"share": 0.9, "mirrored": mirrored}}
    bid = np.ones(len(marks))
    market = lab.market(marks, bid=bid, kinds=["treasury"], pledged=pledged)
    plan = {0: [-10.0, nan], 2: [0.0, nan]}
    return lab.play(market, plan, wallet=1_000.0, margin=1_000.0, **settings)


def test_owed_cash_costs_interest(lab):
    run = owing(lab, [100.0, 100.0, 120.0, 120.0, 120.0, 120.0], borrow_apr=0.0876)
    # 100 less the loss of 200 in row 3: 100 owed at 1e-5 an hour.
    paid = run.paid(Flow.INTEREST)
    assert [(p.row, p.account) for p in paid] == [(4, 1), (5, 1)]
    assert paid[0].usd == pytest.approx(-0.001)
    assert paid[1].usd == pytest.approx(-0.00100001)
    assert run.rows.cash_usd[-1, 1] == pytest.approx(-100.00200001)
    assert run.cause("interest")[4] == pytest.approx(-0.001)
    assert np.abs(run.unexplained).max() < 1e-12
    assert owing(lab, [100.0] * 6).paid(Flow.INTEREST) == []


def test_interest_is_of_margin_accounts_and_of_owed_cash_alone(lab):
    run = lab.play(lab.market([100.0] * 4), {}, wallet=10.0, margin=1_000.0, borrow_apr=0.1)
    assert run.payments == []


# --------------------------------------------------------------------------- mirrored custody


def mirrored_account(cash, units, mirrored=True):
    accounts, collateral = blank(Accounts, A=2), blank(Collateral, C=2, K=1)
    accounts.cash_usd[1] = cash
    collateral.units[1, 0] = units
    collateral.mirrored[1, 0] = mirrored
    return accounts, collateral


@pytest.mark.parametrize(
    ("cash", "units", "mirrored", "late"),
    [
        (-1.0, 5.0, True, True),
        (0.0, 5.0, True, False),
        (-1.0, 0.0, True, False),
        (-1.0, 5.0, False, False),
    ],
)
def test_owed_hours_count_against_what_is_mirrored(cash, units, mirrored, late):
    accounts, collateral = mirrored_account(cash, units, mirrored)
    settings = Settings(**dict.fromkeys(Settings._fields[:11], 0), mirror_hours=3)
    seen = []
    for _ in range(5):
        count_owed(accounts, collateral)
        seen.append(overdue(1, accounts, collateral, settings))
    assert seen == [False, False, False, late, late]
    assert not overdue(0, accounts, collateral, settings)


def test_settling_in_time_starts_the_count_anew():
    accounts, collateral = mirrored_account(-1.0, 5.0)
    for _ in range(3):
        count_owed(accounts, collateral)
    assert accounts.owed_hours.tolist() == [0, 3]
    accounts.cash_usd[1] = 0.0
    count_owed(accounts, collateral)
    assert accounts.owed_hours.tolist() == [0, 0]


def test_without_collateral_nobody_is_overdue():
    accounts = blank(Accounts, A=2)
    settings = Settings(**dict.fromkeys(Settings._fields[:11], 0), mirror_hours=0)
    accounts.owed_hours[:] = 99
    assert not overdue(1, accounts, blank(Collateral, K=0), settings)


# --------------------------------------------------------------------------- the carry


@pytest.mark.parametrize(("apr", "expected"), [(0.0, 0.0410625), (0.0375, 0.0504375)])
def test_the_carry_on_collateral_that_earns(lab, apr, expected):
    """Short one and hold one on capital of 1 + 1/3: 5.475% of funding, and 3.75% on the third.

    Simple rates: funding on a flat oracle does not compound, and the NAV grows in a straight line.
    From the row of the fills on, 8,760 hours.
    """
    hours, notional = 8_762, 100_000.0
    nav = 1.0 + apr * np.maximum(np.arange(hours) - 1, 0) / 8_760
    spot = np.full(hours, 100.0)
    market = lab.market(
        np.full(hours, 100.0),
        rate=6.25e-6,
        bid=np.column_stack([spot, nav]),
        nav=np.column_stack([np.full(hours, nan), nav]),
        kinds=["equity", "treasury"],
        token=[0],
        pledged={(1, 1): {"share": 1.0}},
    )
    plan = {0: [-1_000.0, 1_000.0, nan]}
    run = lab.play(market, plan, wallet=notional, margin=notional / 3.0)
    assert run.rows.position[1:, 0].tolist() == [-1_000.0] * (hours - 1)
    equity = run.rows.equity_usd
    assert equity[1] == pytest.approx(notional * 4.0 / 3.0, abs=1e-9)
    assert (equity[-1] - equity[1]) / equity[1] == pytest.approx(expected, abs=1e-9)
    assert run.cause("yield").sum() == pytest.approx(apr * notional / 3.0, abs=1e-6)
    assert np.abs(run.unexplained).max() < 1e-9


def test_the_backstop_takes_what_is_pledged_with_the_margin_that_is_left(lab):
    # 200 of cash and 720 lent against 100 short; two thirds of maintenance are left where
    # 920 - 100 x = 5/3 (100 + x), and the venue keeps them, the tokens and all: it sells the 800 at
    # a loss of 1%.
    market = lab.market([100.0, 100.0, 112.0], bid=[1.0] * 3, pledged=PLEDGED)
    run = lab.play(market, {0: [-100.0, nan]}, margin=1_000.0)
    risen = (920 - 500 / 3) / (100 + 5 / 3)
    assert [f.reason for f in run.fills[1:]] == [Reason.BACKSTOP, Reason.SEIZED]
    assert run.fills[1].px == pytest.approx(100.0 + risen)
    assert run.rows.pledged[-1, 1, 0] == run.rows.units[-1, 0] == run.rows.cash_usd[-1, 1] == 0.0
    assert [p.usd for p in run.paid(Flow.MARGIN_LOST)] == pytest.approx(
        [100 * risen - 200 - 0.99 * 800]
    )
    assert np.abs(run.unexplained).max() < 1e-9
