"""What an order may be at most in an hour, and the impact it has on its own price."""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np
import pytest

from perpkit.arrays import Event
from perpkit.book.limits import impact_frac

FLAT = [100.0] * 6
NO_MINIMUM = {"min_order_usd": 0.0}


def sizes(run, instrument=0):
    return [(f.row, round(f.size, 9)) for f in run.fills if f.instrument == instrument]


# --------------------------------------------------------------------------- size


def test_a_large_order_is_done_in_slices(lab):
    """2,500 USD at 100 are 25 units an hour: 60 units take 25, 25 and 10."""
    market = lab.market(FLAT, terms={"max_order_usd": 2_500.0})
    run = lab.play(market, {0: [-60.0]})
    assert sizes(run) == [(1, -25.0), (2, -25.0), (3, -10.0)]
    assert run.events == [], "a slice is no refusal"


def test_the_largest_order_binds_increases_alone(lab):
    """From 60 long to 60 short: the whole long is closed at once, then 25 an hour."""
    market = lab.market(FLAT, terms=[{}, {"max_order_usd": 2_500.0}], era=[0, 0, 1, 1, 1, 1])
    run = lab.play(market, {0: [60.0], 1: [-60.0]})
    assert sizes(run) == [(1, 60.0), (2, -60.0), (2, -25.0), (3, -25.0), (4, -10.0)]


@pytest.mark.parametrize("none", [0.0, nan])
def test_no_largest_order(lab, none):
    run = lab.play(lab.market(FLAT, terms={"max_order_usd": none}), {0: [-60.0]})
    assert sizes(run) == [(1, -60.0)]


def test_the_largest_order_counts_at_the_price_of_the_order(lab):
    """A buy at 100 + 1%: 2,530 / 101 = 25.0495..., whole lots of a thousandth below it."""
    market = lab.market(FLAT, terms={"max_order_usd": 2_530.0, "cost_frac": 0.01})
    assert sizes(lab.play(market, {0: [60.0]}))[0] == (1, 25.049)


def test_share_of_an_hours_volume(lab):
    """240,000 USD a day are 10,000 an hour; a tenth of it is 1,000 USD: 10 units."""
    market = lab.market(FLAT, volume=[0.0, 240_000.0, nan, 480_000.0, 0.0, 1e9])
    run = lab.play(market, {0: [-60.0]}, max_volume_frac=0.1)
    assert sizes(run) == [(1, -10.0), (3, -20.0), (5, -30.0)], "no volume, no order"


def test_volume_does_not_hold_back_a_reduction(lab):
    market = lab.market(FLAT, volume=[0.0, 24e6, 0.0, 0.0, 0.0, 0.0])
    run = lab.play(market, {0: [-60.0], 1: [0.0]}, max_volume_frac=0.1)
    assert sizes(run) == [(1, -60.0), (2, 60.0)]


def test_a_slice_below_the_smallest_order_waits(lab):
    """0.09 units at 100 are 9 USD, and the smallest order is 10."""
    market = lab.market(FLAT, terms={"max_order_usd": 9.0})
    assert lab.play(market, {0: [-60.0]}).fills == []


# --------------------------------------------------------------------------- open interest


def test_at_the_cap_only_a_reduction_is_done_and_said_once(lab):
    market = lab.market(FLAT, capped=[False, False, True, True, True, False])
    run = lab.play(market, {0: [-10.0], 1: [-30.0], 3: [-4.0], 4: [-30.0]})
    assert sizes(run) == [(1, -10.0), (4, 6.0), (5, -26.0)]
    told = [(e.row, e.kind, e.instrument, e.account, e.usd) for e in run.events]
    assert told == [(2, Event.CAPPED, 0, 1, 2_000.0)], "the same target is not told of twice"


def test_a_new_target_at_the_cap_is_told_of_again(lab):
    market = lab.market(FLAT, capped=True)
    run = lab.play(market, {0: [-10.0], 2: [-20.0], 3: [-20.0]})
    assert run.fills == []
    assert [(e.row, e.usd) for e in run.told(Event.CAPPED)] == [(1, 1_000.0), (3, 2_000.0)]


