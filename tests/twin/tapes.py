"""Random worlds as plain dicts: what the twin plays and what the adapter turns into arrays.

Hypothesis draws the size, the features and a seed, so a failing case shrinks to few hours, few
instruments and few features; the numbers come from generators named by seed and instrument, so
dropping one instrument leaves the others as they were.
"""

import random

from hypothesis import strategies as st
from twin_market import form_token

FEATURES = (
    "jumps",  # of up to 30 percent
    "calm",  # small moves between
    "stale",
    "no_mid",
    "late",  # instruments listed after the first hour
    "large_funding",
    "sparse_funding",  # hours without a settlement, rates of zero
    "eras",
    "frozen",
    "wide",
    "mid_quotes",
    "halts",
    "closed",  # hours outside the issuer's session
    "nav",
    "apr",
    "dividends",
    "spare_tokens",  # tokens without a perp, perps without a token
    "each",
    "trigger",
    "resume",
    "trade_frozen",
    "top_up",
    "at_once",  # no delay of fills
    "stretched",  # positions near what the margin allows
    "huge",
    "tiny",
    "restless",  # targets change often
    "thin",  # little cash in the wallet
)


@st.composite
def worlds(draw, most_hours=40, faults=True):
    knobs = {
        "perps": draw(st.integers(1, 4)),
        "tokens": draw(st.integers(0, 4)),
        "venues": draw(st.integers(1, 2)),
        "hours": draw(st.integers(5, most_hours)),
        "backstop": draw(st.sampled_from(("none", "all", "some"))),
        "fault": draw(st.sampled_from((None,) * 12 + ("funding", "target"))) if faults else None,
    }
    knobs |= {feature: draw(st.booleans()) for feature in FEATURES}
    return make_world(knobs | {"seed": draw(st.integers(0, 2**20))})


class World(dict):
    """A world that shows what it was made from: ``make_world`` of that makes it again."""

    def __repr__(self):
        return f"make_world({ {name: x for name, x in self['knobs'].items() if x} })"


def make_world(knobs):
    rng = random.Random(f"{knobs['seed']} world")
    absent = dict.fromkeys((*FEATURES, "tokens", "seed", "fault"), 0)
    knobs = absent | {"backstop": "none"} | knobs
    hours = knobs["hours"]
    perps = [make_perp(knobs, m) for m in range(knobs["perps"])]
    tokens = [make_token(knobs, k, perps) for k in range(knobs["tokens"])]
    accounts = max(perp["account"] for perp in perps) + 1
    margin = [rng.uniform(2e3, 4e4) for _ in range(accounts - 1)]
    wallet = rng.uniform(1.0, 5e3) if knobs["thin"] else rng.uniform(5e4, 3e5)
    switch = rng.randrange(1, hours) if knobs["eras"] else hours
    world = World(
        {
            "knobs": knobs,
            "hours": hours,
            "perps": perps,
            "tokens": tokens,
            "cash": [wallet, *margin],
            "era": [0 if t < switch else 1 for t in range(hours)],
            "terms": [[make_terms(knobs, m, era) for m in range(len(perps))] for era in (0, 1)],
            "dividends": dividends(knobs, tokens),
            "settings": make_settings(knobs),
        }
    )
    for token in tokens:
        m = token["perp"]
        oracle = None if m is None else perps[m]["oracle"]
        token["quoted"] = [o and not h for o, h in zip(token["open"], token["halted"], strict=True)]
        token["live"], token["fair"] = form_token(token, oracle, world["settings"])
    world["plan"] = make_plan(knobs, world)
    if knobs["fault"] == "funding":
        m, t = rng.randrange(len(perps)), rng.randrange(hours)
        perps[m]["due"][t], perps[m]["funding"][t] = perps[m]["mark"][t] is not None, None
    if knobs["fault"] == "target":
        row = world["plan"][rng.randrange(hours)]
        n = rng.randrange(len(row))
        row[n] = rng.choice((float("inf"), float("-inf")) if n < len(perps) else (-1.0, -1e-9))
    return world


def make_settings(knobs):
    rng = random.Random(f"{knobs['seed']} settings")
    at = rng.uniform(0.3, 0.9)
    return {
        "fill_delay_hours": 0 if knobs["at_once"] else 1,
        "pair": "each" if knobs["each"] else "together",
        "trade_frozen_quotes": knobs["trade_frozen"],
        "after_liquidation": "resume" if knobs["resume"] else "stop",
        "liq_fill": "trigger" if knobs["trigger"] else "extreme",
        "transfer_hours": rng.choice((0, 1, 1, 2, 5)),
        "transfer_cost_usd": rng.choice((0.0, 1.0, 25.0)),
        "topup_at_ratio": at if knobs["top_up"] else None,
        "topup_to_ratio": at * rng.uniform(0.3, 0.9),
        "max_quote_spread_frac": 0.005,
        "max_frozen_hours": rng.choice((1, 2, 2, 3)),
    }


