"""Dividends and splits of both legs in the book, by hand to the cent.

The pair: 10 tokens at 100 USD held from row 1, 10 units of the perp short at 100 from row 1; the
wallet starts with 50,000 USD and the venue with 50,000 USD. Nothing costs anything.
"""

from __future__ import annotations

import pytest

from perpkit.arrays import Action, Event, Flow, Reason

CASH, SPLIT, SETTLE = Action.CASH, Action.SPLIT, Action.SETTLE
PERP, TOKEN = 0, 1
PAIR = {0: (-10.0, 10.0)}


def prices(*px):
    return [float(x) for x in px]


def of_actions(run):
    return [f for f in run.fills if f.reason is Reason.ACTION]


# ------------------------------------------------------------------- cash


def test_shorts_are_debited_the_whole_dividend_and_longs_credited(lab):
    # D = 2 at row 2: 10 short pay 20.00, 4 long receive 8.00, each in its own account.
    market = lab.market(
        [prices(100.0, 50.0)] * 4, account=(1, 2), actions=[(2, 0, CASH, 2.0), (2, 1, CASH, 2.0)]
    )
    run = lab.play(market, {0: (-10.0, 4.0)})
    assert run.cause("dividend").tolist() == [0.0, 0.0, -12.0, 0.0]
    paid = [(p.account, p.quantity, p.rate, p.usd) for p in run.paid(Flow.DIVIDEND)]
    assert paid == [(1, -10.0, 2.0, -20.0), (2, 4.0, 2.0, 8.0)]
    assert run.rows.cash_usd[2].tolist() == [50_000.0, 24_980.0, 25_008.0]
    assert abs(run.unexplained).max() < 1e-12


def test_dividend_of_a_perp_is_on_the_position_before_the_fills_of_its_row(lab):
    market = lab.market([100.0] * 4, actions=[(1, 0, CASH, 2.0), (2, 0, CASH, 2.0)])
    run = lab.play(market, {0: -10.0, 1: -30.0})
    assert run.cause("dividend").tolist() == [0.0, 0.0, -20.0, 0.0]


def test_a_dividend_can_liquidate_a_short(lab):
    # 190 short at 100 on 1,000 USD: maintenance 475. A dividend of 3 takes 570 before the test.
    market = lab.market([100.0] * 4, actions=[(2, 0, CASH, 3.0)])
    run = lab.play(market, {0: -190.0}, margin=1_000.0)
    assert [(f.row, f.reason) for f in run.fills] == [(1, Reason.TARGET), (2, Reason.LIQUIDATION)]


def test_the_pair_nets_what_the_venue_and_the_tax_leave(lab):
    # D = 2, 30% withheld, price and token fall by 2. Nothing passed through: the short gains 20,
    # the token loses 20 and is paid 14: +14.00 = 0.70 D. Shorts debited: -6.00 = -0.30 D.
    px = prices(100.0, 100.0, 98.0, 98.0)
    token = (2, TOKEN, CASH, 1.4)
    price_only = lab.play(lab.market(px, bid=px, token=[0], actions=[token]), PAIR)
    assert price_only.rows.equity_usd[-1] - price_only.capital == pytest.approx(14.0, abs=1e-9)
    both = [token, (2, PERP, CASH, 2.0)]
    debited = lab.play(lab.market(px, bid=px, token=[0], actions=both), PAIR)
    assert debited.rows.equity_usd[-1] - debited.capital == pytest.approx(-6.0, abs=1e-9)
    assert debited.cause("dividend")[2] == pytest.approx(-6.0, abs=1e-12)
    assert debited.cause("perp_price")[2] == 20.0
    assert debited.cause("token_price")[2] == -20.0


# ------------------------------------------------------------------- a perp in new units