def test_at_the_cap_an_order_through_zero_ends_flat(lab):
    market = lab.market(FLAT, capped=[False, False, True, True, True, True])
    run = lab.play(market, {0: [10.0], 1: [-30.0]})
    assert sizes(run) == [(1, 10.0), (2, -10.0)]
    assert [e.usd for e in run.told(Event.CAPPED)] == [3_000.0]


def test_a_cap_binds_its_own_coin(lab):
    market = lab.market(np.full((4, 2), 100.0), capped=[[True, False]])
    run = lab.play(market, {0: [-10.0, -10.0]})
    assert [(f.instrument, f.size) for f in run.fills] == [(1, -10.0)]


def test_an_order_that_has_no_price_is_not_told_of_as_capped(lab):
    market = lab.market(FLAT, capped=True, stale=[False, True, True, False, False, False])
    run = lab.play(market, {0: [-10.0]})
    assert [e.row for e in run.told(Event.CAPPED)] == [3]


# --------------------------------------------------------------------------- the other leg


def test_both_legs_of_a_hedge_are_cut_to_what_the_perp_may_do(lab):
    market = lab.market(FLAT, token=[0], bid=FLAT, terms={"max_order_usd": 2_500.0})
    run = lab.play(market, {0: [-60.0, 60.0]})
    assert sizes(run) == [(1, -25.0), (2, -25.0), (3, -10.0)]
    assert sizes(run, 1) == [(1, 25.0), (2, 25.0), (3, 10.0)]


def test_at_the_cap_the_token_is_not_bought_alone(lab):
    market = lab.market(FLAT, token=[0], bid=FLAT, capped=[False, True, True, False, False, False])
    run = lab.play(market, {0: [-60.0, 60.0]})
    assert sizes(run) == [(3, -60.0)]
    assert sizes(run, 1) == [(3, 60.0)]


def test_each_leg_for_itself_where_the_run_says_so(lab):
    market = lab.market(FLAT, token=[0], bid=FLAT, capped=True)
    run = lab.play(market, {0: [-60.0, 60.0]}, pair="each")
    assert sizes(run) == []
    assert sizes(run, 1) == [(1, 60.0)]


def test_a_slice_too_small_for_the_token_holds_both_legs_back(lab):
    market = lab.market(
        FLAT, token=[0], bid=FLAT, token_min=3_000.0, terms={"max_order_usd": 2_500.0}
    )
    assert lab.play(market, {0: [-60.0, 60.0]}).fills == []


def test_selling_a_hedge_is_not_cut(lab):
    market = lab.market(
        FLAT,
        token=[0],
        bid=FLAT,
        terms=[{}, {"max_order_usd": 2_500.0}],
        era=[0, 0, 1, 1, 1, 1],
    )
    run = lab.play(market, {0: [-60.0, 60.0], 1: [0.0, 0.0]})
    assert sizes(run) == [(1, -60.0), (2, 60.0)]
    assert sizes(run, 1) == [(1, 60.0), (2, -60.0)]


# --------------------------------------------------------------------------- impact


def test_impact_is_the_square_root_of_the_share_of_volume():
    assert impact_frac(10_000.0, 1e6, 0.5) == 0.05
    assert impact_frac(40_000.0, 1e6, 0.5) == 0.1, "four times the size, twice the impact"
    assert impact_frac(10_000.0, 0.0, 0.0) == 0.0, "no coefficient asks for no volume"
    assert np.isnan(impact_frac(10_000.0, 0.0, 0.5))
    assert np.isnan(impact_frac(10_000.0, nan, 0.5))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_impact_worsens_opening_and_closing_alike(lab, side):
    """100 units at 100 with a cost of 1%, so 9,900 or 10,100 USD of a volume of 1,000,000."""
    market = lab.market(FLAT, volume=1e6, terms={"cost_frac": 0.01})
    run = lab.play(market, {0: [side * 100.0], 1: [0.0]}, impact_coefficient=0.5)
    px = [
        100.0 * (1.0 + way * (0.01 + 0.5 * sqrt(100.0 * 100.0 * (1.0 + 0.01 * way) / 1e6)))
        for way in (side, -side)
    ]
    assert [f.px for f in run.fills] == pytest.approx(px, rel=1e-14)
    assert run.cause("slippage").sum() == pytest.approx(-100.0 * abs(px[0] - px[1]), rel=1e-12)


