"""The way that an order for a token takes, its price, and what it is cut to."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest

from perpkit.arrays import Event, Way
from perpkit.book.ways import pool_px
from perpkit.codes import Lock

QUOTE, DEX, ISSUER = Way.QUOTE, Way.DEX, Way.ISSUER


def ways_of(run):
    return [Way(int(f["way"])) for f in run.played.fills]


def check(run):
    assert np.abs(run.unexplained).max() <= 1e-12


# --------------------------------------------------------------------------- a pool


def test_pool_price_is_that_of_a_constant_product():
    # 20,000 USD on both sides at 100: 100 tokens and 10,000 USD. Ten tokens leave 90, so that
    # 100 x 10,000 / 90 = 11,111.11 USD lie there after: 1,111.11 for ten, 111.11 each.
    assert pool_px(100.0, 20_000.0, 10.0) == pytest.approx(1_000_000 / 9_000)
    # Ten more make 110, and 9,090.91 USD: 909.09 for ten.
    assert pool_px(100.0, 20_000.0, -10.0) == pytest.approx(1_000_000 / 11_000)
    assert pool_px(100.0, 20_000.0, 1e-9) == pytest.approx(100.0)
    assert isnan(pool_px(100.0, 20_000.0, 100.0))  # all that it holds is not for sale
    assert isnan(pool_px(100.0, 20_000.0, 150.0))


def test_a_mid_is_traded_against_its_pool(lab):
    market = lab.market([100.0] * 4, bid=[100.0] * 4, liquidity=20_000.0, take=[DEX])
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]})
    assert [f.px for f in run.fills] == pytest.approx([1000 / 9, 1000 / 11])
    assert ways_of(run) == [DEX, DEX]
    assert run.cause("slippage")[1] == pytest.approx(-1000 / 9)  # 111.11 over the mid for ten
    assert run.frames["fills"]["way"].to_list() == ["dex", "dex"]
    check(run)


def test_where_a_spread_is_recorded_too_the_worse_price_holds(lab):
    # A wide quote is worse than the impact of ten, and better than that of forty: 100 / 0.6.
    wide = {"bid": [80.0] * 4, "ask": [120.0] * 4}
    market = lab.market([100.0] * 4, **wide, liquidity=20_000.0, take=[DEX])
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 50.0], 2: [nan, 49.0]})
    assert [f.px for f in run.fills] == pytest.approx([120.0, 100 / 0.6, 80.0])


def test_a_purchase_is_cut_to_a_share_of_the_pool_and_goes_on(lab):
    # Half of 100 tokens, at 100 / (1 - 0.5); what is left is asked for again.
    market = lab.market([100.0] * 4, bid=[100.0] * 4, liquidity=20_000.0, take=[DEX])
    run = lab.play(market, {0: [nan, 80.0]})
    assert [(f.row, f.size) for f in run.fills] == [(1, 50.0), (2, pytest.approx(30.0))]
    assert [f.px for f in run.fills] == pytest.approx([200.0, 100 / 0.7])
    less = lab.play(market, {0: [nan, 80.0]}, max_pool_frac=0.1)
    assert [f.size for f in less.fills] == [10.0, 10.0, 10.0]
    # A sale is not: whoever must leave pays for it.
    run = lab.play(market, {0: [nan, 50.0], 1: [nan, 0.0]})
    assert (run.fills[1].size, run.fills[1].px) == (-50.0, pytest.approx(100 / 1.5))


def test_a_purchase_is_cut_to_what_cash_buys_with_its_own_impact(lab):
    # q x 100 / (1 - q / 100) = 1,000: q = 1,000 / 110 = 9.0909, at 110.
    market = lab.market([100.0] * 3, bid=[100.0] * 3, liquidity=20_000.0, take=[DEX])
    run = lab.play(market, {0: [nan, 20.0]}, wallet=1_000.0)
    assert (run.fills[0].size, run.fills[0].px) == (pytest.approx(100 / 11), pytest.approx(110.0))
    assert run.rows.cash_usd[1, 0] == pytest.approx(0.0, abs=1e-9)
    assert [e.kind for e in run.events] == [Event.TRIMMED]


def test_a_pool_trades_while_the_quote_is_not_live_but_not_while_it_is_halted(lab):
    still = {"live": False, "liquidity": 20_000.0}
    shut = lab.market([100.0] * 3, bid=[100.0] * 3, **still)
    assert lab.play(shut, {0: [nan, 1.0]}).fills == []
    market = lab.market([100.0] * 3, bid=[100.0] * 3, take=[DEX], **still)
    assert len(lab.play(market, {0: [nan, 1.0]}).fills) == 1
    for stop in ({"halted": True}, {"token_stale": True}, {"liquidity": [nan, nan, 0.0]}):
        market = lab.market([100.0] * 3, bid=[100.0] * 3, take=[DEX], **{**still, **stop})
        assert lab.play(market, {0: [nan, 1.0]}).fills == []


# --------------------------------------------------------------------------- the issuer

OPEN = {"mint_rows": 0, "buyback_rows": 0}


def test_mint_and_redemption_at_nav_with_a_fee(lab):
    market = lab.market(
        [100.0] * 4, bid=[99.0] * 4, ask=[103.0] * 4, nav=100.0, take=[ISSUER],
        issuer=OPEN | {"mint_fee_frac": 0.005, "redeem_fee_frac": 0.002},
    )  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 4.0]})
    assert [(f.size, f.px, f.fee_usd) for f in run.fills] == [
        (10.0, 100.0, 5.0),
        (-6.0, 100.0, pytest.approx(1.2)),
    ]
    assert ways_of(run) == [ISSUER, ISSUER]
    # The fair price is the mid, 101: minted at 100 it gains one each, redeemed it loses one.
    assert run.cause("slippage")[1:3] == pytest.approx([10.0, -6.0])
    check(run)


def test_below_the_issuers_minimum_it_is_shut(lab):
    def bought(units, **issuer):
        market = lab.market(
            [100.0] * 4, bid=[100.0] * 4, nav=100.0, take=[ISSUER], issuer=OPEN | issuer
        )
        return [f.size for f in lab.play(market, {0: [nan, units], 1: [nan, 0.0]}).fills]

    assert bought(10.0, mint_min_usd=1_000.0) == [10.0, -10.0]
    assert bought(9.9, mint_min_usd=1_000.0) == []
    assert bought(9.9, redeem_min_usd=1_000.0) == [9.9]


def test_what_is_cut_below_the_minimum_is_not_minted(lab):
    market = lab.market([100.0] * 3, bid=[100.0] * 3, nav=100.0, take=[ISSUER],
                        issuer=OPEN | {"mint_min_usd": 1_000.0})  # fmt: skip
    assert lab.play(market, {0: [nan, 20.0]}, wallet=999.0).fills == []
    assert [f.size for f in lab.play(market, {0: [nan, 20.0]}, wallet=1_500.0).fills] == [
        pytest.approx(15.0)
    ]


def test_the_inventory_is_of_a_day_and_of_both_sides(lab):
    # Rows start at 02:00 UTC: row 22 is the next day. 1,500 USD a day are fifteen at 100.
    market = lab.market([100.0] * 26, bid=[100.0] * 26, nav=100.0, take=[ISSUER],
                        issuer=OPEN | {"inventory_usd": 1_500.0})  # fmt: skip
    day = market.tape.time_ns // 86_400_000_000_000
    turn = int(np.flatnonzero(np.diff(day))[0]) + 1
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]})
    sizes = [(f.row, f.size) for f in run.fills]
    assert sizes == [(1, 10.0), (2, pytest.approx(-5.0)), (turn, pytest.approx(-5.0))]


@pytest.mark.parametrize("shut", [{"mint_rows": -1}, {"nav": nan}])
def test_closed_or_without_a_nav_the_issuer_is_shut(lab, shut):
    told = {"nav": 100.0} | {k: v for k, v in shut.items() if k == "nav"}
    issuer = OPEN | {k: v for k, v in shut.items() if k != "nav"}
    market = lab.market([100.0] * 3, bid=[100.0] * 3, take=[ISSUER], issuer=issuer, **told)
    assert lab.play(market, {0: [nan, 1.0]}).fills == []


# --------------------------------------------------------------------------- the cheapest


@pytest.mark.parametrize(
    ("ask", "fee", "way"),
    [
        (100.4, 0.005, QUOTE),  # 100.4 against 100.5
        (100.6, 0.005, ISSUER),
        (100.0, 0.0, QUOTE),  # a tie goes to the quote
    ],
)
def test_the_cheapest_is_taken_with_its_fee(lab, ask, fee, way):
    market = lab.market(
        [100.0] * 3, bid=[99.0] * 3, ask=[ask] * 3, nav=100.0, take=[QUOTE, ISSUER],
        issuer=OPEN | {"mint_fee_frac": fee},
    )  # fmt: skip
    assert ways_of(lab.play(market, {0: [nan, 1.0]})) == [way]


def test_a_sale_takes_the_way_that_pays_most(lab):
    for bid, way in ((99.6, QUOTE), (99.4, ISSUER)):
        market = lab.market(
            [100.0] * 4, bid=[bid] * 4, ask=[99.9] * 4, nav=100.0, take=[QUOTE, ISSUER],
            issuer=OPEN | {"redeem_fee_frac": 0.005, "mint_rows": -1},
        )  # fmt: skip
        run = lab.play(market, {0: [nan, 1.0], 1: [nan, 0.0]})
        assert ways_of(run) == [QUOTE, way]


def test_a_token_fee_counts_against_the_quote(lab):
    market = lab.market([100.0] * 3, bid=[100.0] * 3, nav=100.2, take=[QUOTE, ISSUER], issuer=OPEN,
                        token_fee=0.003)  # fmt: skip
    assert ways_of(lab.play(market, {0: [nan, 1.0]})) == [ISSUER]


def test_while_redemptions_are_halted_a_token_is_sold_below_its_nav(lab):
    # NAV 100, the pool's mid falls to 90 once nobody can redeem: the issuer would pay 100.
    mid = [100.0, 100.0, 90.0, 90.0]
    told = {"nav": 100.0, "take": [DEX, ISSUER], "liquidity": 20_000.0}
    halted = OPEN | {"buyback_rows": [0, 0, -1, -1]}
    market = lab.market([100.0] * 4, bid=mid, issuer=halted, **told)
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]})
    assert ways_of(run) == [ISSUER, DEX]
    assert run.fills[1].px == pytest.approx(90 / 1.09)  # 90 / (1 + 2 x 10 x 90 / 20,000)
    check(run)
    market = lab.market([100.0] * 4, bid=mid, issuer=OPEN, **told)
    free = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]})
    assert (ways_of(free)[1], free.fills[1].px) == (ISSUER, 100.0)
    lost = run.rows.equity_usd[-1] - free.rows.equity_usd[-1]
    assert lost == pytest.approx(10 * (90 / 1.09 - 100))


# --------------------------------------------------------------------------- friction


@pytest.mark.parametrize("way", [QUOTE, DEX, ISSUER])
def test_friction_worsens_every_price(lab, way):
    market = lab.market([100.0] * 4, bid=[100.0] * 4, nav=100.0, take=[way], issuer=OPEN,
                        liquidity=inf, friction=0.02)  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]})
    assert [f.px for f in run.fills] == pytest.approx([102.0, 98.0])
    assert run.cause("slippage")[1:3] == pytest.approx([-20.0, -20.0])


def test_a_cut_of_both_legs_sells_the_token_by_its_way(lab):
    # The short loses; what cannot be met is cut, and the token goes to its pool.
    market = lab.market([100.0, 100.0, 140.0, 140.0], token=[0], bid=[100.0, 100.0, 140.0, 140.0],
                        liquidity=1e6, take=[DEX])  # fmt: skip
    run = lab.play(market, {0: [-10.0, 10.0]}, wallet=1_010.0, margin=600.0, topup_at_ratio=0.1,
                   topup_to_ratio=0.05, delever=True)  # fmt: skip
    cut = [f for f in run.fills if f.reason.name == "DELEVERED"]
    assert [f.instrument for f in cut][:2] == [0, 1]
    token = cut[1]
    assert token.px == pytest.approx(140 / (1 - 2 * token.size * 140 / 1e6))
    check(run)


@pytest.mark.parametrize(
    ("lock", "left"), [(Lock.RECEIVE, 0.0), (Lock.SELL, 0.0), (Lock.ISSUER, 10.0)]
)
def test_who_may_not_sell_to_others_gives_back_to_the_issuer(lab, lock, left):
    # The quote pays more and is not for him; the issuer takes back at 99.
    market = lab.market([100.0] * 6, bid=[100.0] * 6, nav=[100.0, 100.0, *[99.0] * 4],
                        take=[Way.QUOTE, Way.ISSUER], issuer={"mint_rows": 0, "buyback_rows": 0},
                        lock=[0, 0, *[int(lock)] * 4])  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 3: [nan, 0.0]})
    assert run.rows.units[-1, 0] == left
    if lock == Lock.SELL:
        assert (run.fills[-1].row, run.fills[-1].px) == (4, 99.0)


@pytest.mark.parametrize(("lock", "left"), [(Lock.RECEIVE, 0.0), (Lock.SELL, 10.0)])
def test_a_pool_is_not_open_to_who_may_not_sell(lab, lock, left):
    market = lab.market([100.0] * 5, bid=[100.0] * 5, liquidity=1e6, take=[Way.DEX],
                        lock=[0, 0, *[int(lock)] * 3])  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 2: [nan, 0.0]})
    assert run.rows.units[-1, 0] == left
