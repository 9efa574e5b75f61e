"""``perpkit settlement`` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.mark.parametrize(
    "told",
    [
        ("run",),
        ("run", "--mode", "atomic"),
        ("run", "--mode", "sequential", "--side", "sell", "--fail", "not_paid"),
        ("run", "--fail", "not_released", "--set", "release_retries=0"),
        ("run", "--seed", 3),
        ("endings",),
        ("endings", "--mode", "sequential", "--set", "buy_in_days=7"),
    ],
)
def test_output_is_plain_and_within_100_columns(
    told: tuple[object, ...], inside: Command, work: Path
) -> None:
    ran = inside("settlement", *told, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert ran.out.isascii()
    assert "\x1b" not in ran.out


def test_a_release_that_is_given_up(inside: Command, work: Path) -> None:
    told = ("--fail", "not_released", "--set", "release_retries=0", "--set", "manual_hours=10")
    ran = inside("settlement", "run", *told, "--json", cwd=work)
    log = json.loads(ran.out)
    assert (log["schema"], log["state"], log["settled"]) == (1, "refunded", False)
    # 0.02 + 0.23 + 0.01 until it is paid, an hour for the release, ten for people.
    assert log["hours"] == pytest.approx(11.26)
    assert [step["state"] for step in log["log"]] == ["S0", "S1", "S2", "S3", "U2", "R2"]
    assert log["log"][-1]["moves"] == [
        {"what": "cash", "giver": "seller", "taker": "buyer"},
        {"what": "units", "giver": "escrow", "taker": "seller"},
    ]
    assert log["holdings"]["buyer"] == {"units": 0.0, "cash_usd": 20_000.0}
    assert log["cost_usd"] == pytest.approx(sum(log["costs_usd"].values()))


def test_a_seed_is_the_same_trade_again(inside: Command, work: Path) -> None:
    told = ("settlement", "run", "--mode", "sequential", "--set", "fail_prob=0.9")
    drawn = [inside(*told, "--seed", seed, cwd=work).out for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_every_ending_is_listed(inside: Command, work: Path) -> None:
    out = inside("settlement", "endings", "--mode", "sequential", cwd=work).out.splitlines()
    assert out[1].split() == ["98.0000%", "S4", "24.00", "settled"]
    assert len(out) == 9  # head, six endings of which one takes two lines, mean
    assert out[-1].startswith("mean cost 6.78 bp: fee 0.00, penalty 0.04, capital 1.42, price 5.33")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (("--mode", "swift"), "settlement.mode was 'swift': input should be 'atomic', 'coord"),
        (("--set", "lock_hour=3"), "no setting settlement.lock_hour: did you mean lock_hours?"),
        (("--set", "a.b=3"), "a path's settings have no tables"),
        (("--fail", "strike"), "strike does not happen on this way; what can is locked, not_l"),
        (("--fail", "not_locked", "--seed", "1"), "--fail names what happens and --seed draws it"),
        (("--side", "hold"), "side is buy or sell"),
        (("--units", "-1"), "units and px are above 0"),
    ],
)
def test_refused_in_one_sentence(
    told: tuple[str, ...], says: str, inside: Command, work: Path
) -> None:
    ran = inside("settlement", "run", *told, cwd=work)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1
