"""The book against its slow twin, hour by hour, on random worlds."""

import random
from collections import Counter

import adapter
import twin_book
from hypothesis import HealthCheck, given, settings
from tapes import FEATURES, make_world, worlds

from perpkit.ledger import frames

PRECISION = 1e-9  # of equity
ACCOUNT = ("cash", "under_way", "value", "initial", "maintenance")
EXACT = {
    "fill": ("row", "decided", "instrument", "account", "reason"),
    "payment": ("row", "flow", "instrument", "account"),
}
OWN_SCALE = {"fill": ("size", "px", "value_px"), "payment": ("quantity", "rate")}
USD = {"fill": ("fee",), "payment": ("usd",)}
CAUSES = (
    "perp_price",
    "token_price",
    "funding",
    "yield",
    "dividend",
    "fees",
    "slippage",
    "interest",
    "transfer",
    "settlement",
    "liquidation",
    "bad_debt",
)
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


def close(one, other, scale):
    if one is None or other is None:
        return one is other
    return abs(one - other) <= PRECISION * scale


def assert_close(one, other, scale, what):
    assert close(one, other, scale), f"{what}: book {one!r}, twin {other!r}"


def compare(world, market, played):
    """Every hour up to a fault."""
    twin = twin_book.play(world)
    end = len(twin["hours"])
    scale = max([sum(world["cash"]), *(abs(hour["equity"]) for hour in twin["hours"])])
    for t, told in enumerate(twin["hours"][:end]):
        compare_hour(world, adapter.hour_of(played, t), told, (t, scale))
    compare_rows("fill", *until(end, adapter.fills_of(played), twin["fills"]), scale)
    compare_rows(
        "payment", *until(end, adapter.payments_of(market, played), twin["payments"]), scale
    )
    compare_events(*until(end, adapter.events_of(played), twin["events"]))
    if end == world["hours"]:
        compare_causes(market, frames(market, played, "twin"), twin["hours"], scale)
    elif end == len(twin["hours"]):  # the hour of a fault: only that it is named
        compare_events(faults(adapter.events_of(played)), faults(twin["events"]))


def compare_hour(world, made, told, place):
    t, scale = place
    for name in ("position", "units"):
        for n, (one, other) in enumerate(zip(made[name], told[name], strict=True)):
            assert_close(one, other, max(abs(other), 1.0), f"{name} {n} at {t}")
    assert_close(made["equity"], told["equity"], scale, f"equity at {t}")
    for name in ACCOUNT:
        for a, (one, other) in enumerate(zip(made[name], told[name], strict=True)):
            assert_close(one, other, scale, f"{name} of account {a} at {t}")
    for m, (one, other) in enumerate(zip(made["liquidation"], told["liquidation"], strict=True)):
        px = max(px for px in world["perps"][m]["mark"] if px is not None)
        reach = scale / (abs(told["position"][m]) or 1.0)  # equity spread over the units held
        assert_close(one, other, max(px, reach), f"liquidation price of {m} at {t}")


def until(end, *lists):
    return [[row for row in rows if row["row"] < end] for rows in lists]


def faults(events):
    return [event for event in events if event["kind"] in ("FUNDING_MISSING", "BAD_TARGET")]


def compare_rows(kind, made, told, scale):
    for one, other in zip(made, told, strict=False):
        words = f"book {one}, twin {other}"
        for name in EXACT[kind]:
            if name == "decided" and other["reason"] != "TARGET":
                continue  # nobody decided a liquidation
            assert one[name] == other[name], f"{kind} {name}: {words}"
        for name in OWN_SCALE[kind]:
            least = 1e-3 if name == "rate" else 1.0
            assert_close(one[name], other[name], max(abs(other[name]), least), f"{name}: {words}")
        for name in USD[kind]:
            assert_close(one[name], other[name], scale, f"{name}: {words}")
    assert len(made) == len(told), f"{kind}s of the book {made[-1:]}, of the twin {told[-1:]}"


def compare_events(made, told):
    def key(event):
        return event["row"], event["kind"], event["instrument"] or 0

    assert sorted(map(key, made)) == sorted(map(key, told))


def compare_causes(market, made, hours, scale):
    """Sums of the hour, and what each instrument and account has of them."""
    names = market.names
    time = {stamp: t for t, stamp in enumerate(made["equity"]["time"])}
    booked = [{} for _ in time]
    for row in made["attribution"].to_dicts():
        key = (row["account"], row["instrument"], row["cause"].removesuffix("_usd"))
        booked[time[row["time"]]][key] = row["usd"]
    sums = made["equity"].to_dicts()
    for t, hour in enumerate(hours):
        told, in_all = {}, dict.fromkeys(CAUSES, 0.0)
        for (account, instrument, cause), usd in hour["causes"].items():
            name = "" if instrument is None else (*names.coins, *names.tokens)[instrument]
            told[names.accounts[account], name, cause] = usd
            in_all[cause] += usd
        for key in told | booked[t]:
            one, other = booked[t].get(key, 0.0), told.get(key, 0.0)
            assert_close(one, other, scale, f"cause {key} at {t}")
        for cause, usd in in_all.items():
            assert_close(sums[t][f"{cause}_usd"], usd, scale, f"{cause} at {t}")


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
