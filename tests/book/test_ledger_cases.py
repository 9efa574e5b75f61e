"""Causes of what goes wrong, worked by hand from fills, payments and rows written straight down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import EVENT, FILL, PAYMENT, Event, Flow, Reason, Rows
from perpkit.layout import blank
from perpkit.ledger import CAUSES, frames
from perpkit.ledger.words import detail_of
from perpkit.play import Played, columns_of

WALLET, VENUE = 0, 1


def records(dtype: np.dtype[Any], told: list[dict[str, float]]) -> np.ndarray:
    made = np.zeros(len(told), dtype)
    for n, row in enumerate(told):
        for name, value in row.items():
            made[n][name] = value
    return made


def told_by(market, fills=(), payments=(), events=(), **rows):
    """The frames of a book that left these behind; ``rows`` broadcast over the hours."""
    hours, coins = market.tape.mark_px.shape
    sizes = {"T": hours, "M": coins, "K": market.tape.fair_px.shape[1], "A": 2}
    made = blank(Rows, **sizes, C=2 if "pledged" in rows else 0)
    made = columns_of(made)
    for name, value in rows.items():
        getattr(made, name)[:] = value
    left = (records(FILL, list(fills)), records(PAYMENT, list(payments)))
    return frames(market, Played(made, *left, records(EVENT, list(events))), "plan")


def sums(told: dict[str, pl.DataFrame], row: int) -> dict[str, float]:
    """The causes of one row that are not zero."""
    found = told["equity"].row(row, named=True)
    return {c: found[f"{c}_usd"] for c in CAUSES if found[f"{c}_usd"] != 0.0}


def booked(told: dict[str, pl.DataFrame], cause: str) -> dict[tuple[str, str], float]:
    own = told["attribution"].filter(pl.col("cause") == cause)
    return {(a, i): u for a, i, u in own.select("account", "instrument", "usd").rows()}


def test_auto_deleveraging_costs_what_the_mark_has_moved_on_since(lab):
    # Short 10 from 100, closed at the mark of 90 in the hour that ends at 80: the 10 a unit that
    # the mark went on to earn are taken away again.
    market = lab.market([100.0, 90.0, 80.0])
    told = told_by(
        market,
        [
            {"row": 0, "account": VENUE, "size": -10, "px": 100, "value_px": 100},
            {"row": 2, "account": VENUE, "size": 10, "px": 90, "value_px": 80,
             "decided": 2, "reason": Reason.ADL},
        ],
        events=[{"row": 2, "kind": Event.ADL, "account": VENUE, "usd": 900}],
        position=[[-10.0], [-10.0], [0.0]],
    )  # fmt: skip
    assert sums(told, 1) == {"perp_price": 100.0}
    assert sums(told, 2) == {"perp_price": 100.0, "liquidation": -100.0}
    fill = told["fills"].row(1, named=True)
    assert (fill["way"], fill["reason"], fill["side"]) == ("adl", "adl", "buy")
    assert told["events"]["detail"][0] == (
        "closed 900.00 USD at the last mark: auto-deleveraged against a bankrupt side"
    )


def test_a_redemption_books_nav_against_fair_price_and_its_fee(lab):
    # 1,000 at a NAV of 1.01, fair 1.00: 10 more than they count for, 0.1% of 1,010 to the issuer.
    market = lab.market([100.0] * 3, bid=[1.0] * 3, kinds=["treasury"], nav=[[1.01]] * 3)
    told = told_by(
        market,
        [{"row": 1, "instrument": 1, "size": -1_000, "px": 1.01, "value_px": 1.0, "fee_usd": 1.01,
          "reason": Reason.REDEEMED}],
        events=[{"row": 1, "kind": Event.REDEEM_SENT, "instrument": 1, "usd": 1_008.99}],
        units=[[1_000.0], [0.0], [0.0]],
        cash_usd=[[0.0, 0.0], [0.0, 0.0], [1_008.99, 0.0]],
        transit_usd=[[0.0, 0.0], [1_008.99, 0.0], [0.0, 0.0]],
        equity_usd=[1_000.0, 1_008.99, 1_008.99],
    )  # fmt: skip
    assert sums(told, 1) == pytest.approx({"slippage": 10.0, "fees": -1.01})
    assert sums(told, 2) == {}
    assert told["equity"]["cash_usd"].to_list() == pytest.approx([0.0, 1_008.99, 1_008.99])
    fill = told["fills"].row(0, named=True)
    assert (fill["way"], fill["reason"], fill["px"]) == ("issuer", "redeemed", 1.01)


def test_a_seizure_costs_the_haircut(lab):
    # 500 owed, tokens of 1.00 sold at 0.90: 555.56 of them, worth 55.56 more than they brought.
    sold = 500.0 / 0.9
    market = lab.market([100.0] * 2, bid=[1.0] * 2, kinds=["treasury"])
    told = told_by(
        market,
        [{"row": 1, "instrument": 1, "account": VENUE, "size": -sold, "px": 0.9, "value_px": 1.0,
          "reason": Reason.SEIZED}],
        events=[{"row": 1, "kind": Event.SEIZED, "instrument": 1, "account": VENUE, "usd": 500}],
        units=[[1_000.0], [1_000.0 - sold]],
        pledged=[[[0.0], [1_000.0]], [[0.0], [1_000.0 - sold]]],
    )  # fmt: skip
    assert sums(told, 1) == pytest.approx({"liquidation": -55.5555556})
    assert booked(told, "liquidation").keys() == {("venue1", "T0")}
    held = told["positions"].select("account", "instrument", "position").rows()
    assert held == [("venue1", "T0", 1_000.0), ("venue1", "T0", pytest.approx(444.444444))]
    assert told["fills"]["way"].to_list() == ["venue"]


def test_a_failed_venue_takes_a_share_of_cash_and_of_pledged_tokens(lab):
    # 40% of 5,000 and of 1,000 tokens at 1.00; the position is settled at mark, at no cost.
    market = lab.market([100.0, 90.0], bid=[1.0] * 2, kinds=["treasury"])
    told = told_by(
        market,
        [
            {"row": 1, "account": VENUE, "size": 10, "px": 90, "value_px": 90,
             "reason": Reason.SHOCK},
            {"row": 1, "instrument": 1, "account": VENUE, "size": -400, "px": 0, "value_px": 1,
             "reason": Reason.SHOCK},
        ],
        [{"row": 1, "flow": Flow.VENUE_LOSS, "instrument": -1, "account": VENUE, "usd": -2_000}],
        [{"row": 1, "kind": Event.VENUE_FAILED, "instrument": -1, "account": VENUE,
          "usd": 2_400}],
        position=[[-10.0], [0.0]],
        units=[[1_000.0], [600.0]],
        pledged=[[[0.0], [1_000.0]], [[0.0], [0.0]]],
    )  # fmt: skip
    assert sums(told, 1) == {"perp_price": 100.0, "settlement": -2_400.0}
    assert booked(told, "settlement") == {("venue1", ""): -2_000.0, ("venue1", "T0"): -400.0}
    last = told["positions"].row(-1, named=True)
    assert (last["account"], last["position"]) == ("wallet", 600.0)  # the rest came back
    assert told["fills"]["way"].to_list() == ["venue", "venue"]
    assert told["events"]["value_usd"].to_list() == [2_400.0]


def test_interest_and_the_price_of_a_cut_of_both_legs(lab):
    market = lab.market([100.0], bid=[100.0])
    told = told_by(
        market,
        [
            {"row": 0, "account": VENUE, "size": 1, "px": 101, "value_px": 100,
             "reason": Reason.DELEVERED},
            {"row": 0, "instrument": 1, "size": -1, "px": 99, "value_px": 100,
             "reason": Reason.DELEVERED},
        ],
        [{"flow": Flow.INTEREST, "instrument": -1, "account": VENUE, "usd": -0.5}],
    )  # fmt: skip
    assert sums(told, 0) == {"slippage": -2.0, "interest": -0.5}
    assert told["fills"]["way"].to_list() == ["book", "quote"]


def test_price_and_yield_are_booked_where_the_tokens_lie(lab):
    # 1,000 with a NAV that grows by 0.001 while the price rises by 0.003, a quarter in the wallet;
    # and a token that paid 8 new units on 200, half of them pledged, into the wallet.
    market = lab.market(
        [100.0, 100.0],
        bid=[[1.0, 2.0], [1.003, 2.0]],
        nav=[[1.0, np.nan], [1.001, np.nan]],
        kinds=["treasury", "stable"],
    )
    told = told_by(
        market,
        payments=[{"row": 1, "flow": Flow.YIELD, "instrument": 2, "quantity": 8, "usd": 16}],
        units=[[1_000.0, 200.0], [1_000.0, 208.0]],
        pledged=[[[0.0, 0.0], [750.0, 100.0]]] * 2,
    )
    assert booked(told, "yield") == pytest.approx(
        {
            ("wallet", "T0"): 0.25,
            ("venue1", "T0"): 0.75,
            ("wallet", "T1"): 16.0,
        }
    )
    assert booked(told, "token_price") == pytest.approx(
        {("wallet", "T0"): 0.5, ("venue1", "T0"): 1.5}
    )
    last = told["positions"].filter(pl.col("time") == told["equity"]["time"][1])
    held = last.select("account", "instrument", "position").rows()
    assert held == [
        ("wallet", "T0", 250.0),
        ("wallet", "T1", 108.0),
        ("venue1", "T0", 750.0),
        ("venue1", "T1", 100.0),
    ]


def test_units_that_are_all_pledged_leave_none_in_the_wallet(lab):
    # 0.1 + 0.2 - 0.3 is not zero in floating point.
    market = lab.market([100.0], bid=[1.0], kinds=["treasury"])
    told = told_by(market, units=0.1 + 0.2, pledged=[[[0.0], [0.3]]])
    assert told["positions"]["account"].to_list() == ["venue1"]


def test_distance_to_liquidation_is_a_share_of_the_mark(lab):
    market = lab.market([[100.0, 200.0, 50.0]] * 2)
    told = told_by(
        market,
        position=[[1.0, -2.0, 1.0]] * 2,
        liquidation_px=[[80.0, 230.0, np.nan]] * 2,
    )
    distance = told["positions"]["liquidation_distance_frac"].to_list()
    assert distance == pytest.approx([0.2, 0.15, None] * 2)


def test_what_is_in_another_currency_counts_at_its_price(lab):
    # At 1 first, then the wallet's currency at 0.5 and the venue's at 0.9: a perp filled at 101
    # against 100 with a fee of 1, and two tokens at 55 USD that are worth 50.
    market = lab.market([100.0, 100.0], bid=[50.0, 50.0])
    px = np.array([[1.0, 1.0], [0.5, 0.9]])
    market = replace(market, tape=market.tape._replace(cash_px=px))
    told = told_by(
        market,
        [
            {"row": 1, "account": VENUE, "size": 10, "px": 101, "value_px": 100, "fee_usd": 1},
            {"row": 1, "instrument": 1, "size": 2, "px": 55, "value_px": 50},
        ],
        [{"row": 1, "flow": Flow.INTEREST, "instrument": -1, "account": VENUE, "usd": -2}],
        [
            {"row": 1, "kind": Event.OWED, "instrument": -1, "account": VENUE, "usd": 100},
            {"row": 1, "kind": Event.TRIMMED, "account": VENUE, "usd": 0.25},
            {"row": 1, "kind": Event.SEIZED, "instrument": 1, "account": VENUE, "usd": 100},
            {"row": 1, "kind": Event.RELEASED, "instrument": 1, "account": VENUE, "usd": 100},
            {"row": 1, "kind": Event.REDEEM_SENT, "instrument": 1, "usd": 100},
            {"row": 1, "kind": Event.REDEEM_REFUSED, "instrument": 1, "usd": 100},
        ],
        cash_usd=[[1_000.0, 300.0], [780.0, 297.0]],
        position=[[0.0], [10.0]],
        units=[[0.0], [2.0]],
        funding_usd=[[0.0], [4.0]],
        value_usd=[[1_000.0, 300.0], [780.0, 287.0]],
        initial_usd=[[0.0, 0.0], [0.0, 50.0]],
        maintenance_usd=[[0.0, 0.0], [0.0, 25.0]],
    )
    assert sums(told, 1) == pytest.approx(
        {
            "token_price": 1_000 * -0.5 + 300 * -0.1,
            "slippage": -10 * 0.9 - 2 * 5,
            "fees": -0.9,
            "interest": -1.8,
            "funding": 3.6,
        }
    )
    assert booked(told, "token_price") == pytest.approx(
        {("wallet", ""): -500.0, ("venue1", ""): -30.0}
    )
    equity = told["equity"].row(1, named=True)
    assert equity["cash_usd"] == pytest.approx(780 * 0.5 + 297 * 0.9)
    assert equity["gross_usd"] == pytest.approx(10 * 100 * 0.9 + 100)
    account = told["accounts"].row(3, named=True)
    numbers = ("cash_usd", "margin_value_usd", "initial_usd", "maintenance_usd", "margin_ratio")
    assert [account[n] for n in numbers] == pytest.approx(
        [297 * 0.9, 287 * 0.9, 45.0, 22.5, 25 / 287]
    )
    assert told["fills"]["px"].to_list() == pytest.approx([101.0, 55.0])
    assert told["fills"]["slippage_usd"].to_list() == pytest.approx([-9.0, -10.0])
    assert told["fills"]["fee_usd"].to_list() == pytest.approx([0.9, 0.0])
    assert told["positions"]["value_usd"].to_list() == pytest.approx([900.0, 100.0])
    assert told["events"]["value_usd"].to_list() == [90.0, None, 100.0, 90.0, 100.0, 50.0]
    assert told["events"]["detail"][1].startswith("margin or cash allowed 25.0% of the order")


ENTRIES = [
    # fills of one perp as (size, px), and what a unit of it was opened at in the end
    ([(10.0, 100.0), (10.0, 120.0)], 110.0),
    ([(10.0, 100.0), (-4.0, 130.0)], 100.0),
    ([(10.0, 100.0), (-10.0, 130.0), (-5.0, 90.0)], 90.0),
    ([(-10.0, 100.0), (-30.0, 120.0), (20.0, 90.0)], 115.0),
    ([(-10.0, 100.0), (15.0, 90.0)], 90.0),
]


@pytest.mark.parametrize(("trades", "entry"), ENTRIES)
def test_a_currency_moves_unrealised_profit_from_the_average_entry(lab, trades, entry):
    market = lab.market([100.0] * 2)
    px = np.array([[1.0, 1.0], [1.0, 0.9]])
    market = replace(market, tape=market.tape._replace(cash_px=px))
    fills = [{"account": VENUE, "size": s, "px": p, "value_px": 100} for s, p in trades]
    held = sum(size for size, _ in trades)
    told = told_by(market, fills, position=held)
    moved = held * (100 - entry) * -0.1
    assert sums(told, 1) == (pytest.approx({"token_price": moved}) if moved else {})


def test_every_event_has_a_sentence_of_its_own():
    ends_the_run = {Event.FUNDING_MISSING, Event.BAD_TARGET}
    said = [detail_of(int(e), VENUE, 1_234.5) for e in Event if e not in ends_the_run]
    assert len(set(said)) == len(said)
    assert not [text for text in said if "{" in text or text.endswith(".")]
    back = detail_of(int(Event.TRANSFER_SENT), WALLET, 1_234.5)
    assert back == "1,234.50 USD sent to the wallet"


def test_every_reason_and_every_flow_has_a_cause(lab):
    market = lab.market([100.0], bid=[100.0])
    for instrument in (0, 1):
        for reason in Reason:
            fill = {"instrument": instrument, "size": 1, "px": 101, "value_px": 100,
                    "reason": reason}  # fmt: skip
            assert sum(sums(told_by(market, [fill]), 0).values()) == -1.0, reason
    for flow in set(Flow) - {Flow.FUNDING}:
        payment = {"flow": flow, "instrument": 1, "usd": 7}
        assert sum(sums(told_by(market, [], [payment]), 0).values()) == 7.0, flow
