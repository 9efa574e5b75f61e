"""Step 6 of the twin's hour: the standing targets fill, within margin and cash."""

import math

from twin_account import (
    add_event,
    fill_perp,
    fill_token,
    marks_of,
    required,
    side_of,
    terms_of,
    value_at,
)

LOT_SLACK = 1e-6  # lots


def fill_targets(world, book, t):
    """Sells and reductions, then token buys, then perp increases."""
    perps = range(len(world["perps"]))
    tokens = range(len(world["tokens"]))
    orders = {
        "perp": [perp_order(world, book, t, m) for m in perps],
        "token": [token_order(world, book, t, k) for k in tokens],
    }
    refuse_barred(world, book, t, orders)
    hedges = hedges_of(world, orders)
    wait_for_prices(world, t, orders, hedges)

    for k in tokens:
        size, px = orders["token"][k]
        if size < 0.0:
            fill_token(world, book, t, k, size, px)
            orders["token"][k] = (0.0, px)
    for m in perps:
        size, px = orders["perp"][m]
        position = book["position"][m]
        if size * position < 0.0:
            closing = side_of(size) * min(abs(size), abs(position))
            fill_perp(world, book, t, m, closing, px, terms_of(world, t, m)["fee_frac"], "TARGET")
            rest = lots_towards_zero(size - closing, lots(world, t, m))
            orders["perp"][m] = (rest, px)

    granted = fit(world, book, t, orders, hedges)
    say_trimmed(world, book, t, orders, (granted, hedges))
    for k in tokens:
        if granted["token"][k] != 0.0:
            fill_token(world, book, t, k, granted["token"][k], orders["token"][k][1])
    for m in perps:
        if granted["perp"][m] != 0.0:
            fee_frac = terms_of(world, t, m)["fee_frac"]
            fill_perp(
                world, book, t, m, granted["perp"][m], orders["perp"][m][1], fee_frac, "TARGET"
            )


def say_trimmed(world, book, t, orders, outcome):
    """Once a target; a hedge says so on its perp alone."""
    granted, hedges = outcome
    hedged = {k for m, k in hedges.items() if orders["perp"][m][0] != 0.0}
    for kind in ("perp", "token"):
        for n, (size, _) in enumerate(orders[kind]):
            number = n if kind == "perp" else len(world["perps"]) + n
            if book["said_trimmed"][number] or (kind == "token" and n in hedged):
                continue
            if abs(granted[kind][n]) < abs(size):
                add_event(book, t, "TRIMMED", number, None)
                book["said_trimmed"][number] = True


# ------------------------------------------------------------------ what the targets ask for


def lots(world, t, m):
    return terms_of(world, t, m)["lots_per_unit"]


def lots_towards_zero(size, lots_per_unit):
    return side_of(size) * math.floor(abs(size) * lots_per_unit + LOT_SLACK) / lots_per_unit


def perp_order(world, book, t, m):
    """Signed units and the price they would be done at, ``None`` before the first price."""
    perp, terms, target = world["perps"][m], terms_of(world, t, m), book["target"][m]
    if target is None:
        return 0.0, None
    size = lots_towards_zero(target - book["position"][m], terms["lots_per_unit"])
    reference = perp["mid"][t] if perp["mid"][t] is not None else perp["mark"][t]
    if reference is None:
        return size, None
    px = reference * (1.0 + side_of(size) * terms["cost_frac"])
    return (size, px) if abs(size) * px >= terms["min_order_usd"] else (0.0, px)


def token_order(world, book, t, k):
    token, target = world["tokens"][k], book["target"][len(world["perps"]) + k]
    if target is None:
        return 0.0, None
    size = target - book["units"][k]
    bid, ask = token["bid"][t], token["ask"][t]
    if bid is None:
        return size, None
    if bid == ask:
        px = bid * (1.0 + side_of(size) * token["half_spread_frac"])
    else:
        px = ask if size > 0.0 else bid
    return (size, px) if abs(size) * px >= token["min_order_usd"] else (0.0, px)


def refuse_barred(world, book, t, orders):
    """A liquidated coin is not entered again, nor is the token that was to hedge it bought."""
    for m, perp in enumerate(world["perps"]):
        size, px = orders["perp"][m]
        position = book["position"][m]
        reduces = size * position < 0.0 and abs(size) <= abs(position)
        if not book["barred"][m] or size == 0.0 or reduces:
            continue
        flips = size * position < 0.0
        orders["perp"][m] = (-position if flips else 0.0, px)
        if book["target"][m] != book["said_barred"][m]:
            add_event(book, t, "REENTRY_REFUSED", m, None)
        book["said_barred"][m] = book["target"][m]
        k = perp["token"]
        if k is None or world["settings"]["pair"] != "together":
            continue
        token_size, token_px = orders["token"][k]
        if token_size > 0.0 > size:
            orders["token"][k] = (0.0, token_px)
            book["target"][len(world["perps"]) + k] = None