def test_rescaled_position_entry_and_target(lab):
    # 10:1 at row 2: 10 short at 100 become 100 short at 10; at 9 the gain is 100.00.
    market = lab.market(prices(100.0, 100.0, 10.0, 9.0), actions=[(2, 0, SPLIT, 10.0)])
    run = lab.play(market, {0: -10.0})
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, -100.0, -100.0]
    assert run.rows.value_usd[:, 1].tolist() == [50_000.0, 50_000.0, 50_000.0, 50_100.0]
    fill = of_actions(run)
    assert [(f.row, f.size, f.px, f.fee_usd) for f in fill] == [(2, -90.0, 0.0, 0.0)]
    assert run.cause("perp_price").tolist() == [0.0, 0.0, 0.0, 100.0]
    assert [(e.row, e.usd) for e in run.told(Event.SPLIT)] == [(2, 1_000.0)]
    assert run.frames["fills"]["slippage_usd"].to_list() == [0.0, 0.0]
    assert run.frames["fills"]["way"].to_list() == ["book", "venue"]


def test_a_standing_target_is_restated_with_the_position(lab):
    # The order of 10 at row 1 waits for a price until after the split: it buys 100 then.
    market = lab.market(
        prices(100.0, 100.0, 10.0, 10.0),
        stale=[False, True, True, False],
        actions=[(2, 0, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: 10.0})
    assert [(f.row, f.size, f.px) for f in run.fills] == [(3, 100.0, 10.0)]
    assert run.played.fills["decided"].tolist() == [0]


def test_a_reverse_split_keeps_profit_and_settles_the_part_of_a_lot(lab):
    # 1 new for 3 old, lots of 1: 10 short at 100 are 3.3333 at 300; a third is settled at the mark
    # of 297, 3.00 below entry: 1.00 in cash, and 3 units with 9.00 of profit stay.
    terms = {"lots_per_unit": 1.0}
    market = lab.market(
        prices(100.0, 100.0, 297.0, 297.0), terms=terms, actions=[(2, 0, SPLIT, 1.0 / 3.0)]
    )
    run = lab.play(market, {0: -10.0})
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, -3.0, -3.0]
    assert run.rows.cash_usd[2, 1] == pytest.approx(50_001.0, abs=1e-9)
    assert run.rows.value_usd[3, 1] == pytest.approx(50_010.0, abs=1e-9)
    sizes = [(round(f.size, 9), f.px) for f in of_actions(run)]
    assert sizes == [(6.666666667, 0.0), (0.333333333, 297.0)]
    assert run.cause("perp_price")[2] == pytest.approx(10.0, abs=1e-9)
    assert abs(run.unexplained).max() < 1e-12


def test_a_reverse_split_to_less_than_a_lot_closes_the_position(lab):
    terms = {"lots_per_unit": 1.0}
    market = lab.market(
        prices(100.0, 100.0, 2_000.0), terms=terms, actions=[(2, 0, SPLIT, 1.0 / 20.0)]
    )
    run = lab.play(market, {0: -10.0})
    assert run.rows.position[2, 0] == 0.0
    assert run.rows.cash_usd[2, 1] == pytest.approx(50_000.0, abs=1e-9)


@pytest.mark.parametrize("ratio", [10.0, 0.1])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_no_phantom_move_liquidates(lab, ratio, side):
    # 19x: the tenfold price of the other side of the split would kill either side.
    px = prices(100.0, 100.0, 100.0 / ratio, 100.0 / ratio)
    market = lab.market(px, actions=[(2, 0, SPLIT, ratio)])
    run = lab.play(market, {0: side * 190.0}, margin=1_000.0)
    assert [f.reason for f in run.fills] == [Reason.TARGET, Reason.ACTION]
    assert run.rows.value_usd[3, 1] == pytest.approx(1_000.0, abs=1e-9)
    deleveraged = lab.play(market, {0: side * 190.0}, margin=1_000.0, adl_shock_frac=0.01)
    assert not deleveraged.told(Event.ADL)


def test_funding_of_the_split_is_on_the_new_units(lab):
    market = lab.market(prices(100.0, 100.0, 10.0, 10.0), rate=0.001, actions=[(2, 0, SPLIT, 10.0)])
    run = lab.play(market, {0: -10.0})
    assert run.rows.funding_usd[:, 0].tolist() == pytest.approx([0.0, 0.0, 1.0, 1.0])
    assert run.frames["funding"]["position"].to_list() == [-100.0, -100.0]


