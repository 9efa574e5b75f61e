"""Portfolio margin, worked by hand.

Source: Hyperliquid documentation, trading/portfolio-margin: an account is liquidatable where
(20 USDC + maintenance + borrowed) / (balance + lending value) passes 0.95.
"""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import TERM, Book, Event, Reason
from perpkit.book.margin import price_liquidations
from perpkit.layout import blank

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


# 2.5% up to a notional of 11,000 or 7,000 or 110,000, and 5% above: 2.5% of that is taken off.
def two_tiers(lower):
    return {"maintenance2_frac": 0.05, "maintenance2_off_usd": 0.025 * lower, **ALONE["terms"]}


# Own value is cash and unrealised profit: it counts for 95% above zero, and in full below.
PRICES = [
    # 12,000 - 100 x, below zero from 120 on, and 95% of 9,000: 20,550 - 100 x = 5 x - 275 + 20.
    (HALF, -100.0, 11_000.0, 20_805 / 105),
    # 95% of 1,800: 13,710 - 100 x = 5 x - 255.
    (TENTH, -100.0, 11_000.0, 13_965 / 105),
    # 100 x - 8,000, below zero from 80 on: 100 x - 6,290 = 2.5 x + 20, the lower tier again.
    (TENTH, 100.0, 7_000.0, 6_310 / 97.5),
    # 18,000 of cash and 1,000 lent: 0.95 (119,000 - 1,000 x) = 50 x - 2,750 + 20, own still 2,220.
    ({(1, 0): {"share": 0.1, "haircut": 0.5}}, -1_000.0, 110_000.0, 115_780 / 1_000),
    # 0.95 (1,000 x - 81,000) = 25 x + 20, own still 1,211; the lower tier again.
    ({(1, 0): {"share": 0.1, "haircut": 0.5}}, 1_000.0, 90_000.0, 76_970 / 925),
]


@pytest.mark.parametrize(("pledged", "units", "lower", "px"), PRICES)
def test_the_liquidation_price_is_where_the_two_lines_of_value_meet_the_tiers(
    lab, pledged, units, lower, px
):
    # It is the same from any mark, on either side of where the own value turns and of the tier.
    terms = two_tiers(lower)
    far = 0.999 * px + 0.001 * 100.0
    mark = [100.0, 100.0, far, 100.0, 0.5 * (100.0 + px), 100.0]
    market = lab.market(mark, bid=[1.0] * 6, pledged=pledged, terms=terms)
    run = lab.play(market, {0: [units, nan]}, margin=20_000.0, portfolio_margin=True)
    assert run.told(Event.LIQUIDATION) == []
    assert run.rows.liquidation_px[1:, 0] == pytest.approx([px] * 5, rel=1e-12)
    # Where the margin test finds it too.
    beyond = px + 0.01 * (px - 100.0)
    market = lab.market([100.0, 100.0, beyond], bid=[1.0] * 3, pledged=pledged, terms=terms)
    told = {"portfolio_margin": True, "liq_fill": "trigger"}
    run = lab.play(market, {0: [units, nan]}, margin=20_000.0, **told)
    (fill,) = [f for f in run.fills if f.reason == Reason.LIQUIDATION]
    assert fill.px == pytest.approx(px, rel=1e-9)


def test_a_debt_that_is_there_already_counts_in_full_in_the_liquidation_price(lab):
    # Without tiers: 12,000 - 100 x + 8,550 = 2.5 x + 20; 0.95 (21,000 - 100 x) lies further on.
    run = play(lab, [100.0, 100.0, 130.0, 119.0], -100.0)
    assert run.rows.liquidation_px[1:, 0] == pytest.approx([20_530 / 102.5] * 3, rel=1e-12)


def test_the_liquidation_price_of_an_account_that_fails_is_behind_it():
    # The same account at 210 owes 9,000: 8,550 - 9,000 = -450, and 525 and 20 are required.
    book = blank(Book, M=1, K=1, A=2)
    perps = book.perps._replace(mark_px=np.array([210.0]))
    perps.position[:], perps.entry_px[:], perps.account[:] = -100.0, 100.0, 1
    accounts = book.accounts
    accounts.counted_frac[:], accounts.buffer_usd[:] = 0.95, 20.0
    accounts.value_usd[:], accounts.maintenance_usd[:] = -450.0, 545.0
    accounts.initial_usd[:], accounts.cash_free_usd[:] = 1_050.0, -9_000.0 - 1_050.0
    terms = np.zeros(1, TERM).view(np.recarray)
    terms.maintenance_frac = 0.025
    price_liquidations(terms, perps, accounts)
    assert perps.liquidation_px == pytest.approx([20_530 / 102.5], rel=1e-12)
