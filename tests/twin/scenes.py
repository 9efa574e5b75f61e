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
    "solved",  # sessions, a median mark, bounds
    "intervals",  # settlements hours apart, and a change of that
    "formulas",  # that no premium alone decides
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
def scenes(draw, most_hours=40, updates=None, told=None):
    knobs = {
        "perps": draw(st.integers(1, 3)),
        "tokens": draw(st.integers(0, 3)),
        "hours": draw(st.integers(3 if updates else 5, most_hours)),
    }
    knobs |= {feature: draw(st.booleans()) for feature in FEATURES}
    knobs |= {"updates": updates} | (told or {})
    return make_scene(knobs | {"seed": draw(st.integers(0, 2**20))})


def make_scene(knobs):
    rng = random.Random(f"{knobs['seed']} scene")
    hours = knobs["hours"]
    told = dict.fromkeys(UNUSED, False)
    perps = [make_perp(knobs, m) for m in range(knobs["perps"])]
    drawn = [{"mark": p.pop("walk"), "token": None} for p in perps]
    tokens = [make_token(knobs | told, k, drawn) for k in range(knobs["tokens"])]
    for token in tokens:
        token["quoted"] = [o and not h for o, h in zip(token["open"], token["halted"], strict=True)]
    switch = rng.randrange(1, hours) if knobs["eras"] else hours
    era = [0 if t < switch else 1 for t in range(hours)]
    for m, perp in enumerate(perps):
        settle(perp, [interval_of(knobs, m, e) for e in era])
    return World(
        {
            "knobs": knobs,
            "hours": hours,
            "external": knobs["external"],
            "perps": perps,
            "tokens": tokens,
            "era": era,
            "terms": [[make_terms(knobs, m, era) for m in range(len(perps))] for era in (0, 1)],
            "settings": make_settings(knobs | told),
        }
    )


PLAIN = {
    "session": "always",
    "oracle_closed": "external",
    "mark_rule": "book_mid",
    "bound_frac": None,
}


def make_terms(knobs, m, era):
    rng = random.Random(f"{knobs['seed']} terms {m} {era}")
    prices = solved_terms(knobs, m, era) if knobs["solved"] else PLAIN
    return (
        prices
        | formula_of(knobs, m)
        | {
            "interest_8h": rng.choice((0.0001, 0.0, -0.0001)),
            "clamp_8h": rng.choice((0.0005, 0.0003)),
            "cap_1h": rng.choice((0.04, 0.0005)),
            "funding_multiplier": rng.choice((1.0, 0.5)),
            "interval_hours": interval_of(knobs, m, era),
            "two_sided": rng.choice((0.0, 1.0)),
            "step_frac": rng.choice((0.01, 0.005, 0.0005)),
            "updates_per_hour": updates_of(knobs, rng),
            "step_on_mark": rng.choice((0.0, 1.0)),
        }
    )


def settle(perp, intervals):
    """When rates are due; none is recorded or formed between."""
    perp["due"] = [t % interval == 0 for t, interval in enumerate(intervals)]
    for t, due in enumerate(perp["due"]):
        if not due:
            perp["funding"][t], perp["by_formula"][t] = None, False


def solved_terms(knobs, m, era):
    """Terms that change with the era but for the session, which is the coin's."""
    own = random.Random(f"{knobs['seed']} session {m}")
    session = own.choice(("turns", "turns", "turns", "always", "never"))
    closed = own.choice(("ewma", "ewma", "ewma", "frozen", "blend"))
    rng = random.Random(f"{knobs['seed']} solved {m} {era}")
    bound = rng.choice((None, 0.02, 0.05, 0.1))
    share = rng.choice((None, 0.5, 0.9)) if bound else None
    return {
        "session": session,
        "oracle_closed": {"always": "external", "never": "own_mark"}.get(session, closed),
        "oracle_tau_hours": rng.choice((8.0, 1.0, 0.5, 0.05)),
        "ewma_cap_frac": rng.choice((None, 0.1, 0.02)),
        "blend_tau_hours": rng.choice((3.0, 1.0, 1 / 60)),
        "mark_rule": rng.choice(("median", "median", "book_mid")),
        "mark_ema_seconds": rng.choice((150.0, 30.0, 1800.0)),
        "mark_step_frac": rng.choice((0.01, 0.01, 0.002, None)),
        "bound_frac": bound,
        "bound_threshold_frac": share,
        "bound_resets": rng.choice((1, 2)) if share else 0,
        "bound_when": rng.choice(("closed", "always")),
    }


def interval_of(knobs, m, era):
    rng = random.Random(f"{knobs['seed']} interval {m} {era}")
    return float(rng.choice((1, 2, 4, 8)) if knobs["intervals"] else 1)


def formula_of(knobs, m):
    """The coin's formula, with rates of both sides for the one that has no premium."""
    rng = random.Random(f"{knobs['seed']} formula {m}")
    word = rng.choice(("premium", "ventuals", "cfd_swap")) if knobs["formulas"] else "premium"
    return {
        "funding_formula": word,
        "funding_gap_frac": rng.choice((0.19, 0.02)),
        "swap_long_1d": rng.choice((0.0002, -0.0001)),
        "swap_short_1d": rng.choice((0.0001, 0.0003)),
    }


def updates_of(knobs, rng):
    drawn = rng.choice((3.0, 20.0, 60.0) if knobs["many_updates"] else (1.0,))
    return float(knobs["updates"] or drawn)


def make_turns(knobs, m):
    """Open or not just after each row, and up to two turns within the hours."""
    rng = random.Random(f"{knobs['seed']} turns {m}")
    opened, first, second = [], [], []
    state = rng.random() < 0.6
    for _ in range(knobs["hours"]):
        if rng.random() < 0.2:
            state = not state
        opened.append(state)
        turns = rng.choice((0, 0, 0, 1, 2)) if knobs["many_updates"] else 0
        at = sorted(rng.choice((0.05, 0.25, 0.5, 1 / 3, 0.9)) for _ in range(turns))
        at = sorted(set(at))
        first.append(at[0] if at else None)
        second.append(at[1] if len(at) > 1 else None)
        state = state if len(at) % 2 == 0 else not state
    return {"opened": opened, "first": first, "second": second}


def make_perp(knobs, m):
    rng = random.Random(f"{knobs['seed']} perp {m}")
    hours = knobs["hours"]
    px = walk(rng, knobs, 10.0 ** rng.uniform(1.0, 2.7))
    basis = [p * (1.0 + rng.gauss(0.0, 0.003)) for p in px]
    half = rng.choice((0.0, 0.0005, 0.004))
    perp = {
        "walk": list(px) if knobs["external"] else list(basis),
        "external": list(px) if knobs["external"] else None,
        "oracle": [None] * hours if knobs["external"] else list(px),
        "mark": [None] * hours if knobs["external"] else list(basis),
        "mid": [p * (1.0 + rng.gauss(0.0, 0.001)) for p in basis],
        "impact_bid": [p * (1.0 - half) for p in basis],
        "impact_ask": [p * (1.0 + half) for p in basis],
        "premium": [None] * hours,
        "funding": [None] * hours,
        "by_formula": [True] * hours,
    } | make_turns(knobs, m)
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
    books = ("mid", "impact_bid", "impact_ask")
    for t in range(first):
        for name in ("walk", "oracle", "mark", *books, "premium", "funding"):
            perp[name][t] = None
        if knobs["external"]:
            perp["external"][t] = None
        perp["by_formula"][t] = False
    if knobs["solved"] and knobs["external"] and make_terms(knobs, m, 0)["session"] == "never":
        perp["external"] = [None] * hours
    return perp