def test_impact_is_that_of_the_slice(lab):
    market = lab.market(FLAT, volume=1e6, terms={"max_order_usd": 2_500.0})
    run = lab.play(market, {0: [60.0]}, impact_coefficient=0.5)
    assert [f.size for f in run.fills] == pytest.approx([25.0, 25.0, 10.0])
    first, last = 0.5 * sqrt(2_500.0 / 1e6), 0.5 * sqrt(1_000.0 / 1e6)
    assert [f.px for f in run.fills] == pytest.approx(
        [100.0 * (1.0 + first)] * 2 + [100.0 * (1.0 + last)], rel=1e-14
    )


def test_without_a_volume_orders_wait_and_their_hedges_with_them(lab):
    market = lab.market(FLAT, token=[0], bid=FLAT, volume=[0.0, nan, 0.0, 1e9, nan, 1e9])
    run = lab.play(market, {0: [-60.0, 60.0], 3: [0.0, 0.0]}, impact_coefficient=0.5)
    assert sizes(run) == [(3, -60.0), (5, 60.0)]
    assert sizes(run, 1) == [(3, 60.0), (5, -60.0)]
    assert run.events == []


def test_nobody_buys_what_is_worth_nothing(lab):
    """Four times the day's volume at a coefficient of 0.5: a sale would be done at zero."""
    market = lab.market(FLAT, volume=1_000.0)
    assert lab.play(market, {0: [-40.0]}, impact_coefficient=0.5).fills == []
    bought = lab.play(market, {0: [40.0]}, impact_coefficient=0.5)
    assert [f.px for f in bought.fills] == [200.0]


def test_a_liquidation_has_its_impact_too(lab):
    marks = [100.0, 100.0, 130.0, 130.0]
    market = lab.market(marks, volume=1e7, terms={"cost_frac": 0.01, "backstop_frac": nan})
    run = lab.play(market, {0: [-300.0]}, wallet=1.0, margin=8_000.0, impact_coefficient=0.1)
    assert run.told(Event.LIQUIDATION)
    # 300 at 130 of 10 million: a tenth of the root of 0.39%.
    impact = 0.1 * (300.0 * 130.0 / 1e7) ** 0.5
    assert run.fills[-1].px == pytest.approx(130.0 * (1.01 + impact))


# --------------------------------------------------------------------------- nothing else moves


@pytest.mark.parametrize("seed", range(4))
def test_limits_that_never_bind_change_nothing(lab, seed):
    plan = lab.random_plan(seed)
    free = lab.play(lab.random_market(seed), plan)
    market = lab.random_market(seed, volume=1e15, capped=False)
    market.terms["max_order_usd"] = 1e12
    held = lab.play(market, plan, max_volume_frac=1.0)
    for name in ("position", "units", "cash_usd", "equity_usd"):
        assert np.array_equal(getattr(free.rows, name), getattr(held.rows, name))
    assert free.events == held.events
    assert market.tape.volume_usd.max() < inf


@pytest.mark.parametrize("seed", range(6))
def test_causes_explain_equity_under_every_limit(lab, seed):
    rng = np.random.default_rng(seed)
    capped = rng.random((48, 2)) < 0.3
    volume = np.where(rng.random((48, 2)) < 0.2, nan, rng.uniform(1e5, 1e7, (48, 2)))
    market = lab.random_market(seed, volume=volume, capped=capped)
    market.terms["max_order_usd"] = 4_000.0
    plan = lab.random_plan(seed)
    run = lab.play(market, plan, max_volume_frac=0.2, impact_coefficient=0.3)
    assert np.abs(run.unexplained).max() < 1e-9
    position = np.vstack([np.zeros((1, 2)), run.rows.position])
    grown = np.abs(position[1:]) > np.abs(position[:-1]) + 1e-9
    assert not (grown & capped).any()
    assert grown.any()
