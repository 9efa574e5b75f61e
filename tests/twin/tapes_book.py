"""Random worlds in which an account can fail: the plain ones, rougher, with rules switched on.

Numbers come from generators named by seed and feature, so one feature less leaves the rest.
"""

import random

from tapes import FEATURES, World, make_world, quote
from twin_collateral import NAV_KINDS
from twin_market import form_token

ROUGH = ("jumps", "stretched", "restless")  # what squeezes an account
FAMILIES = {
    "tiers": ("tiers", "partial"),
    "isolated": ("isolated",),
    "joint": ("joint", "partial", "pledged"),
    "caps": ("capped", "max_order", "max_volume", "impact"),
    "adl": ("adl_shocks", "adl_model"),
    "collateral": ("pledged", "accrual", "interest"),
    "mirrored": ("pledged", "mirrored", "interest"),
    "redemption": ("treasury", "redeem", "sweep_token"),
    "delever": ("delever", "pledged"),
    "sweep": ("sweep", "pledged"),
    "isolated_treasury": ("isolated", "sweep", "delever"),
    "venues": ("venue_failure", "pledged", "mirrored"),
    "locks": ("locks", "pledged", "accrual", "treasury", "redeem"),
    "forced": ("forced", "pledged", "mirrored", "accrual"),
    "depeg": ("depeg", "pledged"),
    "portfolio": ("portfolio", "pledged", "tiers", "sweep", "delever"),
    "splits": ("split_perps", "split_tokens", "debits", "pledged", "adl_model", "accrual", "depeg"),
    "settled": ("settle_perps", "isolated", "debits"),
    "wallet_depeg": ("depeg", "wallet_depeg", "treasury", "redeem", "sweep_token"),
    "ways": ("ways", "delever"),
    "legs": ("legs", "ways", "accrual"),
    "legs_called": (
        "legs",
        "treasury",
        "redeem",
        "sweep_token",
        "delever",
        "wallet_depeg",
        "depeg",
    ),
    "legs_locked": ("legs", "locks", "ways", "pledged", "accrual"),
    "legs_split": ("legs", "split_tokens", "split_perps", "ways", "accrual"),
    "legs_forced": ("legs", "forced", "locks", "delever"),
}
RULES = tuple(dict.fromkeys(rule for family in FAMILIES.values() for rule in family))
# Against other rules: what ends the trading of an account is rarer.
OFTEN = {
    "venue_failure": 0.4,
    "sweep": 0.4,
    "forced": 0.4,
    "locks": 0.6,
    "capped": 0.6,
    "redeem": 2.0,
    "partial": 2.0,
}
OFTEN |= {"sweep_token": 1.5, "wallet_depeg": 0.0, "legs": 0.5}
CALLED = ("redeem", "delever")  # rules that only a call for margin reaches


class BookWorld(World):
    def __repr__(self):
        return f"book_world({ {name: x for name, x in self['knobs'].items() if x} })"


def knobs_of(seed, family=None):
    """Knobs of a seed: the rules of a family always, or any rule now and then."""
    rng = random.Random(f"{seed} {family} knobs")
    knobs = {feature: rng.random() < 0.4 for feature in FEATURES}
    knobs |= {feature: True for feature in ROUGH if rng.random() < 0.8}
    knobs |= {"perps": rng.randint(1, 4), "tokens": rng.randint(1, 4), "seed": seed}
    knobs |= {"hours": rng.randint(20, 60), "venues": rng.randint(1, 2)}
    knobs |= {"backstop": rng.choice(("none", "none", "all", "some")), "fault": None}
    if family is None:  # a fifth of the worlds has none of the rules
        often = rng.choice((0.0, 0.2, 0.4, 0.4, 0.7))
        on = {rule for rule in RULES if rng.random() < often * OFTEN.get(rule, 1.0)}
        on |= {"treasury"} if on & {"redeem", "sweep_token"} else set()
    else:
        own = FAMILIES[family]
        on = {own[0]} | {rule for rule in own if rng.random() < 0.8}
    if on & set(CALLED):
        knobs |= {"top_up": True, "thin": rng.random() < 0.6}
    if "sweep" in on:
        knobs["at_once"] = True  # else accounts are empty before the first position
    if "depeg" in on:
        knobs["top_up"] = knobs["top_up"] or rng.random() < 0.5
    return knobs | dict.fromkeys(on, True)


