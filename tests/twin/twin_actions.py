"""Corporate actions on what is held as the hour begins, beside a token's cash dividends.

``world["actions"]`` are dicts of row, kind, instrument and value: DEBIT pays a perp's longs from
its shorts, SPLIT restates a perp or a token in so many new units per old, SETTLE closes a perp at
the last mark in old units. Prices in the world are as recorded, in new units from the row on.
"""

from twin_account import add_cause, add_event, add_payment, side_of, write_fill
from twin_liquidation import LOT_SLACK, cancel_targets
from twin_world import terms_of

DUST = 1e-12  # of a token's units: what is left of all of it pledged


def act(world, book, t):
    for action in world["actions"]:
        if action["row"] == t:
            DONE[action["kind"]](world, book, t, action)


def told(book, usd):
    """Note the dollars of the last event."""
    book["events"][-1]["usd"] = usd


def debit(world, book, t, action):
    m, usd_a_unit = action["instrument"], action["value"]
    position, account = book["position"][m], world["perps"][m]["account"]
    if position != 0.0:
        usd = position * usd_a_unit
        book["cash"][account] += usd
        add_payment(book, t, "DIVIDEND", (m, account), usd, position, usd_a_unit)
        add_cause(book, account, m, "dividend", usd * world["cash_px"][account][t])


def settle(world, book, t, action):
    m, perp = action["instrument"], world["perps"][action["instrument"]]
    cancel_targets(world, book, m)
    position, px, account = book["position"][m], perp["mark"][t - 1], perp["account"]
    if position == 0.0:
        return
    add_event(book, t, "MARKET_SETTLED", m, account)
    told(book, abs(position) * px)
    book["cash"][account] += position * (px - book["entry"][m])
    book["position"][m] = book["entry"][m] = 0.0
    note(world, book, t, m, (-position, px))


def note(world, book, t, m, trade):
    """Write down what the venue itself did; its price is told by the price's own cause."""
    size, px = trade
    perp = world["perps"][m]
    mark, account = perp["mark"][t], perp["account"]
    write_fill(book, t, (m, account), (size, px, 0.0, mark, "ACTION"))
    usd = size * (mark - px) * world["cash_px"][account][t]
    add_cause(book, account, m, "perp_price", usd)


def split(world, book, t, action):
    if action["instrument"] >= len(world["perps"]):
        split_token(world, book, t, action)
    else:
        split_perp(world, book, t, action)


def in_lots(units, lots):
    return side_of(units) * int(abs(units) * lots + LOT_SLACK) / lots


def split_perp(world, book, t, action):
    m, ratio = action["instrument"], action["value"]
    lots, perp = terms_of(world, t, m)["lots_per_unit"], world["perps"][m]
    account, mark = perp["account"], perp["mark"][t]
    if book["target"][m] is not None:
        book["target"][m] = in_lots(book["target"][m] * ratio, lots)
    old = book["position"][m]
    if old == 0.0:
        return
    new = in_lots(old * ratio, lots)
    part = old * ratio - new  # of a lot: paid out at the mark
    if abs(part) * lots <= LOT_SLACK:
        part = 0.0
    paid = old * book["entry"][m]  # what the position cost does not change
    note(world, book, t, m, (new + part - old, 0.0))
    if part:
        book["cash"][account] += part * mark - paid * part / (old * ratio)
        note(world, book, t, m, (-part, mark))
    book["position"][m] = new
    book["entry"][m] = paid / (old * ratio) if new else 0.0
    add_event(book, t, "SPLIT", m, account)
    told(book, abs(new) * mark)


def split_token(world, book, t, action):
    k, ratio = action["instrument"] - len(world["perps"]), action["value"]
    number, fair = action["instrument"], world["tokens"][k]["fair"][t]
    if book["target"][number] is not None:
        book["target"][number] *= ratio
    if k in book["legs"]:
        book["legs"][k]["size"] *= ratio
        book["legs"][k]["px"] /= ratio
    held = book["units"][k]
    if held == 0.0:
        return
    lying = [row[k] for row in book["pledged"]]
    lying = [(a, units) for a, units in enumerate(lying) if units]
    free = held - sum(units for _, units in lying)
    if abs(free) > DUST * held * ratio:
        lying.append((0, free))
    for a, units in lying:
        new = units * (ratio - 1.0)
        write_fill(book, t, (number, a), (new, 0.0, 0.0, fair, "ACTION"))
        add_cause(book, a, number, "token_price", new * fair)
        if a:
            book["pledged"][a][k] *= ratio
    book["units"][k] *= ratio
    book["locked"][k] *= ratio
    add_event(book, t, "SPLIT", number, 0)
    told(book, book["units"][k] * fair)


DONE = {"DEBIT": debit, "SPLIT": split, "SETTLE": settle}
