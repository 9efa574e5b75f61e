"""Step 6 of the twin's hour: the standing targets fill, within caps, margin and cash."""

import math

from twin_account import (
    add_event,
    fill_perp,
    free_units,
    reduce_perp,
    side_of,
)
from twin_margin import prices_now, required, requirement, value_at
from twin_ways import affordable, best_offer, follow_tokens, is_late, trade
from twin_world import known, payer_of, terms_of

LOT_SLACK = 1e-6  # lots


def fill_targets(world, book, t):
    """Sells and reductions, then token buys, then perp increases."""
    perps = range(len(world["perps"]))
    tokens = range(len(world["tokens"]))
    book["offers"] = {}
    orders = {
        "perp": [perp_order(world, book, t, m) for m in perps],
        "token": [token_order(world, book, t, k) for k in tokens],
    }
    # What was wanted before caps: the legs of a hedge are cut alike.
    orders["wanted"] = [order[0] for order in orders["perp"]]
    refuse_barred(world, book, t, orders)
    follow_tokens(world, book, t, orders, cut_to_lots)
    match_hedges(world, book, t, orders)
    cap_increases(world, book, t, orders)
    worsen_by_impact(world, t, orders)
    hedges = hedges_of(world, orders)
    wait_for_prices(world, book, t, orders, hedges)

    for k in tokens:
        sell_free(world, book, t, k, orders)
    for m in perps:
        size, px = orders["perp"][m]
        position = book["position"][m]
        if size * position < 0.0:
            closing = side_of(size) * min(abs(size), abs(position))
            reduce_perp(world, book, t, m, (closing, px, "TARGET"))
            rest = lots_towards_zero(size - closing, lots(world, t, m))
            orders["perp"][m] = (rest, px)
            orders["wanted"][m] = lots_towards_zero(
                orders["wanted"][m] - closing, lots(world, t, m)
            )

    for m, k in hedges.items():  # caps cut both legs alike
        wanted, (token_size, px) = orders["wanted"][m], orders["token"][k]
        if wanted != 0.0 and token_size > 0.0:
            size = token_size * (orders["perp"][m][0] / wanted)
            orders["token"][k] = (size, book["offers"][k]["price"](size) if size else px)
    granted = fit(world, book, t, orders, hedges)
    say_trimmed(world, book, t, orders, (granted, hedges))
    for k in tokens:
        if granted["token"][k] != 0.0:
            trade(world, book, t, k, (granted["token"][k], "TARGET"))
    for m in perps:
        if granted["perp"][m] != 0.0:
            increase_perp(world, book, t, m, (granted["perp"][m], orders["perp"][m][1]))


def sell_free(world, book, t, k, orders):
    """Sell what is neither locked nor pledged."""
    size, px = orders["token"][k]
    if size >= 0.0:
        return
    orders["token"][k] = (0.0, px)
    sold = min(-size, max(free_units(book, k), 0.0))
    if -size - sold <= 1e-9 * book["units"][k]:  # rounding
        sold = -size
    if sold < -size:
        if sold * px < book["offers"][k]["least"]:
            sold = 0.0
        say_once(book, t, "TRIMMED", len(world["perps"]) + k)
    if sold > 0.0:
        trade(world, book, t, k, (-sold, "TARGET"))


def cut_to_lots(world, t, m, size):
    """Whole lots of a perp; of no size the smallest order, USD."""
    if size is None:
        return terms_of(world, t, m)["min_order_usd"]
    return lots_towards_zero(size, lots(world, t, m))


def increase_perp(world, book, t, m, order):
    """Fill an increase; an isolated position is given its margin first."""
    size, px = order
    account, payer = world["perps"][m]["account"], payer_of(world, m)
    if payer != account:
        need = margin_need(world, book, t, m, order)
        book["cash"][payer] -= need
        book["cash"][account] += need
    fill_perp(world, book, t, m, (size, px, "TARGET"))


def say_once(book, t, kind, number):
    """Of a standing target, once, that it was cut or refused."""
    if not book["said"][number]:
        add_event(book, t, kind, number, None)
    book["said"][number] = True


def say_trimmed(world, book, t, orders, outcome):
    """A hedge says so on its perp alone."""
    granted, hedges = outcome
    hedged = {k for m, k in hedges.items() if orders["perp"][m][0] != 0.0}
    for kind in ("perp", "token"):
        for n, (size, _) in enumerate(orders[kind]):
            if kind == "token" and n in hedged:
                continue
            if abs(granted[kind][n]) < abs(size):
                say_once(book, t, "TRIMMED", n if kind == "perp" else len(world["perps"]) + n)