def book_world(knobs):
    absent = dict.fromkeys(RULES, 0)
    knobs = absent | knobs
    base = make_world(knobs)
    world = BookWorld(base)
    world["knobs"] = knobs
    world["settings"] = dict(world["settings"])
    world |= {"parent": [None] * len(world["cash"]), "strict": [False] * len(world["cash"])}
    world |= {"shocks": [], "collateral": {}}
    lay_tiers(knobs, world)
    lay_caps(knobs, world)
    if knobs["treasury"]:
        add_treasury(knobs, world)
    lay_collateral(knobs, world)
    lay_portfolio(knobs, world)
    lay_issuers(knobs, world)
    lay_locks(knobs, world)
    lay_ways(knobs, world)
    isolate(knobs, world)
    lay_shocks(knobs, world)
    lay_currencies(knobs, world)
    lay_actions(knobs, world)
    lay_settings(knobs, world)
    return world


def own_rng(knobs, name):
    return random.Random(f"{knobs['seed']} {name}")


def runs(rng, hours, start, stop):
    """Flags that switch on and off."""
    made, on = [], False
    for _ in range(hours):
        on = rng.random() > stop if on else rng.random() < start
        made.append(on)
    return made


# ------------------------------------------------------------------ terms


def lay_tiers(knobs, world):
    """Rates that rise with notional, and first parts of large positions."""
    for e, era in enumerate(world["terms"]):
        for m, terms in enumerate(era):
            rng = own_rng(knobs, f"tiers {m} {e}")
            margin = world["cash"][world["perps"][m]["account"]]
            usual = margin / terms["initial_frac"]
            if knobs["tiers"]:
                lower, initial, maintenance = 0.0, terms["initial_frac"], terms["maintenance_frac"]
                terms["tiers"] = []
                for _ in range(rng.choice((1, 2, 2))):
                    lower += usual * rng.uniform(0.05, 0.6)
                    maintenance *= rng.uniform(1.0, 2.0)
                    initial = max(initial, maintenance * rng.choice((1.0, 1.5)))
                    terms["tiers"].append((lower, initial, maintenance))
            if knobs["partial"] and rng.random() < 0.8:
                terms["partial_frac"] = rng.choice((0.2, 0.2, 0.5))
                terms["partial_above_usd"] = usual * rng.choice((0.0, 0.05, 0.3, 0.8))
            if knobs["max_order"] and rng.random() < 0.7:
                terms["max_order_usd"] = usual * rng.uniform(0.02, 0.6)


def lay_caps(knobs, world):
    for m, perp in enumerate(world["perps"]):
        rng = own_rng(knobs, f"caps {m}")
        if knobs["capped"]:
            perp["capped"] = runs(rng, world["hours"], 0.15, 0.3)
        usual = world["cash"][perp["account"]] * 20.0
        perp["volume"] = [usual * 10.0 ** rng.uniform(-1.0, 2.0) for _ in range(world["hours"])]
        for t in range(world["hours"]):
            if rng.random() < 0.1:
                perp["volume"][t] = rng.choice((None, 0.0))


def isolate(knobs, world):
    """Some perps get an account of their own below their venue's."""
    for m, perp in enumerate(world["perps"]):
        rng = own_rng(knobs, f"isolated {m}")
        if knobs["isolated"] and rng.random() < 0.7:
            world["parent"].append(perp["account"])
            world["strict"].append(rng.random() < 0.3)
            world["cash"].append(0.0)
            perp["account"] = len(world["cash"]) - 1


# ------------------------------------------------------------------ tokens


