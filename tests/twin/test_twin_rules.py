"""The book against its slow twin on worlds in which an account can fail, a family of rules each."""

import os
from collections import Counter
from itertools import pairwise

import adapter
import pytest
import twin_book
from comparing import compare
from tapes_book import FAMILIES, book_world, knobs_of

# Kinds of fill, payment and event, and in how many of 400 worlds they occur at least.
REACHED = {
    "event PARTIAL": 10,
    "event ADL": 20,
    "event SEIZED": 20,
    "event OWED": 5,
    "event REDEEM_SENT": 10,
    "event REDEEM_PAID": 10,
    "event REDEEM_REFUSED": 10,
    "event SWEPT": 20,
    "event DELEVERED": 10,
    "event MARGIN_ADDED": 10,
    "event MARGIN_REMOVED": 5,
    "event CAPPED": 20,
    "event VENUE_FAILED": 20,
    "event LOCKED": 20,
    "event UNLOCKED": 20,
    "event FORCED_TRANSFER": 20,
    "event BACKSTOP": 10,
    "event SPLIT": 40,
    "event MARKET_SETTLED": 20,
    "ACTION": 40,
    "event LIQUIDATION": 40,
    "event BAD_DEBT": 10,
    "event REENTRY_REFUSED": 20,
    "event TRANSFER_SENT": 20,
    "event TRANSFER_REFUSED": 20,
    "event HELD_BACK": 10,
    "ADL": 20,
    "SEIZED": 20,
    "SHOCK": 20,
    "REDEEMED": 10,
    "SWEPT": 20,
    "DELEVERED": 10,
    "INTEREST": 10,
    "VENUE_LOSS": 20,
    "MARGIN_LOST": 10,
    "event SETTLEMENT_SENT": 20,
    "event SETTLED": 20,
    "event UNWOUND": 10,
    "event LEG_WAITS": 10,
    "SETTLEMENT": 10,
    "SETTLEMENT_COST": 10,
    "a pool": 20,
    "an issuer": 20,
    "a sale under way": 10,
    "none of the rules": 40,
}
WORLDS = int(os.environ.get("PERPKIT_TWIN_WORLDS", "24"))  # of a family, uncompiled
MORE = 1000  # of any rules, compiled


def check(seed, family, *, fast):
    world = book_world(knobs_of(seed, family))
    try:
        compare(world, *adapter.play(world, fast=fast))
    except Exception as e:
        e.add_note(f"book_world(knobs_of({seed}, {family!r}))")
        raise


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family):
    for seed in range(WORLDS):
        check(seed, family, fast=False)


def test_any_rules():
    for seed in range(WORLDS):
        check(seed, None, fast=False)


def test_compiled():
    for seed in range(MORE):
        check(seed, None, fast=True)


def test_worlds_reach_every_rule():
    """Each kind of fill, payment and event in many of the worlds, and worlds without any rule."""
    seen = Counter()
    for seed in range(400):
        knobs = knobs_of(seed)
        played = twin_book.play(book_world(knobs))
        kinds = {fill["reason"] for fill in played["fills"]}
        kinds |= {payment["flow"] for payment in played["payments"]}
        kinds |= {"event " + event["kind"] for event in played["events"]}
        kinds |= {("", "a pool", "an issuer")[fill["way"]] for fill in played["fills"]}
        late = [fill for fill in played["fills"] if fill["settlement_id"]]
        if any(fill["size"] < 0.0 and fill["reason"] == "TARGET" for fill in late):
            kinds.add("a sale under way")
        if not any(knobs.get(rule) for own in FAMILIES.values() for rule in own):
            kinds.add("none of the rules")
        seen.update(kinds)
    assert not {kind: seen[kind] for kind, least in REACHED.items() if seen[kind] < least}


@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_causes_of_the_twin_are_all_of_what_equity_changed_by(family):
    for seed in range(40):
        world = book_world(knobs_of(seed, family))
        hours = twin_book.play(world)["hours"]
        scale = max(abs(hour["equity"]) for hour in hours)
        for before, hour in pairwise(hours):
            moved = hour["equity"] - before["equity"]
            assert abs(moved - sum(hour["causes"].values())) <= 1e-12 * scale
