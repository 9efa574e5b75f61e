"""One world, played by book and twin: every row, fill, payment, event and cause."""

import twin_book
import written

from perpkit.ledger import frames

PRECISION = 1e-9  # of equity
ACCOUNT = ("cash", "under_way", "value", "initial", "maintenance")
EXACT = {
    "fill": ("row", "decided", "instrument", "account", "reason", "way", "settlement_id"),
    "payment": ("row", "flow", "instrument", "account"),
}
OWN_SCALE = {"fill": ("size", "px", "value_px"), "payment": ("quantity", "rate")}
USD = {"fill": ("fee",), "payment": ("usd",)}
TOLD = ("DIVIDEND", "YIELD", "FUNDING")  # payments whose quantity and rate mean something
CAUSES = (
    "perp_price",
    "token_price",
    "funding",
    "yield",
    "dividend",
    "fees",
    "slippage",
    "interest",
    "transfer",
    "settlement",
    "liquidation",
    "bad_debt",
)
# The order of the hour: within a step fills are told by instrument, those of targets as they come.
FORCED = ("SHOCK", "ACTION", "LIQUIDATION", "BACKSTOP", "SEIZED", "ADL")
STEP_OF = {reason: n for n, reason in enumerate((*FORCED, "TARGET", "REDEEMED", "DELEVERED"))}
# Of an account, however many instruments it touches; the others are of an instrument.
OF_ACCOUNT = (
    *("BAD_DEBT", "TRANSFER_SENT", "TRANSFER_ARRIVED", "TRANSFER_REFUSED", "SEIZED", "OWED"),
    *("DELEVERED", "MARGIN_ADDED", "MARGIN_REMOVED", "VENUE_FAILED", "HELD_BACK"),
)
ONCE = ("SEIZED", "DELEVERED")
UNTOLD = ("RELEASED",)  # events that say nothing new


def close(one, other, scale):
    if one is None or other is None:
        return one is other
    return abs(one - other) <= PRECISION * scale


def assert_close(one, other, scale, what):
    assert close(one, other, scale), f"{what}: book {one!r}, twin {other!r}"


def compare(world, market, played):
    """Every hour up to a fault."""
    twin = twin_book.play(world)
    end = len(twin["hours"])
    scale = max([sum(world["cash"]), *(abs(hour["equity"]) for hour in twin["hours"])])
    for t, told in enumerate(twin["hours"]):
        compare_hour(world, written.hour_of(played, t), told, (t, scale))
    compare_rows("fill", *in_steps(*until(end, written.fills_of(played), twin["fills"])), scale)
    made = until(end, written.payments_of(market, played), twin["payments"])
    compare_rows("payment", *map(summed, made), scale)
    events = until(end, written.events_of(played), twin["events"])
    compare_events(*events)
    compare_amounts(*events, scale)
    if end == world["hours"]:
        compare_causes(market, frames(market, played, "twin"), twin["hours"], scale)
    else:  # the hour of a fault: only that it is named
        compare_events(faults(written.events_of(played)), faults(twin["events"]))


def compare_hour(world, made, told, place):
    t, scale = place
    for name in ("position", "units"):
        for n, (one, other) in enumerate(zip(made[name], told[name], strict=True)):
            assert_close(one, other, max(abs(other), 1.0), f"{name} {n} at {t}")
    for a, row in enumerate(made["pledged"]):
        for k, (one, other) in enumerate(zip(row, told["pledged"][a], strict=True)):
            assert_close(one, other, max(abs(other), 1.0), f"pledged {k} in {a} at {t}")
    for name in ACCOUNT:
        for a, (one, other) in enumerate(zip(made[name], told[name], strict=True)):
            assert_close(one, other, scale, f"{name} of account {a} at {t}")
    assert_close(made["equity"], told["equity"], scale, f"equity at {t}")
    for m, (one, other) in enumerate(zip(made["liquidation"], told["liquidation"], strict=True)):
        px = max(px for px in world["perps"][m]["mark"] if px is not None)
        reach = scale / (abs(told["position"][m]) or 1.0)  # equity spread over the units held
        assert_close(one, other, max(px, reach), f"liquidation price of {m} at {t}")