def add_treasury(knobs, world):
    """A token that grows by its NAV, bought in part at the start."""
    rng = own_rng(knobs, "treasury")
    hours, nav = world["hours"], []
    px = rng.uniform(0.9, 110.0)
    for _ in range(hours):
        nav.append(px)
        px *= 1.0 + rng.uniform(0.0, 2e-5)
    token = {"perp": None, "kind": rng.choice(("treasury", "treasury", "stable"))}
    token |= {"multiplier": [1.0] * hours, "nav": nav, "apr": [None] * hours}
    token |= {"stale": [False] * hours, "open": [True] * hours, "halted": [False] * hours}
    token |= {"half_spread_frac": 0.001, "fee_frac": 0.0, "min_order_usd": rng.choice((1.0, 200.0))}
    calm = dict.fromkeys(("frozen", "late", "stale", "halts", "closed"), 0)
    quote(rng, knobs | calm, token, nav)
    token["quoted"] = list(token["open"])
    token["live"], token["fair"] = form_token(token, None, world["settings"])
    world["tokens"].append(token)
    for row in world["plan"]:
        row.append(None)
    if rng.random() < 0.5:
        world["plan"][0][-1] = world["cash"][0] * rng.uniform(0.3, 1.5) / nav[0]
        world["plan"][rng.randrange(1, hours)][-1] = rng.choice((None, 0.0))


def lay_collateral(knobs, world):
    for k, token in enumerate(world["tokens"]):
        for a in range(1, len(world["cash"])):
            rng = own_rng(knobs, f"pledge {a} {k}")
            if not knobs["pledged"] or token["fair"][0] is None or rng.random() < 0.35:
                continue
            cash = world["cash"][a]
            if rng.random() < 0.5:
                world["cash"][a] = cash * rng.uniform(0.01, 0.3)
            haircut = rng.choice((0.0, 0.02, 0.1, 0.4))
            world["collateral"][a, k] = {
                "units": cash * rng.uniform(0.3, 1.0) / token["fair"][0],
                "haircut": haircut,
                "initial_haircut": haircut if rng.random() < 0.5 else min(haircut + 0.1, 0.9),
                "mirrored": bool(knobs["mirrored"]) and rng.random() < 0.7,
            }


def lay_portfolio(knobs, world):
    """Portfolio margin of every venue's account, harsher than any venue's."""
    rng, margin = own_rng(knobs, "portfolio"), max(world["cash"][1:])
    if knobs["portfolio"]:
        world["portfolio"] = {
            "counted": rng.choice((0.95, 0.95, 0.7)),
            "buffer": margin * rng.choice((1e-3, 0.02)),
            "cap": margin * rng.choice((0.05, 0.3, 10.0)),
        }


def lay_issuers(knobs, world):
    for k, token in enumerate(world["tokens"]):
        rng = own_rng(knobs, f"issuer {k}")
        if knobs["accrual"] and any(token["apr"]) and rng.random() < 0.8:
            token["accrues"] = True
            every = rng.choice((3, 8, 24))
            token["payday"] = [t % every == 0 for t in range(world["hours"])]
        if not (knobs["redeem"] or knobs["sweep_token"]) or None in token["nav"]:
            continue
        if token["kind"] in ("treasury", "stable"):
            opened = runs(rng, world["hours"], 0.3, 0.25)
            halted = token["halted"]
            token["redeemable"] = [o and not h for o, h in zip(opened, halted, strict=True)]
            token["redeem_hours"] = rng.choice((0, 1, 4, 12))
            token["redeem_fee_frac"] = rng.choice((0.0, 0.001))
            token["redeem_min_usd"] = rng.choice((0.0, 100.0, 2e3))


def lay_ways(knobs, world):
    """Pools, windows of issuers and settlements that take time, some tokens with none."""
    hours = world["hours"]
    for k, token in enumerate(world["tokens"]):
        rng = own_rng(knobs, f"ways {k}")
        usual = world["cash"][1] * 10.0 ** rng.uniform(-0.5, 1.5)
        if knobs["ways"] and rng.random() < 0.8:
            sets = (("dex",), ("quote", "dex"), ("issuer",), ("quote", "issuer"))
            token["ways"] = rng.choice((*sets, ("dex", "issuer"), ("quote", "dex", "issuer")))
            token["friction"] = rng.choice((0.0, 0.0, 0.01))
            token["liquidity"] = [usual * rng.uniform(0.7, 1.4) for _ in range(hours)]
            for t in range(hours):
                if rng.random() < 0.05:
                    token["liquidity"][t] = rng.choice((None, 0.0))
            lay_window(rng, token, usual, hours)
        if knobs["legs"] and rng.random() < 0.8:
            token["settle_rows"] = [rng.choice((0, 0, 1, 2, 5)) for _ in range(hours)]
            token["settle_unwinds"] = [rng.random() < 0.2 for _ in range(hours)]
            token["settle_costs"] = [rng.choice((0.0, 0.0, 0.001)) for _ in range(hours)]
            token["redeem_costs"] = [rng.choice((0.0, 0.002)) for _ in range(hours)]