# ------------------------------------------------------------------ what the targets ask for


def lots(world, t, m):
    return terms_of(world, t, m)["lots_per_unit"]


def lots_towards_zero(size, lots_per_unit):
    return side_of(size) * math.floor(abs(size) * lots_per_unit + LOT_SLACK) / lots_per_unit


def perp_price(world, t, m, size):
    """Mid, else mark, worse by half-spread and impact; ``None`` before the first price."""
    perp = world["perps"][m]
    reference = known(perp["mid"][t], perp["mark"][t])
    if reference is None:
        return None
    return reference * (1.0 + side_of(size) * terms_of(world, t, m)["cost_frac"])


def perp_order(world, book, t, m):
    """Signed units and the price they would be done at, ``None`` before the first price."""
    terms, target = terms_of(world, t, m), book["target"][m]
    if target is None:
        return 0.0, None
    size = lots_towards_zero(target - book["position"][m], terms["lots_per_unit"])
    px = perp_price(world, t, m, size)
    if px is None:
        return size, None
    return (size, px) if abs(size) * px >= terms["min_order_usd"] else (0.0, px)


def cap_increases(world, book, t, orders):
    """What caps on open interest, orders and volume leave of the part that increases."""
    orders["capped"] = []
    for m, (size, px) in enumerate(orders["perp"]):
        if size == 0.0 or px is None:
            continue
        position, terms = book["position"][m], terms_of(world, t, m)
        reducing = min(abs(size), abs(position)) if size * position < 0.0 else 0.0
        allowed = increase = abs(size) - reducing
        if increase == 0.0:
            continue
        if terms.get("max_order_usd"):
            allowed = min(allowed, terms["max_order_usd"] / px)
        share = world["settings"]["max_volume_frac"]
        if share is not None:
            volume = world["perps"][m]["volume"][t]
            allowed = min(allowed, share * known(volume, 0.0) / 24.0 / px)
        if world["perps"][m]["capped"][t]:
            allowed = 0.0
            orders["capped"].append(m)
        if allowed < increase:
            left = lots_towards_zero(reducing + allowed, lots(world, t, m))
            if not token_follows(world, book, orders, m, (left - reducing) / increase):
                left = reducing
            left = left if left * px >= terms["min_order_usd"] else 0.0
            orders["perp"][m] = (side_of(size) * left, px)


def token_follows(world, book, orders, m, share):
    """Whether the token bought in a hedge is still worth an order where the perp is cut."""
    k = hedges_of(world, orders).get(m)
    if k is None or orders["token"][k][0] < 0.0 or orders["token"][k][1] is None:
        return True
    size, px = orders["token"][k]
    return size * share * px >= book["offers"][k]["least"]


def worsen_by_impact(world, t, orders):
    """Prices worse by the square root of an order's share of the day's volume."""
    coefficient = world["settings"]["impact_coefficient"]
    orders["waits"] = set()
    if coefficient == 0.0:
        return
    for m, (size, px) in enumerate(orders["perp"]):
        if orders["wanted"][m] == 0.0 or px is None:
            continue
        volume, terms = known(world["perps"][m]["volume"][t], 0.0), terms_of(world, t, m)
        if volume == 0.0:
            orders["waits"].add(m)
            continue
        impact = coefficient * math.sqrt(abs(size) * px / volume)
        side = side_of(size)
        worse = (
            px / (1.0 + side * terms["cost_frac"]) * (1.0 + side * (terms["cost_frac"] + impact))
        )
        enough = abs(size) * worse >= terms["min_order_usd"]
        orders["perp"][m] = (size if enough else 0.0, worse)


def token_order(world, book, t, k):
    """Signed units by the way they take, and the price of so many."""
    target = book["target"][len(world["perps"]) + k]
    if target is None or target == book["units"][k]:
        return 0.0, None
    offer = best_offer(world, book, t, k, target - book["units"][k])
    book["offers"][k] = offer
    size, px = offer["size"], offer["px"]
    if px is None:
        return size, None
    if abs(size) * px >= world["tokens"][k]["min_order_usd"]:
        return size, px
    if size != target - book["units"][k]:  # its way takes too little
        offer["open"] = False
        return size, px
    return 0.0, px


