"""How trades settle, drawn for every hour: days of the calendar, odds, and what does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from perpkit.arrays import Tape
from perpkit.config import check_config
from perpkit.delivery import OF_MODE, Delivery
from perpkit.errors import DataError, RequestError
from perpkit.layout import blank
from perpkit.settlement import State, endings
from perpkit.tape.settling import Asked, Drawn, draw, lay_settlement, until_settled
from perpkit.units import HOUR_NS, to_ns

START = datetime(2026, 3, 2, tzinfo=UTC)
ARRAYS = ("settle_rows", "settle_end", "settle_cost_frac", "settle_state")
SURE = {"fail_prob": 1.0, "retry_fail_prob": 0.0}


def hours_from(start: datetime, hours: int) -> Any:
    return to_ns(start) + HOUR_NS * np.arange(hours, dtype=np.int64)


def laid(settings: dict[str, Any], tokens: str = "A B", start: datetime = START, hours: int = 900):
    tape = blank(Tape, T=hours, M=1, K=len(tokens.split()), U=1, N=0, X=0, Y=0)
    tape.time_ns[:] = hours_from(start, hours)
    config = check_config(settings)
    return lay_settlement(tape, config, SimpleNamespace(tokens=tuple(tokens.split())))


def column(tape: Tape, k: int, rows: slice = slice(None)) -> list[list[float]]:
    return [getattr(tape, name)[rows, k].tolist() for name in ARRAYS]


def rough(mode: str) -> dict[str, Any]:
    told = {"fail_prob": 0.3, "lock_fail_prob": 0.2, "pay_unknown_prob": 0.3}
    own = {name: prob for name, prob in told.items() if name in OF_MODE[mode]}
    return {"settlement": {"mode": mode, "compliance_fail_prob": 0.1, **own}}


# --------------------------------------------------------------------------- off


@pytest.mark.parametrize("settings", [{}, {"token_settlement": {"B": {"mode": "atomic"}}}])
def test_a_certain_path_lays_nothing(settings: dict[str, Any]) -> None:
    tape = laid(settings)
    assert {name: getattr(tape, name).shape for name in ARRAYS} == dict.fromkeys(ARRAYS, (900, 0))


def test_one_token_of_two_has_a_path() -> None:
    tape = laid({"token_settlement": {"B": {"mode": "sequential"}}})
    assert tape.settle_rows.shape == (900, 2)
    assert not tape.settle_rows[:, 0].any()
    assert not tape.settle_cost_frac[:, 0].any()
    assert (tape.settle_state[:, 0] == State.SETTLED).all()
    assert tape.settle_rows[:, 1].all()


def test_an_atomic_path_that_may_revert_or_charges_is_laid() -> None:
    charged = laid({"settlement": {"fee_frac": 0.001}})
    assert (charged.settle_cost_frac == 0.001).all()
    assert not charged.settle_rows.any()
    reverted = laid({"settlement": {"compliance_fail_prob": 1.0, "fee_frac": 0.001}})
    assert (reverted.settle_rows == 1).all()
    assert (reverted.settle_end == 1).all()
    assert (reverted.settle_state == State.CANCELLED).all()
    # Cancelled: nothing moved and nothing is charged but the wait, 0.22 of an hour at 5%.
    assert reverted.settle_cost_frac == pytest.approx(0.05 * 0.22 / 8760)


def test_a_path_of_a_token_that_is_not_there_is_refused() -> None:
    with pytest.raises(RequestError, match="the run has no token C: there is A, B"):
        laid({"token_settlement": {"C": {"mode": "sequential"}}})


# --------------------------------------------------------------------------- business days


@pytest.mark.parametrize(
    ("traded", "days", "ends"),
    [
        # Wednesday before Thanksgiving: the next business day is Friday, which closes at 13:00.
        ("2026-11-25T20:00", 1, "2026-11-27T18:00"),
        ("2026-11-25T21:00", 1, "2026-11-27T18:00"),  # at the close
        ("2026-11-25T22:00", 1, "2026-11-30T21:00"),  # after it: a trade of Friday
        ("2026-11-25T22:00", 0, "2026-11-27T18:00"),
        ("2026-11-21T12:00", 1, "2026-11-24T21:00"),  # Saturday: a trade of Monday
        ("2026-11-21T12:00", 3, "2026-11-27T18:00"),
        ("2026-03-06T12:00", 1, "2026-03-09T20:00"),  # New York turns its clocks in between
    ],
)
def test_due_dates_by_hand(traded: str, days: int, ends: str) -> None:
    at, until = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (traded, ends))
    told = {"mode": "sequential", "settle_days": days, "fail_prob": 0.0}
    tape = laid({"settlement": told}, start=at, hours=48)
    hours = (until - at) / timedelta(hours=1)
    assert tape.settle_rows[0, 0] == hours
    assert tape.settle_end[0, 0] == 0
    assert tape.settle_cost_frac[0, 0] == pytest.approx(0.05 * hours / 8760)


def test_a_fail_by_hand() -> None:
    # Monday noon, due on Tuesday; delivered on Wednesday, at the close: 16:00 is 21:00 UTC.
    told = {"mode": "sequential", "capital_apr": 0.0876, **SURE}
    tape = laid({"settlement": told}, start=datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert tape.settle_rows[0, 0] == 57
    assert tape.settle_cost_frac[0, 0] == pytest.approx(1e-4 + 57e-5)
    assert (tape.settle_state == State.SETTLED).all()


def test_a_buy_in_by_hand() -> None:
    told = {"mode": "sequential", **SURE, "retry_fail_prob": 1.0, "buy_in_days": 2}
    tape = laid(
        {"settlement": told | {"capital_apr": 0.0}}, start=datetime(2026, 3, 2, 12, tzinfo=UTC)
    )
    assert tape.settle_rows[0, 0] == 3 * 24 + 9  # Thursday's close
    assert (tape.settle_end == 1).all()
    assert (tape.settle_state == State.REFUNDED).all()
    assert tape.settle_cost_frac == pytest.approx(2e-4)


def test_hours_become_rows() -> None:
    told = {"mode": "coordinated", "lock_timeout_hours": 0.25, "attest_timeout_hours": 2.5}
    none = dict.fromkeys(("attest_fail_prob", "pay_reject_prob", "pay_unknown_prob"), 0.0)
    none |= {"release_fail_prob": 0.0, "lock_fail_prob": 0.0}
    quick = laid({"settlement": told | none})
    assert not quick.settle_rows.any()  # 0.49 h
    assert not quick.settle_cost_frac.any()
    undone = laid({"settlement": told | none | {"lock_fail_prob": 1.0}})
    assert (undone.settle_rows == 1).all()  # a quarter of an hour, seen at the next row
    late = laid({"settlement": told | none | {"attest_fail_prob": 1.0}})
    assert (late.settle_rows == 3).all()  # 0.02 + 2.5 h
    assert late.settle_cost_frac == pytest.approx(0.05 * 2.52 / 8760)
    none |= {"attest_hours": 0.0, "bank_hours": 0.25, "lock_hours": 0.25}
    exact = laid({"settlement": told | none | {"finality_hours": 0.25}})
    assert (exact.settle_rows == 1).all()  # four quarters: whole at the next row, not within
    more = laid({"settlement": told | none | {"finality_hours": 0.3}})
    assert (more.settle_rows == 2).all()


def test_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(DataError, match="outside the tables"):
        laid({"settlement": {"mode": "sequential"}}, start=datetime(1990, 1, 1, tzinfo=UTC))


# --------------------------------------------------------------------------- chance


@pytest.mark.parametrize("mode", ["coordinated", "sequential"])
def test_shares_are_the_odds(mode: str) -> None:
    path = check_config(rough(mode)).settlement
    hours = 20_000
    drawn = draw(path, 3, "A", hours_from(datetime(2024, 1, 1, tzinfo=UTC), hours))
    for state in set(State):
        prob = sum(way.prob for way in endings(path) if way.state == state)
        share = (drawn.state == state).mean()
        assert abs(share - prob) <= 4 * np.sqrt(prob * (1 - prob) / hours), state
    assert ((drawn.end == 0) == (drawn.state == State.SETTLED)).all()
    assert (drawn.rows[drawn.end == 1] >= 1).all()


@pytest.mark.parametrize("mode", ["coordinated", "sequential"])
def test_the_same_seed_is_the_same_draw_and_another_is_not(mode: str) -> None:
    once, again = laid(rough(mode)), laid(rough(mode))
    other = laid(rough(mode) | {"seed": 1})
    assert column(once, 0) == column(again, 0)
    assert column(once, 0) != column(other, 0)
    assert column(once, 0) != column(once, 1)  # tokens do not fail together


@pytest.mark.parametrize("mode", ["coordinated", "sequential"])
def test_the_draw_of_an_hour_depends_on_no_other_hour(mode: str) -> None:
    whole = laid(rough(mode), hours=900)
    short = laid(rough(mode), hours=500)
    late = laid(rough(mode), start=START + timedelta(hours=250), hours=650)
    # Those of the last weeks end after the tape: when, a shorter calendar does not say.
    seen = short.settle_rows[:, 0] + np.arange(500) < 500
    assert seen.sum() > 300
    for name in ARRAYS:
        long, cut = getattr(whole, name), getattr(short, name)
        assert (long[:500][seen] == cut[seen]).all(), name
        assert (long[250:] == getattr(late, name)).all(), name
    unseen = whole.settle_rows[:500, 0][~seen] + np.flatnonzero(~seen)
    assert (unseen >= 500).all()
    assert (whole.settle_end[:500] == short.settle_end).all()


@pytest.mark.parametrize("mode", ["coordinated", "sequential"])
def test_the_draw_of_a_token_depends_on_no_other_token(mode: str) -> None:
    two, three = laid(rough(mode), "A B"), laid(rough(mode), "B Z A")
    assert column(two, 0) == column(three, 2)
    assert column(two, 1) == column(three, 0)
    with_own = laid(rough(mode) | {"token_settlement": {"B": {"mode": "atomic"}}}, "A B")
    assert column(two, 0) == column(with_own, 0)


def test_a_likelier_fail_is_no_other_chance() -> None:
    """Runs of two probabilities differ only where the likelier one fails."""
    few, many = (
        laid({"settlement": {"mode": "sequential", "fail_prob": p, "retry_fail_prob": 0.0}})
        for p in (0.1, 0.2)
    )
    failed = [
        tape.settle_cost_frac[:, 0] > tape.settle_rows[:, 0] * 0.05 / 8760 + 1e-9
        for tape in (few, many)
    ]
    assert failed[0].sum() < failed[1].sum()
    assert not (failed[0] & ~failed[1]).any()


# --------------------------------------------------------------------------- redemptions


def test_a_redemption_waits_for_its_settlement_and_is_asked_for_again() -> None:
    # The issuer takes requests at 0, 1, 4, 5 and 7, and pays after so many rows.
    asked = Asked(np.array([True, True, False, False, True, True, False, True]),
                  np.array([2, 2, 9, 9, 1, 3, 9, 0]))  # fmt: skip
    end = np.array([0, 0, 1, 1, 1, 0, 0, 0])
    cost = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    path = Drawn(np.array([0, 0, 1, 2, 1, 1, 0, 9]), end, cost, end)
    rows, costs = until_settled(asked, path)
    # 0 is paid at 2, undone at 3, asked for again at 4, paid at 5 and settled at 6. 1 is paid at 3,
    # undone at 5, asked for again there and paid at 8, after the tape. 4 is paid at 5, settled at
    # 6. 7 is paid at 7, settled after it.
    asked_at = [0, 1, 4, 7]
    assert (np.arange(8) + rows)[asked_at].tolist() == [6, 8, 6, 16]
    assert costs[asked_at].tolist() == pytest.approx([0.9, 0.4, 0.6, 0.8])


def test_what_is_undone_after_the_last_request_is_paid_after_the_tape() -> None:
    asked = Asked(np.array([True, False, False]), np.array([0, 0, 0]))
    path = Drawn(np.ones(3, np.int64), np.ones(3, np.int64), np.full(3, 0.01), np.zeros(3))
    rows, costs = until_settled(asked, path)
    assert (rows[0], costs[0]) == (3, 0.01)


def test_the_default_path_is_what_the_book_assumed_all_along() -> None:
    assert check_config({}).settlement == Delivery()
    assert Delivery().mode == "atomic"