def test_at_the_trigger_the_way_starts_at_the_last_mark_in_new_units(lab):
    # 1,900 short at 10 after the split, 1,000 USD. At 10.4 the account has 240 and needs 494; on
    # the way from 10 it fails where 1,000 - 1,900 x = 0.025 * 1,900 (10 + x): x = 0.26958.
    market = lab.market(
        prices(100.0, 100.0, 10.4, 10.4),
        terms={"backstop_frac": 0.0},
        actions=[(2, 0, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: -190.0}, margin=1_000.0, liq_fill="trigger")
    (closed,) = [f for f in run.fills if f.reason is Reason.LIQUIDATION]
    assert closed.px == pytest.approx(10.0 + 525.0 / (1_900.0 * 1.025), abs=1e-9)


# ------------------------------------------------------------------- a market settled


def test_settled_at_the_last_mark_without_a_fee_and_open_again(lab):
    # Short 10 at 100, settled at 103, the last mark before the split: 30.00 lost, in row 1.
    # Decided at row 2, short 103 at 10 again in row 3, with the fee of 0.1%: 1.03.
    market = lab.market(
        prices(100.0, 100.0, 103.0, 10.3, 10.0),
        terms={"fee_frac": 0.001},
        actions=[(3, 0, SETTLE, 10.0)],
    )
    run = lab.play(market, {0: -10.0, 3: -103.0})
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, -10.0, 0.0, -103.0]
    assert [(f.row, f.size, f.px, f.fee_usd) for f in of_actions(run)] == [(3, 10.0, 103.0, 0.0)]
    assert run.cause("perp_price").tolist() == [0.0, 0.0, -30.0, 0.0, 0.0]
    assert run.cause("fees").tolist() == pytest.approx([0.0, -1.0, 0.0, 0.0, -1.03])
    told = [(e.row, e.account, e.usd) for e in run.told(Event.MARKET_SETTLED)]
    assert told == [(3, 1, 1_030.0)]
    assert abs(run.unexplained).max() < 1e-12


def test_settling_cancels_the_target_and_the_buy_of_its_hedge(lab):
    # The plan says nothing more: the token held stays, the buy that was waiting goes.
    market = lab.market(
        prices(100.0, 100.0, 10.0, 10.0),
        bid=[100.0] * 4,
        token=[0],
        live=[True, True, False, True],
        actions=[(2, PERP, SETTLE, 10.0)],
    )
    run = lab.play(market, {0: (-10.0, 10.0), 1: (-20.0, 20.0)})
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, 0.0, 0.0]
    assert run.rows.units[:, 0].tolist() == [0.0, 10.0, 10.0, 10.0]