def match_hedges(world, book, t, orders):
    """Where a way takes a part of a token's order, the perp of the hedge trades that part."""
    for m, k in hedges_of(world, orders).items():
        offer, (size, px) = book["offers"][k], orders["perp"][m]
        part = offer["size"] / offer["asked"]
        if part == 1.0:
            continue
        own = lots_towards_zero(size * part, lots(world, t, m))
        units = orders["token"][k][0] * own / (size * part)
        worth = abs(units) * offer["price"](units) if units else 0.0
        little = px is None or abs(own) * px < terms_of(world, t, m)["min_order_usd"]
        if little or worth < offer["least"]:
            own = units = 0.0
        orders["perp"][m], orders["wanted"][m] = (own, px), own
        orders["token"][k] = (units, offer["price"](units) if units else offer["px"])


def refuse_barred(world, book, t, orders):
    """A liquidated coin is not entered again, nor is the token that was to hedge it bought."""
    for m, perp in enumerate(world["perps"]):
        size, px = orders["perp"][m]
        position = book["position"][m]
        reduces = size * position < 0.0 and abs(size) <= abs(position)
        if not book["barred"][m] or size == 0.0 or reduces:
            continue
        flips = size * position < 0.0
        orders["wanted"][m] = -position if flips else 0.0
        orders["perp"][m] = (orders["wanted"][m], px)
        say_once(book, t, "REENTRY_REFUSED", m)
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
        and orders["wanted"][m] * orders["token"][perp["token"]][0] < 0.0
    }


def token_waits(world, book, t, k, size):
    """Whether no way is open to a token's order."""
    return k in book["offers"] and not book["offers"][k]["open"]


def wait_for_prices(world, book, t, orders, hedges):
    """Orders without a price to trade at stand over; a hedge waits with either leg."""
    perp_waits = [perp["stale"][t] for perp in world["perps"]]
    sizes = [order[0] for order in orders["token"]]
    waiting = [token_waits(world, book, t, k, size) for k, size in enumerate(sizes)]
    for m in orders["capped"]:  # what waits for its price anyway is not told of the cap
        if not perp_waits[m] and not (m in hedges and waiting[hedges[m]]):
            say_once(book, t, "CAPPED", m)
    for m in orders["waits"]:
        perp_waits[m] = True
    for m, k in hedges.items():
        perp_waits[m] = waiting[k] = perp_waits[m] or waiting[k]
    for m, waits in enumerate(perp_waits):
        if waits:
            orders["perp"][m], orders["wanted"][m] = (0.0, None), 0.0
    for k, waits in enumerate(waiting):
        if waits:
            orders["token"][k] = (0.0, None)


# ------------------------------------------------------------------ what margin and cash allow


def fit(world, book, t, orders, hedges):
    """Signed units of every perp increase and token buy that margin and cash allow."""
    free, own = [], []  # with pledged tokens, and of cash and profit alone
    for a in range(len(book["cash"])):
        now = prices_now(world, book, t, a)
        value = value_at(world, book, t, a, now, "initial_haircut")
        needed = required(world, book, t, now["perps"], "initial")
        free.append(value - needed)
        bare = {"perps": now["perps"], "tokens": dict.fromkeys(now["tokens"], 0.0)}
        own.append(value_at(world, book, t, a, bare, "initial_haircut") - needed)
    perp, token = [0.0] * len(world["perps"]), [0.0] * len(world["tokens"])
    cash, hedged, later = [book["cash"][0] * world["cash_px"][0][t]], set(), {}
    kept = [margin_to_come(world, book, t, m) for m in range(len(world["perps"]))]
    for m, usd in enumerate(kept):  # shorts of tokens under way come before the orders of others
        payer = payer_of(world, m)
        free[payer], own[payer] = free[payer] - usd, own[payer] - usd
    for m, order in enumerate(orders["perp"]):
        payer = payer_of(world, m)
        if order[0] == 0.0:
            continue
        left = free[payer] + kept[m]
        if payer != world["perps"][m]["account"]:
            left = min(left, own[payer] + kept[m])
        perp[m] = fit_perp(world, book, t, m, (*order, left))
        k = hedges.get(m)
        if k is not None and orders["token"][k][0] > 0.0:
            if is_late(world, book, t, k):  # its perp waits until it is delivered
                limits = (perp[m], list(cash))
                perp[m], later[k] = fit_hedge(world, book, t, (m, k), orders, limits)
                need = margin_need(world, book, t, m, (perp[m], order[1]))
                need -= min(need, kept[m])
                free[payer], own[payer] = free[payer] - need, own[payer] - need
                perp[m], orders["perp"][m] = 0.0, (0.0, order[1])
                continue
            hedged.add(k)
            perp[m], token[k] = fit_hedge(world, book, t, (m, k), orders, (perp[m], cash))
        if perp[m] != 0.0:
            need = margin_need(world, book, t, m, (perp[m], order[1]))
            need -= min(need, kept[m])  # what was kept for it
            free[payer], own[payer] = free[payer] - need, own[payer] - need
    for k, order in enumerate(orders["token"]):
        if order[0] > 0.0 and k not in hedged:
            offer = book["offers"][k]
            token[k] = fit_token(offer, later.get(k, order[0]), cash[0])
            cash[0] -= cost_of(offer, token[k])
    return {"perp": perp, "token": token}


