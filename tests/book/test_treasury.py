"""Cash between the wallet and the margin accounts: when it leaves, arrives, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Flow, Reason
from perpkit.errors import RequestError
from perpkit.tape.redemption import in_session
from perpkit.units import HOUR_NS, to_ns

# Short 50 at 100 on 1,000 USD. At 110: value 500, maintenance 5,500 x 2.5% = 137.5, ratio 0.275.
# A ratio of 0.125 needs 137.5 / 0.125 = 1,100: 600 more.
MARKS = [100.0, 100.0, 110.0, 110.0, 110.0, 110.0]
TOP_UP = {
    "topup_at_ratio": 0.25,
    "topup_to_ratio": 0.125,
    "transfer_hours": 2,
    "transfer_cost_usd": 2.0,
}


def topped(lab, *, marks=MARKS, wallet=5_000.0, margin=1_000.0, plan=None, **settings):
    told = {**TOP_UP, **settings}
    return lab.play(lab.market(marks), plan or {0: [-50.0]}, wallet=wallet, margin=margin, **told)


def test_cash_is_sent_when_the_ratio_passes_and_arrives_hours_later(lab):
    run = topped(lab)
    cash, transit = run.rows.cash_usd, run.rows.transit_usd
    # 600 and 2 of cost leave the wallet in row 2; row 4 is two hours on.
    assert cash[:, 0].tolist() == [5_000.0, 5_000.0, 4_398.0, 4_398.0, 4_398.0, 4_398.0]
    assert transit[:, 1].tolist() == [0.0, 0.0, 600.0, 600.0, 0.0, 0.0]
    assert cash[:, 1].tolist() == [1_000.0] * 4 + [1_600.0] * 2
    ratio = run.frames["equity"]["margin_ratio"].to_list()
    assert ratio == pytest.approx([0.0, 0.125, 0.275, 0.275, 0.125, 0.125])
    assert [(e.row, e.kind, e.account, e.usd) for e in run.events] == [
        (2, Event.TRANSFER_SENT, 1, 600.0),
        (4, Event.TRANSFER_ARRIVED, 1, 600.0),
    ]


def test_equity_is_unchanged_but_for_the_cost_while_cash_is_under_way(lab):
    run = topped(lab)
    # 6,000 less the loss of 500 and less 2.
    assert run.rows.equity_usd.tolist() == [6_000.0, 6_000.0] + [5_498.0] * 4
    assert run.frames["equity"]["cash_usd"].to_list()[2:] == [5_998.0] * 4
    assert run.cause("transfer").tolist() == [0.0, 0.0, -2.0, 0.0, 0.0, 0.0]
    (cost,) = run.paid(Flow.TRANSFER)
    assert (cost.row, cost.account, cost.usd) == (2, 0, -2.0)
    assert np.abs(run.unexplained).max() < 1e-12


def test_a_ratio_at_the_trigger_sends_nothing(lab):
    # 137.5 / 500 is 0.275.
    assert topped(lab, topup_at_ratio=0.275).events == []
    assert topped(lab, topup_at_ratio=0.2749).events != []


def test_without_a_trigger_nothing_is_ever_sent(lab):
    run = topped(lab, topup_at_ratio=None)
    assert run.events == []
    assert run.rows.cash_usd[-1].tolist() == [5_000.0, 1_000.0]


@pytest.mark.parametrize("hours", [1, 2, 3])
def test_cash_arrives_before_anything_else_of_its_row(lab, hours):
    run = topped(lab, transfer_hours=hours)
    due = 2 + hours
    assert run.rows.cash_usd[:, 1].tolist() == [1_000.0] * due + [1_600.0] * (6 - due)


def test_a_wallet_with_less_sends_what_it_has(lab):
    run = topped(lab, wallet=300.0)
    assert run.rows.transit_usd[2, 1] == pytest.approx(298.0)
    assert run.rows.cash_usd[2:, 0].tolist() == pytest.approx([0.0] * 4)
    # 798 on 137.5 is 0.172: below the trigger, so that is the end of it.
    assert [e.kind for e in run.events] == [Event.TRANSFER_SENT, Event.TRANSFER_ARRIVED]


def test_an_empty_wallet_is_said_once_until_the_ratio_has_recovered(lab):
    marks = [100.0, 100.0, 110.0, 110.0, 110.0, 100.0, 110.0, 110.0]
    run = topped(lab, marks=marks, wallet=1.0)
    refused = run.told(Event.TRANSFER_REFUSED)
    assert [(e.row, e.account, e.usd) for e in refused] == [(2, 1, 600.0), (6, 1, 600.0)]
    assert run.events == refused
    assert run.paid(Flow.TRANSFER) == []
    assert run.rows.cash_usd[-1].tolist() == pytest.approx([1.0, 1_000.0])


def test_the_ratio_is_taken_after_the_fills_of_the_row(lab):
    # Ten of the fifty are left after the fills of row 2: 500 on 27.5 is a ratio of 0.055.
    run = topped(lab, plan={0: [-50.0], 1: [-10.0]})
    assert run.events == []


def test_accounts_are_served_in_turn_and_one_without_need_is_left_alone(lab):
    # Both venues have 1,000; only the second short passes.
    market = lab.market([[100.0, 100.0], [100.0, 100.0], [100.0, 110.0]], account=[1, 2])
    run = lab.play(market, {0: [-50.0, -50.0]}, wallet=5_000.0, margin=2_000.0, **TOP_UP)
    assert run.rows.transit_usd[2].tolist() == [0.0, 0.0, 600.0]
    # Both pass and the wallet has enough for the first: 600 + 2, then 98 of 100.
    market = lab.market([[100.0, 100.0], [100.0, 100.0], [110.0, 110.0]], account=[1, 2])
    run = lab.play(market, {0: [-50.0, -50.0]}, wallet=702.0, margin=2_000.0, **TOP_UP)
    assert run.rows.transit_usd[2].tolist() == pytest.approx([0.0, 600.0, 98.0])


def test_cash_under_way_is_no_margin_and_survives_a_liquidation(lab):
    # The backstop takes the account in row 3; what arrives in row 4 is the account's again.
    marks = [100.0, 100.0, 110.0, 200.0, 200.0, 200.0]
    run = topped(lab, marks=marks)
    assert run.rows.cash_usd[:, 1].tolist() == [1_000.0, 1_000.0, 1_000.0, 0.0, 600.0, 600.0]
    assert run.rows.equity_usd[-1] == pytest.approx(4_998.0)
    assert np.abs(run.unexplained).max() < 1e-12


def test_tokens_are_not_sold_for_a_transfer(lab):
    market = lab.market(MARKS, bid=[10.0] * 6)
    run = lab.play(market, {0: [-50.0, 500.0]}, wallet=5_000.0, margin=1_000.0, **TOP_UP)
    assert run.rows.units[:, 0].tolist() == [0.0] + [500.0] * 5
    assert [e.kind for e in run.events] == [Event.TRANSFER_REFUSED]


def test_a_transfer_that_would_raise_the_ratio_is_refused(lab):
    with pytest.raises(RequestError, match="topup_to_ratio"):
        topped(lab, topup_at_ratio=0.2, topup_to_ratio=0.4)


def test_the_strategy_sees_the_wallet_after_the_transfer(lab):
    seen = []

    def decide(t, past, book, p, mine, target):
        seen.append(float(book.accounts[0].cash_usd))
        target.perps[0] = -50.0 if t == 0 else nan

    run = topped(lab, plan=decide)
    assert seen == run.rows.cash_usd[:, 0].tolist()


def test_the_wallet_is_worth_its_cash_in_the_row_of_a_transfer(lab):
    run = topped(lab)
    assert run.rows.value_usd[:, 0].tolist() == run.rows.cash_usd[:, 0].tolist()


# --------------------------------------------------------------------------- redemption

# A wallet that is all Treasury tokens at a NAV of 1; the market as above.
BILLS = {"bid": [1.0] * 8, "nav": 1.0, "kinds": ["treasury"], "redeemable": True}
RISING = [100.0, 100.0, 110.0, 110.0, 110.0, 110.0, 110.0, 110.0]


def redeemed(lab, *, marks=RISING, wallet=5_000.0, share=1.0, terms=None, made=None, **settings):
    market = lab.market(
        marks,
        **{
            **BILLS,
            "redeem": {"hours": 2, **(terms or {})},
            "pledged": {(0, 0): {"share": share}},
            **(made or {}),
        },
    )
    told = {**TOP_UP, "transfer_hours": 1, "redeem": True, **settings}
    return lab.play(market, {0: [-50.0, nan]}, wallet=wallet, margin=1_000.0, **told)


def worth(run):
    """Cash, cash under way and tokens at NAV; the margin account's unrealised loss left out."""
    cash = (run.rows.cash_usd + run.rows.transit_usd).sum(axis=1)
    return cash + (run.rows.units * run.market.tape.nav_px).sum(axis=1)


