"""The margin test, what a liquidation is done at, and what it leaves.

Source: Hyperliquid documentation, trading/liquidations. An account whose value falls below its
maintenance is closed on the book; below two thirds of it the backstop takes the account over and
keeps the margin; below zero the venue bears the loss.
"""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from perpkit.arrays import Event, Flow, Reason

# Entry = price = 200, size 10: leverage, highest, side, liquidation, backstop, bankruptcy price.
# Backstop: (2000 -+ margin) / (10 x (1 -+ 2/3 of the maintenance rate)), for example
# (2000 - 200) / (10 x (1 - 0.025 x 2/3)) = 1800 / 9.83333 = 183.0508.
TABLE = [
    (10, 20, 1, 184.6154, 183.0508, 180.0),
    (20, 20, 1, 194.8718, 193.2203, 190.0),
    (10, 10, 1, 189.4737, 186.2069, 180.0),
    (5, 10, 1, 168.4211, 165.5172, 160.0),
    (10, 20, -1, 214.6341, 216.3934, 220.0),
    (20, 20, -1, 204.8780, 206.5574, 210.0),
    (10, 10, -1, 209.5238, 212.9032, 220.0),
    (5, 10, -1, 228.5714, 232.2581, 240.0),
]
COLUMNS = ("leverage", "highest", "side", "trigger", "backstop", "bankrupt")


def terms_of(leverage, highest, **more):
    return {"initial_frac": 1.0 / leverage, "maintenance_frac": 0.5 / highest, **more}


