"""Trades of tokens that are delivered or paid later, and those that fail to settle."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest

import perpkit.play
from perpkit.arrays import Event, Flow, Out, Reason, Shock, Way
from perpkit.codes import Lock, State
from perpkit.layout import blank

OPEN = {"mint_rows": 0, "buyback_rows": 0}
LOTS = {"lots_per_unit": 1.0}


def check(run):
    assert np.abs(run.unexplained).max() <= 1e-12


def kinds(run):
    return [(e.row, e.kind) for e in run.events]


# --------------------------------------------------------------------------- delivered late


def test_a_purchase_is_paid_at_once_and_delivered_later(lab):
    market = lab.market([100.0] * 7, bid=[100.0] * 7, nav=100.0, take=[Way.ISSUER],
                        issuer=OPEN | {"mint_rows": 3})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 2: [nan, 4.0]}, wallet=5_000.0)
    assert run.rows.cash_usd[1, 0] == pytest.approx(4_000.0)
    assert run.rows.units[1:4, 0].tolist() == [10.0, 10.0, 10.0]
    # Decided at 2, it is not sold before row 4.
    assert [(f.row, f.size) for f in run.fills] == [(1, 10.0), (4, -6.0)]
    assert kinds(run) == [
        (1, Event.SETTLEMENT_SENT), (3, Event.LEG_WAITS), (4, Event.SETTLED),
    ]  # fmt: skip
    assert run.played.fills["settlement_id"].tolist() == [1, 0]
    assert run.frames["fills"]["settlement_id"].to_list() == [1, None]
    assert run.rows.equity_usd.tolist() == pytest.approx([55_000.0] * 7)
    check(run)


def test_a_sale_is_paid_the_day_after_and_its_cash_counts(lab):
    # T + 1: four tokens at 101 less a fee of 1%; the price goes on without them.
    market = lab.market(
        [100.0] * 30, bid=[100.0, 100.0, *[101.0] * 28], token_fee=0.01,
        settle={"rows": [0, 0, *[24] * 28]},
    )  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 6.0]}, wallet=2_000.0)
    cash = 2_000.0 - 1_010.0
    due = 4 * 101.0 * 0.99
    assert run.rows.cash_usd[2, 0] == pytest.approx(cash)
    assert run.rows.transit_usd[2:26, 0].tolist() == pytest.approx([due] * 24)
    assert run.rows.cash_usd[26, 0] == pytest.approx(cash + due)
    assert run.rows.transit_usd[26, 0] == 0.0
    assert run.frames["equity"]["cash_usd"][10] == pytest.approx(50_000 + cash + due)
    assert kinds(run) == [(2, Event.SETTLEMENT_SENT), (26, Event.SETTLED)]
    check(run)


def test_settlement_comes_after_the_issuers_delay(lab):
    market = lab.market([100.0] * 9, bid=[100.0] * 9, nav=100.0, take=[Way.ISSUER],
                        issuer=OPEN | {"mint_rows": 2}, settle={"rows": 3})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0]})
    assert kinds(run) == [(1, Event.SETTLEMENT_SENT), (6, Event.SETTLED)]


def test_undelivered_tokens_are_shown_as_pending(lab):
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append((float(book.tokens[0].units), float(book.tokens[0].pending)))
        target.tokens[0] = 10.0

    market = lab.market([100.0] * 5, bid=[100.0] * 5, nav=100.0, take=[Way.ISSUER],
                        issuer=OPEN | {"mint_rows": 2})  # fmt: skip
    lab.play(market, decide)
    assert seen == [(0.0, 0.0), (10.0, 10.0), (10.0, 10.0), (10.0, 0.0), (10.0, 0.0)]


def test_a_payday_frees_what_accrued_and_not_what_is_under_way(lab):
    market = lab.market([100.0] * 7, bid=[1.0] * 7, apr=0.0876, redeemable=False,
                        payday=[False, False, False, True, True, False, False],
                        redeem={"accrues": True}, settle={"rows": 5})  # fmt: skip
    run = lab.play(market, {0: [nan, 1_000.0], 2: [nan, 0.0]})
    assert [(f.row, round(f.size)) for f in run.fills] == [(1, 1_000), (6, -1_000)]


# --------------------------------------------------------------------------- undone


def test_an_unwound_purchase_gives_back_what_the_token_gained_and_a_penalty(lab):
    # Ten at 100; the price rises by 2.5% until it fails, and the penalty is 10 bp of 1,000.
    fair = [100.0, 100.0, 101.0, 102.5, 102.5, 102.5]
    market = lab.market([100.0] * 6, bid=fair,
                        settle={"rows": [2] * 6, "end": [0, 1, 0, 0, 0, 0],
                                "cost_frac": [0, 0.001, 0, 0, 0, 0]})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 2: [nan, 0.0]}, wallet=5_000.0)
    assert [(f.row, f.size, f.px, f.reason) for f in run.fills] == [
        (1, 10.0, 100.0, Reason.TARGET),
        (3, -10.0, 100.0, Reason.SETTLEMENT),
    ]
    assert run.played.fills["settlement_id"].tolist() == [1, 1]
    assert run.cause("settlement")[3] == pytest.approx(-(25.0 + 1.0))
    assert run.cause("token_price")[1:4].tolist() == pytest.approx([0.0, 10.0, 15.0])
    assert run.rows.cash_usd[3, 0] == pytest.approx(4_999.0)
    assert run.rows.units[3, 0] == 0.0
    (paid,) = run.paid(Flow.SETTLEMENT_COST)
    assert (paid.row, paid.rate, paid.usd) == (3, 0.001, pytest.approx(-1.0))
    assert Event.UNWOUND in {e.kind for e in run.events}
    check(run)


def test_an_unwound_sale_brings_the_tokens_back_and_its_fee_is_lost(lab):
    fair = [100.0, 100.0, 100.0, 97.5, 97.5]
    market = lab.market([100.0] * 5, bid=fair, token_fee=0.01,
                        settle={"rows": [0, 0, 1, 9, 9], "end": [0, 0, 1, 0, 0]})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0], 2: [nan, 10.0]}, wallet=5_000.0)
    assert [(f.row, f.size, f.reason) for f in run.fills] == [
        (1, 10.0, Reason.TARGET), (2, -10.0, Reason.TARGET), (3, 10.0, Reason.SETTLEMENT),
    ]  # fmt: skip
    assert run.cause("settlement")[3] == pytest.approx(-25.0)  # back at 100, worth 97.5
    assert run.rows.cash_usd[3, 0] == pytest.approx(5_000 - 1_010 - 10)
    assert run.rows.units[3, 0] == 10.0
    check(run)


def test_what_fails_is_tried_again_as_the_target_stands(lab):
    market = lab.market([100.0] * 6, bid=[100.0] * 6,
                        settle={"rows": [1] * 6, "end": [1, 1, 0, 0, 0, 0]})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0]})
    assert [(f.row, f.size) for f in run.fills] == [(1, 10.0), (2, -10.0), (2, 10.0)]
    assert run.played.fills["settlement_id"].tolist() == [1, 1, 2]
    assert run.rows.units[-1, 0] == 10.0


def test_a_trade_may_end_within_its_hour(lab):
    settle = {"rows": [0] * 5, "end": [0, 1, 0, 0, 0], "cost_frac": [0, 0.001, 0.002, 0, 0]}
    run = lab.play(lab.market([100.0] * 5, bid=[100.0] * 5, settle=settle), {0: [nan, 10.0]})
    assert [(f.row, f.size) for f in run.fills] == [(1, 10.0), (1, -10.0), (2, 10.0)]
    assert [(p.row, p.usd) for p in run.paid(Flow.SETTLEMENT_COST)] == [
        (1, pytest.approx(-1.0)), (2, pytest.approx(-2.0)),
    ]  # fmt: skip
    assert kinds(run) == [
        (1, Event.SETTLEMENT_SENT), (1, Event.UNWOUND), (2, Event.SETTLEMENT_SENT),
        (2, Event.SETTLED),
    ]  # fmt: skip
    check(run)


# --------------------------------------------------------------------------- the hedge


def hedged(lab, hours=8, **told):
    settle = {"rows": 2, **told.pop("settle", {})}
    return lab.market([100.0] * hours, terms=LOTS, token=[0], bid=[100.0] * hours, settle=settle,
                      **told)  # fmt: skip


def test_a_short_waits_for_its_tokens(lab):
    run = lab.play(hedged(lab), {0: [-10.0, 10.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [(1, 1, 10.0), (3, 0, -10.0)]
    # Long without a hedge meanwhile, and told so.
    assert run.frames["equity"]["net_delta_usd"].to_list()[:4] == [0.0, 1_000.0, 1_000.0, 0.0]


def test_each_leg_on_its_own_does_not_wait(lab):
    run = lab.play(hedged(lab), {0: [-10.0, 10.0]}, pair="each")
    assert [(f.row, f.instrument) for f in run.fills] == [(1, 1), (1, 0)]


def test_a_short_never_follows_tokens_that_do_not_come(lab):
    market = hedged(lab, settle={"end": [0, 1, 0, 1, 0, 0, 0, 0]})
    run = lab.play(market, {0: [-10.0, 10.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [
        (1, 1, 10.0), (3, 1, -10.0), (3, 1, 10.0), (5, 1, -10.0), (5, 1, 10.0), (7, 0, -10.0),
    ]  # fmt: skip


def test_a_purchase_is_cut_to_what_its_hedge_will_be_allowed(lab):
    # 150 USD carry thirty at 20x; the wallet would pay for fifty.
    run = lab.play(hedged(lab), {0: [-50.0, 50.0]}, wallet=5_000.0, margin=150.0)
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [(1, 1, 30.0), (3, 0, -30.0)]
    assert kinds(run)[:2] == [(1, Event.TRIMMED), (1, Event.SETTLEMENT_SENT)]


def test_a_short_catches_up_before_more_is_bought(lab):
    # Cash for thirty of fifty: what is delivered is hedged although the rest can not be paid.
    run = lab.play(hedged(lab), {0: [-50.0, 50.0]}, wallet=3_000.0)
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [
        (1, 1, pytest.approx(30.0)),
        (3, 0, -30.0),
    ]


def test_both_legs_are_cut_to_what_the_way_takes(lab):
    # A pool of a hundred sells fifty in an hour, and an issuer 1,500 USD in a day.
    told = {"terms": LOTS, "token": [0], "bid": [100.0] * 4}
    pool = lab.market([100.0] * 4, liquidity=20_000.0, take=[Way.DEX], **told)
    run = lab.play(pool, {0: [-80.0, 80.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [
        (1, 1, 50.0), (1, 0, -50.0), (2, 1, 30.0), (2, 0, -30.0),
    ]  # fmt: skip
    issuer = lab.market([100.0] * 4, nav=100.0, take=[Way.ISSUER],
                        issuer=OPEN | {"inventory_usd": 1_550.0}, **told)  # fmt: skip
    run = lab.play(issuer, {0: [-10.0, 10.0], 1: [0.0, 0.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills] == [
        (1, 1, 10.0), (1, 0, -10.0), (2, 1, -5.0), (2, 0, 5.0),
    ]  # fmt: skip
    # Half a lot of the perp would be left: neither leg moves for it.
    assert run.rows.units[-1, 0] == -run.rows.position[-1, 0] == 5.0


def test_a_hedge_is_closed_together_and_the_cash_comes_later(lab):
    market = hedged(lab, 8)
    run = lab.play(market, {0: [-10.0, 10.0], 3: [0.0, 0.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills[2:]] == [(4, 1, -10.0), (4, 0, 10.0)]
    assert run.rows.transit_usd[4:7, 0].tolist() == [1_000.0, 1_000.0, 0.0]
    check(run)


def test_neither_leg_is_closed_while_a_purchase_is_under_way(lab):
    # Ten more are bought at 4 and come at 6; asked for at 4, the way out is taken at 6.
    run = lab.play(hedged(lab, 9), {0: [-10.0, 10.0], 3: [-20.0, 20.0], 4: [0.0, 0.0]})
    assert [(f.row, f.instrument, f.size) for f in run.fills[2:]] == [
        (4, 1, 10.0), (6, 1, -20.0), (6, 0, 10.0),
    ]  # fmt: skip


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_a_failed_venue_leaves_what_is_under_way(lab, share):
    market = hedged(lab, shocks=[(2, Shock.VENUE_FAILURE, -1, 1, share)])
    run = lab.play(market, {0: [-10.0, 10.0]})
    assert run.rows.units[:, 0].tolist() == [0.0, *[10.0] * 7]
    assert (3, Event.SETTLED) in kinds(run)
    check(run)


def test_a_sale_under_way_is_counted_in_the_wallets_currency(lab):
    market = hedged(lab)
    px = np.ones((8, 2))
    px[5:] = 0.9
    market = replace(market, tape=market.tape._replace(cash_px=px))
    run = lab.play(market, {0: [nan, 10.0], 3: [nan, 0.0]}, wallet=5_000.0)
    # 1,000 are due from row 4 on, and worth 900 from 5 on.
    assert run.rows.transit_usd[4:6, 0].tolist() == [1_000.0, 1_000.0]
    assert run.cause("token_price")[5] == pytest.approx(-0.1 * 55_000)
    check(run)


@pytest.mark.parametrize("seed", range(4))
def test_what_settles_within_the_hour_at_no_cost_changes_nothing(lab, seed):
    market = lab.random_market(seed, 60)
    grid = np.zeros((60, 2))
    tape = market.tape._replace(
        settle_rows=grid.astype(np.int64),
        settle_end=grid.astype(np.int8),
        settle_cost_frac=grid,
        settle_state=grid.astype(np.int8),
    )
    told = {"wallet": 9_000.0, "margin": 3_000.0}
    plain = lab.play(market, lab.random_plan(seed, 60), **told)
    settled = lab.play(replace(market, tape=tape), lab.random_plan(seed, 60), **told)
    assert plain.fills
    assert (plain.fills, plain.payments, plain.events) == (
        settled.fills, settled.payments, settled.events,
    )  # fmt: skip
    assert plain.rows.equity_usd.tolist() == settled.rows.equity_usd.tolist()


# --------------------------------------------------------------------------- room


def test_buffers_for_one_hour_hold_all_that_legs_write(lab, monkeypatch):
    def run(seed):
        market, rng = lab.random_market(seed, 60), np.random.default_rng(seed)
        shape = (60, 2)
        tape = market.tape._replace(
            settle_rows=rng.integers(0, 3, shape),
            settle_end=(rng.random(shape) < 0.4).astype(np.int8),
            settle_cost_frac=rng.choice([0.0, 0.001], shape),
            settle_state=np.full(shape, State.UNWOUND, np.int8),
        )
        told = {"wallet": 9_000.0, "margin": 3_000.0, "pair": "each"}
        return lab.play(replace(market, tape=tape), lab.random_plan(seed, 60), **told)

    whole = [run(seed) for seed in range(4)]
    assert all(run.told(Event.UNWOUND) for run in whole)
    set_up = perpkit.play.set_up

    def small(*args):
        stage = set_up(*args)
        # Four instruments and three accounts, as has_room counts an hour.
        out = blank(Out, fills=48, payments=46, events=84, three=3)
        stage.ledger = stage.ledger._replace(out=out)
        return stage

    monkeypatch.setattr(perpkit.play, "set_up", small)
    for seed, one in enumerate(whole):
        again = run(seed)
        assert again.rows.equity_usd.tolist() == one.rows.equity_usd.tolist()
        assert (again.fills, again.payments, again.events) == (one.fills, one.payments, one.events)


# --------------------------------------------------------------------------- locks


@pytest.mark.parametrize("lock", [Lock.RECEIVE, Lock.SELL, Lock.ISSUER])
def test_who_may_not_receive_any_more_gets_the_cash_back(lab, lock):
    # Bought in row 1, due in row 4; the holder is barred from row 3 on, the token worth 102.
    fair = [100.0, 100.0, 100.0, 102.0, 102.0, 102.0]
    locks = [0, 0, 0, int(lock), int(lock), int(lock)]
    market = lab.market([100.0] * 6, bid=fair, lock=locks, settle={"rows": 3})
    run = lab.play(market, {0: [nan, 10.0]}, wallet=5_000.0)
    assert run.rows.units[:, 0].tolist() == [0.0, 10.0, 10.0, 10.0, 0.0, 0.0]
    assert run.rows.cash_usd[4, 0] == pytest.approx(5_000.0)
    assert run.cause("settlement")[4] == pytest.approx(-20.0)
    (undone,) = run.told(Event.UNWOUND)
    assert (undone.row, undone.usd) == (4, 1_000.0)
    said = run.frames["events"].filter(kind="unwound")["detail"][0]
    assert said.endswith("is undone: its holder may not receive it any more")
    check(run)


def test_what_nobody_may_move_is_delivered_when_it_may_be(lab):
    # Due in row 3, paused from 2 to 4: delivered in row 5, and only then for sale.
    market = lab.market([100.0] * 8, bid=[100.0] * 8, settle={"rows": 2},
                        lock=[0, 0, 4, 4, 4, 0, 0, 0])  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 5: [nan, 0.0]})
    assert run.told(Event.SETTLED)[0].row == 5
    assert [(f.row, f.size) for f in run.fills] == [(1, 10.0), (6, -10.0)]
    check(run)


@pytest.mark.parametrize("lock", [Lock.RECEIVE, Lock.SELL])
def test_a_sale_under_way_is_paid_although_its_holder_is_barred(lab, lock):
    locks = [0, 0, 0, *[int(lock)] * 4]
    market = lab.market([100.0] * 7, bid=[100.0] * 7, lock=locks,
                        settle={"rows": [0, 0, 3, 0, 0, 0, 0]})  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 0.0]}, wallet=5_000.0)
    assert kinds(run)[-1] == (5, Event.SETTLED)
    assert run.rows.cash_usd[5, 0] == pytest.approx(5_000.0)


# --------------------------------------------------------------------------- currency and margin


def test_what_is_undone_is_paid_back_in_the_currency_it_was_paid_in(lab):
    # 1,000 paid at a dollar; the currency is worth 0.9 when the trade is undone.
    market = lab.market([100.0] * 5, bid=[100.0] * 5, settle={"rows": 2, "end": 1})
    px = np.ones((5, 2))
    px[2:] = 0.9
    run = lab.play(replace(market, tape=market.tape._replace(cash_px=px)), {0: [nan, 10.0]},
                   wallet=5_000.0)  # fmt: skip
    assert run.rows.cash_usd[[1, 2], 0].tolist() == pytest.approx([4_000.0, 4_000.0])
    back = next(f for f in run.fills if f.reason == Reason.SETTLEMENT)
    assert (back.row, back.px) == (3, 90.0)
    assert run.cause("settlement")[3] == pytest.approx(-100.0)
    check(run)


def two_hedges(lab, **told):
    flat = [[100.0, 100.0]] * 8
    return lab.market(flat, terms=LOTS, token=[0, 1], bid=flat, **told)


def test_late_hedges_of_one_hour_leave_each_other_their_margin(lab):
    # 75 USD carry fifteen at 20x: ten of the first, and five of the second pair.
    market = two_hedges(lab, settle={"rows": 2})
    run = lab.play(market, {0: [-10.0, -10.0, 10.0, 10.0]}, wallet=9_000.0, margin=75.0)
    assert run.rows.units[1].tolist() == [10.0, 5.0]
    assert run.rows.position[3].tolist() == [-10.0, -5.0]


def test_margin_of_a_hedge_under_way_is_not_taken_by_a_later_order(lab):
    # The first pair waits from row 1 to row 5; the second is asked for in between.
    market = two_hedges(lab, settle={"rows": [[4, 0]] * 8})
    plan = {0: [-10.0, 0.0, 10.0, 0.0], 1: [-10.0, -10.0, 10.0, 10.0]}
    run = lab.play(market, plan, wallet=9_000.0, margin=75.0)
    assert run.rows.position[2].tolist() == [0.0, -5.0]
    assert run.rows.position[5].tolist() == [-10.0, -5.0]


def test_margin_of_a_hedge_under_way_is_not_taken_by_an_order_listed_before_it(lab):
    market = two_hedges(lab, settle={"rows": [[0, 4]] * 8})
    plan = {0: [0.0, -10.0, 0.0, 10.0], 1: [-10.0, -10.0, 10.0, 10.0]}
    run = lab.play(market, plan, wallet=9_000.0, margin=75.0)
    assert run.rows.position[2].tolist() == [-5.0, 0.0]
    assert run.rows.position[5].tolist() == [-5.0, -10.0]


def test_a_short_is_made_good_while_more_tokens_are_under_way(lab):
    # Ten held and hedged, ten more under way from row 4 to 8; half of the short is closed in row 5.
    market = lab.market([100.0] * 10, terms=LOTS, token=[0], bid=[100.0] * 10,
                        settle={"rows": [2, 2, 2, 2, 4, 0, 0, 0, 0, 0]},
                        shocks=[(5, Shock.ADL, 0, -1, 0.5)])  # fmt: skip
    run = lab.play(market, {0: [-10.0, 10.0], 3: [-20.0, 20.0], 5: [-20.0, 20.0]})
    assert run.rows.position[3:, 0].tolist() == [-10.0, -10.0, -5.0, -10.0, -10.0, *[-20.0] * 2]


def test_a_short_without_tokens_does_not_wait_for_those_of_others(lab):
    market = two_hedges(lab, settle={"rows": [[6, 0]] * 8})
    run = lab.play(market, {0: [-10.0, 0.0, 10.0, nan], 1: [-10.0, -5.0, 10.0, nan]},
                   wallet=9_000.0)  # fmt: skip
    assert run.rows.position[[1, 2, 7]].tolist() == [[0.0, 0.0], [0.0, -5.0], [-10.0, -5.0]]


# --------------------------------------------------------------------------- redemptions


def test_settling_a_redemption_costs_when_it_is_paid(lab):
    # What the call of row 2 asks back at a NAV of 1 is paid in row 4, less 0.5% of it.
    rising = [100.0, 100.0, 112.0, 112.0, 112.0, 112.0, 112.0]
    told = {"bid": [1.0] * 7, "nav": 1.0, "redeemable": True, "redeem": {"hours": 2}}
    market = lab.market(rising, pledged={(0, 0): {"share": 1.0}},
                        settle={"redeem_cost_frac": 0.005}, **told)  # fmt: skip
    run = lab.play(market, {0: [-50.0, nan]}, wallet=1_000.0, margin=1_000.0, redeem=True,
                   topup_at_ratio=0.25, topup_to_ratio=0.125)  # fmt: skip
    sent, paid = run.told(Event.REDEEM_SENT)[0], run.told(Event.REDEEM_PAID)[0]
    cost = run.paid(Flow.SETTLEMENT_COST)[0]
    assert (sent.row, paid.row, cost.row) == (2, 4, 4)
    assert cost.usd == pytest.approx(-0.005 * paid.usd)
    assert run.cause("settlement")[4] == pytest.approx(cost.usd)
    check(run)