def test_tokens_are_redeemed_for_what_the_wallet_lacks(lab):
    run = redeemed(lab, transfer_cost_usd=0.0)
    # 600 asked for in row 2, paid in row 4, sent on in that row and there in row 5.
    assert [(e.row, e.kind, e.instrument, e.account, e.usd) for e in run.events] == [
        (2, Event.TRANSFER_REFUSED, -1, 1, 600.0),
        (2, Event.REDEEM_SENT, 1, 0, 600.0),
        (4, Event.REDEEM_PAID, 1, 0, 600.0),
        (4, Event.TRANSFER_SENT, -1, 1, 600.0),
        (5, Event.TRANSFER_ARRIVED, -1, 1, 600.0),
    ]
    assert run.rows.units[:, 0].tolist() == [5_000.0] * 2 + [4_400.0] * 6
    (fill,) = [f for f in run.fills if f.instrument == 1]
    assert (fill.row, fill.size, fill.px, fill.reason) == (2, -600.0, 1.0, Reason.REDEEMED)
    assert worth(run).tolist() == [6_000.0] * 8
    assert np.abs(run.unexplained).max() < 1e-12


def test_the_wallets_cash_goes_first(lab):
    run = redeemed(lab, share=0.98, transfer_cost_usd=0.0)
    assert run.told(Event.TRANSFER_SENT)[0].usd == pytest.approx(100.0)
    assert run.told(Event.REDEEM_SENT)[0].usd == pytest.approx(500.0)
    assert worth(run) == pytest.approx([6_000.0] * 8)


