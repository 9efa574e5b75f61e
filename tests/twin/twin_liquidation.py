"""Step 5: margin test, liquidation in its stages, cash owed, seizing and bad debt."""

from twin_account import (
    add_cause,
    add_event,
    add_payment,
    fill_perp,
    held_at,
    side_of,
    take_pledged,
)
from twin_margin import between, end_prices, limit_of, slack, start_prices
from twin_world import is_locked, margin_accounts, pledge_of, terms_of

DUST = 1e-9  # USD that rounding leaves
LOT_SLACK = 1e-6  # lots


def margin_test(world, book, t):
    for a in margin_accounts(world):
        end = end_prices(world, book, t, a)
        if slack(world, book, t, a, end) < 0.0:
            liquidate(world, book, t, a, end)


def worse(world, book, t, prices):
    """Prices at which positions are closed, worse by half-spread and impact."""
    made = {}
    for m, px in prices["perps"].items():
        position = book["position"][m]
        made[m] = px * (1.0 - side_of(position) * forced_cost(world, t, m, position))
    return made


def forced_cost(world, t, m, size):
    """Half-spread and impact of a close that cannot wait; no volume, no impact."""
    perp, cost = world["perps"][m], terms_of(world, t, m)["cost_frac"]
    volume = perp["volume"][t] if "volume" in perp else None
    coefficient = world["settings"]["impact_coefficient"]
    if volume and coefficient:
        cost = min(cost + coefficient * (abs(size) * perp["mark"][t] / volume) ** 0.5, 0.99)
    return cost


def liquidate(world, book, t, a, end):
    held = held_at(world, book, a)
    first = start_prices(world, book, t, a)
    filled, way = worse(world, book, t, end), 0.0
    at_trigger = world["settings"]["liq_fill"] == "trigger"
    if at_trigger:
        way = trigger(world, book, t, a, (first, end, 0.0))
        filled = worse(world, book, t, between(first, end, way))
    touch(world, book, held)
    if taken_over(world, book, t, a, (first, end, filled)):
        return
    large = [m for m in held if is_large(world, book, t, m, end["perps"][m])]
    for m in held:
        if m in large:
            close(world, book, t, m, filled[m], part_of(world, book, t, m))
        else:
            close(world, book, t, m, filled[m])
    if large and slack(world, book, t, a, end) < 0.0:
        if at_trigger:
            way = trigger(world, book, t, a, (first, end, way))
            filled |= worse(world, book, t, between(first, end, way))
        for m in held_at(world, book, a):
            close(world, book, t, m, filled[m])
    if not held_at(world, book, a):
        seize(world, book, t, a, end)
        forgive(world, book, t, a)


def trigger(world, book, t, a, path):
    """How far along its path an account first lacks margin, from a place on it."""
    first, end, since = path
    return limit_of(
        lambda way: slack(world, book, t, a, between(first, end, way)),
        since,
        1.0,
    )


def touch(world, book, held):
    """Targets of the perps touched are cancelled and, by choice, the coins barred."""
    for m in held:
        cancel_targets(world, book, m)
        if world["settings"]["after_liquidation"] == "stop":
            book["barred"][m] = True


def cancel_targets(world, book, m):
    """The perp's, and in a pair that trades together the token bought to hedge a short."""
    wanted, k = book["target"][m], world["perps"][m]["token"]
    book["target"][m] = None
    short = book["position"][m] < 0.0 or (wanted is not None and wanted < 0.0)
    if k is None or not short or world["settings"]["pair"] != "together":
        return
    number = len(world["perps"]) + k
    target = book["target"][number]
    if target is not None and target > book["units"][k]:
        book["target"][number] = None


def is_large(world, book, t, m, px):
    terms = terms_of(world, t, m)
    part = terms.get("partial_frac")
    return bool(part) and abs(book["position"][m]) * px > terms["partial_above_usd"]


def part_of(world, book, t, m):
    """Lots of the first part of a large position, at least one."""
    terms = terms_of(world, t, m)
    in_all = abs(book["position"][m]) * terms["lots_per_unit"]
    return max(int(in_all * terms["partial_frac"] + LOT_SLACK), 1) / terms["lots_per_unit"]


