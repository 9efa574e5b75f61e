"""What issuers do to tokens they have sold: locks, and units moved away by force."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from perpkit.arrays import Event, Flow, Lock, Reason, Shock

FREE, RECEIVE, SELL, ISSUER, ALL = (int(lock) for lock in Lock)
FORCED = Shock.FORCED_TRANSFER
FLAT = [100.0] * 7


def locked(lab, plan, lock, rows=None, **told):
    """One perp at 100, its token at 50, locked in rows 3 and 4."""
    rows = rows or [FREE] * 3 + [lock] * 2 + [FREE] * 2
    told = {"token": [0], "bid": [50.0] * 7, "lock": rows, **told}
    return lab.play(lab.market(FLAT, **told), plan, wallet=10_000.0)


# --------------------------------------------------------------------------- orders


@pytest.mark.parametrize(
    ("lock", "wanted", "held"),
    [
        (RECEIVE, 30.0, [20.0, 20.0, 30.0]),
        (RECEIVE, 5.0, [5.0, 5.0, 5.0]),
        (SELL, 30.0, [20.0, 20.0, 30.0]),
        (SELL, 5.0, [20.0, 20.0, 5.0]),
        (ISSUER, 5.0, [20.0, 20.0, 5.0]),
        (ALL, 5.0, [20.0, 20.0, 5.0]),
        (ALL, 30.0, [20.0, 20.0, 30.0]),
    ],
)
def test_a_locked_token_is_not_traded_as_far_as_the_lock_goes(lab, lock, wanted, held):
    """Told in row 3, when the lock is on: it stands, and is done in row 5."""
    run = locked(lab, {0: [nan, 20.0], 3: [nan, wanted]}, lock)
    assert run.rows.units[3:6, 0].tolist() == [20.0, *held[1:]]
    assert np.abs(run.unexplained).max() < 1e-12


def test_the_perp_of_a_pair_waits_with_its_locked_token(lab):
    run = locked(lab, {3: [-10.0, 10.0]}, RECEIVE)
    assert run.rows.position[:, 0].tolist() == [0.0] * 5 + [-10.0] * 2
    assert run.rows.units[:, 0].tolist() == [0.0] * 5 + [10.0] * 2


def test_a_lock_that_begins_withdraws_what_was_wanted_and_its_pair(lab):
    """Both legs wait for a live quote when the lock begins: neither is done when it ends."""
    live = [True, True, False, False, False, True, True]
    run = locked(lab, {0: [-10.0, 10.0], 2: [-20.0, 20.0]}, ALL, live=live)
    assert run.rows.position[-1, 0] == -10.0
    assert run.rows.units[-1, 0] == 10.0
    told = {"live": live, "token": [-1]}
    apart = locked(lab, {0: [-10.0, 10.0], 2: [-20.0, 20.0]}, ALL, **told)
    assert apart.rows.position[-1, 0] == -20.0, "no pair of it"
    assert apart.rows.units[-1, 0] == 10.0


@pytest.mark.parametrize(("lock", "held"), [(RECEIVE, 0.0), (SELL, 10.0)])
def test_a_sale_stands_where_the_lock_does_not_touch_it(lab, lock, held):
    live = [True, True, False, False, False, True, True]
    run = locked(lab, {0: [nan, 10.0], 2: [nan, 0.0]}, lock, live=live)
    assert run.rows.units[-1, 0] == held


def test_it_is_said_where_it_begins_and_where_it_ends(lab):
    run = locked(lab, {0: [nan, 20.0]}, ALL)
    assert [(e.row, e.kind, e.instrument, e.account, e.usd) for e in run.events] == [
        (3, Event.LOCKED, 1, 0, 1_000.0),
        (5, Event.UNLOCKED, 1, 0, 1_000.0),
    ]
    assert locked(lab, {0: [-10.0, nan]}, ALL).events == [], "none is held"
    frame = run.frames["events"]
    assert frame["value_usd"].to_list() == [1_000.0] * 2
    assert frame["detail"].to_list()[0].startswith("1,000.00 USD of it may not be moved: frozen")


def test_a_lock_that_tightens_is_said_again(lab):
    rows = [FREE, FREE, RECEIVE, RECEIVE, ALL, SELL, SELL]
    run = locked(lab, {0: [nan, 20.0]}, ALL, rows)
    kinds = [(e.row, e.kind) for e in run.events]
    assert kinds == [(2, Event.LOCKED), (4, Event.LOCKED), (5, Event.UNLOCKED)]


def test_idle_cash_is_not_put_into_a_token_that_may_not_be_received(lab):
    told = {"kinds": ["treasury"], "nav": 50.0, "redeemable": True, "token": [-1]}
    market = lab.market(FLAT, bid=[50.0] * 7, lock=[RECEIVE] * 3 + [FREE] * 4, **told)
    run = lab.play(market, {}, wallet=10_000.0, sweep_token="T0")
    assert run.rows.units[:, 0].tolist() == pytest.approx([0.0] * 3 + [200.0] * 4)


# --------------------------------------------------------------------------- margin


def squeezed(lab, lock, after=130.0, **settings):
    """Short 100 from row 1 on 200 USD and 800 tokens at 1; the mark leaves for 112 in row 2."""
    pledged = {(1, 0): {"share": 0.8}}
    marks, rows = [100.0, 100.0, 112.0, after, after, after], [FREE, FREE, lock, lock, FREE, FREE]
    terms = {"backstop_frac": nan}
    told = {"bid": [1.0] * 6, "pledged": pledged, "lock": rows, "terms": terms}
    return lab.play(lab.market(marks, **told), {0: [-100.0, nan]}, margin=1_000.0, **settings)


def test_what_nobody_may_move_is_not_seized_and_the_debt_stands(lab):
    run = squeezed(lab, ALL, seize_cost_frac=0.0, borrow_apr=0.0)
    assert [f.reason for f in run.fills if f.row < 4] == [Reason.TARGET, Reason.LIQUIDATION]
    assert run.rows.cash_usd[2:, 1].tolist() == pytest.approx([200.0 - 1_200.0] * 2 + [0.0] * 2)
    assert run.rows.pledged[:, 1, 0].tolist() == pytest.approx([800.0] * 4 + [0.0] * 2)
    # It is sold as soon as it may be moved, and what it does not bring is the venue's.
    sold, debt = run.told(Event.SEIZED), run.told(Event.BAD_DEBT)
    assert [(e.row, e.usd) for e in sold] == [(4, pytest.approx(800.0))]
    assert [(e.row, e.usd) for e in debt] == [(4, pytest.approx(200.0))]
    assert np.abs(run.unexplained).max() < 1e-9


@pytest.mark.parametrize("lock", [FREE, RECEIVE, SELL, ISSUER])
def test_a_venue_sells_what_only_the_holder_may_not(lab, lock):
    run = squeezed(lab, lock, seize_cost_frac=0.0)
    assert [e.row for e in run.told(Event.SEIZED)] == [2]
    assert [e.row for e in run.told(Event.BAD_DEBT)] == [2]
    assert run.rows.cash_usd[2:, 1].tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("choice", "value", "left"), [("none", 200.0, 0.0), ("counted", 920.0, -100.0)]
)
def test_what_nobody_may_move_is_no_margin_meanwhile(lab, choice, value, left):
    """200 of cash and 720 lent against 250 of maintenance: the first alone is too little."""
    pledged = {(1, 0): {"share": 0.8, "haircut": 0.1}}
    told = {"bid": [1.0] * 6, "pledged": pledged, "lock": [FREE, FREE, ALL, ALL, FREE, FREE]}
    market = lab.market([100.0] * 6, **told, terms={"backstop_frac": nan})
    run = lab.play(market, {0: [-100.0, nan]}, margin=1_000.0, locked_margin=choice)
    assert run.rows.position[2:, 0].tolist() == [left] * 4
    assert run.rows.value_usd[:, 1].tolist() == pytest.approx(
        [920.0] * 2 + [value] * 2 + [920.0] * 2
    )
    assert not run.told(Event.SEIZED)
    assert np.abs(run.unexplained).max() < 1e-12


def test_interest_is_due_on_what_stays_owed(lab):
    run = squeezed(lab, ALL, seize_cost_frac=0.0, borrow_apr=0.0876)
    (paid, _) = run.paid(Flow.INTEREST)
    assert (paid.row, paid.usd) == (3, pytest.approx(-0.01))


def test_a_failing_venue_is_not_paid_in_tokens_that_nobody_may_move(lab):
    pledged = {(1, 0): {"share": 0.8}}
    marks = [100.0, 100.0, 104.0, 104.0, 104.0]
    told = {"bid": [1.0] * 5, "pledged": pledged, "shocks": [(3, Shock.VENUE_FAILURE, -1, 1, 0.5)]}
    # 200 is owed; half of the tokens are lost, 800 of them or the 600 that are left of the debt.
    for lock, cash, at_venue, units in ((FREE, 0.0, 0.0, 300.0), (ALL, -200.0, 400.0, 400.0)):
        market = lab.market(marks, lock=[FREE, FREE, FREE, lock, lock], **told)
        run = lab.play(market, {0: [-100.0, nan]}, margin=1_000.0, borrow_apr=0.0)
        assert run.rows.cash_usd[3:, 1] == pytest.approx([cash] * 2)
        assert run.rows.pledged[3:, 1, 0] == pytest.approx([at_venue] * 2)
        assert run.rows.units[3:, 0] == pytest.approx([units] * 2)
        assert len(run.told(Event.RELEASED)) == (lock == FREE)
        assert not run.told(Event.BAD_DEBT)
        assert np.abs(run.unexplained).max() < 1e-9


@pytest.mark.parametrize(("lock", "sold"), [(FREE, True), (RECEIVE, True), (SELL, False)])
def test_a_hedge_that_is_cut_keeps_a_token_that_may_not_be_sold(lab, lock, sold):
    marks = [100.0, 100.0, 112.0, 112.0]
    told = {"bid": [100.0] * 4, "token": [0], "lock": [FREE, FREE, lock, lock]}
    settings = {"topup_at_ratio": 0.3, "topup_to_ratio": 0.15, "delever": True}
    plan = {0: [-100.0, 100.0]}
    run = lab.play(lab.market(marks, **told), plan, wallet=10_000.0, margin=1_900.0, **settings)
    assert run.told(Event.DELEVERED)
    assert (run.rows.units[-1, 0] < 100.0) == sold
    assert run.rows.position[-1, 0] > -100.0


# --------------------------------------------------------------------------- moved by force


def forced(lab, *shocks, **told):
    told = {"token": [0], "bid": [50.0] * 7, "shocks": shocks, **told}
    return lab.market(FLAT, **told)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_units_are_moved_away_for_nothing(lab, share):
    """20 tokens at 50: the loss is a settlement, and the short stands naked."""
    market = forced(lab, (3, FORCED, 1, -1, share))
    run = lab.play(market, {0: [-10.0, 20.0]}, wallet=10_000.0)
    (fill,) = [f for f in run.fills if f.reason == Reason.SHOCK]
    assert (fill.row, fill.instrument, fill.size, fill.px) == (3, 1, -20.0 * share, 0.0)
    assert run.rows.units[3:, 0].tolist() == [20.0 * (1.0 - share)] * 4, "nor bought again"
    assert run.rows.position[-1, 0] == -10.0
    assert run.cause("settlement").tolist() == [0.0] * 3 + [-1_000.0 * share] + [0.0] * 3
    assert [(e.row, e.kind, e.usd) for e in run.events] == [
        (3, Event.FORCED_TRANSFER, 1_000.0 * share)
    ]
    assert run.frames["fills"].filter(reason="shock")["way"].to_list() == ["issuer"]
    assert np.abs(run.unexplained).max() < 1e-12


def test_a_locked_token_is_moved_by_its_issuer_all_the_same(lab):
    market = forced(lab, (3, FORCED, 1, -1, 1.0), lock=[FREE, FREE, ALL, ALL, ALL, ALL, ALL])
    run = lab.play(market, {0: [nan, 20.0]}, wallet=10_000.0)
    assert run.rows.units[:, 0].tolist() == [0.0, 20.0, 20.0] + [0.0] * 4


def test_what_is_pledged_is_moved_by_the_same_share(lab):
    """100 in the wallet and 800 pledged: a quarter of each."""
    pledged = {(0, 0): {"share": 0.1}, (1, 0): {"share": 0.8}}
    told = {"pledged": pledged, "bid": [1.0] * 7, "kinds": ["treasury"], "token": [-1]}
    market = forced(lab, (3, FORCED, 1, -1, 0.25), **told)
    run = lab.play(market, {}, wallet=1_000.0, margin=1_000.0)
    assert run.rows.units[3:, 0].tolist() == pytest.approx([675.0] * 4)
    assert run.rows.pledged[3:, 1, 0].tolist() == pytest.approx([600.0] * 4)
    moved = [(int(f["account"]), float(f["size"])) for f in run.played.fills]
    assert moved == [(1, pytest.approx(-200.0)), (0, pytest.approx(-25.0))]
    assert run.rows.value_usd[3, 1] == pytest.approx(800.0)
    ways = run.frames["fills"]["way"].to_list()
    assert sorted(ways) == ["issuer", "venue"]
    assert np.abs(run.unexplained).max() < 1e-12


def test_an_issuer_strikes_before_a_venue_that_fails_in_the_same_hour(lab):
    """Of 800 pledged the issuer moves 200 away, and of the other 600 half are lost."""
    told = {"pledged": {(1, 0): {"share": 0.8}}, "bid": [1.0] * 7, "kinds": ["treasury"]}
    shocks = [(3, FORCED, 1, -1, 0.25), (3, Shock.VENUE_FAILURE, -1, 1, 0.5)]
    run = lab.play(forced(lab, *shocks, token=[-1], **told), {}, wallet=1_000.0, margin=1_000.0)
    moved = [(int(f["account"]), float(f["size"])) for f in run.played.fills]
    assert moved == [(1, pytest.approx(-200.0)), (1, pytest.approx(-300.0))]
    assert run.rows.units[-1, 0] == pytest.approx(300.0)


def test_nothing_is_said_where_none_is_held(lab):
    run = lab.play(forced(lab, (3, FORCED, 1, -1, 1.0)), {}, wallet=10_000.0)
    assert run.fills == []
    assert run.events == []


def test_an_order_that_stands_is_withdrawn(lab):
    live = [True, True, False, False, True, True, True]
    market = forced(lab, (3, FORCED, 1, -1, 0.5), live=live)
    run = lab.play(market, {0: [-10.0, 10.0], 1: [-20.0, 20.0]}, wallet=10_000.0)
    assert (run.rows.position[-1, 0], run.rows.units[-1, 0]) == (-10.0, 5.0)


@pytest.mark.parametrize("seed", range(4))
def test_causes_explain_equity(lab, seed):
    rng = np.random.default_rng(seed)
    plain = lab.random_market(seed)
    tokens = plain.tape.bid_px.shape[1]
    hours, perps = plain.tape.mark_px.shape
    rows = sorted(rng.choice(np.arange(2, hours), 3, replace=False).tolist())
    shocks = [(int(r), FORCED, perps + int(rng.integers(tokens)), -1, 0.3) for r in rows]
    lock = np.repeat(rng.choice([0, 0, 1, 2, 3, 4], (hours // 6 + 1, tokens)), 6, axis=0)[:hours]
    market = lab.random_market(seed, shocks=shocks, lock=lock)
    run = lab.play(market, lab.random_plan(seed), topup_at_ratio=0.5)
    assert np.abs(run.unexplained).max() < 1e-9
    moved = [f for f in run.fills if f.instrument >= perps and f.reason != Reason.SHOCK]
    assert not [f for f in moved if lock[f.row, f.instrument - perps] == ALL]
