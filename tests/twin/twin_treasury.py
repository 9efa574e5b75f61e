"""Step 7: cash where margin is short, cash back where there is too much of it."""

from twin_account import (
    add_cause,
    add_event,
    add_payment,
    fill_perp,
    free_units,
    held_at,
    marks_of,
    side_of,
)
from twin_collateral import mint, redeem
from twin_fills import lots, lots_towards_zero, perp_price
from twin_liquidation import forced_cost
from twin_margin import maintenance_at, prices_now, required, value_at
from twin_ways import best_offer, trade
from twin_world import margin_accounts, pledge_of, rows_of, terms_of

A_CENT = 0.01  # less is not moved


def manage_cash(world, book, t):
    called = False
    sold = sum(leg["due"] for leg in book["legs"].values())
    paid = sum(book["redeeming"]) - sum(book["redeem_cost"])
    book["coming"] = (paid + sold) * world["cash_px"][0][t]
    for a in margin_accounts(world):
        if world["parent"][a] is None and not book["failed"][a]:
            called = manage_account(world, book, t, a) or called
    under_way = any(
        book["arrives"][a] is not None and not book["failed"][a] for a in margin_accounts(world)
    )
    if world["settings"]["sweep_token"] is not None and not called and not under_way:
        mint(world, book, t)


def state_of(world, book, t, a):
    """Margin value, maintenance and their ratio."""
    now = prices_now(world, book, t, a)
    value = value_at(world, book, t, a, now)
    maintenance = maintenance_at(world, book, t, a, now["perps"])
    ratio = 0.0
    if maintenance > 0.0:
        ratio = maintenance / value if value > 0.0 else float("inf")
    return value, maintenance, ratio


def wanted_by(world, book, t, a):
    """Cash that brings the ratio back to where it should be; 0 where nothing is asked for."""
    settings = world["settings"]
    value, maintenance, ratio = state_of(world, book, t, a)
    if settings["topup_at_ratio"] is None or ratio <= settings["topup_at_ratio"]:
        return 0.0
    wanted = maintenance / settings["topup_to_ratio"] - value
    return wanted if wanted >= A_CENT else 0.0


def manage_account(world, book, t, a):
    """A venue's account, its isolated positions first; whether it is in need."""
    lacks = {}
    for row in rows_of(world, a):
        lacking = add_margin(world, book, t, row)
        if lacking > 0.0:
            lacks[row] = lacking
        else:
            give_back(world, book, t, row)
    own = wanted_by(world, book, t, a)
    if world["settings"]["topup_at_ratio"] is not None and is_mirrored(world, book, a):
        own = max(own, -book["cash"][a])  # losses are settled in cash
    wanted = own + sum(lacks.values())
    if wanted <= 0.0:
        book["said_refused"][a] = False
        give_back(world, book, t, a)
        return False
    if book["arrives"][a] is None:
        short = ({a: own} if own > 0.0 else {}) | lacks
        call(world, book, t, a, (wanted, short))
    return True


def add_margin(world, book, t, row):
    """An isolated position takes from its venue's free margin at once; what it still lacks."""
    wanted = wanted_by(world, book, t, row)
    parent = world["parent"][row]
    given = min(wanted, max(may_leave(world, book, t, parent), 0.0))
    if given < A_CENT:
        given = 0.0
    else:
        book["cash"][parent] -= given
        book["cash"][row] += given
        add_event(book, t, "MARGIN_ADDED", None, row)
    return wanted - given


def may_leave(world, book, t, a):
    """Cash beyond initial margin, pledged tokens not counted, and a tenth of the notional."""
    now = prices_now(world, book, t, a)
    bare = {"perps": now["perps"], "tokens": dict.fromkeys(now["tokens"], 0.0)}
    own = value_at(world, book, t, a, bare, "initial_haircut")
    own -= required(world, book, t, now["perps"], "initial")
    notional = sum(abs(book["position"][m]) * px for m, px in marks_of(world, book, a, t).items())
    value = value_at(world, book, t, a, now)
    return min(book["cash"][a], own, value - 0.1 * notional)


