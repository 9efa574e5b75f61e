"""How a token changes hands: at its quote, against a pool, with its issuer; and when.

An offer is what one way makes of an order: its size, the price as a function of the size, its fee
and smallest order, and the hours until it is delivered.
"""

from twin_account import add_cause, add_event, add_payment, note_token, side_of
from twin_world import is_locked

WAYS = ("quote", "dex", "issuer")
FIRST_HOUR = 8  # of the day, of a world's first row


def day_of(t):
    return (FIRST_HOUR + t) // 24


# ------------------------------------------------------------------ prices


def quoted_price(world, t, k, size):
    """Ask or bid, a mid worse by half-spread, friction on top; ``None`` before the first quote."""
    token = world["tokens"][k]
    bid, ask = token["bid"][t], token["ask"][t]
    if bid is None:
        return None
    px = ask if size > 0.0 else bid
    if bid == ask:
        px = bid * (1.0 + side_of(size) * token["half_spread_frac"])
    return px * (1.0 + side_of(size) * token["friction"])


def pool_price(world, t, k, size):
    """What x y = k asks or pays a token on average, never better than the quote."""
    token = world["tokens"][k]
    depth = token["liquidity"][t] or 0.0
    if token["bid"][t] is None or depth <= 0.0:
        return None
    mid = (token["bid"][t] + token["ask"][t]) / 2.0
    dollars = depth / 2.0
    coins = dollars / mid
    if size >= coins:
        return None
    after = dollars * coins / (coins - size)  # dollars in the pool when the coins have moved
    px = mid if size == 0.0 else (after - dollars) / size
    px *= 1.0 + side_of(size) * token["friction"]
    worse = max if size > 0.0 else min
    return worse(px, quoted_price(world, t, k, size))


# ------------------------------------------------------------------ offers


def best_offer(world, book, t, k, size):
    """The open way that costs least with its fee, the quote first; else the quote, shut."""
    token = world["tokens"][k]
    made = [quote_offer(world, t, k, size)]
    made += [x for x in (pool_offer(world, t, k, size), issuer_offer(world, book, t, k, size)) if x]
    opened = [offer for offer in made if offer["open"]]
    best = made[0]
    for n, offer in enumerate(opened):
        if n == 0 or cost_of(offer, size) < cost_of(best, size):
            best = offer
    if token["settle_rows"] is not None:
        best["rows"] += token["settle_rows"][t]
    return best | {"asked": size}


def cost_of(offer, size):
    """USD a unit, what is received below zero."""
    side = side_of(size)
    return side * offer["px"] * (1.0 + side * offer["fee"])


def offered(way, size, price, **more):
    return {"way": way, "size": size, "price": price, "px": price(size), "rows": 0} | more


def may_not_trade(world, t, k, size):
    """Whether its holder may not buy, or not sell, a token in a market."""
    return is_locked(world, t, k, "buy" if size > 0.0 else "sell")


def quote_offer(world, t, k, size):
    token = world["tokens"][k]
    trades = token["live"][t]
    if world["settings"]["trade_frozen_quotes"]:
        trades = trades or not (token["halted"][t] or token["stale"][t])
    px = quoted_price(world, t, k, size)
    trades = trades and "quote" in token["ways"] and not may_not_trade(world, t, k, size)
    terms = {"fee": token["fee_frac"], "least": token["min_order_usd"]}
    return offered("quote", size, lambda _: px, open=trades, **terms)


def pool_offer(world, t, k, size):
    token = world["tokens"][k]
    if "dex" not in token["ways"] or token["halted"][t] or token["stale"][t]:
        return None
    if may_not_trade(world, t, k, size):
        return None
    if token["bid"][t] is None or not token["liquidity"][t]:
        return None
    if size > 0.0:
        coins = token["liquidity"][t] / (token["bid"][t] + token["ask"][t])
        size = min(size, world["settings"]["max_pool_frac"] * coins)
    terms = {"fee": token["fee_frac"], "least": token["min_order_usd"]}
    return offered("dex", size, lambda q: pool_price(world, t, k, q), open=True, **terms)


def issuer_offer(world, book, t, k, size):
    token = world["tokens"][k]
    side = "mint" if size > 0.0 else "redeem"
    rows = token["mint_rows" if size > 0.0 else "buyback_rows"]
    nav = token["nav"][t]
    if "issuer" not in token["ways"] or rows is None or rows[t] is None or nav is None:
        return None
    if is_locked(world, t, k, "buy" if size > 0.0 else "redeem"):
        return None
    px = nav * (1.0 + side_of(size) * token["friction"])
    if token["inventory"] is not None:
        left = max(token["inventory"] - book["drawn"].get((k, day_of(t)), 0.0), 0.0)
        size = side_of(size) * min(abs(size), left / px)
    least = max(token[f"{side}_min_usd"], token["min_order_usd"])
    if size == 0.0 or abs(size) * px < least:
        return None
    terms = {"fee": token[f"{side}_fee_frac"], "least": least, "open": True}
    return offered("issuer", size, lambda _: px, **terms) | {"rows": rows[t]}


def affordable(offer, cash):
    """Units that cash pays for with the fee, found by halving where the price depends on them."""
    cash = max(cash, 0.0)
    if offer["way"] != "dex":
        return cash / (offer["px"] * (1.0 + offer["fee"]))
    fits, fails = 0.0, offer["size"]
    for _ in range(200):
        middle = (fits + fails) / 2.0
        if middle * offer["price"](middle) * (1.0 + offer["fee"]) <= cash:
            fits = middle
        else:
            fails = middle
    return fits