def hedges_of(world, orders):
    """Perps whose order and whose paired token's order go opposite ways: perp -> token."""
    if world["settings"]["pair"] != "together":
        return {}
    return {
        m: perp["token"]
        for m, perp in enumerate(world["perps"])
        if perp["token"] is not None
        and orders["perp"][m][0] * orders["token"][perp["token"]][0] < 0.0
    }


def wait_for_prices(world, t, orders, hedges):
    """Orders without a price to trade at stand over; a hedge waits with either leg."""
    perp_waits = [perp["stale"][t] for perp in world["perps"]]
    token_waits = []
    for token in world["tokens"]:
        tradable = token["live"][t]
        if world["settings"]["trade_frozen_quotes"]:
            tradable = tradable or not (token["halted"][t] or token["stale"][t])
        token_waits.append(not tradable)
    for m, k in hedges.items():
        perp_waits[m] = token_waits[k] = perp_waits[m] or token_waits[k]
    for m, waits in enumerate(perp_waits):
        if waits:
            orders["perp"][m] = (0.0, None)
    for k, waits in enumerate(token_waits):
        if waits:
            orders["token"][k] = (0.0, None)


# ------------------------------------------------------------------ what margin and cash allow


def fit(world, book, t, orders, hedges):
    """Signed units of every perp increase and token buy that margin and cash allow."""
    free = []
    for a in range(len(book["cash"])):
        marks = marks_of(world, book, a, t)
        free.append(value_at(book, a, marks) - required(world, book, t, marks, "initial_frac"))
    perp, token = [0.0] * len(world["perps"]), [0.0] * len(world["tokens"])
    cash, hedged = [book["cash"][0]], set()
    for m, order in enumerate(orders["perp"]):
        if order[0] == 0.0:
            continue
        account, need = world["perps"][m]["account"], margin_need(world, t, m, order)
        perp[m] = fit_perp(world, t, m, order, free[account])
        k = hedges.get(m)
        if k is not None and orders["token"][k][0] > 0.0:
            hedged.add(k)
            perp[m], token[k] = fit_hedge(world, t, (m, k), orders, (perp[m], cash))
        free[account] -= abs(perp[m]) * need
    for k, order in enumerate(orders["token"]):
        if order[0] > 0.0 and k not in hedged:
            token[k] = fit_token(world, k, order, cash[0])
            cash[0] -= token[k] * order[1] * (1.0 + world["tokens"][k]["fee_frac"])
    return {"perp": perp, "token": token}


def margin_need(world, t, m, order):
    """Free margin that one unit takes: its requirement, what it loses at once, its fee."""
    (size, px), terms, mark = order, terms_of(world, t, m), world["perps"][m]["mark"][t]
    lost_at_once = max(side_of(size) * (px - mark), 0.0)
    return mark * terms["initial_frac"] + lost_at_once + px * terms["fee_frac"]


def fit_perp(world, t, m, order, free):
    (size, px), terms = order, terms_of(world, t, m)
    need = margin_need(world, t, m, order)
    if abs(size) * need <= free:
        return size
    granted = lots_towards_zero(max(free, 0.0) / need, terms["lots_per_unit"])
    return side_of(size) * granted if granted * px >= terms["min_order_usd"] else 0.0


def fit_token(world, k, order, cash):
    size, px = order
    cost = px * (1.0 + world["tokens"][k]["fee_frac"])
    if size * cost <= cash:
        return size
    granted = max(cash, 0.0) / cost
    return granted if granted * px >= world["tokens"][k]["min_order_usd"] else 0.0


def fit_hedge(world, t, pair, orders, limits):
    """Both legs at the smaller share that margin and cash allow."""
    m, k = pair
    perp_allowed, cash = limits
    size, px = orders["perp"][m]
    token_size, token_px = orders["token"][k]
    token_allowed = fit_token(world, k, orders["token"][k], cash[0])
    share = min(perp_allowed / size, token_allowed / token_size)
    perp, token = size, token_size
    if share < 1.0:
        perp = lots_towards_zero(size * share, lots(world, t, m))
        token = token_size * (perp / size)
        smallest = terms_of(world, t, m)["min_order_usd"]
        if abs(perp) * px < smallest or token * token_px < world["tokens"][k]["min_order_usd"]:
            perp = token = 0.0
    cash[0] -= token * token_px * (1.0 + world["tokens"][k]["fee_frac"])
    return perp, token