def test_a_fee_is_kept_of_what_is_paid(lab):
    run = redeemed(lab, terms={"fee_frac": 0.01}, transfer_cost_usd=0.0)
    # 600 are wanted: 606.06 are redeemed for it.
    assert run.told(Event.REDEEM_PAID)[0].usd == pytest.approx(600.0)
    assert run.cause("fees")[2] == pytest.approx(-600.0 / 0.99 * 0.01)
    assert np.abs(run.unexplained).max() < 1e-12


def test_one_redemption_at_a_time_and_none_for_what_is_under_way(lab):
    run = redeemed(lab, terms={"hours": 4}, transfer_cost_usd=0.0)
    assert [e.row for e in run.told(Event.REDEEM_SENT)] == [2]


def test_a_call_that_grows_waits_for_the_redemption_under_way(lab):
    # 600 at 110 and 720 at 112: the rest is asked for when the first is paid.
    marks = [100.0, 100.0, 110.0, 112.0, 112.0, 112.0, 112.0, 112.0]
    run = redeemed(lab, marks=marks, terms={"hours": 4}, transfer_cost_usd=0.0)
    sent = [(e.row, e.usd) for e in run.told(Event.REDEEM_SENT)]
    assert sent == [(2, pytest.approx(600.0)), (6, pytest.approx(120.0))]


@pytest.mark.parametrize("first", [0.5, 0.12])  # more of the first is left, or none
def test_what_is_being_redeemed_is_not_asked_of_another_token(lab, first):
    told = {**BILLS, "bid": [[1.0, 1.0]] * 8, "kinds": ["treasury"] * 2, "redeem": {"hours": 4}}
    held = {(0, 0): {"share": first}, (0, 1): {"share": 1.0 - first}}
    market = lab.market(RISING, **told, pledged=held)
    settings = {**TOP_UP, "redeem": True, "transfer_cost_usd": 0.0}
    run = lab.play(market, {0: [-50.0, nan, nan]}, wallet=5_000.0, margin=1_000.0, **settings)
    assert [(e.row, e.instrument) for e in run.told(Event.REDEEM_SENT)] == [(2, 1)]


