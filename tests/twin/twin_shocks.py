"""What befalls a venue, a token or a position: failure, locks, forced moves, deleveraging."""

from twin_account import (
    add_cause,
    add_event,
    add_payment,
    fill_perp,
    marks_of,
    note_token,
    reduce_perp,
    side_of,
    take_pledged,
)
from twin_liquidation import LOT_SLACK, cancel_targets
from twin_margin import start_prices, value_at
from twin_ways import bought
from twin_world import (
    LOCKS,
    is_locked,
    margin_accounts,
    pledge_of,
    rows_of,
    terms_of,
    units_since,
)


def fail_venues(world, book, t):
    for shock in world["shocks"]:
        if shock["row"] == t and shock["kind"] == "VENUE_FAILURE":
            fail_venue(world, book, t, shock)


def fail_venue(world, book, t, shock):
    """Positions are settled at mark, a share of what the venue holds is lost."""
    a, share = shock["account"], shock["value"]
    below = [a, *rows_of(world, a)]
    for m, perp in enumerate(world["perps"]):
        if perp["account"] not in below:
            continue
        cancel_targets(world, book, m)
        book["barred"][m] = True
        if book["position"][m] != 0.0:
            fill_perp(world, book, t, m, (-book["position"][m], perp["mark"][t], "SHOCK"))
    for k, units in enumerate(book["pledged"][a]):  # debts are paid with what is pledged
        owed, fair = -book["cash"][a] * world["cash_px"][a][t], world["tokens"][k]["fair"][t]
        if units > 0.0 and owed > 0.0 and not is_locked(world, t, k, "seize"):
            enough = units * fair > owed
            take_pledged(world, book, t, (a, k), (owed / fair if enough else units, fair, "SHOCK"))
            if enough:
                book["cash"][a] = 0.0
    for b in below:
        book["failed"][b] = True
        lost = share * book["cash"][b]
        if lost > 0.0:
            book["cash"][b] -= lost
            add_payment(book, t, "VENUE_LOSS", (None, b), -lost)
            add_cause(book, b, None, "settlement", -lost * world["cash_px"][b][t])
    for k, units in enumerate(book["pledged"][a]):
        lost = 0.0 if pledge_of(world, a, k)["mirrored"] else share * units
        if lost > 0.0:
            take_pledged(world, book, t, (a, k), (lost, 0.0, "SHOCK"))
        if not is_locked(world, t, k, "seize"):
            book["pledged"][a][k] = 0.0  # what is left is in the wallet
    add_event(book, t, "VENUE_FAILED", None, a)


# ------------------------------------------------------------------ what issuers do


def strike_tokens(world, book, t):
    """Locks that begin, tighten or end; then units moved away by their issuer."""
    for k, token in enumerate(world["tokens"]):
        now, before = token["lock"][t], token["lock"][t - 1] if t > 0 else None
        if now == before:
            continue
        tighter = len(LOCKS[now]) > len(LOCKS[before])
        number = len(world["perps"]) + k
        target = book["target"][number]
        buys = target is not None and target > book["units"][k]
        if tighter and (buys or "sell" in LOCKS[now]):
            withdraw(world, book, k)
        if book["units"][k] != 0.0:
            add_event(book, t, "LOCKED" if tighter else "UNLOCKED", number, 0)
    for shock in world["shocks"]:
        if shock["row"] == t and shock["kind"] == "FORCED_TRANSFER":
            k = shock["instrument"] - len(world["perps"])
            withdraw(world, book, k)
            if book["units"][k] != 0.0:
                move_away(world, book, t, k, shock["value"])


def withdraw(world, book, k):
    """The token's target, and its pair's where both trade together."""
    book["target"][len(world["perps"]) + k] = None
    m = world["tokens"][k]["perp"]
    together = world["settings"]["pair"] == "together" and m is not None
    if together and world["perps"][m]["token"] == k:
        book["target"][m] = None


def move_away(world, book, t, k, share):
    """The same share of what is pledged, locked and free, for nothing."""
    held = book["units"][k]
    coming = bought(book, k)
    free = held - coming - sum(row[k] for row in book["pledged"])
    for a in margin_accounts(world):
        units = share * book["pledged"][a][k]
        if units > 0.0:
            take_pledged(world, book, t, (a, k), (units, 0.0, "SHOCK"))
    if free > 1e-9 * held:  # more than rounding leaves
        book["units"][k] -= share * free
        note_token(world, book, t, (0, k), (-share * free, 0.0, 0.0, "SHOCK"))
    if share == 1.0:
        book["units"][k] = coming
    book["locked"][k] *= 1.0 - share
    add_event(book, t, "FORCED_TRANSFER", len(world["perps"]) + k, 0)


# ------------------------------------------------------------------ auto-deleveraging


def deleverage_by_others(world, book, t):
    """By record, then by the model."""
    for shock in world["shocks"]:
        m = shock["instrument"]
        if shock["row"] == t and shock["kind"] == "ADL" and book["position"][m] != 0.0:
            terms = terms_of(world, t, m)
            lots = abs(book["position"][m]) * terms["lots_per_unit"] * shock["value"]
            reach(world, book, t, m, int(lots + LOT_SLACK) / terms["lots_per_unit"])
    if world["settings"]["adl_shock_frac"] is None:
        return
    for a in margin_accounts(world):
        for m in marks_of(world, book, a, t):
            if is_reached(world, book, t, m):
                reach(world, book, t, m, abs(book["position"][m]))


def is_reached(world, book, t, m):
    """Whether the other side's loss is large enough, and our profit and leverage high enough."""
    perp, settings = world["perps"][m], world["settings"]
    long = book["position"][m] > 0.0
    before, entry = perp["mark"][t - 1] / units_since(world, t, m), book["entry"][m]
    move = perp["high"][t] / before - 1.0 if long else 1.0 - perp["low"][t] / before
    gained = before / entry if long else entry / before
    if move < settings["adl_shock_frac"] or gained <= 1.0:
        return False
    account = perp["account"]
    value = value_at(world, book, t, account, start_prices(world, book, t, account))
    if value <= 0.0:
        return False
    return gained * abs(book["position"][m]) * before / value >= settings["adl_index"]


def reach(world, book, t, m, units):
    """Close units at the mark of the hour before; the token held stands."""
    if units == 0.0:
        return
    size = -side_of(book["position"][m]) * units
    px = world["perps"][m]["mark"][t - 1] / units_since(world, t, m)
    add_event(book, t, "ADL", m, world["perps"][m]["account"])
    cancel_targets(world, book, m)
    reduce_perp(world, book, t, m, (size, px, "ADL"))
