"""Auto-deleveraging: who is reached, at what price, and what is left.

Facts: Hyperliquid documentation, trading/auto-deleveraging: holders of the other side are ranked
by (mark / entry) times (notional / account value) and closed at the previous mark. For shorts the
index takes entry / mark.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from perpkit.arrays import Book, Event, Reason, Shock
from perpkit.book.adl import adl_index, moved_against_others
from perpkit.config import check_config
from perpkit.errors import RequestError
from perpkit.layout import blank
from perpkit.tape import settings_of

FEES = {"fee_frac": 0.001, "cost_frac": 0.0}
# Both bought or sold at 100 in row 1; in row 3 the first falls to 70, the second rises to 125.
MARKS = np.array([[100.0, 100.0], [100.0, 100.0], [80.0, 110.0], [78.0, 112.0], [78.0, 112.0]])
LOW = np.array([[inf, inf]] * 3 + [[70.0, inf], [inf, inf]])
HIGH = np.array([[0.0, 0.0]] * 3 + [[0.0, 125.0], [0.0, 0.0]])


def closed(run):
    return [(f.row, f.instrument, f.size, f.px) for f in run.fills if f.reason == Reason.ADL]


def two_coins(lab, positions=(-50.0, 40.0), **settings):
    market = lab.market(MARKS, low=LOW, high=HIGH)
    told = {"adl_shock_frac": 0.12, "wallet": 1.0, "margin": 10_000.0, **settings}
    return lab.play(market, {0: positions}, **told)


# --------------------------------------------------------------------------- the rank, by hand
# At the last marks, 80 and 110, the account holds 10,000 + 50 x 20 + 40 x 10 = 11,400 USD.
# Short: 100 / 80 x 4,000 / 11,400 = 0.438596; long: 110 / 100 x 4,400 / 11,400 = 0.424561.


@pytest.mark.parametrize(
    ("index", "reached"),
    [(0.0, [0, 1]), (0.4245, [0, 1]), (0.4246, [0]), (0.4385, [0]), (0.4387, [])],
)
def test_who_is_reached_at_an_index(lab, index, reached):
    run = two_coins(lab, adl_index=index)
    last = {0: (3, 0, 50.0, 80.0), 1: (3, 1, -40.0, 110.0)}
    assert closed(run) == [last[m] for m in reached]


def test_a_short_ranks_by_entry_over_mark(lab):
    """Without the long: 11,000 USD, 1.25 x 4,000 / 11,000 = 0.454545."""
    assert closed(two_coins(lab, (-50.0, 0.0), adl_index=0.4545))
    assert not closed(two_coins(lab, (-50.0, 0.0), adl_index=0.4546))


def test_more_margin_lowers_the_rank(lab):
    """Twice the cash: 1.25 x 4,000 / 21,400 = 0.233645 for the short."""
    assert [m for _, m, *_ in closed(two_coins(lab, margin=20_000.0, adl_index=0.2336))] == [0]
    assert not closed(two_coins(lab, margin=20_000.0, adl_index=0.2337))


def test_each_account_ranks_its_own_positions(lab):
    """5,000 USD each: 1.25 x 4,000 / 6,000 = 0.8333 and 1.1 x 4,400 / 5,400 = 0.8963."""
    market = lab.market(MARKS, low=LOW, high=HIGH, account=[1, 2])
    told = {"adl_shock_frac": 0.12, "wallet": 1.0, "margin": 10_000.0}
    run = lab.play(market, {0: (-50.0, 40.0)}, **told, adl_index=0.85)
    assert [m for _, m, *_ in closed(run)] == [1]
    assert len(closed(lab.play(market, {0: (-50.0, 40.0)}, **told, adl_index=0.83))) == 2


def test_an_isolated_position_ranks_by_its_own_margin(lab):
    """5,000 USD at 20x move 250 in: 1.25 x 4,000 / (250 + 1,000) = 4, and not 0.45."""
    market = lab.market(MARKS, low=LOW, high=HIGH, account=[2, 1], parent={2: 1})
    told = {"adl_shock_frac": 0.12, "wallet": 1.0, "margin": 10_000.0}
    run = lab.play(market, {0: (-50.0, 0.0)}, **told, adl_index=3.99)
    assert closed(run) == [(3, 0, 50.0, 80.0)]
    assert run.rows.cash_usd[3].tolist() == pytest.approx([1.0, 11_000.0, 0.0])
    assert not closed(lab.play(market, {0: (-50.0, 0.0)}, **told, adl_index=4.01))


def test_pledged_tokens_count_less_their_haircut_at_the_last_price():
    """4,000 cash, a short with 1,000 in profit and 5,000 less a fifth pledged: 9,000 in all."""
    book = blank(Book, M=1, K=1, A=2, C=2)
    perps, tokens = book.perps, book.tokens
    book.accounts.counted_frac[:], book.accounts.lent_usd[:] = 1.0, inf
    book.accounts.cash_usd[1], perps.account[0] = 4_000.0, 1
    perps.position[0], perps.entry_px[0], perps.start_px[0] = -50.0, 100.0, 80.0
    book.collateral.units[1, 0], book.collateral.haircut_frac[1, 0] = 50.0, 0.2
    tokens.start_px[0], tokens.fair_px[0] = 100.0, 1_000.0
    assert adl_index(0, book) == pytest.approx(1.25 * 4_000.0 / 9_000.0, rel=1e-15)
    tokens.start_px[0], tokens.fair_px[0] = nan, 100.0
    assert adl_index(0, book) == pytest.approx(1.25 * 4_000.0 / 9_000.0, rel=1e-15)
    book.accounts.cash_usd[1] = -5_000.0
    assert np.isnan(adl_index(0, book)), "worth nothing: no leverage to rank"


# --------------------------------------------------------------------------- when it happens


def test_the_move_is_that_against_the_other_side():
    """A short's losers are longs: how far the mark fell. A long's: how far it rose."""
    assert moved_against_others(-1.0, 80.0, 200.0, 60.0) == 20.0
    assert moved_against_others(1.0, 80.0, 100.0, 1.0) == 20.0


@pytest.mark.parametrize(("frac", "reached"), [(0.124, [0, 1]), (0.126, [1]), (0.14, [])])
def test_a_move_of_at_least_so_much(lab, frac, reached):
    """The first falls 10 of 80, 12.5%; the second rises 15 of 110, 13.6%."""
    run = two_coins(lab, adl_shock_frac=frac)
    assert [m for _, m, *_ in closed(run)] == reached


def test_off_by_default(lab):
    market = lab.market(MARKS, low=LOW, high=HIGH)
    run = lab.play(market, {0: (-50.0, 40.0)}, wallet=1.0, margin=10_000.0)
    assert closed(run) == []


def test_a_position_that_lost_is_not_reached(lab):
    """Short at 100, the mark rises to 120 and then falls: the other side is in trouble, not us."""
    market = lab.market(
        [100.0, 100.0, 120.0, 110.0, 110.0], low=[inf, inf, inf, 90.0, inf], terms=FEES
    )
    run = lab.play(market, {0: [-50.0]}, adl_shock_frac=0.1)
    assert closed(run) == []
    market = lab.market([100.0, 100.0, 80.0, 90.0, 90.0], high=[0.0, 0.0, 0.0, 120.0, 0.0])
    assert closed(lab.play(market, {0: [50.0]}, adl_shock_frac=0.1)) == []


def test_what_is_liquidated_is_not_deleveraged(lab):
    """High and low of one hour: the short is liquidated at the high before anyone is reached."""
    market = lab.market(
        [100.0, 100.0, 90.0, 90.0],
        high=[0.0, 0.0, 0.0, 200.0],
        low=[inf, inf, inf, 60.0],
        terms={"backstop_frac": nan},
    )
    run = lab.play(market, {0: [-50.0]}, wallet=1.0, margin=1_000.0, adl_shock_frac=0.1)
    assert run.told(Event.LIQUIDATION)
    assert closed(run) == []


# --------------------------------------------------------------------------- what it does


def test_closed_at_the_last_mark_without_a_fee(lab):
    market = lab.market([100.0, 100.0, 80.0, 70.0, 70.0], terms=FEES)
    run = lab.play(market, {0: [-50.0]}, wallet=1.0, margin=10_000.0, adl_shock_frac=0.1)
    fill = run.fills[1]
    assert (fill.row, fill.size, fill.px, fill.fee_usd) == (3, 50.0, 80.0, 0.0)
    told = [(e.row, e.instrument, e.account, e.usd) for e in run.told(Event.ADL)]
    assert told == [(3, 0, 1, 4_000.0)]
    # 10,000 less the fee of 5 on the entry; 1,000 in profit at 80, and not the 1,500 at 70.
    assert run.rows.cash_usd[3, 1] == pytest.approx(10_000.0 - 5.0 + 1_000.0)
    assert run.rows.position[3, 0] == 0.0
    assert run.cause("perp_price")[3] == pytest.approx(500.0)
    assert run.cause("liquidation")[3] == pytest.approx(-500.0), "the last move is not ours"
    assert np.abs(run.unexplained).max() < 1e-12


def test_the_target_goes_and_the_coin_may_be_entered_again(lab):
    market = lab.market([100.0, 100.0, 80.0, 70.0, 70.0, 70.0])
    run = lab.play(market, {0: [-50.0], 4: [-10.0]}, adl_shock_frac=0.1)
    assert run.rows.position[:, 0].tolist() == [0.0, -50.0, -50.0, 0.0, 0.0, -10.0]
    assert not run.told(Event.REENTRY_REFUSED)


def test_the_token_stays_and_is_naked_until_the_strategy_decides(lab):
    market = lab.market([100.0, 100.0, 80.0, 70.0, 70.0, 70.0], token=[0], bid=[100.0] * 6)
    run = lab.play(market, {0: [-50.0, 50.0], 4: [0.0, 0.0]}, adl_shock_frac=0.1)
    assert run.rows.position[:, 0].tolist() == [0.0, -50.0, -50.0, 0.0, 0.0, 0.0]
    assert run.rows.units[:, 0].tolist() == [0.0, 50.0, 50.0, 50.0, 50.0, 0.0]


@pytest.mark.parametrize(("pair", "units"), [("together", 50.0), ("each", 80.0)])
def test_more_of_the_token_is_not_bought_for_a_hedge_that_is_gone(lab, pair, units):
    """The order for 30 more stands while the token cannot be traded; then the perp is closed."""
    market = lab.market(
        [100.0, 100.0, 80.0, 70.0, 70.0],
        token=[0],
        bid=[100.0] * 5,
        live=[True, True, False, False, True],
    )
    run = lab.play(market, {0: [-50.0, 50.0], 1: [-80.0, 80.0]}, pair=pair, adl_shock_frac=0.1)
    assert closed(run)
    assert run.rows.units[-1, 0] == units


def test_a_profit_of_the_row_before_counts_and_not_that_of_the_hour(lab):
    """In loss at the last mark, in profit at this one: not reached until the hour after."""
    market = lab.market([100.0, 100.0, 105.0, 80.0, 64.0, 64.0])
    run = lab.play(market, {0: [-50.0]}, adl_shock_frac=0.1)
    assert closed(run) == [(4, 0, 50.0, 80.0)]


# --------------------------------------------------------------------------- by a shock


def test_a_shock_closes_a_share_in_whole_lots(lab):
    market = lab.market(
        [100.0, 100.0, 80.0, 70.0, 70.0],
        terms={"lots_per_unit": 1.0},
        shocks=[(3, Shock.ADL, 0, 1, 0.5)],
    )
    run = lab.play(market, {0: [-51.0]})
    assert closed(run) == [(3, 0, 25.0, 80.0)]
    assert run.rows.position[:, 0].tolist() == [0.0, -51.0, -51.0, -26.0, -26.0], "target withdrawn"


def test_a_shock_reaches_a_position_that_lost(lab):
    market = lab.market([100.0, 100.0, 120.0, 110.0], shocks=[(3, Shock.ADL, 0, 1, 1.0)])
    run = lab.play(market, {0: [-50.0]}, adl_index=99.0, adl_shock_frac=0.5)
    assert closed(run) == [(3, 0, 50.0, 120.0)]
    assert np.abs(run.unexplained).max() < 1e-12


def test_a_shock_strikes_its_own_row_and_coin(lab):
    market = lab.market(
        np.full((5, 2), 100.0), shocks=[(2, Shock.ADL, 1, 1, 1.0), (4, Shock.ADL, 0, 1, 1.0)]
    )
    run = lab.play(market, {0: (-50.0, 40.0)})
    assert closed(run) == [(2, 1, -40.0, 100.0), (4, 0, 50.0, 100.0)]


@pytest.mark.parametrize("share", [1.0, 0.004])
def test_a_shock_without_a_position_or_a_lot_does_nothing(lab, share):
    market = lab.market(
        [100.0] * 5,
        terms={"lots_per_unit": 1.0},
        shocks=[(1, Shock.ADL, 0, 1, 1.0), (3, Shock.ADL, 0, 1, share)],
    )
    run = lab.play(market, {0: [-50.0]} if share < 1.0 else {})
    assert closed(run) == []
    assert run.told(Event.ADL) == []
    assert run.rows.position[-1, 0] == (-50.0 if share < 1.0 else 0.0)


def test_part_of_an_isolated_position_gives_its_part_of_the_margin_back(lab):
    """A short of 50 at 100 with 250 in it and 1,000 in profit: half of 1,250 goes back."""
    market = lab.market(
        [100.0, 100.0, 80.0, 80.0],
        account=[2],
        parent={2: 1},
        shocks=[(3, Shock.ADL, 0, 2, 0.5)],
    )
    run = lab.play(market, {0: [-50.0]}, wallet=1.0, margin=10_000.0)
    # Half closed: 250 + 500 realised in the position, of which 625 less its 500 unrealised stay.
    assert run.rows.cash_usd[3].tolist() == pytest.approx([1.0, 9_750.0 + 625.0, 125.0])
    assert np.abs(run.unexplained).max() < 1e-12


# --------------------------------------------------------------------------- settings, identity


def test_settings_reach_the_loop():
    told = settings_of(check_config({"adl_shock_frac": 0.2, "adl_index": 1.5}))
    assert (told.adl_shock_frac, told.adl_index) == (0.2, 1.5)
    assert settings_of(check_config({})).adl_shock_frac == inf


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"adl_shock_frac": 0.0}, "adl_shock_frac was 0.0"),
        ({"adl_shock_frac": 0.1, "adl_index": -1.0}, "adl_index was -1.0"),
        ({"adl_index": 2.0}, "adl_index was 2 without adl_shock_frac"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings, says):
    with pytest.raises(RequestError, match=says):
        check_config(settings)


@pytest.mark.parametrize("seed", range(8))
def test_causes_explain_equity_and_units_are_conserved(lab, seed):
    rng = np.random.default_rng(seed)
    rows = sorted(rng.choice(np.arange(2, 48), 8, replace=False).tolist())
    shocks = [
        (row, Shock.ADL, int(rng.integers(2)), 1, float(rng.uniform(0.2, 1.0))) for row in rows
    ]
    market = lab.random_market(seed, shocks=shocks)
    run = lab.play(market, lab.random_plan(seed), adl_shock_frac=0.03, after_liquidation="resume")
    assert closed(run)
    assert np.abs(run.unexplained).max() < 1e-9
    for m in range(2):
        done = np.zeros(48)
        for fill in run.fills:
            if fill.instrument == m:
                done[fill.row] += fill.size
        assert np.cumsum(done) == pytest.approx(run.rows.position[:, m], abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_move_that_never_comes_changes_nothing(lab, seed):
    plan = lab.random_plan(seed)
    free = lab.play(lab.random_market(seed), plan)
    held = lab.play(lab.random_market(seed), plan, adl_shock_frac=1e9)
    assert np.array_equal(free.rows.equity_usd, held.rows.equity_usd)
    assert free.events == held.events
