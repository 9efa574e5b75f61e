"""Isolated positions: margin of their own, taken from the venue's account and given back.

Source: Hyperliquid documentation, trading/margining, and the margin modes of the info endpoint:
isolated margin may be added and taken out, strictly isolated is released pro rata on a close.
"""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Reason

ALONE = {"account": [2], "parent": {2: 1}}


def play(lab, mark, plan, margin=1_000.0, settings=None, **told):
    market = lab.market(mark, **{**ALONE, **told})
    return lab.play(market, plan, margin=margin, **(settings or {}))


def test_margin_moves_with_the_position(lab):
    terms = {"initial_frac": 0.1}
    run = play(lab, [100.0] * 6, {0: [-20.0], 2: [-50.0], 3: [-10.0]}, terms=terms)
    # A tenth of 2,000, of 5,000, of 1,000 USD.
    assert run.rows.cash_usd[:, 2].tolist() == pytest.approx([0, 200, 200, 500, 100, 100])
    assert run.rows.cash_usd[:, 1].tolist() == pytest.approx([1000, 800, 800, 500, 900, 900])
    assert np.abs(run.unexplained).max() < 1e-9


def test_what_is_left_goes_back_with_the_last_unit(lab):
    run = play(lab, [100.0, 100.0, 101.0, 101.0], {0: [-20.0], 2: [0.0]}, terms={"fee_frac": 0.001})
    # A short of 20 loses 20 USD and pays 2.00 and 2.02 in fees.
    assert run.rows.cash_usd[-1].tolist() == pytest.approx([50_000, 1000 - 20 - 2 - 2.02, 0])
    # At 20x the margin is 100; opening pays its fee from what came besides.
    assert run.rows.cash_usd[1, 2] == pytest.approx(100.0)
    assert np.abs(run.unexplained).max() < 1e-9


def test_a_reduction_gives_back_its_share_of_the_margin_and_keeps_the_rest(lab):
    run = play(lab, [100.0, 100.0, 96.0, 96.0], {0: [-20.0], 2: [-5.0]})
    # At 96 the row holds 100 + 80; a quarter of it stays: 45 in value, of which 20 are unrealised.
    assert run.rows.cash_usd[3, 2] == pytest.approx(25.0)
    assert run.rows.value_usd[3, 2] == pytest.approx(45.0)
    assert run.rows.cash_usd[3, 1] == pytest.approx(900.0 + 135.0)


def test_only_its_own_margin_is_lost(lab):
    # 100 of margin at 20x; +20% in an hour loses 400: 300 are the venue's, not the account's.
    run = play(lab, [100.0, 100.0, 120.0, 120.0], {0: [-20.0]}, terms={"backstop_frac": nan})
    assert run.rows.cash_usd[-1].tolist() == pytest.approx([50_000, 900, 0])
    (debt,) = run.told(Event.BAD_DEBT)
    assert (debt.account, debt.usd) == (2, pytest.approx(300.0))
    assert np.abs(run.unexplained).max() < 1e-9


def test_a_cross_account_would_have_carried_it(lab):
    run = lab.play(lab.market([100.0, 100.0, 120.0, 120.0]), {0: [-20.0]}, margin=1_000.0)
    assert run.rows.position[-1, 0] == -20.0


def test_liquidated_margin_that_is_left_goes_back(lab):
    # +3% leaves 40 of 100 above nothing and 51.5 required: closed at 103, 40 are left.
    run = play(lab, [100.0, 100.0, 103.0, 103.0], {0: [-20.0]}, terms={"backstop_frac": nan})
    assert [f.reason for f in run.fills] == [Reason.TARGET, Reason.LIQUIDATION]
    assert run.rows.cash_usd[-1].tolist() == pytest.approx([50_000, 940, 0])


def test_an_order_is_cut_to_the_free_margin_of_the_venues_account(lab):
    # Two coins alone at 10x with 1,000: the first takes 600, 400 are left for 40 units.
    told = {"account": [2, 3], "parent": {2: 1, 3: 1}, "terms": {"initial_frac": 0.1}}
    run = play(lab, [[100.0, 100.0]] * 3, {0: [-60.0, -60.0]}, **told)
    assert run.rows.position[1].tolist() == pytest.approx([-60.0, -40.0])
    assert run.rows.cash_usd[1].tolist() == pytest.approx([50_000, 0, 600, 400])


def test_profit_of_one_position_does_not_margin_another(lab):
    told = {"account": [2, 3], "parent": {2: 1, 3: 1}, "terms": {"initial_frac": 0.1}}
    mark = [[100.0, 100.0], [100.0, 100.0], [50.0, 100.0], [50.0, 100.0]]
    run = play(lab, mark, {0: [-100.0, 0.0], 2: [-100.0, -10.0]}, **told)
    assert run.rows.value_usd[3, 2] == pytest.approx(6_000.0)
    assert run.rows.position[3, 1] == 0.0
    assert run.told(Event.TRIMMED)[0].instrument == 1


def test_what_a_reduction_loses_beyond_its_share_stays_with_the_position(lab):
    # Opened at 97 with 100 of margin and the 60 that this loses: 20 are left at 104. Of 20 units
    # 15 close at 107.12, 46.80 above the mark; the venue's account makes none of it good.
    terms = {"maintenance_frac": 0.001, "cost_frac": 0.03, "backstop_frac": nan}
    mark = [100.0, 100.0, 104.0, 104.0]
    run = play(lab, mark, {0: [-20.0], 1: [-5.0]}, terms=terms)
    assert run.rows.cash_usd[2].tolist() == pytest.approx([50_000, 840, 160 - 15 * 10.12])
    assert np.abs(run.unexplained).max() < 1e-9