def test_the_issuers_minimum_is_redeemed_at_least(lab):
    run = redeemed(lab, terms={"min_usd": 2_000.0})
    assert run.told(Event.REDEEM_SENT)[0].usd == pytest.approx(2_000.0)
    run = redeemed(lab, terms={"min_usd": 5_001.0})  # of 5,000
    assert run.told(Event.REDEEM_SENT) == []
    assert [(e.row, e.usd) for e in run.told(Event.REDEEM_REFUSED)] == [(2, 5_000.0)]


def test_a_token_without_a_nav_yet_is_not_redeemed(lab):
    nav = [[nan]] * 3 + [[1.0]] * 5
    run = redeemed(lab, made={"nav": nav})
    assert run.told(Event.REDEEM_SENT)[0].row >= 3
    assert np.isfinite(run.rows.equity_usd).all()


def test_a_refusal_is_said_once_until_it_can_be(lab):
    closed = [True, True, False, False, True, False, False, False]
    run = redeemed(lab, made={"redeemable": closed}, transfer_cost_usd=0.0)
    assert [e.row for e in run.told(Event.REDEEM_REFUSED)] == [2]
    assert [e.row for e in run.told(Event.REDEEM_SENT)] == [4]


def test_tokens_that_no_issuer_takes_back_are_left_alone(lab):
    run = redeemed(lab, terms={"hours": -1})
    assert run.rows.units[:, 0].tolist() == [5_000.0] * 8
    assert [e.kind for e in run.events] == [Event.TRANSFER_REFUSED]


def test_locked_and_pledged_units_are_not_redeemed(lab):
    pledged = {(0, 0): {"share": 1.0}, (1, 0): {"share": 0.5}}
    run = redeemed(lab, wallet=400.0, made={"pledged": pledged})
    # 500 pledged, 400 free; the call wants 600.
    assert run.told(Event.REDEEM_SENT)[0].usd == pytest.approx(400.0)
    assert run.rows.units[-1, 0] == pytest.approx(500.0)
    assert run.rows.pledged[:, 1, 0].tolist() == pytest.approx([500.0] * 8)


@pytest.mark.parametrize(("day", "met"), [(15, False), (18, True)], ids=["Saturday", "Tuesday"])
def test_a_call_on_a_saturday_cannot_be_met_by_redeeming(lab, day, met):
    marks = [100.0, 100.0, 110.0, 110.0, 110.0, 110.0, 116.0, 118.0]
    first = to_ns(datetime(2026, 8, day, 12, tzinfo=UTC))
    session = in_session(first + HOUR_NS * np.arange(8), "market_days", "16:00")
    run = redeemed(lab, marks=marks, terms={"hours": 1}, made={"redeemable": session})
    # It is liquidated at 117.07.
    assert (run.rows.position[-1, 0] == -50.0) == met
    assert (run.told(Event.LIQUIDATION) == []) == met
    assert (run.told(Event.REDEEM_REFUSED) == []) == met
    assert np.abs(run.unexplained).max() < 1e-12


# --------------------------------------------------------------------------- both legs cut


def levered(lab, *, made=None, plan=None, marks=RISING, **settings):
    token = np.asarray(marks)
    market = lab.market(marks, **{"bid": token, "token": [0], **(made or {})})
    told = {**TOP_UP, "delever": True, **settings}
    return lab.play(market, plan or {0: [-50.0, 50.0]}, wallet=5_000.0, margin=1_000.0, **told)


def test_both_legs_are_cut_where_nothing_else_is_left(lab):
    run = levered(lab)
    # 500 carries a maintenance of 62.5 at 0.125: of 137.5 the share 6/11 goes, in lots of 0.001.
    assert run.rows.position[:, 0] == pytest.approx([0.0, -50.0] + [-22.728] * 6)
    assert run.rows.units[:, 0] == pytest.approx([0.0, 50.0] + [22.728] * 6)
    cut = [f for f in run.fills if f.row == 2]
    assert [(f.instrument, f.px, f.reason) for f in cut] == [
        (0, 110.0, Reason.DELEVERED),
        (1, 110.0, Reason.DELEVERED),
    ]
    assert [(e.row, e.account, e.usd) for e in run.told(Event.DELEVERED)] == [
        (2, 1, pytest.approx(27.272 * 110.0))
    ]
    ratio = run.frames["equity"]["margin_ratio"].to_list()
    assert ratio[2] == pytest.approx(0.125, abs=1e-4)
    # The target is cancelled: nothing is bought back.
    assert [f.row for f in run.fills] == [1, 1, 2, 2]
    assert np.abs(run.unexplained).max() < 1e-12


