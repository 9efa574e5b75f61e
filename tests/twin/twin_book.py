"""A slow book in plain Python: dicts, lists, floats, hour by hour, nothing of the package.

A world is a dict of lists with one entry an hour (``tapes.py`` makes them); ``None`` is "absent".
``world["perps"]`` and ``world["tokens"]`` hold the instruments, ``world["terms"][era][m]`` the
terms of perp ``m``, ``world["plan"][t]`` what is decided at hour ``t``. Account 0 is the wallet.
Instruments are numbered perps first.
"""

from twin_account import (
    add_cause,
    add_event,
    add_payment,
    own_worth,
    return_idle,
)
from twin_actions import act
from twin_collateral import NAV_KINDS, deliver_redeemed, pay_interest, pay_yield
from twin_fills import fill_targets
from twin_liquidation import call_owed, margin_test
from twin_margin import liquidation_price, maintenance_at, prices_now, required, value_at
from twin_shocks import deleverage_by_others, fail_venues, strike_tokens
from twin_treasury import manage_cash
from twin_ways import bought, end_legs
from twin_world import whole

KEPT = ("fills", "payments", "events")


def play(world):
    """Play every hour; the run ends early on a fault."""
    world = whole(world)
    book = start(world)
    hours = []
    for t in range(world["hours"]):
        play_hour(world, book, t)
        if book["ended"]:
            break
        hours.append(book["row"])
    return {"hours": hours} | {name: book[name] for name in KEPT}


def start(world):
    perps, tokens, accounts = len(world["perps"]), len(world["tokens"]), len(world["cash"])
    pledged = [[0.0] * tokens for _ in range(accounts)]
    for (a, k), told in world["collateral"].items():
        pledged[a][k] = told["units"]
    return {
        "position": [0.0] * perps,
        "entry": [0.0] * perps,
        "target": [None] * (perps + tokens),
        "decided": [None] * (perps + tokens),
        "said": [False] * (perps + tokens),  # that the standing target was cut or refused
        "barred": [False] * perps,
        "units": [sum(row[k] for row in pledged) for k in range(tokens)],
        "locked": [0.0] * tokens,
        "pledged": pledged,
        "cash": list(world["cash"]),
        "under_way": [0.0] * accounts,
        "arrives": [None] * accounts,
        "redeeming": [0.0] * tokens,
        "redeem_cost": [0.0] * tokens,
        "redeemed_at": [None] * tokens,
        "said_refused": [False] * accounts,
        "said_unswept": [False] * accounts,
        "said_unredeemed": [False] * tokens,
        "owed_hours": [0] * accounts,
        "legs": {},  # token -> its trade under way
        "settlements": 0,  # how many there have been,
        "had_legs": set(),  # and of which tokens
        "drawn": {},  # USD of an issuer's inventory by token and day
        "offers": {},  # token -> the way of its order of the hour
        "failed": [False] * accounts,
        "fills": [],
        "payments": [],
        "events": [],
        "causes": {},
        "ended": False,
    }


def play_hour(world, book, t):
    book["causes"] = {}
    move_prices(world, book, t)
    strike_tokens(world, book, t)
    fail_venues(world, book, t)
    pay_dividends(world, book, t)
    act(world, book, t)
    deliver(book, t)
    deliver_redeemed(world, book, t)
    end_legs(world, book, t)
    pay_yield(world, book, t)
    pay_interest(world, book, t)
    settle_funding(world, book, t)
    if book["ended"]:
        return
    if t >= 1:
        margin_test(world, book, t)
        call_owed(world, book, t)
        deleverage_by_others(world, book, t)
        return_idle(world, book)
    if world["settings"]["fill_delay_hours"] == 0:
        decide(world, book, t)
    if book["ended"]:
        return
    fill_targets(world, book, t)
    return_idle(world, book)
    manage_cash(world, book, t)
    book["row"] = row_of(world, book, t)
    if world["settings"]["fill_delay_hours"] == 1:
        decide(world, book, t)