def make_terms(knobs, m, era):
    fixed = random.Random(f"{knobs['seed']} lots {m}")
    rng = random.Random(f"{knobs['seed']} terms {m} {era}")
    initial = rng.choice((0.05, 0.1, 0.2, 1 / 3))
    shares = {"none": (None,), "all": (2 / 3,), "some": (None, 2 / 3, 0.5)}[knobs["backstop"]]
    return {
        "initial_frac": initial,
        "maintenance_frac": initial * rng.choice((0.5, 0.5, 0.3)),
        "backstop_frac": rng.choice(shares),
        "fee_frac": rng.choice((0.0, 0.00009, 0.00045)),
        "cost_frac": rng.choice((0.0, 0.0004, 0.003)),
        "lots_per_unit": fixed.choice((1.0, 100.0, 1e3, 1e4)),
        "min_order_usd": rng.choice((0.0, 10.0, 100.0)),
    }


# ------------------------------------------------------------------ prices


def walk(rng, knobs, px):
    """Prices of a random walk with jumps."""
    spread = 0.004 if knobs["calm"] else 0.02
    made = []
    for _ in range(knobs["hours"]):
        made.append(px)
        px *= 1.0 + max(min(rng.gauss(0.0, spread), 0.2), -0.2)
        if rng.random() < (0.05 if knobs["jumps"] else 0.0):
            px *= 1.0 + rng.uniform(-0.3, 0.3)
    return made