def test_settled_before_funding_and_the_margin_test(lab):
    # Funding of row 2 would be paid on nothing, and the mark of row 2 is another unit's.
    market = lab.market(prices(100.0, 100.0, 10.0), rate=0.001, actions=[(2, 0, SETTLE, 10.0)])
    run = lab.play(market, {0: 190.0}, margin=1_000.0)
    assert run.rows.funding_usd[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert run.frames["funding"].height == 0
    assert [f.reason for f in run.fills] == [Reason.TARGET, Reason.ACTION]


def test_an_isolated_position_that_is_settled_gives_its_margin_back(lab):
    market = lab.market(
        prices(100.0, 100.0, 10.0), account=[2], parent={2: 1}, actions=[(2, 0, SETTLE, 10.0)]
    )
    run = lab.play(market, {0: -10.0})
    assert run.rows.cash_usd[:, 1].tolist() == [50_000.0, 49_950.0, 50_000.0]
    assert run.rows.cash_usd[:, 2].tolist() == [0.0, 50.0, 0.0]


# ------------------------------------------------------------------- a token in new units


def test_rebased_units_free_and_pledged(lab):
    # 10:1 at row 2. Half of the venue's 50,000 lies in the token at 100 with a haircut of 10%: 250
    # pledged; 10 free are bought. All become ten times as many at a tenth: nothing is gained.
    market = lab.market(
        [50.0] * 4,
        bid=prices(100.0, 100.0, 10.0, 11.0),
        pledged={(1, 0): {"share": 0.5, "haircut": 0.1}},
        actions=[(2, TOKEN, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: (0.0, 260.0)})
    assert run.rows.units[:, 0].tolist() == [250.0, 260.0, 2_600.0, 2_600.0]
    assert run.rows.pledged[:, 1, 0].tolist() == [250.0, 250.0, 2_500.0, 2_500.0]
    assert run.rows.value_usd[:, 1].tolist() == [47_500.0, 47_500.0, 47_500.0, 49_750.0]
    fills = [(f.row, f.size, f.px) for f in of_actions(run)]
    assert fills == [(2, 2_250.0, 0.0), (2, 90.0, 0.0)]
    assert run.cause("token_price").tolist() == [0.0, 0.0, 0.0, 2_600.0]
    booked = run.frames["attribution"].filter(cause="token_price")
    assert booked["usd"].to_list() == [100.0, 2_500.0], "no account shows a phantom loss"
    assert [(e.row, e.usd) for e in run.told(Event.SPLIT)] == [(2, 26_000.0)]
    assert abs(run.unexplained).max() < 1e-12


def test_the_target_of_a_rebased_token_is_restated(lab):
    market = lab.market(
        [50.0] * 4,
        bid=prices(100.0, 100.0, 10.0, 10.0),
        live=[True, True, False, True],
        actions=[(2, TOKEN, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: (0.0, 10.0), 1: (0.0, 4.0)})
    trades = [(f.row, f.size) for f in run.fills if f.reason is Reason.TARGET]
    assert trades == [(1, 10.0), (3, -60.0)]


def test_what_is_pledged_starts_the_margin_test_at_its_new_price(lab):
    # 190 long at 100; 9 tokens at 100 and 100 USD as margin. At row 2 the perp falls to 96.2 and
    # the token, split, to 8: value 100 - 722 + 720 = 98 < 456.95. From 10 (900 USD) and 100 on,
    # maintenance of 2.5% is met to the share 0.612 of the way, where the perp is at 97.67.
    market = lab.market(
        prices(100.0, 100.0, 96.2, 96.2),
        terms={"backstop_frac": 0.0},
        bid=prices(100.0, 100.0, 8.0, 8.0),
        pledged={(1, 0): {"share": 0.9}},
        actions=[(2, TOKEN, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: (190.0, 9.0)}, margin=1_000.0, liq_fill="trigger")
    (closed,) = [f for f in run.fills if f.reason is Reason.LIQUIDATION]
    along = (100.0 + 900.0 - 475.0) / (722.0 + 180.0 - 0.025 * 722.0)
    assert closed.px == pytest.approx(100.0 - 3.8 * along, abs=1e-9)


def test_a_dividend_then_a_split_in_one_hour(lab):
    # The dividend of 2 is on the 10 old units, then there are 100.
    market = lab.market(
        [50.0] * 3,
        bid=prices(100.0, 100.0, 10.0),
        actions=[(2, TOKEN, CASH, 2.0), (2, TOKEN, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: (0.0, 10.0)})
    assert run.cause("dividend")[2] == 20.0
    assert run.rows.units[2, 0] == 100.0


def test_units_that_are_locked_stay_locked_in_new_units(lab):
    # 10% of new units an hour, locked: 11 at row 2, one of them, and the target of 10 sells a free
    # one. Ten for one at row 3: 100 of which 10 are locked, and 10 more that are. A target of
    # nothing sells the 90 that are free.
    market = lab.market(
        [50.0] * 4,
        bid=prices(10.0, 10.0, 10.0, 1.0),
        apr=876.0,
        redeemable=False,
        redeem={"accrues": True},
        actions=[(3, TOKEN, SPLIT, 10.0)],
    )
    run = lab.play(market, {0: (0.0, 10.0), 2: (0.0, 0.0)})
    assert run.rows.units[:, 0].tolist() == pytest.approx([0.0, 10.0, 10.0, 20.0])