def lay_window(rng, token, usual, hours):
    """Hours in which an issuer sells and takes back, of what is no treasury with its own."""
    if token["kind"] in ("treasury", "stable"):
        token["ways"] = tuple(way for way in token["ways"] if way != "issuer") or ("quote",)
    if "issuer" not in token["ways"]:
        return
    for t in range(hours):
        known = token["bid"][t] is not None and rng.random() > 0.05
        token["nav"][t] = token["bid"][t] * rng.uniform(0.98, 1.03) if known else None
    rows = rng.choice((0, 0, 0, 1, 4))
    for name in ("mint_rows", "buyback_rows"):
        opened = runs(rng, hours, 0.4, 0.15)
        token[name] = [rows if o else None for o in opened]
    for side in ("mint", "redeem"):
        token[f"{side}_fee_frac"] = rng.choice((0.0, 0.005))
        token[f"{side}_min_usd"] = rng.choice((0.0, 100.0, 2e3))
    token["inventory"] = rng.choice((None, usual * 0.05, usual))


# ------------------------------------------------------------------ incidents and prices of cash


def lay_locks(knobs, world):
    """Tokens frozen, paused, or not for this holder any more, for a while each."""
    if not knobs["locks"]:
        return
    for k, token in enumerate(world["tokens"]):
        rng = own_rng(knobs, f"locks {k}")
        kinds = (None, None, "receive", "sell", "issuer", "all", "all")
        locks, now = [], None
        for t in range(world["hours"]):
            if t > 0 and rng.random() < 0.15:
                now = rng.choice(kinds)
            locks.append(now)
        token["lock"] = locks
        # As the tape lays them: what nobody may move has no live quote, nor is it redeemed.
        frozen = [lock == "all" for lock in locks]
        token["halted"] = [h or f for h, f in zip(token["halted"], frozen, strict=True)]
        token["live"] = [x and not f for x, f in zip(token["live"], frozen, strict=True)]
        if any(token.get("redeemable", ())):
            pairs = zip(token["redeemable"], locks, strict=True)
            token["redeemable"] = [x and lock not in ("issuer", "all") for x, lock in pairs]


