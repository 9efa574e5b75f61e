"""What an account is worth, what the venue requires, and where it would be liquidated.

Source of the formulas: Hyperliquid documentation, trading/margining (initial = notional over
leverage, maintenance = half the initial rate at the coin's highest leverage) and
trading/liquidations (the liquidation price).
"""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest

from perpkit.arrays import TERM, Book
from perpkit.book.margin import add_tokens, assess, line_px, margin_ratio
from perpkit.book.path import falls_short
from perpkit.config import RunConfig
from perpkit.layout import blank
from perpkit.tape import settings_of

# Entry = price = 200, size 10: leverage, highest leverage, side, liquidation price.
# 200 - side x (2000 / leverage - 1000 / highest) / 10 / (1 - side / (2 highest)), for example
# 200 - (200 - 50) / 10 / 0.975 = 184.6154.
TABLE = [
    (10, 20, 1, 184.6154),
    (20, 20, 1, 194.8718),
    (10, 10, 1, 189.4737),
    (5, 10, 1, 168.4211),
    (10, 20, -1, 214.6341),
    (20, 20, -1, 204.8780),
    (10, 10, -1, 209.5238),
    (5, 10, -1, 228.5714),
]


@pytest.mark.parametrize(("leverage", "highest", "side", "expected"), TABLE)
def test_liquidation_price_of_a_lone_position(lab, leverage, highest, side, expected):
    terms = {"initial_frac": 1.0 / leverage, "maintenance_frac": 0.5 / highest}
    market = lab.market([200.0] * 3, terms=terms)
    run = lab.play(market, {0: [side * 10.0]}, margin=2_000.0 / leverage)
    assert run.rows.liquidation_px[1:, 0] == pytest.approx([expected] * 2, abs=5e-5)
    assert isnan(run.rows.liquidation_px[0, 0])  # nothing held yet
    # The requirement: 2000 / leverage to open, 1000 / highest to keep.
    assert run.rows.initial_usd[1, 1] == pytest.approx(2_000.0 / leverage)
    assert run.rows.maintenance_usd[1, 1] == pytest.approx(1_000.0 / highest)
    ratio = run.frames["equity"]["margin_ratio"].to_list()
    assert ratio == pytest.approx([0.0, leverage / highest / 2, leverage / highest / 2])


def test_liquidation_price_stays_where_it_is_while_the_mark_moves(lab):
    # It depends on cash and entry alone: (2,000 - 200) / (10 x 0.975) = 184.6154 at any mark.
    market = lab.market([200.0, 200.0, 205.0, 190.0, 198.0], terms={"initial_frac": 0.1})
    run = lab.play(market, {0: [10.0]}, margin=200.0)
    assert run.rows.liquidation_px[1:, 0] == pytest.approx([184.615385] * 4)


def test_liquidation_price_in_an_account_of_two_takes_the_other_as_unmoved(lab):
    # Cash 1,000. Long 10 at 200 needs 2000 x 2.5% = 50; short 5 at 400 needs 2000 x 5% = 100.
    # Available 850: 200 - 850 / 10 / 0.975 = 112.8205; 400 + 850 / 5 / 1.05 = 561.9048.
    market = lab.market([[200.0, 400.0]] * 3, terms={"maintenance_frac": [0.025, 0.05]})
    run = lab.play(market, {0: [10.0, -5.0]}, margin=1_000.0)
    assert run.rows.liquidation_px[1] == pytest.approx([112.820513, 561.904762])
    assert run.rows.maintenance_usd[1, 1] == pytest.approx(150.0)


def test_no_price_liquidates_a_long_that_is_paid_for_in_full(lab):
    # 200 - 1990 / 10 / 0.975 = -4.1: below zero.
    market = lab.market([200.0] * 3)
    run = lab.play(market, {0: [10.0]}, margin=2_040.0)
    assert np.isnan(run.rows.liquidation_px[:, 0]).all()
    assert line_px(10.0, 200.0, 1_990.0, (1.0, 0.025)) == pytest.approx(200 - 199 / 0.975)
    assert line_px(-10.0, 200.0, 1_990.0, (1.0, 0.025)) == pytest.approx(200 + 199 / 1.025)


@pytest.mark.parametrize(
    ("maintenance", "value", "expected"),
    [
        (50.0, 200.0, 0.25),
        (50.0, 50.0, 1.0),
        (0.0, 200.0, 0.0),
        (0.0, -1.0, 0.0),
        (50.0, 0.0, inf),
        (50.0, -1.0, inf),
    ],
)
def test_margin_ratio(maintenance, value, expected):
    assert margin_ratio(maintenance, value) == expected


def test_initial_follows_the_chosen_leverage_and_maintenance_the_highest(lab):
    # Leverage 4 of at most 20: initial 25%, maintenance 1 / 40.
    market = lab.market([100.0] * 3, terms={"initial_frac": 0.25, "maintenance_frac": 0.025})
    run = lab.play(market, {0: [-40.0]}, margin=2_000.0)
    assert run.rows.initial_usd[1, 1] == pytest.approx(1_000.0)
    assert run.rows.maintenance_usd[1, 1] == pytest.approx(100.0)


