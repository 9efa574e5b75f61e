"""The price, size and booking of a trade."""

from __future__ import annotations

from math import nan

import pytest

from perpkit.arrays import Reason
from perpkit.book.fills import entry_after, perp_px, token_px, whole_lots

# --------------------------------------------------------------------------- price


@pytest.mark.parametrize(
    ("mid", "size", "expected"),
    [
        (101.0, 1.0, 101.0505),  # 101 x 1.0005: a buy pays more than the mid
        (101.0, -1.0, 100.9495),  # 101 x 0.9995
        (nan, 1.0, 100.05),  # no mid: the mark, 100
        (nan, -1.0, 99.95),
    ],
)
def test_perp_trades_at_the_mid_else_the_mark_made_worse(lab, mid, size, expected):
    assert perp_px(mid, 100.0, size, 0.0005) == pytest.approx(expected, abs=1e-12)
    market = lab.market([100.0] * 3, mid=mid, terms={"cost_frac": 0.0005})
    (fill,) = lab.play(market, {0: [size]}).fills
    assert (fill.row, fill.size, fill.reason) == (1, size, Reason.TARGET)
    assert fill.px == pytest.approx(expected, abs=1e-12)


def test_perp_price_is_that_of_the_row_of_the_fill_not_of_the_decision(lab):
    market = lab.market([100.0, 110.0, 120.0], mid=[101.0, 111.0, 121.0])
    assert [f.px for f in lab.play(market, {0: [1.0]}).fills] == [111.0]


@pytest.mark.parametrize(
    ("bid", "ask", "size", "expected"),
    [
        (99.0, 101.0, 1.0, 101.0),
        (99.0, 101.0, -1.0, 99.0),
        (100.0, 100.0, 1.0, 100.2),  # a mid is no price to trade at: 100 x 1.002
        (100.0, 100.0, -1.0, 99.8),
    ],
)
def test_token_trades_at_bid_or_ask_and_a_mid_is_widened(lab, bid, ask, size, expected):
    assert token_px(bid, ask, size, 0.002) == pytest.approx(expected, abs=1e-12)
    market = lab.market([50.0] * 4, bid=[bid] * 4, ask=[ask] * 4, half_spread=0.002)
    run = lab.play(market, {0: [nan, 5.0], 1: [nan, 5.0 + size]})
    assert run.fills[1].size == size
    assert run.fills[1].px == pytest.approx(expected, abs=1e-12)


def test_each_trade_pays_its_fee_on_its_own_notional(lab):
    market = lab.market(
        [200.0] * 3, terms={"fee_frac": 0.0009}, bid=[49.0] * 3, ask=[51.0] * 3, token_fee=0.003
    )
    run = lab.play(market, {0: [-2.0, 10.0]})
    # Perp 2 x 200 x 0.0009 = 0.36; token 10 x 51 x 0.003 = 1.53.
    assert {f.instrument: f.fee_usd for f in run.fills} == pytest.approx({0: 0.36, 1: 1.53})
    # The perp costs its account the fee alone; the token costs the wallet 510 and its fee.
    assert run.rows.cash_usd[1].tolist() == pytest.approx([50_000 - 511.53, 50_000 - 0.36])


# --------------------------------------------------------------------------- lots


@pytest.mark.parametrize(
    ("size", "lots_per_unit", "expected"),
    [
        (0.37, 10.0, 0.3),
        (-0.37, 10.0, -0.3),  # towards zero, not down
        (0.1 + 0.2, 10.0, 0.3),  # 0.30000000000000004
        (-(0.1 + 0.2), 10.0, -0.3),
        (0.3 - 0.1, 10.0, 0.2),  # 0.19999999999999998 is two lots
        (1.1 - 1.0, 10.0, 0.1),  # 0.10000000000000009
        ((0.1 + 0.2) - 0.3, 10.0, 0.0),  # 5.6e-17 is nothing
        (0.57 * 100.0, 1.0, 57.0),  # 56.99999999999999
        (0.9999, 1.0, 0.0),
        (5.0, 1.0, 5.0),
    ],
)
def test_whole_lots_cut_towards_zero_and_forgive_float_noise(size, lots_per_unit, expected):
    assert whole_lots(size, lots_per_unit) == expected


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_closed_position_is_exactly_zero(lab, sign):
    # 0.1, then 0.3, then 0: in floats 0.1 + 0.2 is not 0.3.
    market = lab.market([500.0] * 6, terms={"lots_per_unit": 10.0})
    plan = {0: [sign * 0.1], 1: [sign * (0.1 + 0.2)], 2: [sign * 0.7], 3: [0.0]}
    run = lab.play(market, plan)
    held = [0.0, 0.1, 0.3, 0.7, 0.0, 0.0]
    assert run.rows.position[:, 0].tolist() == [sign * x if x else 0.0 for x in held]
    assert len(run.fills) == 4


