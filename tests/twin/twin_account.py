"""What every step of the twin reads and writes down: terms, values, fills, payments, causes."""


def terms_of(world, t, m):
    return world["terms"][world["era"][t]][m]


def add_cause(book, account, instrument, cause, usd):
    key = (account, instrument, cause)
    book["causes"][key] = book["causes"].get(key, 0.0) + usd


def add_payment(book, t, flow, instrument, account, usd, quantity=0.0, rate=0.0):
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


def value_at(book, account, prices):
    """Margin value of an account with its positions at these prices."""
    value = book["cash"][account]
    for m, px in prices.items():
        value += book["position"][m] * (px - book["entry"][m])
    return value


def required(world, book, t, prices, frac):
    """What the positions at these prices ask for: ``initial_frac`` or ``maintenance_frac``."""
    return sum(
        abs(book["position"][m]) * px * terms_of(world, t, m)[frac] for m, px in prices.items()
    )


def marks_of(world, book, account, t):
    return {m: world["perps"][m]["mark"][t] for m in held_at(world, book, account)}


def side_of(number):
    return 1.0 if number > 0.0 else -1.0


def fill_perp(world, book, t, m, size, px, fee_frac, reason):
    position, entry = book["position"][m], book["entry"][m]
    account, mark = world["perps"][m]["account"], world["perps"][m]["mark"][t]
    fee = abs(size) * px * fee_frac
    if position * size < 0.0:
        book["cash"][account] += -size * (px - entry)
    else:
        paid = abs(position) * entry + abs(size) * px
        book["entry"][m] = paid / (abs(position) + abs(size))
    book["cash"][account] -= fee
    lots = terms_of(world, t, m)["lots_per_unit"]
    book["position"][m] = round((position + size) * lots) / lots
    if book["position"][m] == 0.0:
        book["entry"][m] = 0.0
    write_fill(book, t, m, account, (size, px, fee, mark, reason))


def fill_token(world, book, t, k, size, px):
    fee = abs(size) * px * world["tokens"][k]["fee_frac"]
    book["cash"][0] -= size * px + fee
    book["units"][k] += size
    fair = world["tokens"][k]["fair"][t]
    write_fill(book, t, len(world["perps"]) + k, 0, (size, px, fee, fair, "TARGET"))


def write_fill(book, t, instrument, account, trade):
    size, px, fee, value_px, reason = trade
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
        }
    )
    cause = "slippage" if reason == "TARGET" else "liquidation"
    add_cause(book, account, instrument, cause, -size * (px - value_px))
    add_cause(book, account, instrument, "fees", -fee)