def until(end, *lists):
    return [[row for row in rows if row["row"] < end] for rows in lists]


def faults(events):
    return [event for event in events if event["kind"] in ("FUNDING_MISSING", "BAD_TARGET")]


def in_steps(*lists):
    def key(fill):
        step = STEP_OF.get(fill["reason"], len(STEP_OF))
        return fill["row"], step, 0 if fill["reason"] == "TARGET" else fill["instrument"]

    return [sorted(fills, key=key) for fills in lists]


def summed(payments):
    """Payments in order, those of one hour, kind, instrument and account as one."""
    made = {}
    for one in payments:
        key = (one["row"], one["flow"], number(one["instrument"]), one["account"])
        if key not in made:
            made[key] = dict(one)
            continue
        for name in ("usd", "quantity"):
            made[key][name] += one[name]
    return [made[key] for key in sorted(made)]


def number(instrument):
    return -1 if instrument is None else instrument


def compare_rows(kind, made, told, scale):
    for one, other in zip(made, told, strict=False):
        words = f"book {one}, twin {other}"
        for name in EXACT[kind]:
            if name == "decided" and other["reason"] != "TARGET":
                continue  # nobody decided a liquidation
            assert one[name] == other[name], f"{kind} {name}: {words}"
        for name in OWN_SCALE[kind]:
            if kind == "payment" and other["flow"] not in TOLD:
                continue
            least = 1e-3 if name == "rate" else 1.0
            assert_close(one[name], other[name], max(abs(other[name]), least), f"{name}: {words}")
        for name in USD[kind]:
            assert_close(one[name], other[name], scale, f"{name}: {words}")
    assert len(made) == len(told), f"{kind}s of the book {made[-1:]}, of the twin {told[-1:]}"


def compare_events(made, told):
    one, other = keys_of(made), keys_of(told)
    alone = [key for key in one if key not in other], [key for key in other if key not in one]
    assert one == other, f"events of the book alone {alone[0][:3]}, of the twin {alone[1][:3]}"


def compare_amounts(made, told, scale):
    """The dollars of those events of which the twin says them."""
    kinds = {event["kind"] for event in told if "usd" in event}
    one, other = (
        sorted_by_place(x for x in events if x["kind"] in kinds) for events in (made, told)
    )
    for mine, theirs in zip(one, other, strict=True):
        assert_close(mine["usd"], theirs["usd"], scale, f"dollars of {theirs}")


def sorted_by_place(events):
    return sorted(events, key=lambda x: (x["row"], x["kind"], number(x["instrument"])))


def keys_of(events):
    keys = []
    for event in events:
        kind = event["kind"]
        key = (event["row"], kind, event["account" if kind in OF_ACCOUNT else "instrument"])
        if kind not in UNTOLD and not (kind in ONCE and key in keys):
            keys.append(key)
    return sorted(keys, key=lambda key: (key[0], key[1], number(key[2])))


def compare_causes(market, made, hours, scale):
    """Sums of the hour, and what each instrument and account has of them."""
    names = market.names
    time = {stamp: t for t, stamp in enumerate(made["equity"]["time"])}
    booked = [{} for _ in time]
    for row in made["attribution"].to_dicts():
        key = (row["account"], row["instrument"], row["cause"].removesuffix("_usd"))
        booked[time[row["time"]]][key] = row["usd"]
    sums = made["equity"].to_dicts()
    for t, hour in enumerate(hours):
        told, in_all = {}, dict.fromkeys(CAUSES, 0.0)
        for (account, instrument, cause), usd in hour["causes"].items():
            name = "" if instrument is None else (*names.coins, *names.tokens)[instrument]
            told[names.accounts[account], name, cause] = usd
            in_all[cause] += usd
        for key in told | booked[t]:
            one, other = booked[t].get(key, 0.0), told.get(key, 0.0)
            assert_close(one, other, scale, f"cause {key} at {t}")
        for cause, usd in in_all.items():
            assert_close(sums[t][f"{cause}_usd"], usd, scale, f"{cause} at {t}")