def make_perp(knobs, m):
    rng = random.Random(f"{knobs['seed']} perp {m}")
    hours, first = knobs["hours"], 0
    mark = walk(rng, knobs, 10.0 ** rng.uniform(1.0, 2.7))
    oracle = [px * (1.0 + rng.gauss(0.0, 0.002)) for px in mark]
    reach = rng.choice((0.0, 0.003, 0.02))
    perp = {
        "account": 1 + m % knobs["venues"],
        "token": None,
        "mark": mark,
        "oracle": oracle,
        "mid": [px * (1.0 + rng.gauss(0.0, 0.001)) for px in mark],
        "stale": [False] * hours,
        "due": [True] * hours,
        "funding": [rng.gauss(0.0, 2e-5) for _ in range(hours)],
    }
    interval = rng.choice((1, 1, 8)) if knobs["sparse_funding"] else 1
    for t in range(hours):
        if knobs["large_funding"] and rng.random() < 0.2:
            perp["funding"][t] = rng.uniform(-0.04, 0.04)
        if knobs["sparse_funding"] and rng.random() < 0.2:
            perp["funding"][t] = 0.0
        if t % interval:
            perp["due"][t], perp["funding"][t] = False, None
        if knobs["no_mid"] and rng.random() < 0.3:
            perp["mid"][t] = None
        if knobs["stale"] and t > 0 and rng.random() < 0.15:
            perp["stale"][t], perp["mid"][t] = True, None
            mark[t], oracle[t] = mark[t - 1], oracle[t - 1]
    if knobs["late"] and rng.random() < 0.5:
        first = rng.randrange(hours // 2)
    for t in range(first):
        mark[t] = oracle[t] = perp["mid"][t] = perp["funding"][t] = None
        perp["stale"][t], perp["due"][t] = True, False
    known = [[px for px in (mark[max(t - 1, 0)], mark[t]) if px is not None] for t in range(hours)]
    perp["high"] = [max(px) * (1.0 + abs(rng.gauss(0.0, reach))) if px else None for px in known]
    perp["low"] = [min(px) / (1.0 + abs(rng.gauss(0.0, reach))) if px else None for px in known]
    return perp


def is_pair(knobs, number):
    """Whether perp and token of this number are the legs of a hedge."""
    alone = random.Random(f"{knobs['seed']} pair {number}").random() < 0.4
    both = number < min(knobs["perps"], knobs["tokens"])
    return both and not (knobs["spare_tokens"] and alone)


def make_token(knobs, k, perps):
    """A token on the perp of its number, the second of a perp, or one without a perp."""
    rng = random.Random(f"{knobs['seed']} token {k}")
    hours = knobs["hours"]
    paired = is_pair(knobs, k)
    m = k if paired else None
    if not paired and knobs["spare_tokens"] and rng.random() < 0.4:
        m = rng.randrange(len(perps))  # priced by this perp, but not its hedge
    if paired:
        perps[k]["token"] = k
    multiplier = rng.choice((1.0, 1.0, 0.1, 1.02))
    steps = hours // 2 if rng.random() < 0.2 else hours  # a dividend goes into the multiplier
    multipliers = [multiplier * (1.004 if t >= steps else 1.0) for t in range(hours)]
    base = walk(rng, knobs, 10.0 ** rng.uniform(0.0, 2.0))
    if m is not None:
        known = next(px for px in perps[m]["mark"] if px is not None)
        marks = [known if px is None else px for px in perps[m]["mark"]]
        base = [x * px for x, px in zip(multipliers, marks, strict=True)]
    token = {
        "perp": m,
        "kind": "equity",
        "multiplier": multipliers,
        "nav": [None] * hours,
        "apr": [None] * hours,
        "stale": [False] * hours,
        "open": [True] * hours,  # the issuer's session
        "halted": [False] * hours,
        "half_spread_frac": rng.choice((0.0, 0.001)),
        "fee_frac": rng.choice((0.0, 0.003)),
        "min_order_usd": rng.choice((1.0, 10.0, 200.0)),
    }
    if knobs["nav"] and rng.random() < 0.5:
        token["kind"] = rng.choice(("treasury", "equity", "stable"))
        base = [1.1 * (1.0 + rng.uniform(0.0, 4e-5)) ** t for t in range(hours)]
        token["nav"] = list(base)
    elif knobs["apr"] and rng.random() < 0.7:
        token["kind"] = "stable"
        apr = rng.choice((0.05, 3.0))
        token["apr"] = [apr if rng.random() < 0.8 else rng.choice((None, 0.0)) for _ in base]
    quote(rng, knobs, token, base)
    return token


def quote(rng, knobs, token, base):
    """Bids and asks around a path, with hours that freeze, widen, halt or go missing."""
    half = rng.choice((0.0005, 0.002))
    mids = [px * (1.0 + rng.gauss(0.0, 0.001)) for px in base]
    token["bid"] = [px * (1.0 - half) for px in mids]
    token["ask"] = [px * (1.0 + half) for px in mids]
    frozen = False
    for t in range(len(base)):
        if knobs["mid_quotes"] and half == 0.0005:
            token["bid"][t] = token["ask"][t] = mids[t]
        if knobs["wide"] and rng.random() < 0.2:
            reach = rng.choice((0.0024, 0.002497, 0.002503, 0.0026, 0.07))
            token["bid"][t], token["ask"][t] = mids[t] * (1.0 - reach), mids[t] * (1.0 + reach)
        frozen = knobs["frozen"] and rng.random() < (0.75 if frozen else 0.15)
        missing = knobs["stale"] and rng.random() < 0.1
        if t > 0 and (frozen or missing):
            token["bid"][t], token["ask"][t] = token["bid"][t - 1], token["ask"][t - 1]
            token["stale"][t] = missing
        token["halted"][t] = knobs["halts"] and rng.random() < 0.15
        shut = knobs["closed"] and rng.random() < 0.2
        token["open"][t] = not shut
    if knobs["late"] and rng.random() < 0.5:
        for t in range(rng.randrange(len(base) // 2)):
            token["bid"][t] = token["ask"][t] = token["nav"][t] = None
            token["stale"][t] = True


def dividends(knobs, tokens):
    rng = random.Random(f"{knobs['seed']} dividends")
    if not knobs["dividends"] or not tokens:
        return []
    rows = sorted(rng.randrange(knobs["hours"]) for _ in range(4))
    return sorted((t, rng.randrange(len(tokens)), rng.uniform(0.01, 2.0)) for t in rows)


# ------------------------------------------------------------------ the plan


def make_plan(knobs, world):
    """What is decided at each hour: one entry a perp, then one a token; ``None`` leaves."""
    perps, tokens = world["perps"], world["tokens"]
    plan = [[None] * (len(perps) + len(tokens)) for _ in range(knobs["hours"])]
    often = 0.4 if knobs["restless"] else 0.12
    paired = {perp["token"] for perp in perps}
    for m, perp in enumerate(perps):
        rng = random.Random(f"{knobs['seed']} plan {m}")
        last = (0.0, 0.0)
        for t, row in enumerate(plan):
            if rng.random() < (often if t > 1 else 0.6):
                last = perp_targets(rng, knobs, world, m, last)
                both = perp["token"] is not None and rng.random() < 0.85
                if rng.random() < 0.9 or not both:
                    row[m] = last[0]
                if both:
                    row[len(perps) + perp["token"]] = last[1]
    for k in range(len(tokens)):
        rng = random.Random(f"{knobs['seed']} plan token {k}")
        for row in plan:
            if k not in paired and rng.random() < often:
                usd = world["cash"][0] * rng.choice((0.0, 0.05, 0.3, 1.5))
                row[len(perps) + k] = usd / price_of(tokens[k]["fair"])
    return plan


def perp_targets(rng, knobs, world, m, last):
    """Units of a perp and of its token: a hedge, a bet, the same again, nothing, a flip."""
    way = rng.random()
    if way < 0.2:
        return 0.0, 0.0
    if way < 0.35:
        return last
    if way < 0.45:
        return -last[0], max(last[0], 0.0)
    perp, terms = world["perps"][m], world["terms"][0][m]
    px = price_of(perp["mark"])
    in_account = sum(other["account"] == perp["account"] for other in world["perps"])
    margin = world["cash"][perp["account"]] / in_account
    usd = margin / terms["initial_frac"] * rng.uniform(0.8 if knobs["stretched"] else 0.1, 1.1)
    if knobs["huge"] and rng.random() < 0.4:
        usd *= 20.0
    if knobs["tiny"] and rng.random() < 0.4:
        usd = rng.uniform(1.0, 150.0)
    units = usd / px
    if perp["token"] is None or rng.random() < 0.25:
        return rng.choice((-1.0, 1.0)) * units, 0.0
    return -units, units / world["tokens"][perp["token"]]["multiplier"][0]


def price_of(prices):
    return next(px for px in prices if px is not None)