def test_a_leg_without_a_price_is_left(lab):
    halted = [False, False, True, True, True, True, True, True]
    run = levered(lab, made={"live": ~np.array(halted)})
    assert run.rows.position[2, 0] == pytest.approx(-22.728)
    assert run.rows.units[2, 0] == 50.0
    stale = levered(lab, made={"stale": halted})
    assert stale.rows.position[-1, 0] == -50.0
    assert stale.rows.units[-1, 0] == 50.0
    assert stale.told(Event.DELEVERED) == []


def test_nothing_is_cut_while_a_redemption_is_under_way(lab):
    assert redeemed(lab, delever=True).told(Event.DELEVERED) == []
    cut = redeemed(lab, delever=True, made={"redeemable": False}).told(Event.DELEVERED)
    assert [e.row for e in cut] == [2]


# --------------------------------------------------------------------------- what is to spare


def swept(lab, marks, *, made=None, plan=None, margin=1_000.0, **settings):
    told = {**TOP_UP, "sweep_at_ratio": 0.1, "fill_delay_hours": 0, **settings}
    market = lab.market(marks, **(made or {}))
    return lab.play(market, plan or {0: [-50.0]}, wallet=100.0, margin=margin, **told)


def test_cash_to_spare_goes_to_the_wallet_for_the_cost_of_a_transfer(lab):
    run = swept(lab, [100.0, 80.0, 80.0, 80.0, 80.0])
    # Worth 2,000 on a maintenance of 100, which 800 carry: all of the cash may go, less 2.
    assert run.rows.cash_usd[:, 1] == pytest.approx([1_000.0, 0.0, 0.0, 0.0, 0.0])
    assert run.rows.cash_usd[:, 0] == pytest.approx([100.0, 100.0, 100.0, 1_098.0, 1_098.0])
    assert [(e.row, e.kind, e.account, e.usd) for e in run.events] == [
        (1, Event.TRANSFER_SENT, 0, pytest.approx(998.0)),
        (3, Event.TRANSFER_ARRIVED, 0, pytest.approx(998.0)),
    ]
    (cost,) = run.paid(Flow.TRANSFER)
    assert (cost.row, cost.account, cost.usd) == (1, 1, -2.0)
    assert np.abs(run.unexplained).max() < 1e-12


def test_less_than_the_least_stays_and_is_said_where_no_more_may_leave(lab):
    # 1,200 are to spare of which 1,000 are cash, as above.
    marks = [100.0, 80.0, 80.0]
    run = swept(lab, marks, sweep_min_usd=1_000.0)
    assert [(e.row, e.kind, e.usd) for e in run.events] == [
        (1, Event.TRANSFER_SENT, pytest.approx(998.0))
    ]
    run = swept(lab, marks, sweep_min_usd=1_000.01)
    assert [(e.row, e.kind, e.usd) for e in run.events] == [
        (1, Event.HELD_BACK, pytest.approx(1_200.0))
    ]
    assert swept(lab, marks, sweep_min_usd=1_200.01).events == []


def test_a_sweep_that_its_cost_would_eat_is_refused(lab):
    told = {"sweep_at_ratio": 0.1, "transfer_cost_usd": 5.0}
    with pytest.raises(RequestError, match=r"sweep_min_usd was 5, not above transfer_cost_usd = 5"):
        topped(lab, **told, sweep_min_usd=5.0)
    assert topped(lab, **told, sweep_min_usd=5.01).events != []
    # Without a sweep it means nothing.
    assert topped(lab, transfer_cost_usd=100.0).events != []


def test_a_tenth_of_the_notional_stays_behind(lab):
    wide = {"topup_at_ratio": 0.9, "topup_to_ratio": 0.5, "sweep_at_ratio": 0.4}
    run = swept(lab, [100.0] * 3, **wide)
    # The ratio would let 750 go; 500 of 1,000 stay for a notional of 5,000.
    assert run.rows.cash_usd[0, 1] == 500.0
    run = swept(lab, [100.0] * 4, margin=400.0, **wide)
    assert [(e.row, e.kind, e.account, e.usd) for e in run.events] == [
        (0, Event.HELD_BACK, 1, 150.0)
    ]