def margin_to_come(world, book, t, m):
    """Initial margin of the short of tokens that took time and are not hedged yet."""
    perp, position, target = world["perps"][m], book["position"][m], book["target"][m]
    k, mark = perp["token"], perp["mark"][t]
    if world["settings"]["pair"] != "together" or k is None or target is None or mark is None:
        return 0.0
    if k not in book["had_legs"] or not book["units"][k]:
        return 0.0
    long = book["units"][k] * world["tokens"][k]["multiplier"][t]
    coming = min(long + position, position - target)
    if position > 0.0 or coming <= 0.0:
        return 0.0
    terms = terms_of(world, t, m)
    later, now = (requirement(terms, "initial", x * mark) for x in (coming - position, -position))
    return later - now


def margin_need(world, book, t, m, order):
    """Free margin that an increase takes: its requirement, what it loses at once, its fee."""
    (size, px), terms, mark = order, terms_of(world, t, m), world["perps"][m]["mark"][t]
    before = abs(book["position"][m]) * mark
    asked = requirement(terms, "initial", before + abs(size) * mark)
    asked -= requirement(terms, "initial", before)
    lost_at_once = max(side_of(size) * (px - mark), 0.0)
    return asked + abs(size) * (lost_at_once + px * terms["fee_frac"])


def fit_perp(world, book, t, m, order):
    """The most whole lots whose need is covered, found by halving; ``order`` has the margin."""
    size, px, free = order
    side, free = side_of(size), max(free, 0.0)
    if margin_need(world, book, t, m, (size, px)) <= order[2]:
        return size
    fits, fails = 0, round(abs(size) * lots(world, t, m)) + 1
    while fails - fits > 1:
        middle = (fits + fails) // 2
        units = (middle - LOT_SLACK) / lots(world, t, m)
        if margin_need(world, book, t, m, (side * units, px)) <= free:
            fits = middle
        else:
            fails = middle
    granted = fits / lots(world, t, m)
    return side * granted if granted * px >= terms_of(world, t, m)["min_order_usd"] else 0.0


def cost_of(offer, size):
    return size * offer["price"](size) * (1.0 + offer["fee"]) if size else 0.0


def fit_token(offer, size, cash):
    if size == 0.0 or cost_of(offer, size) <= cash:
        return size
    granted = affordable(offer | {"size": size, "px": offer["price"](size)}, cash)
    return granted if granted * offer["price"](size) >= offer["least"] else 0.0


def fit_hedge(world, book, t, pair, orders, limits):
    """Both legs at the smaller share that margin and cash allow."""
    m, k = pair
    perp_allowed, cash = limits
    size, px = orders["perp"][m]
    token_size, offer = orders["token"][k][0], book["offers"][k]
    token_allowed = fit_token(offer, token_size, cash[0])
    share = min(perp_allowed / size, token_allowed / token_size)
    perp, token = size, token_size
    if share < 1.0:
        perp = lots_towards_zero(size * share, lots(world, t, m))
        token = token_size * (perp / size)
        smallest = terms_of(world, t, m)["min_order_usd"]
        worth = token * offer["price"](token) if token else 0.0
        if abs(perp) * px < smallest or worth < offer["least"]:
            perp = token = 0.0
    cash[0] -= cost_of(offer, token)
    return perp, token
