"""Large positions are liquidated in part first, and on joint paths; worked by hand.

Source: Hyperliquid documentation, trading/liquidations: of a position above 100,000 USD 20% is sent
first; below two thirds of maintenance the backstop takes over.
"""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Reason

PART = {"partial_frac": 0.2, "partial_above_usd": 100_000.0, "backstop_frac": nan}


def play(lab, mark, plan, margin, terms=None, settings=None, **told):
    market = lab.market(mark, terms={**PART, **(terms or {})}, **told)
    return lab.play(market, plan, margin=margin, wallet=1e6, **(settings or {}))


def test_a_fifth_first_and_no_more_where_the_rest_stands(lab):
    # 10,000 USD at 20x carry 200,000. At 102.5: value 5,000, required 5,125; 400 of 2,000 units
    # close at 102.5, 164,000 are left and need 4,100.
    run = play(lab, [100.0, 100.0, 102.5, 102.5], {0: [-2_000.0]}, 10_000.0)
    assert run.rows.position[:, 0].tolist() == [0, -2_000, -1_600, -1_600]
    (part,) = run.told(Event.PARTIAL)
    assert (part.row, part.instrument, part.usd) == (2, 0, pytest.approx(41_000.0))
    assert not run.told(Event.LIQUIDATION)
    assert run.rows.cash_usd[2, 1] == pytest.approx(10_000.0 - 1_000.0)
    assert np.abs(run.unexplained).max() < 1e-9


def test_the_whole_where_the_same_price_fails_again(lab):
    # At 104: value 2,000; after a fifth is closed 166,400 need 4,160 still.
    run = play(lab, [100.0, 100.0, 104.0, 104.0], {0: [-2_000.0]}, 10_000.0)
    assert [(f.size, f.px) for f in run.fills[1:]] == [(400.0, 104.0), (1_600.0, 104.0)]
    assert {f.reason for f in run.fills[1:]} == {Reason.LIQUIDATION}
    assert run.rows.cash_usd[2, 1] == pytest.approx(2_000.0)
    assert np.abs(run.unexplained).max() < 1e-9


def test_a_hundred_thousand_is_closed_at_once(lab):
    run = play(lab, [100.0, 100.0, 102.5, 102.5], {0: [-975.0]}, 4_875.0)
    assert run.rows.position[2, 0] == 0.0  # 99,937.50 USD at the extreme
    assert not run.told(Event.PARTIAL)


def test_the_backstop_takes_all_of_a_large_position(lab):
    # At 104 the value of 2,000 is below two thirds of 5,200.
    run = play(lab, [100.0, 100.0, 104.0], {0: [-2_000.0]}, 10_000.0, {"backstop_frac": 2 / 3})
    (fill,) = run.fills[1:]
    assert (fill.reason, fill.size) == (Reason.BACKSTOP, 2_000.0)
    # 210,000 / (2,000 (1 + 2/3 x 2.5%)): where two thirds of maintenance are left.
    assert fill.px == pytest.approx(210_000 / (2_000 * (1 + 0.05 / 3)))


def test_the_optimistic_fill_goes_on_from_the_first_trigger(lab):
    told = {"liq_fill": "trigger"}
    mark = [100.0, 100.0, 104.0, 104.0]
    run = play(lab, mark, {0: [-2_000.0]}, 10_000.0, settings=told)
    # First where 210,000 - 2,000 px = 50 px; then with 1,600 units and the loss taken.
    first = 210_000 / 2_050
    cash = 10_000.0 - 400.0 * (first - 100.0)
    second = (cash + 160_000.0) / (1_600 * 1.025)
    assert [f.px for f in run.fills[1:]] == pytest.approx([first, second], rel=1e-12)
    assert [f.size for f in run.fills[1:]] == [400.0, 1_600.0]


def test_a_small_position_beside_a_large_one_closes_whole(lab):
    # 200,000 short of the first, 50,000 of the second, 12,500 in the account.
    mark = [[100.0, 100.0], [100.0, 100.0], [102.6, 102.6]]
    run = play(lab, mark, {0: [-2_000.0, -500.0]}, 12_500.0)
    assert run.rows.position[2].tolist() == [-1_600.0, 0.0]
    assert [e.kind for e in run.events if e.row == 2] == [Event.PARTIAL, Event.LIQUIDATION]


def test_a_first_part_is_one_lot_at_least(lab):
    # A fifth of three lots is none; 3,750 of value, 3,843.75 required, and 2,562.50 without one.
    terms = {"lots_per_unit": 1.0}
    run = play(lab, [50_000.0, 50_000.0, 51_250.0, 51_250.0], {0: [-3.0]}, 7_500.0, terms)
    assert run.rows.position[:, 0].tolist() == [0.0, -3.0, -2.0, -2.0]


def test_the_rest_is_never_closed_before_its_first_part(lab):
    # The first part costs more than it frees: from there on the account fails where it was.
    told = {"terms": {"cost_frac": 0.03}, "settings": {"liq_fill": "trigger"}}
    run = play(lab, [100.0, 100.0, 105.0, 105.0], {0: [-2_000.0]}, 20_000.0, **told)
    # 14,000 at 100: 14,000 - 2,000 x = 50 (100 + x).
    first = 100.0 + 9_000 / 2_050
    assert [f.px for f in run.fills[1:]] == pytest.approx([1.03 * first, 1.03 * first], rel=1e-12)
    assert [f.size for f in run.fills[1:]] == [400.0, 1_600.0]


# --------------------------------------------------------------------------- joint paths


def test_joint_paths_do_not_add_up_what_cannot_happen_together(lab):
    # Long 100 and short 100 of two coins that move as one: 5% up and down within the hour.
    mark = [[100.0, 100.0]] * 3
    told = {"high": [[100.0] * 2, [100.0] * 2, [105.0] * 2]}
    told |= {"low": [[100.0] * 2, [100.0] * 2, [95.0] * 2]}
    each = play(lab, mark, {0: [100.0, -100.0]}, 1_000.0, **told)
    both = play(
        lab, mark, {0: [100.0, -100.0]}, 1_000.0, settings={"margin_paths": "joint"}, **told
    )
    assert each.rows.position[2].tolist() == [0.0, 0.0]
    assert both.rows.position[2].tolist() == [100.0, -100.0]


@pytest.mark.parametrize(("high", "low", "px"), [(106.0, 100.0, 106.0), (100.0, 94.0, 94.0)])
def test_joint_paths_end_where_it_is_worst(lab, high, low, px):
    side = -1.0 if high > 100.0 else 1.0
    told = {"high": [100.0, 100.0, high], "low": [100.0, 100.0, low]}
    settings = {"margin_paths": "joint"}
    run = play(lab, [100.0] * 3, {0: [side * 20.0]}, 100.0, settings=settings, **told)
    assert run.fills[1].px == px


def test_joint_paths_end_at_the_marks_too(lab):
    # Long what fell to 95 and short what rose to 105: 500 lost where both are high or both low.
    mark = [[100.0, 100.0], [100.0, 100.0], [95.0, 105.0]]
    settings = {"margin_paths": "joint"}
    run = play(lab, mark, {0: [100.0, -100.0]}, 1_100.0, settings=settings)
    assert [(f.size, f.px) for f in run.fills[2:]] == [(-100.0, 95.0), (100.0, 105.0)]
