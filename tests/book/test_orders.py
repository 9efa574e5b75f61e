"""From standing targets to orders: their sequence, what is cut, what waits, what is refused."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpkit.arrays import Event, Perps, Tokens
from perpkit.book.orders import cut_token, need_usd
from perpkit.errors import StrategyError
from perpkit.layout import blank

# --------------------------------------------------------------------------- sequence


def test_sells_and_reductions_then_token_buys_then_increases(lab):
    market = lab.market([[100.0, 100.0]] * 4, bid=[[10.0, 10.0]] * 4)
    plan = {0: [5.0, nan, 20.0, nan], 1: [2.0, -3.0, 5.0, 8.0]}
    run = lab.play(market, plan)
    assert {f.instrument for f in run.fills[:2]} == {0, 2}  # row 1
    third = [(f.instrument, f.size) for f in run.fills[2:]]
    assert set(third[:2]) == {(2, -15.0), (0, -3.0)}
    assert third[2:] == [(3, 8.0), (1, -3.0)]


def test_a_sale_pays_for_a_purchase_of_the_same_hour(lab):
    # 100 USD buys ten of the first; they are sold at 10 and the other is bought with the money.
    market = lab.market([100.0] * 4, bid=[[10.0, 5.0]] * 4)
    run = lab.play(market, {0: [nan, 10.0, nan], 1: [nan, 0.0, 20.0]}, wallet=100.0)
    assert run.rows.units[2].tolist() == [0.0, 20.0]
    assert run.events == []


def test_a_reduction_frees_margin_for_an_increase_of_the_same_hour(lab):
    # 100 USD at 10x carry 1,000 USD: ten units of the one, or of the other, never of both.
    market = lab.market([[100.0, 100.0]] * 4, terms={"initial_frac": 0.1})
    run = lab.play(market, {0: [nan, 10.0], 1: [-10.0, 0.0]}, margin=100.0)
    assert run.rows.position[2].tolist() == [-10.0, 0.0]
    assert run.events == []


# --------------------------------------------------------------------------- margin and cash


def test_perp_is_cut_to_what_its_margin_carries_in_whole_lots(lab):
    # A short at 100 less 1%: margin 10, loss against the mark 1, fee 99 x 0.1% = 0.099, together
    # 11.099 a unit. 100 / 11.099 = 9.0098, in lots of a tenth 9.0.
    term = lab.market([100.0], terms={"initial_frac": 0.1, "fee_frac": 0.001}).terms[0][0]
    perps = blank(Perps, M=1)
    perps.order[:], perps.order_px[:], perps.mark_px[:] = -1.0, 99.0, 100.0
    assert need_usd(-1.0, 0, perps, term) == pytest.approx(11.099)
    # Above the mark a short loses nothing at once, and gains no margin: 10 + 0.101.
    perps.order_px[:] = 101.0
    assert need_usd(-1.0, 0, perps, term) == pytest.approx(10.101)
    terms = {"initial_frac": 0.1, "fee_frac": 0.001, "cost_frac": 0.01, "lots_per_unit": 10.0}
    run = lab.play(lab.market([100.0] * 5, terms=terms), {0: [-12.0]}, margin=100.0)
    assert run.rows.position[:, 0].tolist() == [0.0, -9.0, -9.0, -9.0, -9.0]
    # 100 - 9 - 0.891 is worth 90.109 and 90 are required.
    assert run.rows.value_usd[1, 1] == pytest.approx(90.109)
    assert run.rows.initial_usd[1, 1] == pytest.approx(90.0)
    (trimmed,) = run.told(Event.TRIMMED)
    assert (trimmed.row, trimmed.instrument, trimmed.usd) == (1, 0, pytest.approx(0.75))


def test_perps_are_served_in_the_order_of_the_instruments(lab):
    # 1,500 USD of the 2,000 that 100 USD carry at 20x go to the first, 500 are left.
    market = lab.market([[100.0, 100.0]] * 3)
    run = lab.play(market, {0: [15.0, -15.0]}, margin=100.0)
    assert run.rows.position[1].tolist() == [15.0, -5.0]


def test_profit_of_a_cross_account_is_margin_and_a_loss_is_not(lab):
    # Long 10 from 100 to 110: value 100 + 100, needed 55; 145 are free, 26.36 units of 5.50.
    for mark, expected in ((110.0, 36.363), (95.0, 10.526)):
        market = lab.market([100.0, 100.0, mark], terms={})
        run = lab.play(market, {0: [10.0], 1: [100.0]}, margin=100.0)
        # At 95: value 50, needed 47.5; 2.5 free carry 0.526 units of 4.75.
        assert run.rows.position[2, 0] == pytest.approx(expected)


def test_token_is_cut_to_the_cash_with_its_fee(lab):
    # 505 USD at 10 and 1%: 505 / 10.1 = 50 units.
    tokens = blank(Tokens, K=1)
    tokens.order_px[:], tokens.order_fee_frac[:], tokens.order_min_usd[:] = 10.0, 0.01, 1.0
    for order, expected in ((100.0, 50.0), (50.2, 50.0), (49.9, 49.9)):  # 502 without the fee
        tokens.order[:] = order
        assert cut_token(0, 505.0, tokens) == pytest.approx(expected)
    market = lab.market([100.0] * 3, bid=[10.0] * 3, token_fee=0.01)
    run = lab.play(market, {0: [nan, 100.0]}, wallet=505.0)
    assert run.rows.units[1, 0] == pytest.approx(50.0)
    assert run.rows.cash_usd[1, 0] == pytest.approx(0.0, abs=1e-9)
    assert [(e.kind, e.instrument) for e in run.events] == [(Event.TRIMMED, 1)]
    assert run.events[0].usd == pytest.approx(0.5)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.floats(1.0, 5_000.0),
    st.lists(st.floats(0.0, 200.0), min_size=3, max_size=3),
    st.floats(0.01, 900.0),
    st.floats(0.0, 0.02),
    st.sampled_from(["together", "each"]),
)
def test_no_order_takes_the_wallet_below_zero(lab, wallet, wanted, px, fee, pair):
    market = lab.market(
        [[100.0, 50.0]] * 4, token=[0, -1], bid=[[px, 7.3, 0.1]] * 4, token_fee=fee,
        terms={"lots_per_unit": 100.0, "fee_frac": 0.0009, "cost_frac": 0.001},
    )  # fmt: skip
    plan = {t: [-wanted[0], wanted[1], *[(t + 1) * x for x in wanted]] for t in range(3)}
    run = lab.play(market, plan, wallet=wallet, margin=500.0, pair=pair)
    assert run.rows.cash_usd[:, 0].min() >= -1e-9
    # And no increase leaves less than the initial margin.
    assert (run.rows.value_usd[:, 1] - run.rows.initial_usd[:, 1]).min() >= -1e-9


# --------------------------------------------------------------------------- both legs

HEDGE = {"initial_frac": 0.25, "lots_per_unit": 1.0}


def hedge(lab, plan, *, hours=4, wallet=50_000.0, margin=50_000.0, pair="together", **made):
    market = lab.market([100.0] * hours, bid=[100.0] * hours, token=[0], terms=HEDGE, **made)
    return lab.play(market, plan, wallet=wallet, margin=margin, pair=pair)


@pytest.mark.parametrize(("pair", "units"), [("together", 4.0), ("each", 10.0)])
def test_margin_that_binds_cuts_the_token_with_the_perp(lab, pair, units):
    # 110 USD carry 4.4 units of 25: four lots.
    run = hedge(lab, {0: [-10.0, 10.0]}, margin=110.0, pair=pair)
    assert run.rows.position[1:, 0].tolist() == [-4.0] * 3
    assert run.rows.units[1:, 0].tolist() == [units] * 3


@pytest.mark.parametrize(("pair", "sizes"), [("together", (-5.0, 5.0)), ("each", (-10.0, 5.57))])
def test_cash_that_binds_cuts_the_perp_with_the_token(lab, pair, sizes):
    # 557 USD buy 5.57 tokens; the hedge is five whole lots.
    run = hedge(lab, {0: [-10.0, 10.0]}, wallet=557.0, pair=pair)
    assert (run.rows.position[1, 0], run.rows.units[1, 0]) == pytest.approx(sizes)


def test_legs_keep_the_ratio_of_their_targets(lab):
    # Two tokens a share, as with a multiplier of one half: 4 of 10 lots, 8 of 20 tokens.
    run = hedge(lab, {0: [-10.0, 20.0]}, margin=110.0)
    assert (run.rows.position[1, 0], run.rows.units[1, 0]) == (-4.0, 8.0)


def test_a_hedge_cut_below_the_least_order_of_a_leg_does_not_start(lab):
    run = hedge(lab, {0: [-10.0, 10.0]}, margin=20.0)  # 20 USD carry no lot of 25
    assert run.fills == []
    assert [e.kind for e in run.events] == [Event.TRIMMED]
    run = hedge(lab, {0: [-10.0, 10.0]}, margin=110.0, token_min=500.0)  # four are 400 USD
    assert run.fills == []


def test_the_rest_of_a_cut_hedge_follows_when_margin_comes(lab):
    # The mark falls to 80: the four short gain 80, and 190 - 80 = 110 carry 5.5 more units of 20.
    market = lab.market([100.0, 100.0, 80.0], bid=[100.0, 100.0, 80.0], token=[0], terms=HEDGE)
    run = lab.play(market, {0: [-10.0, 10.0]}, margin=110.0)
    assert run.rows.position[:, 0].tolist() == [0.0, -4.0, -9.0]
    assert run.rows.units[:, 0] == pytest.approx([0.0, 4.0, 9.0])


WAITS = [
    ("together", "stale", [0.0, 0.0], [0.0, 0.0]),
    ("together", "live", [0.0, 0.0], [0.0, 0.0]),
    ("each", "stale", [0.0, 0.0], [10.0, 10.0]),
    ("each", "live", [-10.0, -10.0], [0.0, 0.0]),
]


@pytest.mark.parametrize(("pair", "what", "perp", "token"), WAITS)
def test_entry_waits_for_the_leg_that_cannot_trade(lab, pair, what, perp, token):
    blocked = [False, True, True, False]  # rows 1 and 2
    made = {"stale": blocked} if what == "stale" else {"live": [not b for b in blocked]}
    run = hedge(lab, {0: [-10.0, 10.0]}, pair=pair, **made)
    assert run.rows.position[:, 0].tolist() == [0.0, *perp, -10.0]
    assert run.rows.units[:, 0].tolist() == [0.0, *token, 10.0]
    assert all(d == 0 for d in run.played.fills["decided"])


@pytest.mark.parametrize(("pair", "what", "perp", "token"), WAITS)
def test_exit_waits_for_the_leg_that_cannot_trade(lab, pair, what, perp, token):
    blocked = [False, False, True, True, False]  # rows 2 and 3
    made = {"stale": blocked} if what == "stale" else {"live": [not b for b in blocked]}
    run = hedge(lab, {0: [-10.0, 10.0], 1: [0.0, 0.0]}, hours=5, pair=pair, **made)
    # Still whole where the entry above was still nothing.
    assert run.rows.position[:, 0].tolist() == [0.0, -10.0, *[-10.0 - x for x in perp], 0.0]
    assert run.rows.units[:, 0].tolist() == [0.0, 10.0, *[10.0 - x for x in token], 0.0]


@pytest.mark.parametrize(
    ("made", "trades"),
    [
        ({"live": False}, True),
        ({"live": False, "halted": True}, False),
        ({"live": False, "token_stale": True}, False),  # carried: nothing was quoted
    ],
)
def test_frozen_quotes_trade_only_by_choice_and_only_where_recorded(lab, made, trades):
    market = lab.market([100.0] * 3, bid=[100.0] * 3, **made)
    plan = {0: [nan, 10.0]}
    assert lab.play(market, plan).fills == []
    assert len(lab.play(market, plan, trade_frozen_quotes=True).fills) == trades


# --------------------------------------------------------------------------- standing targets


def test_a_target_stands_until_it_is_filled_and_nan_leaves_it(lab):
    market = lab.market([100.0] * 6, stale=[False, True, True, True, False, False])
    run = lab.play(market, {0: [3.0], 2: [nan]})
    assert run.rows.position[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0, 3.0, 3.0]
    assert run.played.fills["decided"].tolist() == [0]


def test_a_new_target_replaces_one_that_waits(lab):
    market = lab.market([100.0] * 5, stale=[False, True, True, False, False])
    run = lab.play(market, {0: [3.0], 1: [-2.0]})
    assert [(f.row, f.size) for f in run.fills] == [(3, -2.0)]
    assert run.played.fills["decided"].tolist() == [1]


def test_trimmed_is_said_once_a_target(lab):
    market = lab.market([100.0] * 8, bid=[10.0] * 8)
    run = lab.play(market, {0: [50.0, 50.0], 4: [60.0, nan]}, wallet=100.0, margin=100.0)
    assert [(e.row, e.instrument) for e in run.told(Event.TRIMMED)] == [(1, 0), (1, 1), (5, 0)]


@pytest.mark.parametrize("wanted", [inf, -inf])
@pytest.mark.parametrize("delay", [0, 1])
def test_an_infinite_target_ends_the_run(lab, wanted, delay):
    market = lab.market([100.0] * 3, bid=[10.0] * 3)
    with pytest.raises(StrategyError, match=rf"xyz:A was {wanted} at 2026-08-12"):
        lab.play(market, {1: [wanted, nan]}, fill_delay_hours=delay)
    with pytest.raises(StrategyError, match="T0"):
        lab.play(market, {1: [nan, wanted]}, fill_delay_hours=delay)


def test_a_negative_target_of_a_token_ends_the_run(lab):
    market = lab.market([100.0] * 3, bid=[10.0] * 3)
    with pytest.raises(StrategyError, match=r"T0 was -1\.0"):
        lab.play(market, {1: [nan, -1.0]})
