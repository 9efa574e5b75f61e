"""What settling costs: closed forms, the whole tree, and a sample of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from perpkit.delivery import OF_MODE, Delivery
from perpkit.settlement import Trade, endings, expected_cost, mean_costs, settle

MOVE = math.sqrt(2 / math.pi)
BP = 1e-4


def test_two_percent_a_day_two_and_a_half_of_sigma_are_four_basis_points() -> None:
    assert expected_cost(0.02, 1, 0.025) == pytest.approx(3.99 * BP, abs=0.005 * BP)
    # The penalty is on the part that fails: 2% of 1 bp a day.
    more = expected_cost(0.02, 1, 0.025, penalty_frac_day=BP)
    assert more - expected_cost(0.02, 1, 0.025) == pytest.approx(0.02 * BP)
    # A million idle for a day at 5% is 137 USD.
    idle = expected_cost(0.0, 1, 0.025, capital_apr=0.05, settle_days=1)
    assert idle * 1e6 == pytest.approx(137, abs=0.5)
    # Four days move twice what one does.
    assert expected_cost(0.02, 4, 0.025) == pytest.approx(2 * expected_cost(0.02, 1, 0.025))


ONE_DAY = Delivery(
    mode="sequential", fail_prob=0.02, retry_fail_prob=0.0, settle_days=1, capital_apr=0.05
)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_tree_is_the_closed_form_where_fails_last_a_day(side: str) -> None:
    trade = Trade("buy" if side == "buy" else "sell", 50.0, 200.0, sigma_day_frac=0.025)
    closed = expected_cost(0.02, 1, 0.025, penalty_frac_day=BP, capital_apr=0.05, settle_days=1)
    assert mean_costs(trade, ONE_DAY).total == pytest.approx(10_000 * closed, rel=1e-12)
    parts = mean_costs(trade, ONE_DAY)
    assert parts.price == pytest.approx(10_000 * 0.02 * MOVE * 0.025)
    assert parts.penalty == pytest.approx(10_000 * 0.02 * BP)
    assert parts.capital == pytest.approx(10_000 * 0.05 * 1.02 / 365)
    assert parts.fee == 0.0


def test_the_tree_of_longer_fails_by_hand() -> None:
    path = Delivery(
        mode="sequential",
        fail_prob=0.1,
        retry_fail_prob=0.25,
        buy_in_days=2,
        settle_days=1,
        capital_apr=0.0,
        penalty_frac_day=0.001,
    )
    trade = Trade("buy", 1.0, 1.0, sigma_day_frac=0.04)
    ways = {way.events: way.prob for way in endings(path)}
    assert ways == pytest.approx(
        {
            ("settled",): 0.9,
            ("not_delivered", "delivered"): 0.1 * 0.75,
            ("not_delivered", "not_delivered", "delivered"): 0.1 * 0.25 * 0.75,
            ("not_delivered", "not_delivered", "not_delivered", "bought_in"): 0.1 * 0.25**2,
        }
    )
    # Bought in after two days of fail: no position on any of its three days.
    price = 0.075 + 0.01875 * math.sqrt(2) + 0.00625 * math.sqrt(3)
    parts = mean_costs(trade, path)
    assert parts.price == pytest.approx(0.04 * MOVE * price)
    assert parts.penalty == pytest.approx(0.001 * (0.075 + 2 * 0.01875 + 2 * 0.00625))


@pytest.mark.parametrize(
    "path",
    [
        ONE_DAY,
        Delivery(mode="sequential", fail_prob=0.1),
        Delivery(
            mode="coordinated",
            compliance_fail_prob=0.02,
            lock_fail_prob=0.05,
            pay_unknown_prob=0.1,
            release_fail_prob=0.2,
            fee_frac=BP,
        ),
    ],
    ids=["one day", "sequential", "coordinated"],
)
def test_a_sample_agrees_with_the_tree(path: Delivery) -> None:
    trade = Trade("buy", 50.0, 200.0, sigma_day_frac=0.025)
    rng, ways = np.random.default_rng(7), endings(path)
    sample = [settle(trade, path, rng) for _ in range(20_000)]
    for name, mean in zip(mean_costs(trade, path)._fields, mean_costs(trade, path), strict=True):
        paid = np.array([getattr(outcome.costs, name) for outcome in sample])
        assert abs(paid.mean() - mean) <= 4 * paid.std() / math.sqrt(len(paid)) + 1e-12, name
    counted: dict[tuple[str, ...], int] = {}
    for outcome in sample:
        events = tuple(step.event for step in outcome.log[1:])
        counted[events] = counted.get(events, 0) + 1
    assert set(counted) <= {way.events for way in ways}
    for way in ways:
        expected = way.prob * len(sample)
        assert abs(counted.get(way.events, 0) - expected) <= 4 * math.sqrt(expected) + 1


def test_the_sample_of_one_day_is_the_closed_form() -> None:
    trade = Trade("sell", 50.0, 200.0, sigma_day_frac=0.025)
    rng = np.random.default_rng(11)
    paid = np.array([settle(trade, ONE_DAY, rng).cost_usd for _ in range(20_000)])
    closed = 10_000 * expected_cost(
        0.02, 1, 0.025, penalty_frac_day=BP, capital_apr=0.05, settle_days=1
    )
    error = paid.std() / math.sqrt(len(paid))
    assert abs(paid.mean() - closed) <= 3 * error
    assert error < 0.15 * closed  # the sample says something


def test_every_setting_of_a_path_has_its_source() -> None:
    told = Delivery.model_json_schema()["properties"]
    for name, field in told.items():
        assert field["description"], name
        assert field["source"], name
        assert field["confidence"] in ("verified", "documented", "reported", "assumed"), name


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mode": "sequential", "fail_prob": 0.9, "compliance_fail_prob": 0.2}, "exclude each"),
        ({"mode": "coordinated", "pay_reject_prob": 0.6, "pay_unknown_prob": 0.6}, "exclude each"),
        ({"mode": "coordinated", "lock_hours": 2.0}, "lock_timeout_hours is shorter than lock_h"),
        ({"mode": "coordinated", "finality_hours": 1.0}, "attest_timeout_hours is shorter than"),
        ({"mode": "coordinated", "bank_hours": 1.5}, "pay_timeout_hours is shorter than bank_h"),
    ],
)
def test_paths_that_contradict_themselves(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Delivery(**settings)


@pytest.mark.parametrize("mode", OF_MODE)
@pytest.mark.parametrize("name", [name for name in Delivery.model_fields if name != "mode"])
def test_what_the_mode_does_not_read_is_refused(mode: str, name: str) -> None:
    told = {"mode": mode, name: Delivery.model_fields[name].default}  # also its own default
    if name in OF_MODE[mode]:
        assert Delivery(**told) == Delivery(mode=mode)
        return
    says = f'{name} does nothing with mode = "{mode}", .*; set that mode, or leave {name} out'
    with pytest.raises(ValueError, match=says):
        Delivery(**told)
