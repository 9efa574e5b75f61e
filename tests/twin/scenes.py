"""Random scenes for the market loop: what is recorded of each perp and token, as plain dicts."""

import random

from hypothesis import strategies as st
from tapes import World, make_settings, make_token, walk

FEATURES = (
    "external",  # oracle and mark are formed, else recorded
    "jumps",
    "calm",
    "late",
    "no_book",
    "no_impact",
    "no_mid",
    "recorded_premium",
    "recorded_rates",
    "eras",
    "many_updates",
    "stale",
    "frozen",
    "wide",
    "mid_quotes",
    "halts",
    "closed",
    "nav",
    "apr",
    "spare_tokens",
)


UNUSED = ("at_once", "each", "trade_frozen", "resume", "trigger", "top_up")


@st.composite
def scenes(draw, most_hours=40):
    knobs = {
        "perps": draw(st.integers(1, 3)),
        "tokens": draw(st.integers(0, 3)),
        "hours": draw(st.integers(5, most_hours)),
    }
    knobs |= {feature: draw(st.booleans()) for feature in FEATURES}
    return make_scene(knobs | {"seed": draw(st.integers(0, 2**20))})


def make_scene(knobs):
    rng = random.Random(f"{knobs['seed']} scene")
    hours = knobs["hours"]
    told = dict.fromkeys(UNUSED, False)
    perps = [make_perp(knobs, m) for m in range(knobs["perps"])]
    drawn = [{"mark": p["external"] or p["mark"], "token": None} for p in perps]
    tokens = [make_token(knobs | told, k, drawn) for k in range(knobs["tokens"])]
    for token in tokens:
        token["quoted"] = [o and not h for o, h in zip(token["open"], token["halted"], strict=True)]
    switch = rng.randrange(1, hours) if knobs["eras"] else hours
    return World(
        {
            "knobs": knobs,
            "hours": hours,
            "external": knobs["external"],
            "perps": perps,
            "tokens": tokens,
            "era": [0 if t < switch else 1 for t in range(hours)],
            "terms": [[make_terms(knobs, m, era) for m in range(len(perps))] for era in (0, 1)],
            "settings": make_settings(knobs | told),
        }
    )


def make_terms(knobs, m, era):
    rng = random.Random(f"{knobs['seed']} terms {m} {era}")
    return {
        "interest_8h": rng.choice((0.0001, 0.0, -0.0001)),
        "clamp_8h": rng.choice((0.0005, 0.0003)),
        "cap_1h": rng.choice((0.04, 0.0005)),
        "funding_multiplier": rng.choice((1.0, 0.5)),
        "interval_hours": 1.0,
        "two_sided": rng.choice((0.0, 1.0)),
        "step_frac": rng.choice((0.01, 0.005, 0.0005)),
        "updates_per_hour": rng.choice((3.0, 20.0, 60.0) if knobs["many_updates"] else (1.0,)),
        "step_on_mark": rng.choice((0.0, 1.0)),
    }


def make_perp(knobs, m):
    rng = random.Random(f"{knobs['seed']} perp {m}")
    hours = knobs["hours"]
    px = walk(rng, knobs, 10.0 ** rng.uniform(1.0, 2.7))
    basis = [p * (1.0 + rng.gauss(0.0, 0.003)) for p in px]
    half = rng.choice((0.0, 0.0005, 0.004))
    perp = {
        "external": list(px) if knobs["external"] else None,
        "oracle": [None] * hours if knobs["external"] else list(px),
        "mark": [None] * hours if knobs["external"] else list(basis),
        "mid": [p * (1.0 + rng.gauss(0.0, 0.001)) for p in basis],
        "impact_bid": [p * (1.0 - half) for p in basis],
        "impact_ask": [p * (1.0 + half) for p in basis],
        "premium": [None] * hours,
        "funding": [None] * hours,
        "by_formula": [True] * hours,
    }
    for t in range(hours):
        alone = rng.random()
        if knobs["no_mid"] and alone < 0.3:
            perp["mid"][t] = None
        elif knobs["no_impact"] and alone < 0.6:
            perp["impact_bid"][t] = perp["impact_ask"][t] = None
        if knobs["no_book"] and rng.random() < 0.2:
            perp["mid"][t] = perp["impact_bid"][t] = perp["impact_ask"][t] = None
        if knobs["recorded_premium"] and rng.random() < 0.5:
            perp["premium"][t] = rng.gauss(0.0, 0.002)
        if knobs["recorded_rates"] and rng.random() < 0.5:
            perp["funding"][t], perp["by_formula"][t] = rng.gauss(0.0, 1e-4), False
    first = rng.randrange(hours // 2) if knobs["late"] and rng.random() < 0.5 else 0
    for t in range(first):
        for name in ("oracle", "mark", "mid", "impact_bid", "impact_ask", "premium", "funding"):
            perp[name][t] = None
        if knobs["external"]:
            perp["external"][t] = None
        perp["by_formula"][t] = False
    return perp