def hit(lab, side, extreme, terms, *, margin=200.0, late=None, **settings):
    """Ten units filled at 200 in row 1; row 2 starts and ends at 200 and touches ``extreme``.

    ``late`` are terms from row 2 on: a fee that the opening did not pay.
    """
    eras = {"era": [0, 0, 1, 1], "terms": [terms, {**terms, **(late or {})}]}
    market = lab.market([200.0] * 4, high=[200, 200, max(extreme, 200), 200],
                        low=[200, 200, min(extreme, 200), 200], **eras)  # fmt: skip
    return lab.play(market, {0: [side * 10.0]}, margin=margin, **settings)


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_backstop_takes_the_account_at_its_price_and_keeps_the_margin(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    terms, margin = terms_of(leverage, highest), 2_000.0 / leverage
    for extreme in (backstop + side * -0.01, bankrupt, 200.0 - side * 90.0):
        run = hit(lab, side, extreme, terms, margin=margin, late={"fee_frac": 0.0009})
        forced = run.fills[1]
        assert (forced.row, forced.reason, forced.size) == (2, Reason.BACKSTOP, -side * 10.0)
        assert forced.px == pytest.approx(backstop, abs=5e-5)
        assert forced.fee_usd == 0.0
        # Nothing is left, nobody bears a loss, and all of it is called liquidation.
        assert run.rows.cash_usd[2, 1] == 0.0
        assert run.rows.position[2:, 0].tolist() == [0.0, 0.0]
        assert run.cause("liquidation").tolist() == pytest.approx([0, 0, -margin, 0])
        assert run.cause("perp_price").tolist() == [0.0] * 4
        assert run.paid(Flow.BAD_DEBT) == []
        (kept,) = run.paid(Flow.MARGIN_LOST)
        assert kept.usd == pytest.approx(-(margin - 10 * abs(backstop - 200)), abs=1e-3)
        assert [e.kind for e in run.events] == [Event.BACKSTOP]
        assert np.abs(run.unexplained).max() < 1e-12


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_between_trigger_and_backstop_the_book_closes_at_the_extreme_and_the_rest_stays(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    extreme, margin = 0.5 * (trigger + backstop), 2_000.0 / leverage
    run = hit(lab, side, extreme, terms_of(leverage, highest), margin=margin)
    forced = run.fills[1]
    assert forced.reason == Reason.LIQUIDATION
    assert forced.px == pytest.approx(extreme)
    left = margin - 10.0 * abs(extreme - 200.0)
    assert left > 0.0
    assert run.rows.cash_usd[2:, 1].tolist() == pytest.approx([left, left])
    assert run.cause("liquidation")[2] == pytest.approx(left - margin)
    assert [e.kind for e in run.events] == [Event.LIQUIDATION]


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_without_a_backstop_the_venue_bears_what_lies_beyond_bankruptcy(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    terms, margin = terms_of(leverage, highest, backstop_frac=nan), 2_000.0 / leverage
    run = hit(lab, side, bankrupt - side * 7.0, terms, margin=margin)
    forced = run.fills[1]
    assert forced.reason == Reason.LIQUIDATION
    assert forced.px == pytest.approx(bankrupt - side * 7.0)
    # 7 USD beyond bankruptcy on 10 units: 70 are missing.
    assert run.rows.cash_usd[2, 1] == 0.0
    assert run.cause("liquidation")[2] == pytest.approx(-margin - 70.0)
    assert run.cause("bad_debt")[2] == pytest.approx(70.0)
    assert run.told(Event.BAD_DEBT)[0].usd == pytest.approx(70.0)
    assert np.abs(run.unexplained).max() < 1e-12


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_each_price_of_the_table_holds_to_the_cent(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    terms, margin = terms_of(leverage, highest), 2_000.0 / leverage
    alone = {**terms, "backstop_frac": nan}

    def reasons(extreme):
        return [f.reason for f in hit(lab, side, extreme, terms, margin=margin).fills[1:]]

    assert reasons(trigger + side * 0.01) == []
    assert reasons(trigger - side * 0.01) == [Reason.LIQUIDATION]
    assert reasons(backstop + side * 0.01) == [Reason.LIQUIDATION]
    assert reasons(backstop - side * 0.01) == [Reason.BACKSTOP]
    # Ten units a cent before bankruptcy leave ten cents, a cent beyond it the venue bears them.
    short = hit(lab, side, bankrupt + side * 0.01, alone, margin=margin)
    assert short.rows.cash_usd[2, 1] == pytest.approx(0.1)
    assert short.paid(Flow.BAD_DEBT) == []
    none = hit(lab, side, bankrupt, alone, margin=margin)
    assert none.rows.cash_usd[2, 1] == 0.0
    assert none.paid(Flow.BAD_DEBT) == []
    (debt,) = hit(lab, side, bankrupt - side * 0.01, alone, margin=margin).paid(Flow.BAD_DEBT)
    assert debt.usd == pytest.approx(0.1)


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_liq_fill_trigger_closes_where_the_requirement_is_first_missed(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    margin = 2_000.0 / leverage
    for extreme in (0.5 * (trigger + backstop), bankrupt - side * 7.0):
        terms = terms_of(leverage, highest)
        run = hit(lab, side, extreme, terms, margin=margin, liq_fill="trigger")
        forced = run.fills[1]
        assert forced.reason == Reason.LIQUIDATION
        assert forced.px == pytest.approx(trigger, abs=5e-5)
        # What is left is the maintenance at the trigger.
        assert run.rows.cash_usd[2, 1] == pytest.approx(10 * trigger * 0.5 / highest, abs=1e-3)


@pytest.mark.parametrize(
    ("side", "extreme", "expected", "left"),
    [
        # Short: 215 x 1.001 = 215.215; 200 - 152.15 - fee 2152.15 x 0.0009 = 1.936935.
        (-1.0, 215.0, 215.215, 45.913065),
        # Long: 184 x 0.999 = 183.816; 200 - 161.84 - fee 1838.16 x 0.0009 = 1.654344.
        (1.0, 184.0, 183.816, 36.505656),
    ],
)
def test_liquidation_on_the_book_pays_spread_impact_and_fee(lab, side, extreme, expected, left):
    late = {"fee_frac": 0.0009, "cost_frac": 0.001}
    run = hit(lab, side, extreme, terms_of(10, 20), late=late)
    forced = run.fills[1]
    assert (forced.reason, forced.px) == (Reason.LIQUIDATION, pytest.approx(expected))
    assert run.rows.cash_usd[2, 1] == pytest.approx(left)
    assert run.cause("liquidation")[2] == pytest.approx(-10.0 * abs(expected - 200.0))
    assert run.cause("fees")[2] == pytest.approx(-10.0 * expected * 0.0009)


def test_cost_cannot_push_a_fill_beyond_the_backstop(lab):
    # 216.3 is short of the backstop at 216.3934, but 216.3 x 1.001 is beyond it.
    run = hit(lab, -1.0, 216.3, terms_of(10, 20))
    assert (run.fills[1].reason, run.fills[1].px) == (Reason.LIQUIDATION, pytest.approx(216.3))
    run = hit(lab, -1.0, 216.3, terms_of(10, 20), late={"cost_frac": 0.001})
    assert run.fills[1].reason == Reason.BACKSTOP
    assert run.fills[1].px == pytest.approx(216.3934, abs=5e-5)


# --------------------------------------------------------------------------- when


@pytest.mark.parametrize(COLUMNS, TABLE)
def test_nothing_happens_just_short_of_the_trigger(
    lab, leverage, highest, side, trigger, backstop, bankrupt
):
    terms, margin = terms_of(leverage, highest), 2_000.0 / leverage
    run = hit(lab, side, trigger + side * 1e-4, terms, margin=margin)
    assert run.rows.position[:, 0].tolist() == [0.0, side * 10.0, side * 10.0, side * 10.0]
    assert run.events == []
    assert hit(lab, side, trigger - side * 1e-4, terms, margin=margin).rows.position[2, 0] == 0.0


def test_exactly_the_maintenance_is_enough(lab):
    # Rates that floats hold: maintenance 25%, short 10 at 200 with 1,000. At 240 the value is 600
    # and a quarter of 2,400 is 600.
    terms = {"initial_frac": 0.5, "maintenance_frac": 0.25}
    assert hit(lab, -1.0, 240.0, terms, margin=1_000.0).rows.position[2, 0] == -10.0
    assert hit(lab, -1.0, 240.0001, terms, margin=1_000.0).rows.position[2, 0] == 0.0


def test_the_extreme_on_the_other_side_is_no_danger(lab):
    for side in (1.0, -1.0):
        assert hit(lab, side, 200.0 + side * 100.0, terms_of(10, 20)).events == []


def test_only_the_account_that_fails_is_closed(lab):
    market = lab.market([[200.0, 200.0]] * 3, high=[[200, 200], [200, 200], [230, 230]],
                        account=[1, 2], terms=terms_of(10, 20))  # fmt: skip
    run = lab.play(market, {0: [-10.0, -3.0]}, margin=400.0)
    assert run.rows.position[2].tolist() == [0.0, -3.0]
    assert run.rows.cash_usd[2].tolist() == pytest.approx([50_000.0, 0.0, 200.0])
    assert {e.account for e in run.events} == {1}


# --------------------------------------------------------------------------- a cross account

# Cash 600; long 10 at 200 (maintenance 2.5%), short 5 at 400 (5%); L = 170, H = 480. A share s of
# the way: value 600 - 700 s, maintenance 50 - 7.5 s + 100 + 20 s = 150 + 12.5 s.
CROSS = {"initial_frac": 0.05, "maintenance_frac": [0.025, 0.05]}


def cross(lab, terms=CROSS, ends=(200.0, 400.0), **settings):
    marks = [[200.0, 400.0], [200.0, 400.0], ends, ends]
    market = lab.market(marks, low=[[200, 400], [200, 400], [170, 400], [200, 400]],
                        high=[[200, 400], [200, 400], [200, 480], [200, 400]],
                        terms=terms)  # fmt: skip
    return lab.play(market, {0: [10.0, -5.0]}, margin=600.0, **settings)


def test_backstop_of_a_cross_account_lies_on_the_straight_path_of_all_its_prices(lab):
    # 600 - 700 s equals 2/3 of the maintenance at s = 12/17: 200 - 30 s = 178.8235 and
    # 400 + 80 s = 456.4706; the margin left there, 600 - 700 x 12/17 = 105.8824, is lost.
    run = cross(lab)
    forced = run.fills[2:]
    assert [f.reason for f in forced] == [Reason.BACKSTOP] * 2
    assert [f.px for f in forced] == pytest.approx([178.823529, 456.470588])
    assert run.paid(Flow.MARGIN_LOST)[0].usd == pytest.approx(-105.882353)
    assert run.rows.cash_usd[2, 1] == 0.0
    assert run.cause("liquidation")[2] == pytest.approx(-600.0)


def test_the_path_starts_at_the_mark_of_the_hour_before(lab):
    # Where the hour ends, 190 and 440, moves nothing but the split of the loss: 10 x 10 and 5 x 40
    # are what the marks did.
    run = cross(lab, ends=(190.0, 440.0))
    assert [f.px for f in run.fills[2:]] == pytest.approx([178.823529, 456.470588])
    assert run.cause("perp_price")[2] == pytest.approx(-300.0)
    assert run.cause("liquidation")[2] == pytest.approx(-300.0)


def test_trigger_of_a_cross_account_lies_on_the_same_path(lab):
    # 600 - 700 s equals 150 + 12.5 s at s = 12/19: 181.0526 and 450.5263; 600 - 8400/19 stays.
    run = cross(lab, liq_fill="trigger")
    assert [f.px for f in run.fills[2:]] == pytest.approx([181.052632, 450.526316])
    assert run.rows.cash_usd[2, 1] == pytest.approx(157.894737)


def test_cross_account_without_a_backstop_closes_every_leg_at_its_own_extreme(lab):
    # 10 x -30 and 5 x -80: 700 lost on 600.
    run = cross(lab, {**CROSS, "backstop_frac": nan})
    assert [f.px for f in run.fills[2:]] == pytest.approx([170.0, 480.0])
    assert run.cause("bad_debt")[2] == pytest.approx(100.0)
    assert run.cause("liquidation")[2] == pytest.approx(-700.0)


def test_profit_of_one_leg_carries_the_other_in_a_cross_account(lab):
    # The short's 350 of loss are covered by 300 of the long's profit up to row 2.
    marks = [[200.0, 400.0], [200.0, 400.0], [230.0, 470.0]]
    market = lab.market(marks, terms=CROSS)
    run = lab.play(market, {0: [10.0, -5.0]}, margin=600.0)
    # Tested at its own worst: the long at L = 200 and the short at H = 470 leave 600 - 350 = 250
    # against 50 + 117.5.
    assert run.events == []
    # With 500 the same hour leaves 150 against 167.5, though at the mark all is well.
    run = lab.play(market, {0: [10.0, -5.0]}, margin=500.0)
    assert [e.kind for e in run.events] == [Event.LIQUIDATION] * 2


# --------------------------------------------------------------------------- afterwards


def test_liquidation_cancels_the_target_of_its_perp(lab):
    # The target of -20 waits in a stale row 2, where the account is liquidated.
    market = lab.market([200.0] * 5, high=[200, 200, 215, 200, 200], terms=terms_of(10, 20),
                        stale=[False, False, True, False, False])  # fmt: skip
    plan = {0: [-10.0], 1: [-20.0]}
    run = lab.play(market, plan, margin=200.0, after_liquidation="resume")
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, 0.0, 0.0, 0.0]
    assert run.told(Event.REENTRY_REFUSED) == []


def hedged(lab, **settings):
    """A hedge liquidated in row 2, whose strategy wants both legs again from row 3 on."""
    market = lab.market([200.0] * 7, high=[200, 200, 215, 200, 200, 200, 200], token=[0],
                        bid=[200.0] * 7, terms=terms_of(10, 20))  # fmt: skip
    plan = {0: [-10.0, 10.0], 3: [-1.0, 12.0], 5: [nan, 2.0]}
    return lab.play(market, plan, margin=200.0, **settings)


def test_after_liquidation_stop_refuses_both_legs_and_says_so(lab):
    run = hedged(lab)
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    # The token is kept, not added to; it may be sold.
    assert run.rows.units[:, 0].tolist() == [0.0, 10.0, 10.0, 10.0, 10.0, 10.0, 2.0]
    (refused,) = run.told(Event.REENTRY_REFUSED)
    assert (refused.row, refused.instrument, refused.usd) == (4, 0, pytest.approx(200.0))


def test_after_liquidation_resume_enters_again(lab):
    run = hedged(lab, after_liquidation="resume")
    assert run.rows.position[4:6, 0].tolist() == [-1.0, -1.0]
    assert run.rows.units[4:6, 0].tolist() == [12.0, 12.0]
    assert run.told(Event.REENTRY_REFUSED) == []


@pytest.mark.parametrize("after", ["stop", "resume"])
def test_liquidation_cancels_what_stands_of_the_hedge(lab, after):
    # 40 USD are margin for four of the ten units at 5%, six stay standing with their tokens.
    market = lab.market([200.0] * 5, high=[200, 200, 300, 200, 200], token=[0], bid=[200.0] * 5,
                        terms={"lots_per_unit": 1.0})  # fmt: skip
    run = lab.play(market, {0: [-10.0, 10.0]}, margin=40.0, after_liquidation=after)
    assert run.rows.position[:, 0].tolist() == [0.0, -4.0, 0.0, 0.0, 0.0]
    assert run.rows.units[:, 0].tolist() == [0.0, 4.0, 4.0, 4.0, 4.0]


def test_an_account_without_positions_does_not_stay_below_zero(lab):
    # Long 10 at 100 on 100 USD, closed by its target at a mid of 80 while the mark is at 100.
    market = lab.market([100.0] * 5, mid=[100.0, 100.0, 80.0, 80.0, 80.0])
    run = lab.play(market, {0: [10.0], 1: [0.0]}, margin=100.0)
    assert run.rows.cash_usd[3:, 1].tolist() == [0.0, 0.0]
    assert run.cause("bad_debt").sum() == pytest.approx(100.0)


def test_stop_bars_the_coins_that_were_open_and_no_others(lab):
    market = lab.market([[200.0, 200.0]] * 6, high=[200, 200, 215, 200, 200, 200],
                        terms=terms_of(10, 20))  # fmt: skip
    run = lab.play(market, {0: [-10.0, nan], 3: [-1.0, -1.0]}, margin=200.0)
    assert run.rows.position[4].tolist() == [0.0, -1.0]


def test_no_liquidation_price_remains(lab):
    run = hit(lab, -1.0, 300.0, terms_of(10, 20))
    assert [isnan(x) for x in run.rows.liquidation_px[:, 0]] == [True, False, True, True]
    assert run.frames["equity"]["margin_ratio"].to_list()[2:] == [0.0, 0.0]
