"""Rules that meet: trades under way, splits, and what issuers do to tokens."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Action, Event, Reason, Shock, Way

PX = [100.0, 100.0, 100.0, 10.0, 10.0, 10.0, 10.0]
SPLIT = (3, 1, Action.SPLIT, 10.0)  # of the token, ten for one


def check(run):
    assert np.abs(run.unexplained).max() <= 1e-12


@pytest.mark.parametrize("unwound", [0, 1])
def test_what_is_under_way_is_split_as_what_is_held(lab, unwound):
    """Ten at 100 bought in row 1, split in row 3, due in row 5: a hundred at 10, or 1,000 back."""
    market = lab.market(
        [100.0] * 7, bid=PX, actions=[SPLIT],
        settle={"rows": [4] * 7, "end": [0, unwound, 0, 0, 0, 0, 0]},
    )  # fmt: skip
    # What is undone is not wanted any more, or it would be bought again in the same row.
    run = lab.play(market, {0: [nan, 10.0], 4: [nan, 0.0 if unwound else nan]}, wallet=5_000.0)
    assert run.rows.units[1:5, 0].tolist() == [10.0, 10.0, 100.0, 100.0]
    back = [f for f in run.fills if f.reason == Reason.SETTLEMENT]
    if unwound:
        assert [(f.row, f.size, f.px) for f in back] == [(5, -100.0, 10.0)]
        assert run.rows.cash_usd[5, 0] == pytest.approx(5_000.0)
        assert run.rows.units[5, 0] == 0.0
    else:
        assert back == []
        assert run.rows.units[5, 0] == 100.0
        assert (5, Event.SETTLED) in [(e.row, e.kind) for e in run.events]
    assert run.rows.equity_usd.tolist() == pytest.approx([run.rows.equity_usd[0]] * 7)
    check(run)


def test_an_issuer_takes_what_is_held_and_not_what_is_under_way(lab):
    """Ten held, ten more due in row 6; half of what is held goes in row 3."""
    market = lab.market(
        [100.0] * 8, bid=[100.0] * 8, settle={"rows": [0, 0, 4, 0, 0, 0, 0, 0]},
        shocks=[(3, Shock.FORCED_TRANSFER, 1, -1, 0.5)],
    )  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 20.0]}, wallet=5_000.0)
    assert run.rows.units[2:, 0].tolist() == [20.0, 15.0, 15.0, 15.0, 15.0, 15.0]
    (taken,) = [f for f in run.fills if f.reason == Reason.SHOCK]
    assert (taken.row, taken.size, taken.px) == (3, -5.0, 0.0)
    assert (6, Event.SETTLED) in [(e.row, e.kind) for e in run.events]
    assert run.cause("settlement")[3] == pytest.approx(-500.0)
    check(run)


def test_what_is_not_delivered_earns_no_dividend_and_no_yield(lab):
    """Ten held earn a dividend of 1 in row 3; ten more come in row 5."""
    market = lab.market(
        [100.0] * 7,
        bid=[100.0] * 7,
        dividends=[(3, 0, 1.0)],
        settle={"rows": [0, 0, 3, 0, 0, 0, 0]},
    )
    run = lab.play(market, {0: [nan, 10.0], 1: [nan, 20.0]}, wallet=5_000.0)
    assert run.cause("dividend")[3] == pytest.approx(10.0)
    assert run.rows.units[2, 0] == 20.0
    check(run)


def test_a_hedge_waits_where_the_way_takes_too_little_of_its_token(lab):
    """A pool of 10,000 USD of which a purchase may take a 2,000th: 2.5 USD, below the least."""
    market = lab.market(
        [100.0] * 5, bid=[100.0] * 5, ask=[100.2] * 5, take=[Way.DEX], liquidity=10_000.0,
        token_min=10.0, token=[0],
    )  # fmt: skip
    told = {"wallet": 5_000.0, "max_pool_frac": 0.0005, "pair": "together"}
    run = lab.play(market, {0: [-10.0, 10.0]}, **told)
    assert run.fills == []


def test_an_issuer_that_has_none_left_displaces_no_quote(lab):
    market = lab.market(
        [100.0] * 5, bid=[100.0] * 5, ask=[100.2] * 5, nav=100.0, take=[Way.QUOTE, Way.ISSUER],
        issuer={"mint_rows": 0, "buyback_rows": 0, "inventory_usd": 500.0}, token_min=0.0,
    )  # fmt: skip
    run = lab.play(market, {0: [nan, 10.0]}, wallet=5_000.0)
    assert run.rows.units[-1, 0] == 10.0
    assert [(f.row, f.size) for f in run.fills] == [(1, 5.0), (2, 5.0)]