def test_token_sold_to_zero_is_exactly_zero(lab):
    market = lab.market([100.0] * 6, bid=[10.0] * 6)
    run = lab.play(market, {0: [nan, 0.1], 1: [nan, 0.3], 2: [nan, 1.7], 3: [nan, 0.0]})
    assert run.rows.units[4:, 0].tolist() == [0.0, 0.0]


def test_lots_of_the_order_and_the_rest_of_the_target_stays_away(lab):
    market = lab.market([100.0] * 5, terms={"lots_per_unit": 10.0})
    run = lab.play(market, {0: [1.29]})
    assert run.rows.position[:, 0].tolist() == [0.0, 1.2, 1.2, 1.2, 1.2]
    assert len(run.fills) == 1  # 0.09 is less than a lot, at every later hour too


# --------------------------------------------------------------------------- minimum order


def test_an_order_below_the_minimum_does_not_trade_and_one_at_it_does(lab):
    # 0.124 x 80 = 9.92 USD; 0.125 x 80 = 10 USD. Least order 10 USD.
    market = lab.market([80.0] * 3)
    assert lab.play(market, {0: [0.124]}).fills == []
    assert [f.size for f in lab.play(market, {0: [-0.125]}).fills] == [-0.125]


def test_minimum_is_taken_at_the_price_of_the_trade_and_after_lots(lab):
    # 1.09 units are one lot of 1: 9.95 USD at the bid side of a 0.5% cost, below 10.
    market = lab.market([10.0] * 3, terms={"lots_per_unit": 1.0, "cost_frac": 0.005})
    assert lab.play(market, {0: [-1.09]}).fills == []
    assert [f.size for f in lab.play(market, {0: [1.09]}).fills] == [1.0]


def test_tokens_have_their_own_minimum(lab):
    market = lab.market([100.0] * 3, bid=[0.9] * 3, ask=[1.0] * 3, token_min=5.0)
    assert lab.play(market, {0: [nan, 4.99]}).fills == []
    assert [f.size for f in lab.play(market, {0: [nan, 5.0]}).fills] == [5.0]


# --------------------------------------------------------------------------- entry and profit


@pytest.mark.parametrize(
    ("before", "entry", "after", "px", "expected"),
    [
        (0.0, 0.0, 10.0, 100.0, 100.0),
        (10.0, 100.0, 30.0, 130.0, 120.0),  # (10 x 100 + 20 x 130) / 30
        (-10.0, 100.0, -40.0, 80.0, 85.0),  # (10 x 100 + 30 x 80) / 40
        (30.0, 120.0, 5.0, 500.0, 120.0),  # a reduction leaves the average
        (5.0, 120.0, 0.0, 500.0, 0.0),
    ],
)
def test_entry_is_the_average_of_what_is_open(before, entry, after, px, expected):
    assert entry_after(before, entry, after, px) == pytest.approx(expected)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_increases_average_the_entry_and_reductions_realise_against_it(lab, side):
    # 10 at 100, 20 at 130: average 120. Then 12 are closed at 150, 18 at 110.
    market = lab.market([100.0, 100.0, 130.0, 150.0, 110.0])
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append((float(book.perps[0].entry_px), float(book.accounts[1].cash_usd)))
        target.perps[0] = side * [10.0, 30.0, 18.0, 0.0, 0.0][t]

    run = lab.play(market, decide)
    entries, cash = zip(*seen, strict=True)
    assert entries == pytest.approx((0.0, 100.0, 120.0, 120.0, 0.0))
    # Realised: 12 x (150 - 120) = 360, then 18 x (110 - 120) = -180, mirrored for a short.
    expected = [50_000, 50_000, 50_000, 50_000 + side * 360, 50_000 + side * 180]
    assert cash == pytest.approx(expected)
    assert run.rows.equity_usd[-1] == pytest.approx(100_000 + side * 180)


def test_crossing_through_zero_is_a_reduction_then_an_increase(lab):
    market = lab.market([100.0, 100.0, 120.0, 120.0], terms={"fee_frac": 0.001})
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append((float(book.perps[0].position), float(book.perps[0].entry_px)))
        target.perps[0] = 10.0 if t == 0 else -4.0

    run = lab.play(market, decide)
    assert [(f.row, f.size, f.px) for f in run.fills] == [
        (1, 10.0, 100.0),
        (2, -10.0, 120.0),
        (2, -4.0, 120.0),
    ]
    assert seen[2] == (-4.0, pytest.approx(120.0))
    # Profit 10 x 20 = 200; fees 0.1% of 1,000, 1,200 and 480: 1 + 1.2 + 0.48.
    assert run.rows.cash_usd[2, 1] == pytest.approx(50_000 + 200 - 2.68)
