"""Step 3, and what issuers do: yield, paydays, interest, redemption and minting at NAV."""

from twin_account import (
    add_cause,
    add_event,
    add_payment,
    fill_token,
    free_units,
    note_token,
)
from twin_ways import bought
from twin_world import is_locked, margin_accounts

HOURS_A_YEAR = 8760
NAV_KINDS = ("treasury", "stable")
A_CENT = 0.01  # less is none


def pay_yield(world, book, t):
    """From the second hour on: what is held from the start is bought in the first."""
    if t == 0:
        return
    for k, token in enumerate(world["tokens"]):
        if token["apr"][t] and book["units"][k] != 0.0:
            rate = token["apr"][t] / HOURS_A_YEAR
            grown = (book["units"][k] - bought(book, k)) * rate
            number, usd = len(world["perps"]) + k, grown * token["fair"][t]
            book["units"][k] += grown
            if token["accrues"]:
                book["locked"][k] += grown
            add_payment(book, t, "YIELD", (number, 0), usd, grown, rate)
            add_cause(book, 0, number, "yield", usd)
        if token["payday"][t]:
            book["locked"][k] = 0.0


def pay_interest(world, book, t):
    for a in margin_accounts(world):
        owes = book["cash"][a] < 0.0 and any(book["pledged"][a]) and not book["failed"][a]
        if owes and world["settings"]["borrow_apr"]:
            paid = book["cash"][a] * world["settings"]["borrow_apr"] / HOURS_A_YEAR
            book["cash"][a] += paid
            add_payment(book, t, "INTEREST", (None, a), paid)
            add_cause(book, a, None, "interest", paid * world["cash_px"][a][t])


def can_redeem(world, k):
    token = world["tokens"][k]
    return token["kind"] in NAV_KINDS and token["redeem_hours"] is not None


def redeem(world, book, t, missing):
    """Redeem for so many USD, token by token; what is still missing."""
    for k, token in enumerate(world["tokens"]):
        free, nav = free_units(book, k), token["nav"][t]
        if missing <= 0.0 or not can_redeem(world, k) or nav is None or free * nav < A_CENT:
            continue
        if book["redeemed_at"][k] is not None:  # more of it when that is paid
            missing -= free * nav if token["redeemable"][t] else 0.0
            continue
        least = token["redeem_min_usd"]
        usd = min(max(missing / (1.0 - token["redeem_fee_frac"]), least), free * nav)
        if not token["redeemable"][t] or usd < least:
            if not book["said_unredeemed"][k]:
                add_event(book, t, "REDEEM_REFUSED", len(world["perps"]) + k, 0)
            book["said_unredeemed"][k] = True
            continue
        send_to_issuer(world, book, t, k, usd)
        book["said_unredeemed"][k] = False
        missing -= usd * (1.0 - token["redeem_fee_frac"])
    return max(missing, 0.0)


def send_to_issuer(world, book, t, k, usd):
    """Units leave at once, the cash comes later."""
    token, number = world["tokens"][k], len(world["perps"]) + k
    nav = token["nav"][t]
    units, fee = usd / nav, usd * token["redeem_fee_frac"]
    book["units"][k] -= units
    book["target"][number] = None  # else it would buy them back
    book["redeeming"][k] = (usd - fee) / world["cash_px"][0][t]
    costs = token["redeem_costs"]
    book["redeem_cost"][k] = book["redeeming"][k] * (costs[t] if costs else 0.0)
    book["redeemed_at"][k] = t + token["redeem_hours"]
    note_token(world, book, t, (0, k), (-units, nav, fee, "REDEEMED"))
    add_event(book, t, "REDEEM_SENT", number, 0)


def deliver_redeemed(world, book, t):
    for k, row in enumerate(book["redeemed_at"]):
        if row is not None and row <= t:
            number, cost = len(world["perps"]) + k, book["redeem_cost"][k]
            book["cash"][0] += book["redeeming"][k] - cost
            if cost > 0.0:
                add_payment(book, t, "SETTLEMENT_COST", (number, 0), -cost)
                add_cause(book, 0, number, "settlement", -cost * world["cash_px"][0][t])
            book["redeeming"][k], book["redeem_cost"][k] = 0.0, 0.0
            book["redeemed_at"][k] = None
            add_event(book, t, "REDEEM_PAID", len(world["perps"]) + k, 0)


def mint(world, book, t):
    """Idle cash of the wallet becomes the sweep token at NAV."""
    settings = world["settings"]
    k = settings["sweep_token"]
    token = world["tokens"][k]
    usd = (book["cash"][0] - settings["wallet_cash_usd"]) * world["cash_px"][0][t]
    if not token["redeemable"][t] or token["nav"][t] is None or is_locked(world, t, k, "buy"):
        return
    if usd <= 0.0 or usd < token["min_order_usd"]:
        return
    nav = token["nav"][t]
    fill_token(world, book, t, k, (usd / nav, nav, "SWEPT"))
    book["target"][len(world["perps"]) + k] = None  # else it would sell them again
    add_event(book, t, "SWEPT", len(world["perps"]) + k, 0)