def test_value_and_requirement_follow_the_mark_and_not_oracle_or_mid(lab):
    market = lab.market(
        [100.0, 100.0, 110.0], oracle=[100.0, 100.0, 150.0], mid=[100.0, 100.0, 90.0]
    )
    run = lab.play(market, {0: [-10.0]}, margin=1_000.0)
    # 1,000 - 10 x (110 - 100) = 900; 1,100 x 5% = 55; 1,100 x 2.5% = 27.5.
    assert run.rows.value_usd[2, 1] == pytest.approx(900.0)
    assert run.rows.initial_usd[2, 1] == pytest.approx(55.0)
    assert run.rows.maintenance_usd[2, 1] == pytest.approx(27.5)


def test_accounts_are_margined_apart_and_the_worst_is_the_ratio_of_the_run(lab):
    # Two venues, 500 each: maintenance 2000 x 2.5% = 50 and 4000 x 2.5% = 100.
    market = lab.market([[100.0, 100.0]] * 3, account=[1, 2])
    run = lab.play(market, {0: [20.0, -40.0]}, margin=1_000.0)
    assert run.rows.value_usd[1, 1:].tolist() == pytest.approx([500.0, 500.0])
    assert run.rows.maintenance_usd[1].tolist() == pytest.approx([0.0, 50.0, 100.0])
    frame = run.frames
    ratios = frame["accounts"].filter(frame["accounts"]["account"] != "wallet")["margin_ratio"]
    assert ratios.to_list()[2:4] == pytest.approx([0.1, 0.2])
    assert frame["equity"]["margin_ratio"][1] == pytest.approx(0.2)


def test_tokens_in_the_wallet_are_equity_but_no_margin(lab):
    market = lab.market([100.0] * 3, bid=[10.0] * 3)
    run = lab.play(market, {0: [nan, 30.0]}, wallet=500.0, margin=500.0)
    assert run.rows.value_usd[1].tolist() == pytest.approx([200.0, 500.0])
    assert run.rows.equity_usd[1] == pytest.approx(1_000.0)


def test_a_change_of_terms_changes_the_requirement_at_its_row(lab):
    market = lab.market(
        [100.0] * 4, era=[0, 0, 1, 1], terms=[{}, {"maintenance_frac": 0.05, "initial_frac": 0.1}]
    )
    run = lab.play(market, {0: [10.0]}, margin=1_000.0)
    assert run.rows.maintenance_usd[:, 1].tolist() == pytest.approx([0.0, 25.0, 50.0, 50.0])
    assert run.rows.initial_usd[:, 1].tolist() == pytest.approx([0.0, 50.0, 100.0, 100.0])


def test_strategy_is_shown_the_same_margin_as_the_ledger(lab):
    market = lab.market([100.0, 101.0, 103.0, 102.0], terms={"fee_frac": 0.001})
    shown = []

    def decide(t, past, book, p, mine, target):
        margin = book.accounts[1]
        shown.append(
            [float(margin[n]) for n in ("cash_usd", "equity_usd", "margin_ratio", "free_usd")]
            + [float(book.perps[0].liquidation_px)]
        )
        target.perps[0] = -10.0

    run = lab.play(market, decide, margin=1_000.0)
    rows = run.rows
    ratio = run.frames["accounts"].filter(run.frames["accounts"]["account"] == "venue1")
    for t in range(1, 4):
        cash, value, initial = (x[t, 1] for x in (rows.cash_usd, rows.value_usd, rows.initial_usd))
        told = [cash, value, ratio["margin_ratio"][t], value - initial, rows.liquidation_px[t, 0]]
        assert shown[t] == told


def test_each_account_has_the_worth_of_its_own_positions_and_tokens():
    # Coins alternate between two accounts, tokens lie in three.
    book = blank(Book, M=4, K=4, A=3)
    book.perps.account[:] = 1, 2, 1, 2
    book.perps.position[:] = 1.0, -2.0, 3.0, -4.0
    mark = np.array([10.0, 20.0, 30.0, 40.0])
    perps = book.perps._replace(mark_px=mark, high_px=mark + 1.0, low_px=mark - 1.0)
    perps.entry_px[:] = mark - 1.0
    book.accounts.is_margin[1:], book.accounts.parent[:] = True, -1
    book.accounts.cash_usd[:] = 100.0, 200.0, 300.0
    terms = np.zeros(4, TERM).view(np.recarray)
    terms.initial_frac, terms.maintenance_frac = 0.1, 0.05
    book = book._replace(perps=perps)
    assess(terms, book)
    assert book.accounts.value_usd.tolist() == [100.0, 204.0, 294.0]
    assert book.accounts.initial_usd.tolist() == [0.0, 10.0, 20.0]
    assert book.accounts.maintenance_usd.tolist() == [0.0, 5.0, 10.0]
    tokens = book.tokens._replace(fair_px=np.array([1.0, 2.0, 3.0, 4.0]))
    tokens.account[:] = 2, 0, 2, 1
    tokens.units[:] = 1.0, 1.0, 0.0, 10.0
    add_tokens(book._replace(tokens=tokens))
    assert book.accounts.equity_usd.tolist() == [102.0, 244.0, 295.0]
    assert not falls_short(terms, book, settings_of(RunConfig()))
    # 200 + 0 at the lows, less 5% of 9 + 87; 300 - 4 - 8 at the highs, less 5% of 42 + 164.
    assert book.accounts.spare_usd == pytest.approx([100.0, 195.2, 277.7])