def row_of(world, book, t):
    """The ledger row at the end of the hour."""
    row = {
        "position": list(book["position"]),
        "units": list(book["units"]),
        "pledged": [list(units) for units in book["pledged"]],
        "cash": list(book["cash"]),
        "under_way": [book["under_way"][0] + due_to_wallet(book), *book["under_way"][1:]],
        "worth": [worth_of(world, book, t, a) for a in range(len(book["cash"]))],
        "value": [],
        "initial": [],
        "maintenance": [],
        "liquidation": [None] * len(world["perps"]),
        "causes": dict(book["causes"]),
    }
    equity = sum(worth * world["cash_px"][a][t] for a, worth in enumerate(row["worth"]))
    for k, token in enumerate(world["tokens"]):
        if book["units"][k] != 0.0:
            equity += book["units"][k] * token["fair"][t]
    for a in range(len(book["cash"])):
        now = prices_now(world, book, t, a)
        row["value"].append(value_at(world, book, t, a, now))
        row["initial"].append(required(world, book, t, now["perps"], "initial"))
        row["maintenance"].append(maintenance_at(world, book, t, a, now["perps"]))
        for m in now["perps"]:
            row["liquidation"][m] = liquidation_price(world, book, t, m)
    row["equity"] = equity
    return row


def worth_of(world, book, t, a):
    """What an account has in its own currency, with what is under way to it."""
    worth = own_worth(world, book, a, t) + book["under_way"][a]
    return worth + due_to_wallet(book) if a == 0 else worth


def due_to_wallet(book):
    """Cash of redemptions and of sales that is not paid yet."""
    return sum(book["redeeming"]) + sum(leg["due"] for leg in book["legs"].values())


# ------------------------------------------------------------------ prices and steps 1 to 4


def move_prices(world, book, t):
    """What the hour's move of prices makes of the holdings of the hour before."""
    if t == 0:
        return
    for a, px in enumerate(world["cash_px"]):
        moved = book["row"]["worth"][a] * (px[t] - px[t - 1])
        add_cause(book, a, None, "token_price", moved)
    for m, perp in enumerate(world["perps"]):
        if book["position"][m] != 0.0:
            usd = book["position"][m] * (perp["mark"][t] - perp["mark"][t - 1])
            usd *= world["cash_px"][perp["account"]][t]
            add_cause(book, perp["account"], m, "perp_price", usd)
    for k, token in enumerate(world["tokens"]):
        if book["units"][k] == 0.0:
            continue
        number, moved, grown = len(world["perps"]) + k, token["fair"][t] - token["fair"][t - 1], 0.0
        if token["kind"] in NAV_KINDS and None not in token["nav"][t - 1 : t + 1]:
            grown = token["nav"][t] - token["nav"][t - 1]
        pledged = [row[k] for row in book["pledged"]]
        for a, units in enumerate([book["units"][k] - sum(pledged), *pledged[1:]]):
            add_cause(book, a, number, "token_price", units * (moved - grown))
            add_cause(book, a, number, "yield", units * grown)


def pay_dividends(world, book, t):
    for row, k, usd_a_token in world["dividends"]:
        units = book["units"][k] - bought(book, k)
        if row == t and units != 0.0:
            number, usd = len(world["perps"]) + k, units * usd_a_token
            book["cash"][0] += usd / world["cash_px"][0][t]
            add_payment(book, t, "DIVIDEND", (number, 0), usd, units, usd_a_token)
            add_cause(book, 0, number, "dividend", usd)


def deliver(book, t):
    for a, row in enumerate(book["arrives"]):
        if row is not None and row <= t:
            book["cash"][a] += book["under_way"][a]
            book["under_way"][a], book["arrives"][a] = 0.0, None
            add_event(book, t, "TRANSFER_ARRIVED", None, a)


def settle_funding(world, book, t):
    for m, perp in enumerate(world["perps"]):
        position, account = book["position"][m], perp["account"]
        if position == 0.0 or not perp["due"][t]:
            continue
        rate = perp["funding"][t]
        if rate is None:
            add_event(book, t, "FUNDING_MISSING", m, account)
            book["ended"] = True
            return
        usd = -position * perp["oracle"][t] * rate
        book["cash"][account] += usd
        add_payment(book, t, "FUNDING", (m, account), usd, position, rate)
        add_cause(book, account, m, "funding", usd * world["cash_px"][account][t])


# ------------------------------------------------------------------ step 9: the plan decides


def decide(world, book, t):
    perps = len(world["perps"])
    for n, target in enumerate(world["plan"][t]):
        if target is None:
            continue
        if abs(target) == float("inf") or (n >= perps and target < 0.0):
            add_event(book, t, "BAD_TARGET", n, None)
            book["ended"] = True
            return
        if target != book["target"][n]:  # the same again is no news
            book["said"][n] = False
        book["target"][n] = target
        book["decided"][n] = t
