"""What every step of the twin reads and writes down: holdings, fills, payments, causes."""

from twin_world import terms_of

CAUSE_OF = {
    "TARGET": "slippage",
    "DELEVERED": "slippage",
    "LIQUIDATION": "liquidation",
    "BACKSTOP": "liquidation",
    "ADL": "liquidation",
    "SEIZED": "liquidation",
    "REDEEMED": "slippage",
    "SWEPT": "slippage",
    "SHOCK": "settlement",
    "SETTLEMENT": "settlement",
}
PAYS_NO_FEE = ("BACKSTOP", "ADL", "SHOCK")


def add_cause(book, account, instrument, cause, usd):
    key = (account, instrument, cause)
    book["causes"][key] = book["causes"].get(key, 0.0) + usd


def add_payment(book, t, flow, where, usd, quantity=0.0, rate=0.0):
    """``where`` is instrument and account; ``usd`` is in the account's own currency."""
    instrument, account = where
    book["payments"].append(
        {
            "row": t,
            "flow": flow,
            "instrument": instrument,
            "account": account,
            "quantity": quantity,
            "rate": rate,
            "usd": usd,
        }
    )


def add_event(book, t, kind, instrument, account):
    book["events"].append({"row": t, "kind": kind, "instrument": instrument, "account": account})


def held_at(world, book, account):
    """Perps of the account with a position."""
    return [
        m
        for m, perp in enumerate(world["perps"])
        if perp["account"] == account and book["position"][m] != 0.0
    ]


def marks_of(world, book, account, t):
    return {m: world["perps"][m]["mark"][t] for m in held_at(world, book, account)}


def own_worth(world, book, account, t):
    """Cash and unrealised profit at mark: what an account holds in its own currency."""
    return book["cash"][account] + sum(
        book["position"][m] * (px - book["entry"][m])
        for m, px in marks_of(world, book, account, t).items()
    )


def free_units(book, k):
    """Units that are neither locked nor pledged, nor bought and not delivered."""
    coming = max(book["legs"][k]["size"], 0.0) if k in book["legs"] else 0.0
    held = book["units"][k] - book["locked"][k] - coming
    return held - sum(row[k] for row in book["pledged"])


def side_of(number):
    return 1.0 if number > 0.0 else -1.0


# ------------------------------------------------------------------ fills


def fill_perp(world, book, t, m, trade):
    """``trade`` is signed units, price and reason."""
    size, px, reason = trade
    position, entry = book["position"][m], book["entry"][m]
    account, terms = world["perps"][m]["account"], terms_of(world, t, m)
    fee = 0.0 if reason in PAYS_NO_FEE else abs(size) * px * terms["fee_frac"]
    if position * size < 0.0:
        book["cash"][account] += -size * (px - entry)
    else:
        paid = abs(position) * entry + abs(size) * px
        book["entry"][m] = paid / (abs(position) + abs(size))
    book["cash"][account] -= fee
    lots = terms["lots_per_unit"]
    book["position"][m] = round((position + size) * lots) / lots
    if book["position"][m] == 0.0:
        book["entry"][m] = 0.0
    value_px, usd = world["perps"][m]["mark"][t], world["cash_px"][account][t]
    write_fill(book, t, (m, account), (size, px, fee, value_px, reason))
    add_costs(book, (m, account), (size, px * usd, fee * usd, value_px * usd, reason))


def reduce_perp(world, book, t, m, trade):
    """A reduction that gives back an isolated position's margin by the share it closes."""
    account = world["perps"][m]["account"]
    parent, before = world["parent"][account], book["position"][m]
    had = own_worth(world, book, account, t)
    fill_perp(world, book, t, m, trade)
    if parent is not None:
        kept = max(had * abs(book["position"][m] / before), 0.0)
        above = own_worth(world, book, account, t) - kept
        if above > 0.0:
            book["cash"][account] -= above
            book["cash"][parent] += above


def return_idle(world, book):
    """Cash of an isolated position that is gone goes back to its venue's account."""
    for a, parent in enumerate(world["parent"]):
        if parent is None or book["failed"][a] or held_at(world, book, a):
            continue
        if book["cash"][a] > 0.0:
            book["cash"][parent] += book["cash"][a]
            book["cash"][a] = 0.0


def fill_token(world, book, t, k, trade):
    """``trade`` is signed units, USD price and reason: from and to the wallet, for its cash."""
    size, px, reason = trade
    fee = 0.0 if reason == "SWEPT" else abs(size) * px * world["tokens"][k]["fee_frac"]
    book["cash"][0] -= (size * px + fee) / world["cash_px"][0][t]
    book["units"][k] += size
    note_token(world, book, t, (0, k), (size, px, fee, reason))


def take_pledged(world, book, t, place, trade):
    """Pledged units leave account and book; ``place`` is account and token."""
    (a, k), (units, px, reason) = place, trade
    book["pledged"][a][k] -= units
    book["units"][k] -= units
    book["cash"][a] += units * px / world["cash_px"][a][t]
    note_token(world, book, t, place, (-units, px, 0.0, reason))


def note_token(world, book, t, place, trade):
    """Write down a token's fill, told in USD; what is paid is in the account's currency."""
    (a, k), (size, px, fee, reason) = place, trade
    number, fair = len(world["perps"]) + k, world["tokens"][k]["fair"][t]
    write_fill(book, t, (number, a), (size, px, fee, fair, reason))
    add_costs(book, (number, a), (size, px, fee, fair, reason))


def write_fill(book, t, where, trade):
    (instrument, account), (size, px, fee, value_px, reason) = where, trade
    book["fills"].append(
        {
            "row": t,
            "decided": book["decided"][instrument],
            "instrument": instrument,
            "account": account,
            "reason": reason,
            "size": size,
            "px": px,
            "value_px": value_px,
            "fee": fee,
            "way": 0,  # told where a way was chosen
            "settlement_id": 0,
        }
    )


def add_costs(book, where, trade):
    """What a fill costs against its value, and its fee, USD."""
    (instrument, account), (size, px, fee, value_px, reason) = where, trade
    add_cause(book, account, instrument, CAUSE_OF[reason], -size * (px - value_px))
    add_cause(book, account, instrument, "fees", -fee)
