"""The book against its slow twin, hour by hour, on random worlds."""

import random
from collections import Counter

import adapter
import twin_book
from comparing import compare
from hypothesis import HealthCheck, given, settings
from tapes import FEATURES, make_world, worlds

EXPECTED = (
    "TARGET",
    "LIQUIDATION",
    "BACKSTOP",
    "FUNDING",
    "DIVIDEND",
    "YIELD",
    "TRANSFER",
    "MARGIN_LOST",
    "BAD_DEBT",
    "event BAD_DEBT",
    "event TRIMMED",
    "event REENTRY_REFUSED",
    "event TRANSFER_SENT",
    "event TRANSFER_ARRIVED",
    "event TRANSFER_REFUSED",
)


SLOW = {"derandomize": True, "deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=300, **SLOW)
@given(worlds(most_hours=40))
def test_uncompiled(world):
    compare(world, *adapter.play(world, fast=False))


@settings(max_examples=1200, **SLOW)
@given(worlds(most_hours=60))
def test_compiled(world):
    compare(world, *adapter.play(world, fast=True))


def test_worlds_reach_every_rule():
    """Random worlds are worth what they reach: each kind of fill, payment and event, and often."""
    seen = Counter()
    for seed in range(400):
        rng = random.Random(seed)
        knobs = {feature: rng.random() < 0.5 for feature in FEATURES}
        knobs |= {"perps": rng.randint(1, 4), "tokens": rng.randint(0, 4), "seed": seed}
        knobs |= {"hours": rng.randint(20, 60), "venues": rng.randint(1, 2)}
        knobs |= {"backstop": rng.choice(("none", "all", "some")), "fault": None}
        played = twin_book.play(make_world(knobs))
        seen.update(fill["reason"] for fill in played["fills"])
        seen.update(payment["flow"] for payment in played["payments"])
        seen.update("event " + event["kind"] for event in played["events"])
    rare = {reason: seen[reason] for reason in EXPECTED if seen[reason] < 5}
    assert not rare