def call(world, book, t, a, need):
    """Cash of the wallet, then of issuers, then of the positions themselves."""
    settings, (wanted, short) = world["settings"], need
    usd, wallet_usd = world["cash_px"][a][t], world["cash_px"][0][t]
    cost = settings["transfer_cost_usd"]
    sent = min(wanted, (book["cash"][0] * wallet_usd - cost) / usd)
    if sent >= A_CENT:
        book["cash"][0] -= (sent * usd + cost) / wallet_usd
        book["under_way"][a], book["arrives"][a] = sent, t + settings["transfer_hours"]
        add_payment(book, t, "TRANSFER", (None, 0), -cost / wallet_usd, sent)
        add_cause(book, 0, None, "transfer", -cost)
        add_event(book, t, "TRANSFER_SENT", None, a)
    else:
        if not book["said_refused"][a]:
            add_event(book, t, "TRANSFER_REFUSED", None, a)
        book["said_refused"][a] = True
    missing = wanted - (sent if sent >= A_CENT else 0.0)
    if missing <= 0.0:
        return
    dollars = missing * usd + (cost if settings["redeem"] else 0.0)
    taken = min(dollars, book["coming"])  # each dollar of it meets one call
    book["coming"] -= taken
    dollars -= taken
    if settings["redeem"]:
        dollars = redeem(world, book, t, dollars)
    missing = dollars / usd
    missing -= book["under_way"][0] * wallet_usd / usd  # on its way here by the wallet
    if settings["delever"] and missing >= A_CENT:
        left = min(missing / wanted, 1.0)
        for b, lack in short.items():
            value, maintenance, _ = state_of(world, book, t, b)
            coming = max(value + lack * (1.0 - left), 0.0)
            if maintenance > settings["topup_at_ratio"] * coming:  # else it waits for the cash
                delever(world, book, t, b, lack * left)


def is_mirrored(world, book, a):
    return any(
        units > 0.0 and pledge_of(world, a, k)["mirrored"]
        for k, units in enumerate(book["pledged"][a])
    )


def delever(world, book, t, a, lack):
    """Cut positions and their tokens so that what is lacking is not asked for."""
    _, maintenance, _ = state_of(world, book, t, a)
    if maintenance == 0.0:
        return
    share = min(lack * world["settings"]["topup_to_ratio"] / maintenance, 1.0)
    cut = False
    for m in held_at(world, book, a):
        perp, position = world["perps"][m], book["position"][m]
        size = -lots_towards_zero(position * share, lots(world, t, m))
        if perp["stale"][t] or size == 0.0:
            continue
        plain = perp_price(world, t, m, size)
        cost, side = terms_of(world, t, m)["cost_frac"], side_of(size)
        px = plain / (1.0 + side * cost) * (1.0 + side * forced_cost(world, t, m, size))
        fill_perp(world, book, t, m, (size, px, "DELEVERED"))
        book["target"][m], cut = None, True
        k = perp["token"]
        if k is None or k in book["legs"]:
            continue
        units = min(book["units"][k] * abs(size / position), free_units(book, k))
        offer = best_offer(world, book, t, k, -units) if units > 0.0 else {"open": False}
        if offer["open"]:
            book["offers"][k] = offer
            trade(world, book, t, k, (offer["size"], "DELEVERED"))
            book["target"][len(world["perps"]) + k] = None
    if cut:
        add_event(book, t, "DELEVERED", None, a)


# ------------------------------------------------------------------ too much margin


def give_back(world, book, t, a):
    """Cash above what the band asks for: to the venue's account at once, to the wallet later."""
    settings, parent = world["settings"], world["parent"][a]
    value, maintenance, ratio = state_of(world, book, t, a)
    marks = marks_of(world, book, a, t)
    # Without a position it waits for the next one.
    asks = marks and ratio < settings["sweep_at_ratio"]
    wanted = value - maintenance / settings["topup_to_ratio"]
    if not asks or wanted < A_CENT:
        book["said_unswept"][a] = False
        return
    if world["strict"][a] or (parent is None and book["arrives"][0] is not None):
        return
    leaves = min(wanted, may_leave(world, book, t, a))
    usd, wallet_usd = world["cash_px"][a][t], world["cash_px"][0][t]
    cost = 0.0 if parent is not None else settings["transfer_cost_usd"]
    least = 0.0 if parent is not None else settings["sweep_min_usd"]  # between venues' own at once
    if wanted * usd < least:
        return
    if leaves * usd < least or leaves < A_CENT:
        if not book["said_unswept"][a]:
            add_event(book, t, "HELD_BACK", None, a)
        book["said_unswept"][a] = True
        return
    book["said_unswept"][a] = False
    book["cash"][a] -= leaves
    if parent is not None:
        book["cash"][parent] += leaves
        add_event(book, t, "MARGIN_REMOVED", None, a)
        return
    book["under_way"][0] = (leaves * usd - cost) / wallet_usd
    book["arrives"][0] = t + settings["transfer_hours"]
    add_payment(book, t, "TRANSFER", (None, a), -cost / usd, leaves)
    add_cause(book, a, None, "transfer", -cost)
    add_event(book, t, "TRANSFER_SENT", None, 0)