def test_an_account_without_positions_keeps_its_cash_for_the_next(lab):
    run = swept(lab, [100.0] * 4, plan={0: [0.0]})
    assert run.rows.cash_usd[-1].tolist() == pytest.approx([100.0, 1_000.0])
    assert run.events == []


def test_idle_cash_is_put_into_the_token(lab):
    made = {"bid": [2.0] * 4, "nav": 2.0, "redeemable": [[False], [True], [True], [True]]}
    market = lab.market([100.0] * 4, kinds=["treasury"], **made)
    told = {"sweep_token": "T0", "wallet_cash_usd": 1_000.0}
    run = lab.play(market, {}, wallet=5_000.0, margin=5_000.0, **told)
    assert run.rows.units[:, 0].tolist() == [0.0, 2_000.0, 2_000.0, 2_000.0]
    assert run.rows.cash_usd[:, 0].tolist() == [5_000.0, 1_000.0, 1_000.0, 1_000.0]
    assert [(e.row, e.kind, e.instrument, e.usd) for e in run.events] == [
        (1, Event.SWEPT, 1, 4_000.0)
    ]
    assert run.fills[0].reason == Reason.SWEPT
    assert np.abs(run.unexplained).max() < 1e-12


def test_nothing_is_swept_while_an_account_is_called(lab):
    run = redeemed(lab, share=0.0, wallet=3_000.0, sweep_token="T0", wallet_cash_usd=2_000.0)
    # 1,000 at once; at the call 600 and 2 are sent, and what is above 2,000 stays until they are
    # there.
    assert [e.row for e in run.told(Event.SWEPT)] == [0]
    assert run.rows.cash_usd[-1, 0] == pytest.approx(1_398.0)


def test_nothing_is_swept_while_cash_is_under_way_that_is_no_longer_called_for(lab):
    # Called in row 2, recovered in row 3, when the token opens; the cash is there in row 6.
    marks = [100.0, 100.0, 110.0, *[100.0] * 5]
    opens = [[False]] * 3 + [[True]] * 5
    told = {"sweep_token": "T0", "wallet_cash_usd": 1_000.0, "transfer_hours": 4}
    run = redeemed(lab, marks=marks, share=0.0, wallet=3_000.0, made={"redeemable": opens}, **told)
    assert [(e.row, e.usd) for e in run.told(Event.TRANSFER_SENT)] == [(2, 600.0)]
    assert [(e.row, e.usd) for e in run.told(Event.SWEPT)] == [(6, 1_398.0)]


def test_cash_that_is_owed_against_mirrored_collateral_is_sent_without_a_call(lab):
    # 100 of cash and a loss of 200: with no position left the ratio is 0, and 100 are owed.
    pledged = {(1, 0): {"share": 0.9, "mirrored": True}}
    marks = [100.0, 100.0, 120.0, 120.0, 120.0, 120.0]
    market = lab.market(marks, bid=[1.0] * 6, kinds=["treasury"], pledged=pledged)
    told = {"wallet": 1_000.0, "margin": 1_000.0, "borrow_apr": 0.0, **TOP_UP}
    run = lab.play(market, {0: [-10.0, nan], 2: [0.0, nan]}, **told)
    assert run.rows.position[3, 0] == 0.0
    assert [(e.row, e.usd) for e in run.told(Event.TRANSFER_SENT)] == [(3, pytest.approx(100.0))]
    assert run.rows.cash_usd[5, 1] == pytest.approx(0.0)


def test_what_is_bought_and_not_delivered_is_not_redeemed_after_a_payday(lab):
    # All of the wallet is under way until row 8; a payday in row 2 frees what accrued, and no more.
    payday = [n == 2 for n in range(8)]
    made = {**BILLS, "payday": payday, "settle": {"rows": 7}}
    market = lab.market(RISING, **made, redeem={"hours": 2, "accrues": True})
    told = {"wallet": 1_010.0, "margin": 1_000.0, **TOP_UP, "redeem": True}
    run = lab.play(market, {0: [-50.0, 1_000.0]}, **told)
    assert run.rows.units[7, 0] == 1_000.0
    assert run.told(Event.REDEEM_SENT) == []


