"""Cash between the wallet and the margin accounts: when it leaves, arrives, and what it costs."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Flow
from perpkit.errors import RequestError

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
