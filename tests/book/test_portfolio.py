"""Portfolio margin, worked by hand.

Source: Hyperliquid documentation, trading/portfolio-margin: an account is liquidatable where
(20 USDC + maintenance + borrowed) / (balance + lending value) passes 0.95.
"""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Reason

# Of 20,000 USD in the account 18,000 are in a token that lends half of its price.
HALF = {(1, 0): {"share": 0.9, "haircut": 0.5}}
TENTH = {(1, 0): {"share": 0.9, "haircut": 0.9}}
ALONE = {"terms": {"backstop_frac": nan}}


def play(lab, mark, units, pledged=HALF, margin=20_000.0, **settings):
    market = lab.market(mark, bid=[1.0] * len(mark), pledged=pledged, **ALONE)
    told = {"portfolio_margin": True, **settings}
    return lab.play(market, {0: [units, nan]}, margin=margin, **told)


def test_a_share_of_what_is_there_counts_and_all_that_is_owed(lab):
    run = play(lab, [100.0, 100.0, 130.0], -100.0)
    # 95% of 2,000 of cash and 9,000 lent; at 130 the cash is 1,000 below zero.
    assert run.rows.value_usd[:, 1].tolist() == pytest.approx([10_450, 10_450, 0.95 * 9_000 - 1e3])
    # 2.5% of 10,000 and of 13,000, and 20 on top where there is a position.
    assert run.rows.maintenance_usd[:, 1].tolist() == pytest.approx([0.0, 270.0, 345.0])
    assert np.abs(run.unexplained).max() < 1e-9


def test_without_it_all_of_both_counts(lab):
    run = play(lab, [100.0, 100.0, 130.0], -100.0, portfolio_margin=False)
    assert run.rows.value_usd[:, 1].tolist() == pytest.approx([11_000, 11_000, 8_000])
    assert run.rows.maintenance_usd[:, 1].tolist() == pytest.approx([0.0, 250.0, 325.0])


def test_no_more_is_lent_than_the_cap(lab):
    run = play(lab, [100.0, 100.0, 100.0], -2_000.0, portfolio_cap_usd=4_000.0)
    # 2,000 of cash and 4,000 lent carry 120,000 USD at 20x.
    assert run.rows.position[1, 0] == -1_200.0
    assert run.rows.value_usd[1, 1] == pytest.approx(0.95 * 6_000)
    assert run.told(Event.TRIMMED)[0].usd == pytest.approx(0.6)


def test_the_buffer_is_required_in_the_margin_test_too(lab):
    # At 133.7 the value is 1,710 + 2,000 - 3,370 = 340, and 334.25 and 20 are required.
    run = play(lab, [100.0, 100.0, 133.7], -100.0, TENTH, liq_fill="trigger")
    (fill,) = [f for f in run.fills if f.reason == Reason.LIQUIDATION]
    # 1,710 + 2,000 - 100 x = 2.5 (100 + x) + 20
    assert fill.px == pytest.approx(100.0 + 3_440 / 102.5, rel=1e-12)


def test_an_account_without_a_pledge_is_tested_as_it_is_shown(lab):
    # Tokens are pledged in the second account. The first: 95% of 300 at 117, 312.50 required.
    told = {"account": [1, 2], "pledged": {(2, 0): {"share": 0.5, "haircut": 0.5}}}
    mark = [[100.0, 100.0], [100.0, 100.0], [117.0, 100.0], [117.0, 100.0]]
    market = lab.market(mark, bid=[1.0] * 4, **told, **ALONE)
    plan = {0: [-100.0, 0.0, nan]}
    run = lab.play(market, plan, margin=4_000.0, portfolio_margin=True)
    assert run.rows.value_usd[1, 1] == pytest.approx(1_900.0)
    assert [e.account for e in run.told(Event.LIQUIDATION)] == [1]


def test_an_account_counts_as_another_with_a_pledge_does(lab):
    # Nothing is pledged anywhere, or in the first account alone.
    for pledged in (None, {(1, 0): {"share": 0.5, "haircut": 0.5}}):
        market = lab.market([[100.0] * 2] * 3, account=[1, 2], bid=[1.0] * 3, pledged=pledged)
        run = lab.play(market, {0: [0.0, -10.0, nan]}, margin=4_000.0, portfolio_margin=True)
        assert run.rows.value_usd[2, 2] == pytest.approx(1_900.0)
        assert run.rows.maintenance_usd[2, 2] == pytest.approx(45.0)


@pytest.mark.parametrize(("cap", "falls"), [(4_000.0, True), (1_000_000.0, False)])
def test_the_cap_holds_in_the_margin_test_too(lab, cap, falls):
    # At 157 the account owes 3,700: 95% of 4,000 leave 100 of it, of 9,000 4,850; 412.50 are due.
    run = play(lab, [100.0, 100.0, 157.0], -100.0, portfolio_cap_usd=cap)
    assert bool(run.told(Event.LIQUIDATION)) == falls
