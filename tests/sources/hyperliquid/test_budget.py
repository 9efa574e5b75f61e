"""No rolling minute holds more than the API allows, and nothing waits without need."""

from __future__ import annotations

import random

import pytest
from info_venue import Clock

from perpkit.sources.hyperliquid.budget import PER_MINUTE, Budget, weight


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        ("meta", 0, 20),
        ("perpDexs", 11, 20),
        ("metaAndAssetCtxs", 2, 20),
        ("userRole", 0, 60),
        ("l2Book", 0, 2),
        ("fundingHistory", 0, 20),
        ("fundingHistory", 1, 21),
        ("fundingHistory", 500, 45),
        ("candleSnapshot", 480, 28),
        ("candleSnapshot", 5_000, 104),
    ],
)
def test_weight_of_a_request(kind: str, rows: int, expected: int) -> None:
    assert weight(kind, rows) == expected


def test_no_rolling_minute_holds_more_and_each_wait_is_needed(clock: Clock) -> None:
    draw = random.Random(5)
    budget = Budget(clock=clock, sleep=clock.sleep)
    sent: list[tuple[float, int]] = []

    for _ in range(2_000):
        own = draw.choice([2, 20, 45, 104])
        before = clock.now_s
        budget.spend(own)
        waited = clock.now_s - before
        sent.append((clock.now_s, own))
        minute = sum(w for at, w in sent if clock.now_s - 60 < at)
        assert minute <= PER_MINUTE
        if waited:
            assert sum(w for at, w in sent if clock.now_s - 61 <= at) > PER_MINUTE
        clock.now_s += draw.choice([0.0, 0.1, 1.0])

    assert clock.slept


def test_what_an_answer_weighed_less_is_free_again(clock: Clock) -> None:
    budget = Budget(clock=clock, sleep=clock.sleep)

    for _ in range(58):
        budget.spend(45)
        budget.correct(20)
    budget.spend(40)

    assert clock.slept == []
    assert budget.spent == PER_MINUTE
    budget.spend(2)
    assert clock.slept != []


def test_a_request_that_no_minute_holds_goes_out_alone(clock: Clock) -> None:
    budget = Budget(per_minute=100, clock=clock, sleep=clock.sleep)

    budget.spend(20)
    budget.spend(104)

    assert sum(clock.slept) == pytest.approx(60.25)
