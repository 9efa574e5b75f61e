"""The slow hour of a venue with sessions, a median mark or bounds: every update, one by one.

Written from what trade.xyz and Hyperliquid document of oracle price, mark price and discovery
bounds. ``external``, bid, ask and mid of the row are held over its hour; ``None`` where absent.
"""

import math


def new_state():
    return {
        "external": None,  # the last external price
        "reference": None,
        "up": 0,  # resets used
        "down": 0,
        "open": None,
        "sum": 0.0,  # EMA of mid - oracle
        "weight": 0.0,
        "supplied": None,  # the relayer's second mark
        "share": 1.0,  # of the external price in a blend
        "internal": None,  # the blend's average of impact prices
    }


def is_open(perp, t, at, terms):
    """Whether there is an external price at a fraction of the hour that ends in row ``t``."""
    if terms["oracle_closed"] == "external":
        return True
    if terms["session"] == "never":
        return False
    if terms["session"] == "always":
        return True
    turns = [x for x in (perp["first"][t], perp["second"][t]) if x is not None]
    passed = sum(turn < at - 1e-9 for turn in turns)  # at the turn itself it has not happened yet
    return perp["opened"][t] if passed % 2 == 0 else not perp["opened"][t]


def hour(perp, t, before, state, terms):
    """Lists of oracles, marks and premiums, one an update, from the prices of the row before."""
    external = perp["external"][t]
    bid, ask, mid = perp["impact_bid"][t], perp["impact_ask"][t], perp["mid"][t]
    if mid is None and bid is not None and ask is not None:
        mid = 0.5 * (bid + ask)
    book = {"bid": bid, "ask": ask, "mid": mid}
    if before["oracle"] is None:
        return listing(perp, t, book, state, terms)
    updates = int(terms["updates_per_hour"])
    oracle, mark = before["oracle"], before["mark"]
    if state["reference"] is None:
        state["reference"] = state["external"] = oracle
        state["open"] = True
    oracles, marks, premiums = [], [], []
    for i in range(1, updates + 1):
        opened = is_open(perp, t, i / updates, terms)
        enter(opened, external, state)
        oracle = next_oracle(oracle, mark, book, opened, state, terms)
        if not opened:
            reanchor(oracle, state, terms)
        mark = next_mark(oracle, mark, book, opened, state, terms)
        oracles.append(oracle)
        marks.append(mark)
        premiums.append(sample(oracle, mark, book, terms))
    return oracles, marks, premiums


def listing(perp, t, book, state, terms):
    """The first row has one update, and its prices are free."""
    external = perp["external"][t]
    oracle = book["mid"] if external is None else external
    enter(True, oracle, state)
    opened = is_open(perp, t, 1.0, terms)
    enter(opened, oracle, state)
    mark = next_mark(oracle, None, book, opened, state, terms)
    return [oracle], [mark], [sample(oracle, mark, book, terms)]


def enter(opened, external, state):
    if opened:
        state["external"] = state["reference"] = external
        state["up"] = state["down"] = 0
    elif state["open"]:
        state["share"], state["internal"] = 1.0, state["external"]
    state["open"] = opened


def plain_hour(external, state):
    """An hour under plain terms leaves its external price, and nothing of any earlier update."""
    state.update(new_state(), external=external, reference=external, open=True)


def bounds(opened, state, terms):
    bound = terms["bound_frac"]
    if bound is None or (opened and terms["bound_when"] == "closed"):
        return 0.0, math.inf
    return state["reference"] * (1.0 - bound), state["reference"] * (1.0 + bound)


def hold(px, low, high):
    return min(max(px, low), high)


def limited(px, base, step):
    return px if base is None or step is None else hold(px, base * (1 - step), base * (1 + step))


def weight_of_step(seconds, terms):
    tau = 3600.0 * terms["oracle_tau_hours"]
    if terms["ewma_cap_frac"] is not None:
        seconds = min(seconds, terms["ewma_cap_frac"] * tau)
    return 1.0 - math.exp(-seconds / tau)


def inner_book(book):
    """The impact prices; where neither is known the mid is both."""
    if book["bid"] is None and book["ask"] is None:
        return book["mid"], book["mid"]
    return book["bid"], book["ask"]


def next_oracle(oracle, mark, book, opened, state, terms):
    seconds = 3600.0 / terms["updates_per_hour"]
    base = oracle
    if opened:
        target = state["external"]
        if terms["step_on_mark"]:
            base = mark
    elif terms["oracle_closed"] == "frozen":
        target = state["external"]
    elif terms["oracle_closed"] == "ewma":
        bid, ask = inner_book(book)
        above = 0.0 if bid is None else max(bid - oracle, 0.0)
        below = 0.0 if ask is None else max(oracle - ask, 0.0)
        target = oracle + weight_of_step(seconds, terms) * (above - below)
    elif terms["oracle_closed"] == "own_mark":
        target = oracle + weight_of_step(seconds, terms) * (mark - oracle)
    else:
        state["share"] *= math.exp(-seconds / (3600.0 * terms["blend_tau_hours"]))
        bid, ask = inner_book(book)
        if bid is not None and ask is not None:
            impact = 0.5 * (bid + ask)
            weight = weight_of_step(seconds, terms)
            state["internal"] = weight * impact + (1.0 - weight) * state["internal"]
        target = state["share"] * state["external"] + (1.0 - state["share"]) * state["internal"]
    return limited(hold(target, *bounds(opened, state, terms)), base, terms["step_frac"])


def reanchor(oracle, state, terms):
    bound, share = terms["bound_frac"], terms["bound_threshold_frac"]
    if bound is None or share is None:
        return
    reference = state["reference"]
    if oracle >= reference * (1.0 + bound * share) and state["up"] < terms["bound_resets"]:
        state["reference"] = reference * (1.0 + bound)
        state["up"] += 1
    elif oracle <= reference * (1.0 - bound * share) and state["down"] < terms["bound_resets"]:
        state["reference"] = reference * (1.0 - bound)
        state["down"] += 1


def next_mark(oracle, mark, book, opened, state, terms):
    kept = 0.0
    seconds = 3600.0 / terms["updates_per_hour"]
    if terms["mark_rule"] == "median":
        kept = math.exp(-seconds / terms["mark_ema_seconds"])
    if book["mid"] is None:
        state["sum"] *= kept
        state["weight"] *= kept
        state["supplied"] = oracle
        return oracle
    low, high = bounds(opened, state, terms)
    target, step = book["mid"], terms["step_frac"]
    if terms["mark_rule"] == "median":
        state["sum"] = state["sum"] * kept + (book["mid"] - oracle) * seconds
        state["weight"] = state["weight"] * kept + seconds
        second = hold(oracle + state["sum"] / state["weight"], low, high)
        state["supplied"] = limited(second, state["supplied"], terms["step_frac"])
        target = sorted((oracle, state["supplied"], book["mid"]))[1]
        step = terms["mark_step_frac"]
    return limited(hold(target, low, high), mark, step)


def sample(oracle, mark, book, terms):
    bid, ask = book["bid"], book["ask"]
    if bid is None or ask is None:
        return mark / oracle - 1.0
    if terms["two_sided"]:
        return 0.5 * (bid + ask) / oracle - 1.0
    return (max(bid - oracle, 0.0) - max(oracle - ask, 0.0)) / oracle