# ------------------------------------------------------------------ legs


def bought(book, k):
    """Units that are paid and not delivered."""
    leg = book["legs"].get(k)
    return max(leg["size"], 0.0) if leg else 0.0


def unwinds(world, t, k):
    ends = world["tokens"][k]["settle_unwinds"]
    return ends is not None and ends[t]


def is_late(world, book, t, k):
    offer = book["offers"].get(k)
    return offer is not None and (offer["rows"] > 0 or unwinds(world, t, k))


def trade(world, book, t, k, order):
    """Fill ``(size, reason)`` by the offer of the hour; the rest of it may take time."""
    (size, reason), token, offer = order, world["tokens"][k], book["offers"][k]
    px, wallet_usd = offer["price"](size), world["cash_px"][0][t]
    fee = abs(size) * px * offer["fee"]
    book["units"][k] += size
    note_token(world, book, t, (0, k), (size, px, fee, reason))
    book["fills"][-1]["way"] = WAYS.index(offer["way"])
    if offer["way"] == "issuer":
        key = (k, day_of(t))
        book["drawn"][key] = book["drawn"].get(key, 0.0) + abs(size) * px
    cost = token["settle_costs"][t] if token["settle_costs"] is not None else 0.0
    late = offer["rows"] > 0 or unwinds(world, t, k) or cost > 0.0
    paid = (-size * px - fee) / wallet_usd
    if size > 0.0 or not late:
        book["cash"][0] += paid
    if late:
        book["settlements"] += 1
        book["had_legs"].add(k)
        book["legs"][k] = {
            "number": book["settlements"],
            "size": size,
            "px": px / wallet_usd,
            "way": WAYS.index(offer["way"]),
            "due": 0.0 if size > 0.0 else paid,
            "row": t + offer["rows"],
            "unwinds": unwinds(world, t, k),
            "cost": cost,
            "waits": False,
        }
        book["fills"][-1]["settlement_id"] = book["settlements"]
        add_event(book, t, "SETTLEMENT_SENT", len(world["perps"]) + k, 0)
        book["events"][-1]["usd"] = abs(size) * px
        if offer["rows"] == 0:
            finish(world, book, t, k)


def end_legs(world, book, t):
    for k in sorted(book["legs"]):
        if book["legs"][k]["row"] <= t and not is_locked(world, t, k, "seize"):
            finish(world, book, t, k)


def finish(world, book, t, k):
    """Deliver and pay, or give both back at the price of the trade; then the cost of it."""
    leg, number = book["legs"].pop(k), len(world["perps"]) + k
    wallet_usd = world["cash_px"][0][t]
    book["cash"][0] += leg["due"]
    undone = leg["unwinds"] or (leg["size"] > 0.0 and is_locked(world, t, k, "buy"))
    if undone:
        book["units"][k] -= leg["size"]
        book["cash"][0] += leg["size"] * leg["px"]
        back = (-leg["size"], leg["px"] * wallet_usd, 0.0, "SETTLEMENT")
        note_token(world, book, t, (0, k), back)
        book["fills"][-1] |= {"way": leg["way"], "settlement_id": leg["number"]}
    add_event(book, t, "UNWOUND" if undone else "SETTLED", number, 0)
    book["events"][-1]["usd"] = abs(leg["size"]) * leg["px"] * wallet_usd
    if leg["cost"] > 0.0:
        paid = abs(leg["size"]) * leg["px"] * leg["cost"]
        book["cash"][0] -= paid
        add_payment(book, t, "SETTLEMENT_COST", (number, 0), -paid)
        add_cause(book, 0, number, "settlement", -paid * wallet_usd)


# ------------------------------------------------------------------ hedges


def follow_tokens(world, book, t, orders, cut):
    """Shorts wait for their tokens, and catch up with them before more are bought."""
    if not world["may_be_late"]:
        return
    for m, perp in enumerate(world["perps"]):
        k = perp["token"]
        if world["settings"]["pair"] != "together" or k is None:
            continue
        (size, px), leg = orders["perp"][m], k in book["legs"]
        token_size, token_px = orders["token"][k]
        lags = token_size > 0.0 and k in book["had_legs"]
        if size < 0.0 and (leg or lags):
            own = short_allowed(world, book, t, m, size, cut)
            if px is None or abs(own) * px < cut(world, t, m, None):
                own = 0.0
            if leg or own != 0.0:
                orders["perp"][m], orders["wanted"][m] = (own, px), own
            if own != 0.0 and not leg:
                orders["token"][k] = (0.0, token_px)
        elif leg and size * token_size < 0.0:
            orders["perp"][m], orders["wanted"][m] = (0.0, px), 0.0
    for k, leg in book["legs"].items():
        size, px = orders["token"][k]
        if size != 0.0:
            if not leg["waits"]:
                add_event(book, t, "LEG_WAITS", len(world["perps"]) + k, 0)
            leg["waits"] = True
            orders["token"][k] = (0.0, px)


def short_allowed(world, book, t, m, size, cut):
    """Part of a short order that leaves the perp no shorter than its delivered tokens are long."""
    k, position = world["perps"][m]["token"], book["position"][m]
    there = book["units"][k] - bought(book, k)
    long = there * world["tokens"][k]["multiplier"][t] if there else 0.0
    target = max(position + size, min(position, -long))
    return cut(world, t, m, target - position)
