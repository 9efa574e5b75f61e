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
    fill_perp,
    held_at,
    marks_of,
    required,
    side_of,
    terms_of,
    value_at,
)
from twin_fills import fill_targets

HOURS_A_YEAR = 8760
KEPT = ("fills", "payments", "events")


def play(world):
    """Play every hour; the run ends early on a fault."""
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
    return {
        "position": [0.0] * perps,
        "entry": [0.0] * perps,
        "target": [None] * (perps + tokens),
        "decided": [None] * (perps + tokens),
        "said_trimmed": [False] * (perps + tokens),
        "barred": [False] * perps,
        "said_barred": [None] * perps,  # the target last refused
        "units": [0.0] * tokens,
        "cash": list(world["cash"]),
        "under_way": [0.0] * accounts,
        "arrives": [None] * accounts,
        "said_refused": [False] * accounts,
        "fills": [],
        "payments": [],
        "events": [],
        "causes": {},
        "ended": False,
    }


def play_hour(world, book, t):
    book["causes"] = {}
    move_prices(world, book, t)
    pay_dividends(world, book, t)
    deliver(book, t)
    pay_yield(world, book, t)
    settle_funding(world, book, t)
    if book["ended"]:
        return
    if t >= 1:
        margin_test(world, book, t)
    if world["settings"]["fill_delay_hours"] == 0:
        decide(world, book, t)
    if book["ended"]:
        return
    fill_targets(world, book, t)
    top_up(world, book, t)
    book["row"] = row_of(world, book, t)
    if world["settings"]["fill_delay_hours"] == 1:
        decide(world, book, t)


def row_of(world, book, t):
    """The ledger row at the end of the hour."""
    row = {
        "position": list(book["position"]),
        "units": list(book["units"]),
        "cash": list(book["cash"]),
        "under_way": list(book["under_way"]),
        "value": [],
        "initial": [],
        "maintenance": [],
        "liquidation": [None] * len(world["perps"]),
        "causes": dict(book["causes"]),
    }
    equity = sum(book["cash"]) + sum(book["under_way"])
    for k, token in enumerate(world["tokens"]):
        if book["units"][k] != 0.0:
            equity += book["units"][k] * token["fair"][t]
    for a in range(len(book["cash"])):
        marks = marks_of(world, book, a, t)
        row["value"].append(value_at(book, a, marks))
        row["initial"].append(required(world, book, t, marks, "initial_frac"))
        row["maintenance"].append(required(world, book, t, marks, "maintenance_frac"))
        equity += row["value"][a] - book["cash"][a]
        for m in marks:
            row["liquidation"][m] = liquidation_price(world, book, t, m, marks)
    row["equity"] = equity
    return row


def liquidation_price(world, book, t, m, marks):
    """Price of one perp, the others at mark, at which margin value meets maintenance."""
    others = {n: px for n, px in marks.items() if n != m}
    account = world["perps"][m]["account"]
    spare = value_at(book, account, others) - required(world, book, t, others, "maintenance_frac")
    position, entry = book["position"][m], book["entry"][m]
    # spare + position * (px - entry) = |position| * px * maintenance
    slope = position - abs(position) * terms_of(world, t, m)["maintenance_frac"]
    px = (position * entry - spare) / slope
    return px if px > 0.0 else None


# ------------------------------------------------------------------ prices and steps 1 to 4


def move_prices(world, book, t):
    """What the hour's move of marks and fair prices makes of the holdings of the hour before."""
    if t == 0:
        return
    for m, perp in enumerate(world["perps"]):
        if book["position"][m] != 0.0:
            usd = book["position"][m] * (perp["mark"][t] - perp["mark"][t - 1])
            add_cause(book, perp["account"], m, "perp_price", usd)
    for k, token in enumerate(world["tokens"]):
        if book["units"][k] == 0.0:
            continue
        number, moved, grown = len(world["perps"]) + k, token["fair"][t] - token["fair"][t - 1], 0.0
        if token["kind"] in ("treasury", "stable") and token["nav"][t] is not None:
            grown = token["nav"][t] - token["nav"][t - 1]
        add_cause(book, 0, number, "token_price", book["units"][k] * (moved - grown))
        add_cause(book, 0, number, "yield", book["units"][k] * grown)


def pay_dividends(world, book, t):
    for row, k, usd_a_token in world["dividends"]:
        if row == t and book["units"][k] != 0.0:
            number, usd = len(world["perps"]) + k, book["units"][k] * usd_a_token
            book["cash"][0] += usd
            add_payment(book, t, "DIVIDEND", number, 0, usd, book["units"][k], usd_a_token)
            add_cause(book, 0, number, "dividend", usd)


def deliver(book, t):
    for a, row in enumerate(book["arrives"]):
        if row is not None and row <= t:
            book["cash"][a] += book["under_way"][a]
            book["under_way"][a], book["arrives"][a] = 0.0, None
            add_event(book, t, "TRANSFER_ARRIVED", None, a)


def pay_yield(world, book, t):
    for k, token in enumerate(world["tokens"]):
        if token["apr"][t] and book["units"][k] != 0.0:
            rate = token["apr"][t] / HOURS_A_YEAR
            grown = book["units"][k] * rate
            number, usd = len(world["perps"]) + k, grown * token["fair"][t]
            book["units"][k] += grown
            add_payment(book, t, "YIELD", number, 0, usd, grown, rate)
            add_cause(book, 0, number, "yield", usd)


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
        add_payment(book, t, "FUNDING", m, account, usd, position, rate)
        add_cause(book, account, m, "funding", usd)