def close(world, book, t, m, px, part=None):
    """A position, or a first part of it, is sold on the book."""
    units = abs(book["position"][m]) if part is None else part
    kind = "LIQUIDATION" if part is None else "PARTIAL"
    add_event(book, t, kind, m, world["perps"][m]["account"])
    fill_perp(world, book, t, m, (-side_of(book["position"][m]) * units, px, "LIQUIDATION"))


# ------------------------------------------------------------------ the venue's backstop


def taken_over(world, book, t, a, path):
    """Whether the backstop takes the account, before its positions are closed on the book."""
    first, end, filled = path
    shares = [terms_of(world, t, m)["backstop_frac"] for m in filled]
    shares = [share for share in shares if share is not None]
    last = {"perps": filled, "tokens": end["tokens"]}
    if not shares or slack(world, book, t, a, last, max(shares)) >= 0.0:
        return False

    def left(way):
        return slack(world, book, t, a, between(first, last, way), max(shares))

    at = between(first, last, limit_of(left, 0.0, 1.0))
    for m, px in at["perps"].items():
        add_event(book, t, "BACKSTOP", m, a)
        fill_perp(world, book, t, m, (-book["position"][m], px, "BACKSTOP"))
    seize(world, book, t, a, end, whole=True)
    left_over = book["cash"][a]
    forgive(world, book, t, a)
    if left_over > 0.0:
        book["cash"][a] = 0.0
        add_payment(book, t, "MARGIN_LOST", (None, a), -left_over)
        add_cause(book, a, None, "liquidation", -left_over * world["cash_px"][a][t])
    return True


# ------------------------------------------------------------------ below zero


def seize(world, book, t, a, end, *, whole=False):
    """The venue sells pledged tokens less haircut: what covers the cash owed, or all."""
    usd = world["cash_px"][a][t]
    for k, units in enumerate(book["pledged"][a]):
        owed = -book["cash"][a] * usd
        if is_locked(world, t, k, "seize"):
            continue
        if units == 0.0 or (owed <= DUST and not whole):
            continue
        px = end["tokens"][k] * (1.0 - world["settings"]["seize_cost_frac"])
        enough = not whole and units * px >= owed
        sold = owed / px if enough else units
        add_event(book, t, "SEIZED", len(world["perps"]) + k, a)
        take_pledged(world, book, t, (a, k), (sold, px, "SEIZED"))
        if enough:
            book["cash"][a] = 0.0


def forgive(world, book, t, a):
    """A margin account below zero is set to zero; the venue bears it.

    Unless tokens lie there that nobody may move: it waits for these.
    """
    left = book["cash"][a]
    stuck = [k for k, units in enumerate(book["pledged"][a]) if units > 0.0]
    if left < -DUST and any(is_locked(world, t, k, "seize") for k in stuck):
        return
    if -DUST <= left < 0.0:
        book["cash"][a] = 0.0
    elif left < 0.0:
        book["cash"][a] = 0.0
        add_payment(book, t, "BAD_DEBT", (None, a), -left)
        add_cause(book, a, None, "bad_debt", -left * world["cash_px"][a][t])
        add_event(book, t, "BAD_DEBT", None, a)


# ------------------------------------------------------------------ mirrored custody


def call_owed(world, book, t):
    """Cash owed against mirrored collateral for longer than allowed closes the account."""
    for a in margin_accounts(world):
        mirrored = any(
            units > 0.0 and pledge_of(world, a, k)["mirrored"]
            for k, units in enumerate(book["pledged"][a])
        )
        owes = mirrored and book["cash"][a] < 0.0
        book["owed_hours"][a] = book["owed_hours"][a] + 1 if owes else 0
        if book["owed_hours"][a] <= world["settings"]["mirror_hours"]:
            continue
        add_event(book, t, "OWED", None, a)
        end, held = end_prices(world, book, t, a), held_at(world, book, a)
        filled = worse(world, book, t, end)
        touch(world, book, held)
        for m in held:
            close(world, book, t, m, filled[m])
        seize(world, book, t, a, end)
        forgive(world, book, t, a)
        book["owed_hours"][a] = 0
