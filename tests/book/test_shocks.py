"""A venue that fails: what it settles, what it keeps, and what is left untouched."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import TERM, Book, Event, Flow, Out, Reason, Settings, Shock, Tape
from perpkit.book.shocks import fail_venues
from perpkit.config import check_config
from perpkit.layout import blank
from perpkit.tape import settings_of

FAIL = Shock.VENUE_FAILURE
# Two venues with a coin each; the first fails in row 3.
MARKS = np.array([[100.0, 100.0], [100.0, 100.0], [90.0, 100.0], [80.0, 100.0], [80.0, 100.0]])


def failing(lab, share=1.0, **market):
    told = {"account": [1, 2], "shocks": [(3, FAIL, -1, 1, share)], **market}
    return lab.market(MARKS, **told)


def test_positions_are_settled_at_the_mark_without_a_fee(lab):
    market = failing(lab, terms={"fee_frac": 0.001, "cost_frac": 0.0})
    run = lab.play(market, {0: [-50.0, 40.0]}, wallet=50_000.0, margin=20_000.0)
    settled = [f for f in run.fills if f.reason == Reason.SHOCK]
    assert [(f.row, f.instrument, f.size, f.px, f.fee_usd) for f in settled] == [
        (3, 0, 50.0, 80.0, 0.0)
    ]
    assert run.rows.position[3].tolist() == [0.0, 40.0], "another venue's stays"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_what_it_held_is_lost_and_the_rest_is_frozen(lab, share):
    """10,000 and 1,000 of profit at the mark of the row."""
    run = lab.play(failing(lab, share), {0: [-50.0, 40.0]}, margin=20_000.0)
    left = 11_000.0 * (1.0 - share)
    assert run.rows.cash_usd[3:, 1].tolist() == pytest.approx([left, left])
    assert run.rows.cash_usd[3:, 2].tolist() == [10_000.0, 10_000.0]
    lost = [(p.row, p.instrument, p.account, p.usd) for p in run.paid(Flow.VENUE_LOSS)]
    assert lost == ([(3, -1, 1, pytest.approx(-11_000.0 * share))] if share else [])
    assert [(e.row, e.kind, e.account, e.usd) for e in run.events] == [
        (3, Event.VENUE_FAILED, 1, pytest.approx(11_000.0 * share))
    ]
    assert run.cause("settlement")[3] == pytest.approx(-11_000.0 * share)
    assert run.rows.equity_usd[3] == pytest.approx(50_000.0 + 10_000.0 + left)
    assert np.abs(run.unexplained).max() < 1e-12


def test_nothing_is_traded_there_any_more(lab):
    market = failing(lab, 0.5)
    run = lab.play(market, {0: [-50.0, 40.0], 3: [-20.0, 20.0]}, after_liquidation="resume")
    assert run.rows.position[4].tolist() == [0.0, 20.0]
    assert [e.instrument for e in run.told(Event.REENTRY_REFUSED)] == [0]


def test_a_standing_order_goes_with_the_venue(lab):
    """Nothing is held yet: the order that waits for a price is cancelled, the coin barred."""
    market = failing(lab, stale=[[False, False]] + [[True, False]] * 3 + [[False, False]])
    run = lab.play(market, {0: [-50.0, 40.0]})
    assert run.fills == [f for f in run.fills if f.instrument == 1]
    assert not run.told(Event.REENTRY_REFUSED), "there is nothing left to refuse"


@pytest.mark.parametrize(("pair", "units"), [("together", 50.0), ("each", 80.0)])
def test_more_of_the_token_is_not_bought_for_a_hedge_that_is_gone(lab, pair, units):
    market = failing(lab, token=[0, -1], bid=[100.0] * 5, live=[True, True, False, False, True])
    plan = {0: [-50.0, nan, 50.0], 1: [-80.0, nan, 80.0]}
    run = lab.play(market, plan, pair=pair)
    assert run.rows.position[-1, 0] == 0.0
    assert run.rows.units[-1, 0] == units


def test_an_isolated_position_fails_with_its_venue(lab):
    """250 in the position, 9,750 beside it, 1,000 of profit: half of all of it is lost."""
    market = lab.market(MARKS[:, :1], account=[2], parent={2: 1}, shocks=[(3, FAIL, -1, 1, 0.5)])
    run = lab.play(market, {0: [-50.0]}, margin=10_000.0)
    lost = [(p.account, p.usd) for p in run.paid(Flow.VENUE_LOSS)]
    assert lost == [(1, pytest.approx(-4_875.0)), (2, pytest.approx(-625.0))]
    assert run.rows.cash_usd[3:, 1:].tolist() == [pytest.approx([4_875.0, 625.0])] * 2
    assert [e.usd for e in run.told(Event.VENUE_FAILED)] == pytest.approx([5_500.0])
    assert np.abs(run.unexplained).max() < 1e-12


def test_what_is_owed_is_not_lost(lab):
    """A short that lost more than its margin within the hour: the venue bears it, as always."""
    marks = np.array([[100.0, 100.0]] * 3 + [[400.0, 100.0]] * 2)
    market = lab.market(marks, account=[1, 2], shocks=[(3, FAIL, -1, 1, 1.0)])
    run = lab.play(market, {0: [-50.0, 0.0]}, margin=20_000.0)
    assert run.paid(Flow.VENUE_LOSS) == []
    assert [e.usd for e in run.told(Event.VENUE_FAILED)] == [0.0]
    assert [p.usd for p in run.paid(Flow.BAD_DEBT)] == pytest.approx([5_000.0])
    assert np.abs(run.unexplained).max() < 1e-12


def test_it_strikes_before_funding_and_dividends(lab):
    market = failing(lab, 1.0, rate=0.01)
    run = lab.play(market, {0: [-50.0, 0.0]})
    assert [p.row for p in run.paid(Flow.FUNDING) if p.usd != 0.0] == [2]
    assert run.frames["funding"].height == 1, "nor is any told"


def test_a_second_failure_takes_of_what_is_frozen(lab):
    shocks = [(2, FAIL, -1, 1, 0.5), (4, FAIL, -1, 1, 0.5)]
    run = lab.play(failing(lab, shocks=shocks), {}, margin=20_000.0)
    assert run.rows.cash_usd[:, 1].tolist() == [10_000.0, 10_000.0, 5_000.0, 5_000.0, 2_500.0]


# --------------------------------------------------------------------------- pledged tokens


def failed_book(share, mirrored):
    """A venue with 100 of 150 units of a token pledged, at 20 USD, and 1,000 in cash."""
    book = blank(Book, M=1, K=1, A=2, C=2)
    book.accounts.cash_usd[1], book.perps.account[0], book.perps.token[0] = 1_000.0, 1, -1
    book.accounts.parent[:] = -1
    book.tokens.units[0], book.tokens.fair_px[0] = 150.0, 20.0
    book.collateral.units[1, 0], book.collateral.mirrored[1, 0] = 100.0, mirrored
    tape = blank(Tape, T=4, M=1, K=1, U=1, N=0, X=0, Y=0, J=1)
    tape.shock_row[0], tape.shock_kind[0] = 2, FAIL
    tape.shock_instrument[0], tape.shock_account[0], tape.shock_value[0] = -1, 1, share
    out = blank(Out, fills=8, payments=8, events=8, three=3)
    terms = np.zeros(1, TERM).view(np.recarray)
    settings: Settings = settings_of(check_config({}))
    for t in range(4):
        fail_venues(t, tape, terms, book, out, settings)
    return book, out


def test_pledged_tokens_are_lost_in_part_and_the_rest_comes_back():
    book, out = failed_book(0.4, mirrored=False)
    assert book.tokens.units[0] == 110.0
    assert book.collateral.units[1, 0] == 0.0
    assert book.accounts.failed.tolist() == [False, True]
    assert out.used.tolist() == [1, 1, 2]
    told = out.fills[["row", "instrument", "account", "reason", "size", "px", "value_px"]][0]
    assert told.tolist() == (2, 1, 1, Reason.SHOCK, -40.0, 0.0, 20.0)
    assert out.payments[0].usd == -400.0
    released, failed = out.events[:2]
    assert (released.kind, released.instrument, released.usd) == (Event.RELEASED, 1, 1_200.0)
    assert (failed.kind, failed.account, failed.usd) == (Event.VENUE_FAILED, 1, 400.0 + 800.0)


def test_mirrored_tokens_are_released_whole():
    book, out = failed_book(0.4, mirrored=True)
    assert book.tokens.units[0] == 150.0
    assert book.collateral.units[1, 0] == 0.0
    assert out.used.tolist() == [0, 1, 2]
    assert (out.events[0].kind, out.events[0].usd) == (Event.RELEASED, 2_000.0)
    assert out.events[1].usd == 400.0, "cash alone is lost"


def test_of_pledged_tokens_lost_whole_nothing_is_released():
    book, out = failed_book(1.0, mirrored=False)
    assert book.tokens.units[0] == 50.0
    assert out.used[2] == 1


# --------------------------------------------------------------------------- identity


@pytest.mark.parametrize("seed", range(6))
def test_causes_explain_equity(lab, seed):
    rng = np.random.default_rng(seed)
    row, account = int(rng.integers(3, 40)), int(rng.integers(1, 3))
    market = lab.random_market(seed, shocks=[(row, FAIL, -1, account, float(rng.random()))])
    run = lab.play(market, lab.random_plan(seed), topup_at_ratio=0.5)
    assert run.told(Event.VENUE_FAILED)
    assert np.abs(run.unexplained).max() < 1e-9
    own = run.rows.position[row:, account - 1]
    assert not own.any()


@pytest.mark.parametrize("seed", range(3))
def test_compiled_equals_uncompiled_with_all_of_it_on(lab, seed):
    rng = np.random.default_rng(seed)
    told = {
        "shocks": [
            (9, Shock.ADL, 0, 1, 0.5),
            (15, Shock.ADL, 1, 2, 1.0),
            (31, FAIL, -1, 1 + seed % 2, 0.5),
        ],
        "volume": rng.uniform(1e5, 1e7, (48, 2)),
        "capped": rng.random((48, 2)) < 0.2,
    }
    choices = {
        "adl_shock_frac": 0.05,
        "impact_coefficient": 0.2,
        "max_volume_frac": 0.3,
        "topup_at_ratio": 0.5,
        "after_liquidation": "resume",
    }
    made = []
    for pure_python in (True, False):
        market = lab.random_market(seed, **told)
        market.terms["max_order_usd"] = 4_000.0
        made.append(lab.play(market, lab.random_plan(seed), pure_python=pure_python, **choices))
    plain, compiled = made
    assert plain.told(Event.ADL)
    assert plain.fills == compiled.fills
    assert plain.events == compiled.events
    for one, other in zip(plain.rows, compiled.rows, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("row", [1, 3])
def test_a_venue_that_holds_pledged_tokens_fails(lab, mirrored, row):
    """Half of the first venue's 10,000 USD is in 100 units at 50; a quarter of all is lost."""
    market = lab.market(
        MARKS,
        account=[1, 2],
        bid=[50.0] * 5,
        kinds=["treasury"],
        pledged={(1, 0): {"share": 0.5, "haircut": 0.1, "mirrored": mirrored}},
        shocks=[(row, FAIL, -1, 1, 0.25)],
    )
    run = lab.play(market, {}, margin=20_000.0)
    lost = 0.25 * (5_000.0 if mirrored else 10_000.0)
    assert run.cause("settlement")[row] == pytest.approx(-lost)
    assert run.rows.equity_usd[-1] == pytest.approx(70_000.0 - lost)
    assert run.rows.units[-1].tolist() == pytest.approx([100.0 if mirrored else 75.0])
    assert not run.rows.pledged[row:].any(), "what is left lies in the wallet"
    assert run.rows.pledged[row - 1].any()
    assert [e.kind for e in run.events] == [Event.RELEASED, Event.VENUE_FAILED]
    assert np.abs(run.unexplained).max() < 1e-12