# ------------------------------------------------------------------ step 5: margin test


def margin_test(world, book, t):
    for a in range(1, len(book["cash"])):
        held = held_at(world, book, a)
        if not held:
            forgive(world, book, t, a)
            continue
        first = {m: world["perps"][m]["mark"][t - 1] for m in held}
        worst = {
            m: world["perps"][m]["high" if book["position"][m] < 0.0 else "low"][t] for m in held
        }
        if excess(world, book, t, worst, 1.0) < 0.0:
            liquidate(world, book, t, first, worst)


def excess(world, book, t, prices, share):
    """Margin value above a share of the maintenance requirement, every position at its price."""
    account = world["perps"][next(iter(prices))]["account"]
    asked = required(world, book, t, prices, "maintenance_frac")
    return value_at(book, account, prices) - share * asked


def liquidate(world, book, t, first, worst):
    account = world["perps"][next(iter(worst))]["account"]
    filled = {m: worse(world, book, t, m, px) for m, px in worst.items()}
    shares = [terms_of(world, t, m)["backstop_frac"] for m in worst]
    known = [share for share in shares if share is not None]
    share = max(known) if known else None
    backstop = False
    if world["settings"]["liq_fill"] == "trigger":
        way = crossing(excess(world, book, t, first, 1.0), excess(world, book, t, worst, 1.0))
        at = {m: first[m] + way * (worst[m] - first[m]) for m in worst}
        filled = {m: worse(world, book, t, m, px) for m, px in at.items()}
    if share is not None and excess(world, book, t, filled, share) < 0.0:
        backstop = True
        way = crossing(excess(world, book, t, first, share), excess(world, book, t, filled, share))
        filled = {m: first[m] + way * (filled[m] - first[m]) for m in worst}
    for m, px in filled.items():
        fee_frac = 0.0 if backstop else terms_of(world, t, m)["fee_frac"]
        reason = "BACKSTOP" if backstop else "LIQUIDATION"
        add_event(book, t, reason, m, account)
        cancel_targets(world, book, m)
        fill_perp(world, book, t, m, -book["position"][m], px, fee_frac, reason)
        if world["settings"]["after_liquidation"] == "stop":
            book["barred"][m] = True
    left = book["cash"][account]
    forgive(world, book, t, account)
    if backstop and left > 0.0:
        book["cash"][account] = 0.0
        add_payment(book, t, "MARGIN_LOST", None, account, -left)
        add_cause(book, account, None, "liquidation", -left)


def forgive(world, book, t, account):
    """A margin account below zero is set to zero; the venue bears it."""
    left = book["cash"][account]
    if account > 0 and left < 0.0:
        book["cash"][account] = 0.0
        add_payment(book, t, "BAD_DEBT", None, account, -left)
        add_cause(book, account, None, "bad_debt", -left)
        add_event(book, t, "BAD_DEBT", None, account)


def cancel_targets(world, book, m):
    """The perp's, and in a pair that trades together the token bought to hedge a short."""
    book["target"][m] = None
    k = world["perps"][m]["token"]
    if k is None or book["position"][m] > 0.0 or world["settings"]["pair"] != "together":
        return
    number = len(world["perps"]) + k
    target = book["target"][number]
    if target is not None and target > book["units"][k]:
        book["target"][number] = None


def worse(world, book, t, m, px):
    """The price at which a position is closed, worse by half-spread and impact."""
    return px * (1.0 - side_of(book["position"][m]) * terms_of(world, t, m)["cost_frac"])


def crossing(at_start, at_end):
    """Share of a straight way at which a quantity that ends below zero meets zero."""
    return 0.0 if at_start <= 0.0 else at_start / (at_start - at_end)


# ------------------------------------------------------------------ step 7: cash between accounts


def top_up(world, book, t):
    settings = world["settings"]
    if settings["topup_at_ratio"] is None:
        return
    for a in range(1, len(book["cash"])):
        marks = marks_of(world, book, a, t)
        value = value_at(book, a, marks)
        maintenance = required(world, book, t, marks, "maintenance_frac")
        ratio = 0.0
        if maintenance > 0.0:
            ratio = maintenance / value if value > 0.0 else float("inf")
        if ratio <= settings["topup_at_ratio"]:
            book["said_refused"][a] = False
            continue
        if book["arrives"][a] is not None:
            continue
        cost = settings["transfer_cost_usd"]
        wanted = maintenance / settings["topup_to_ratio"] - value
        sent = min(wanted, book["cash"][0] - cost)
        if sent <= 0.0:
            if not book["said_refused"][a]:
                add_event(book, t, "TRANSFER_REFUSED", None, a)
            book["said_refused"][a] = True
            continue
        book["cash"][0] -= sent + cost
        book["under_way"][a] = sent
        book["arrives"][a] = t + settings["transfer_hours"]
        add_payment(book, t, "TRANSFER", None, 0, -cost, sent)
        add_cause(book, 0, None, "transfer", -cost)
        add_event(book, t, "TRANSFER_SENT", None, a)


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
            book["said_trimmed"][n] = False
        if n < perps and target != book["said_barred"][n]:
            book["said_barred"][n] = None
        book["target"][n] = target
        book["decided"][n] = t