@pytest.mark.parametrize("redeem", [False, True])
def test_nothing_is_cut_while_a_sale_is_under_way_that_meets_the_call(lab, redeem):
    # 1,000 of tokens sold in row 1 and paid in row 5; the call of row 2 is for 600.
    made = {"bid": [1.0] * 8, "settle": {"rows": 4}, "pledged": {(0, 0): {"share": 1.0}}}
    told = {"wallet": 1_000.0, "margin": 1_000.0, **TOP_UP, "redeem": redeem, "delever": True}
    run = lab.play(lab.market(RISING, **made), {0: [-50.0, 0.0]}, **told)
    assert run.rows.cash_usd[1:5, 0].tolist() == [0.0] * 4
    assert run.rows.position[:, 0].tolist() == [0.0] + [-50.0] * 7
    assert [(e.row, e.usd) for e in run.told(Event.TRANSFER_SENT)] == [(5, 600.0)]
    assert np.abs(run.unexplained).max() < 1e-12


# --------------------------------------------------------------------------- isolated positions


def isolated(lab, marks, *, strict=(), **settings):
    market = lab.market(marks, account=[2], parent={2: 1}, strict=strict)
    told = {**TOP_UP, "transfer_hours": 1, **settings}
    return lab.play(market, {0: [-50.0]}, wallet=5_000.0, margin=1_000.0, **told)


def test_an_isolated_position_takes_of_its_venue_and_asks_for_the_rest_there(lab):
    run = isolated(lab, [100.0, 100.0, 110.0, 110.0, 110.0])
    # 250 at the fill want the 750 that are there; at 110 they are 500 on 137.5, and 600 lack.
    assert run.rows.cash_usd[:, 2] == pytest.approx([0.0, 1_000.0, 1_000.0, 1_600.0, 1_600.0])
    told = [(e.row, e.kind, e.account, e.usd) for e in run.events]
    assert told == [
        (1, Event.MARGIN_ADDED, 2, 750.0),
        (2, Event.TRANSFER_SENT, 1, pytest.approx(600.0)),
        (3, Event.TRANSFER_ARRIVED, 1, pytest.approx(600.0)),
        (3, Event.MARGIN_ADDED, 2, pytest.approx(600.0)),
    ]
    assert np.abs(run.unexplained).max() < 1e-12


@pytest.mark.parametrize("strict", [(), (2,)])
def test_an_isolated_position_gives_back_unless_it_is_strict(lab, strict):
    told = {"sweep_at_ratio": 0.1, "fill_delay_hours": 0}
    run = isolated(lab, [100.0, 100.0, 70.0, 70.0], strict=strict, **told)
    removed = run.told(Event.MARGIN_REMOVED)
    assert (removed == []) == bool(strict)
    assert np.abs(run.unexplained).max() < 1e-12


def test_a_sweep_that_would_raise_the_ratio_past_the_target_is_refused(lab):
    with pytest.raises(RequestError, match=r"sweep_at_ratio was 0\.125, not below topup_to_ratio"):
        topped(lab, sweep_at_ratio=0.125)
    for name in ("redeem", "delever"):
        with pytest.raises(RequestError, match=f"{name} meets margin calls; set topup_at_ratio"):
            topped(lab, topup_at_ratio=None, **{name: True})


def test_an_isolated_position_that_is_cut_keeps_its_margin(lab):
    market = lab.market([100.0, 100.0, 110.0, 110.0, 110.0], account=[2], parent={2: 1})
    told = {**TOP_UP, "delever": True}
    run = lab.play(market, {0: [-50.0]}, wallet=1.0, margin=1_000.0, **told)
    # 1,000 in it at 100; at 110 they are 500, and neither venue nor wallet has anything.
    assert run.rows.position[2:, 0] == pytest.approx([-22.728] * 3)
    assert [(e.row, e.account) for e in run.told(Event.DELEVERED)] == [(2, 2)]
    assert run.rows.value_usd[2, 2] == pytest.approx(500.0)
    assert run.rows.cash_usd[2, 1] == 0.0
    assert np.abs(run.unexplained).max() < 1e-12
