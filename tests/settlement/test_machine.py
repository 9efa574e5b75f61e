"""One trade at a time: logs by hand, and what holds of every path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.delivery import OF_MODE, Delivery
from perpkit.errors import RequestError
from perpkit.settlement import FINAL, LABEL, Outcome, State, Trade, settle, with_fails

# Times of which no two are alike, in binary fractions; a rate of one part in 100,000 an hour.
PATH = Delivery(
    mode="coordinated",
    capital_apr=0.0876,
    lock_hours=0.5,
    finality_hours=2.0,
    attest_hours=0.25,
    bank_hours=0.125,
    lock_timeout_hours=1.0,
    attest_timeout_hours=4.0,
    pay_timeout_hours=1.5,
    query_timeout_hours=6.0,
    release_timeout_hours=3.0,
    release_retries=2,
    manual_hours=24.0,
)
BUY = Trade("buy", 100.0, 200.0)
SELL = Trade("sell", 100.0, 200.0)
WHOLE, NONE = (100.0, 20_000.0), (0.0, 0.0)
SETTLED = {"buyer": (100.0, 0.0), "seller": (0.0, 20_000.0), "escrow": NONE, "bank": NONE}
AS_BEFORE = {"buyer": (0.0, 20_000.0), "seller": (100.0, 0.0), "escrow": NONE, "bank": NONE}

# Events, and by hand the states with their hours: each wait on the sum of those before it.
BY_HAND = {
    "on time": ("", "S0 0, S1 0.5, S2 2.75, S3 2.875, S4 5.125"),
    "never locked": ("not_locked", "S0 0, X0 1"),
    "lock not attested": ("locked lock_not_attested", "S0 0, S1 0.5, R1 4.5"),
    "refused in escrow": ("locked transfer_refused unlocked", "S0 0, S1 0.5, X1 2.75, R1 2.75"),
    "no funds": ("locked lock_attested rejected", "S0 0, S1 0.5, S2 2.75, R1 2.875"),
    "found": (
        "locked lock_attested no_answer found",
        "S0 0, S1 0.5, S2 2.75, U1 4.25, S3 4.375, S4 6.625",
    ),
    "absent": (
        "locked lock_attested no_answer absent",
        "S0 0, S1 0.5, S2 2.75, U1 4.25, R1 10.25",
    ),
    "released late": (
        "locked lock_attested paid not_released",
        "S0 0, S1 0.5, S2 2.75, S3 2.875, U2 5.875, S4 8.125",
    ),
    "released at the last try": (
        "locked lock_attested paid not_released not_released",
        "S0 0, S1 0.5, S2 2.75, S3 2.875, U2 5.875, U2 8.875, S4 11.125",
    ),
    "given up": (
        "locked lock_attested paid not_released not_released not_released",
        "S0 0, S1 0.5, S2 2.75, S3 2.875, U2 5.875, U2 8.875, U2 11.875, R2 35.875",
    ),
    "refused at the release": (
        "locked lock_attested paid transfer_refused",
        "S0 0, S1 0.5, S2 2.75, S3 2.875, X1 5.125, U2 5.125, R2 29.125",
    ),
}


def lines(outcome: Outcome) -> str:
    return ", ".join(f"{LABEL[step.state]} {step.hours:g}" for step in outcome.log)


def has(outcome: Outcome) -> dict[str, tuple[float, float]]:
    return {who: tuple(holding) for who, holding in outcome.holdings.items()}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("trade", [BUY, SELL], ids=["buy", "sell"])
def test_coordinated_by_hand(name: str, trade: Trade) -> None:
    events, told = BY_HAND[name]
    outcome = settle(trade, PATH, events.split())
    assert lines(outcome) == told
    hours = float(told.rsplit(" ", 1)[1])
    assert outcome.hours == hours
    assert outcome.settled == told.split(", ")[-1].startswith("S4")
    assert has(outcome) == (SETTLED if outcome.settled else AS_BEFORE)
    assert outcome.idle_usd_hours == 20_000 * hours
    assert outcome.costs == pytest.approx((0.0, 0.0, 0.2 * hours, 0.0))
    assert outcome.cost_usd == pytest.approx(0.2 * hours)


@pytest.mark.parametrize(
    ("name", "bought", "sold"),
    [
        # The buyer's cash is away from "paid" on, the seller's units from "locked" to "paid".
        ("on time", 2.25, 2.375),
        ("never locked", 0.0, 0.0),
        ("lock not attested", 0.0, 4.0),
        ("absent", 6.0, 9.75),  # with the bank from "no answer" to "absent"
        ("found", 0.125 + 2.25, 3.875),
        ("given up", 33.0, 2.375),
        ("refused at the release", 26.25, 2.375),
    ],
)
def test_exposure_by_hand(name: str, bought: float, sold: float) -> None:
    events = BY_HAND[name][0].split()
    assert settle(BUY, PATH, events).exposed_usd_hours == pytest.approx(20_000 * bought)
    assert settle(SELL, PATH, events).exposed_usd_hours == pytest.approx(20_000 * sold)


def test_who_acts_and_what_moves() -> None:
    log = settle(BUY, PATH, ("locked", "lock_attested", "no_answer", "absent")).log
    told = [(step.actor, [f"{m.what} {m.giver} {m.taker}" for m in step.moves]) for step in log]
    assert told == [
        ("both", []),
        ("seller", ["units seller escrow"]),
        ("coordinator", []),
        ("bank", ["cash buyer bank"]),
        ("bank", ["cash bank buyer", "units escrow seller"]),
    ]


def test_atomic_is_both_legs_or_nothing() -> None:
    path = Delivery(mode="atomic", finality_hours=0.25, capital_apr=0.0876, fee_frac=0.001)
    done, reverted = settle(BUY, path), settle(BUY, path, ("reverted",))
    assert lines(done) == "S0 0, S4 0.25"
    assert len(done.log[1].moves) == 2
    assert has(done) == SETTLED
    assert done.costs == pytest.approx((20.0, 0.0, 0.05, 0.0))
    assert lines(reverted) == "S0 0, X0 0.25"
    assert has(reverted) == AS_BEFORE
    assert reverted.costs.fee == 0.0
    assert (done.exposed_usd_hours, reverted.exposed_usd_hours) == (0.0, 0.0)


DAYS = Delivery(mode="sequential", capital_apr=0.0876, settle_days=2, buy_in_days=2)


@pytest.mark.parametrize(
    ("side", "events", "told", "fails"),
    [
        ("buy", "", "S0 0, S4 48", 0),
        ("sell", "", "S0 0, S4 48", 0),
        ("buy", "refused", "S0 0, X0 48", 0),
        ("buy", "not_delivered", "S0 0, U2 48, S4 72", 1),
        ("sell", "not_paid", "S0 0, U3 48, S4 72", 1),
        ("buy", "not_delivered not_delivered", "S0 0, U2 48, U2 72, S4 96", 2),
        (
            "buy",
            "not_delivered not_delivered not_delivered",
            "S0 0, U2 48, U2 72, U2 96, R2 96",
            2,
        ),
        ("sell", "not_paid not_paid not_paid", "S0 0, U3 48, U3 72, U3 96, R2 96", 2),
    ],
)
def test_sequential_by_hand(side: Any, events: str, told: str, fails: int) -> None:
    outcome = settle(Trade(side, 100.0, 200.0), DAYS, events.split())
    hours = float(told.rsplit(" ", 1)[1])
    assert lines(outcome) == told
    assert has(outcome) == (SETTLED if outcome.settled else AS_BEFORE)
    # 1 bp a day of 20,000; the leg that was made is away for the days of the fail.
    assert outcome.costs == pytest.approx((0.0, 2.0 * fails, 0.2 * hours, 0.0))
    assert outcome.exposed_usd_hours == 20_000 * 24 * fails


def test_a_leg_that_fails_leaves_the_other_made() -> None:
    bought = settle(BUY, DAYS, ("not_delivered",)).log[1]
    sold = settle(SELL, DAYS, ("not_paid",)).log[1]
    assert [(m.what, m.giver, m.taker) for m in bought.moves] == [("cash", "buyer", "seller")]
    assert [(m.what, m.giver, m.taker) for m in sold.moves] == [("units", "seller", "buyer")]


def test_price_of_being_late_by_hand() -> None:
    moving = Trade("buy", 100.0, 200.0, sigma_day_frac=0.025)
    on_time = settle(moving, DAYS)
    late = settle(moving, DAYS, ("not_delivered",))
    undone = settle(moving, DAYS, ("not_delivered",) * 3)
    assert on_time.costs.price == 0.0
    assert late.costs.price == pytest.approx(20_000 * 0.025 * math.sqrt(2 / math.pi))
    # Never a position in its four days, two of them before the due date.
    assert undone.costs.price == pytest.approx(20_000 * 0.025 * math.sqrt(2 / math.pi) * 2)
    told = settle(moving, DAYS, ("not_delivered",), move_frac=-0.07)
    assert told.costs.price == pytest.approx(1_400.0)
    assert settle(moving, DAYS, move_frac=-0.07).costs.price == 0.0


def test_a_log_is_a_page_of_text() -> None:
    told = str(settle(BUY, PATH, ("locked", "lock_attested", "rejected"))).splitlines()
    assert told == [
        "  0.00h S0 AGREED             agreed            both",
        "  0.50h S1 ASSET_LOCKED       locked            seller      units seller->escrow",
        "  2.75h S2 PAY_INSTRUCTED     lock_attested     coordinator",
        "  2.88h R1 UNWOUND            rejected          bank        units escrow->seller",
        "not settled after 2.88 h, idle 57,500 USD-hours, exposed 0 USD-hours",
        "cost 0.58 USD: fee 0.00, penalty 0.00, capital 0.58, price 0.00",
    ]
    for events, _ in BY_HAND.values():
        assert max(map(len, str(settle(BUY, PATH, events.split())).splitlines())) <= 100


LOCKED = ("locked", "lock_attested")


@pytest.mark.parametrize(
    ("mode", "side", "fails", "events"),
    [
        ("coordinated", "buy", (), (*LOCKED, "paid", "released")),
        ("coordinated", "buy", ("no_answer",), (*LOCKED, "no_answer", "absent")),
        ("coordinated", "sell", ("transfer_refused",), ("locked", "transfer_refused", "unlocked")),
        (
            "coordinated",
            "sell",
            ("no_answer", "found", "transfer_refused"),
            (*LOCKED, "no_answer", "found", "transfer_refused", "held", "refunded"),
        ),
        ("sequential", "sell", ("not_paid", "not_paid"), ("not_paid", "not_paid", "paid")),
    ],
)
def test_what_goes_wrong_does_so_as_soon_as_it_can(
    mode: Any, side: str, fails: tuple[str, ...], events: tuple[str, ...]
) -> None:
    assert with_fails(Delivery(mode=mode), side, fails) == events


def test_what_cannot_go_wrong_is_refused() -> None:
    with pytest.raises(RequestError, match="not_paid does not happen on this way; what can is set"):
        with_fails(Delivery(mode="sequential"), "buy", ["not_paid"])
    with pytest.raises(RequestError, match="locked does not happen on this way"):
        with_fails(PATH, "buy", ["not_locked", "locked"])


# --------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (("paid",), "paid cannot happen in S0 AGREED; what can is locked, not_locked"),
        (("not_locked", "locked"), "locked cannot happen, the trade ended in X0 CANCELLED"),
        (("locked", "lock_attested", "paid", "released", "given_up"), "ended in S4 SETTLED"),
    ],
)
def test_events_out_of_place(events: tuple[str, ...], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        settle(BUY, PATH, events)


@pytest.mark.parametrize(
    ("side", "units", "px", "sigma"),
    [
        ("hold", 1.0, 1.0, 0.0),
        ("buy", 0.0, 1.0, 0.0),
        ("buy", -1.0, -1.0, 0.0),
        ("buy", 1.0, math.nan, 0.0),
        ("buy", math.inf, 1.0, 0.0),
        ("buy", 1.0, 1.0, -0.1),
        ("buy", 1.0, 1.0, math.nan),
    ],
)
def test_trades_that_are_none(side: Any, units: float, px: float, sigma: float) -> None:
    with pytest.raises(RequestError, match="a trade was"):
        Trade(side, units, px, sigma)


# --------------------------------------------------------------------------- of every path

unit = st.floats(0.0, 1.0)
half = st.floats(0.0, 0.5)
SETTINGS = {
    "capital_apr": half,
    "fee_frac": half,
    "compliance_fail_prob": half,
    "finality_hours": st.floats(0.0, 0.5),
    "lock_timeout_hours": st.floats(0.02, 9.0),
    "attest_timeout_hours": st.floats(0.52, 9.0),
    "pay_timeout_hours": st.floats(0.02, 9.0),
    "query_timeout_hours": st.floats(0.02, 9.0),
    "release_timeout_hours": st.floats(0.52, 9.0),
    "release_retries": st.integers(0, 6),
    "lock_fail_prob": unit,
    "attest_fail_prob": half,
    "pay_reject_prob": half,
    "pay_unknown_prob": half,
    "pay_found_prob": unit,
    "release_fail_prob": half,
    "settle_days": st.integers(0, 5),
    "fail_prob": half,
    "retry_fail_prob": unit,
    "buy_in_days": st.integers(1, 7),
    "penalty_frac_day": half,
}


def paths_of(mode: str) -> st.SearchStrategy[Delivery]:
    own = {name: values for name, values in SETTINGS.items() if name in OF_MODE[mode]}
    return st.builds(Delivery, mode=st.just(mode), **own)


paths = st.sampled_from(tuple(OF_MODE)).flatmap(paths_of)
trades = st.builds(
    Trade,
    side=st.sampled_from(("buy", "sell")),
    units=st.floats(1e-3, 1e6),
    px=st.floats(1e-3, 1e6),
    sigma_day_frac=half,
)


@given(paths, trades, st.integers(0, 2**32))
def test_every_path_conserves_and_ends_in_one_place(
    path: Delivery, trade: Trade, seed: int
) -> None:
    outcome = settle(trade, path, np.random.default_rng(seed))
    # Told again step by step: nothing is made or lost on the way, and nobody owes.
    held = {who: [0.0, 0.0] for who in ("buyer", "seller", "escrow", "bank")}
    held["seller"][0], held["buyer"][1] = trade.units, trade.value_usd
    for step in outcome.log:
        for move in step.moves:
            leg = 0 if move.what == "units" else 1
            whole = trade.value_usd if leg else trade.units
            held[move.giver][leg] -= whole
            held[move.taker][leg] += whole
        assert sum(h[0] for h in held.values()) == trade.units
        assert sum(h[1] for h in held.values()) == trade.value_usd
        assert min(min(h) for h in held.values()) == 0.0
    assert {who: tuple(h) for who, h in held.items()} == has(outcome)
    # Both legs made or neither, and one end, which is the last.
    assert outcome.holdings["escrow"] == outcome.holdings["bank"] == (0.0, 0.0)
    assert (outcome.holdings["buyer"].units > 0) == (outcome.holdings["seller"].cash_usd > 0)
    assert (outcome.holdings["buyer"].units > 0) == outcome.settled
    assert [step.state in FINAL for step in outcome.log].count(True) == 1
    assert outcome.log[-1].state == outcome.state in FINAL
    assert [s.hours for s in outcome.log] == sorted(s.hours for s in outcome.log)
    assert outcome.log[-1].hours == outcome.hours
    assert min(outcome.costs) >= 0.0
    assert 0.0 <= outcome.exposed_usd_hours <= outcome.idle_usd_hours * (1 + 1e-12)
    if path.mode == "atomic":
        assert outcome.state in (State.SETTLED, State.CANCELLED)


@given(paths, trades, st.integers(0, 2**32))
def test_the_same_seed_is_the_same_trade(path: Delivery, trade: Trade, seed: int) -> None:
    once, again = (settle(trade, path, np.random.default_rng(seed)) for _ in range(2))
    assert once == again