def lay_shocks(knobs, world):
    rng, hours = own_rng(knobs, "shocks"), world["hours"]
    perps = len(world["perps"])
    if knobs["adl_shocks"]:
        for _ in range(rng.randint(1, 6)):
            shock = {"row": rng.randrange(1, hours), "kind": "ADL", "account": None}
            value = rng.choice((1.0, 0.5, 0.13))
            world["shocks"].append(shock | {"instrument": rng.randrange(perps), "value": value})
    if knobs["forced"] and world["tokens"]:
        for _ in range(rng.randint(1, 5)):
            shock = {"row": rng.randrange(1, hours), "kind": "FORCED_TRANSFER", "account": None}
            token = perps + rng.randrange(len(world["tokens"]))
            value = rng.choice((1.0, 0.5, 0.07))
            world["shocks"].append(shock | {"instrument": token, "value": value})
        # Of one hour and token there is one: what is left of it was told as one share.
        apart = {(s["row"], s["kind"], s["instrument"]): s for s in world["shocks"]}
        world["shocks"] = list(apart.values())
    if knobs["venue_failure"]:
        venues = [a for a in range(1, len(world["cash"])) if world["parent"][a] is None]
        for a in rng.sample(venues, rng.randint(1, len(venues))):
            shock = {
                "row": rng.randrange(hours // 3, hours),
                "kind": "VENUE_FAILURE",
                "instrument": None,
            }
            value = rng.choice((1.0, 0.6, 0.0))
            world["shocks"].append(shock | {"account": a, "value": value})
    world["shocks"].sort(key=lambda shock: shock["row"])


def lay_currencies(knobs, world):
    """Prices of each account's currency: a peg with breaks."""
    if not knobs["depeg"]:
        return
    made = []
    for a in range(len(world["cash"])):
        rng = own_rng(knobs, f"currency {a}")
        parent, px, prices = world["parent"][a], 1.0, []
        if parent is not None:
            made.append(made[parent])
            continue
        for _ in range(world["hours"]):
            if rng.random() < 0.1:
                px = min(max(px * rng.uniform(0.8, 1.1), 0.3), 1.3)
            if rng.random() < 0.1:
                px = 1.0
            prices.append(px if a > 0 or knobs["wallet_depeg"] else 1.0)
        made.append(prices)
    world["cash_px"] = made


# ------------------------------------------------------------------ corporate actions

OF_PERP = ("mark", "oracle", "mid", "high", "low")
OF_TOKEN = ("bid", "ask", "fair", "nav")


def lay_actions(knobs, world):
    """Splits and dividends; prices, and what is wanted, in new units from the row on."""
    perps, hours, made = len(world["perps"]), world["hours"], []
    for m in range(perps):
        rng = own_rng(knobs, f"actions {m}")
        for t in rng.sample(range(1, hours), 2):
            if knobs["debits"] and rng.random() < 0.7:
                known = world["perps"][m]["mark"][t]
                usd = 0.0 if known is None else known * rng.uniform(0.001, 0.03)
                made.append({"row": t, "kind": "DEBIT", "instrument": m, "value": usd})
        kinds = [k for k in ("SPLIT", "SETTLE") if knobs[f"{k.lower()}_perps"]]
        if kinds and rng.random() < 0.8:
            made.append(split_at(rng, world, m, rng.choice(kinds)))
    for k, token in enumerate(world["tokens"]):
        rng = own_rng(knobs, f"rebase {k}")
        if knobs["split_tokens"] and token["kind"] not in NAV_KINDS and rng.random() < 0.8:
            made.append(split_at(rng, world, perps + k, "SPLIT"))
    world["actions"] = sorted(made, key=lambda action: action["row"])


def split_at(rng, world, instrument, kind):
    row, perps = rng.randrange(1, world["hours"]), len(world["perps"])
    ratio = rng.choice((10.0, 4.0, 1.5, 1.05, 0.1, 1.0 / 3.0))
    token = instrument >= perps
    prices = world["tokens"][instrument - perps] if token else world["perps"][instrument]
    for name in OF_TOKEN if token else OF_PERP:
        later = [None if px is None else px / ratio for px in prices[name][row:]]
        prices[name] = prices[name][:row] + later
    for wanted in world["plan"][row:]:
        if wanted[instrument] is not None:
            wanted[instrument] *= ratio
    return {"row": row, "kind": kind, "instrument": instrument, "value": ratio}


# ------------------------------------------------------------------ settings


def lay_settings(knobs, world):
    rng, told = own_rng(knobs, "book settings"), world["settings"]
    if knobs["joint"]:
        told["margin_paths"] = "joint"
    if knobs["interest"]:
        told["borrow_apr"] = rng.choice((0.05, 0.3))
        told["seize_cost_frac"] = rng.choice((0.0, 0.01, 0.2))
    if knobs["mirrored"]:
        told["mirror_hours"] = rng.choice((0, 2, 8))
    if knobs["adl_model"]:
        told["adl_shock_frac"] = rng.choice((0.01, 0.03, 0.1))
        told["adl_index"] = rng.choice((0.0, 1.0, 4.0))
    if knobs["locks"]:
        told["locked_counts"] = rng.random() < 0.4
    if knobs["impact"]:
        told["impact_coefficient"] = rng.choice((0.01, 0.1))
    if knobs["ways"]:
        told["max_pool_frac"] = rng.choice((0.5, 0.5, 0.1))
    if knobs["max_volume"]:
        told["max_volume_frac"] = rng.choice((0.01, 0.1, 1.0))
    if knobs["sweep"]:
        told["sweep_at_ratio"] = told["topup_to_ratio"] * rng.uniform(0.3, 1.0)
        more = own_rng(knobs, "least swept").choice((0.01, 100.0, 2_000.0))
        told["sweep_min_usd"] = told["transfer_cost_usd"] + more
    told["redeem"], told["delever"] = bool(knobs["redeem"]), bool(knobs["delever"])
    minted = [
        k
        for k, token in enumerate(world["tokens"])
        if token.get("redeem_hours") is not None and any(token["redeemable"])
    ]
    if knobs["sweep_token"] and minted:
        told["sweep_token"] = minted[-1]
        told["wallet_cash_usd"] = rng.choice((0.0, 0.0, 100.0, 2e4))
