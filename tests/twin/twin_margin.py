"""What margin is asked for and what there is, at any prices; where a way meets a limit.

Prices are ``{"perps": {m: px}, "tokens": {k: px}}``. Requirements are added up band by band, and a
way's limit is found by halving to the last bit.
"""

from twin_account import held_at, marks_of
from twin_world import is_locked, pledge_of, portfolio_of, terms_of, units_since


def requirement(terms, kind, notional):
    """``initial`` or ``maintenance`` of a notional: each part of it at the rate of its band."""
    column = {"initial": 1, "maintenance": 2}[kind]
    bands = [(0.0, terms[f"{kind}_frac"])]
    bands += [(tier[0], tier[column]) for tier in terms.get("tiers", ())]
    ends = [band[0] for band in bands[1:]] + [float("inf")]
    asked = 0.0
    for (lower, rate), upper in zip(bands, ends, strict=True):
        if notional > lower:
            asked += (min(notional, upper) - lower) * rate
    return asked


def required(world, book, t, marks, kind):
    """What the positions at these prices ask for."""
    return sum(
        requirement(terms_of(world, t, m), kind, abs(book["position"][m]) * px)
        for m, px in marks.items()
    )


def pledged_value(world, book, t, a, prices, haircut="haircut"):
    """Pledged tokens of an account less haircuts, in its currency."""
    usd = 0.0
    for k, units in enumerate(book["pledged"][a]):
        if units != 0.0:
            if is_locked(world, t, k, "seize") and not world["settings"]["locked_counts"]:
                continue  # nobody could sell it
            usd += units * prices[k] * (1.0 - pledge_of(world, a, k)[haircut])
    return usd / world["cash_px"][a][t]


def value_at(world, book, t, a, prices, haircut="haircut"):
    """Margin value of an account; of one with portfolio margin a share of what is there counts.

    Not where margin for a new position is tested, by its own haircuts.
    """
    own = book["cash"][a]
    for m, px in prices["perps"].items():
        own += book["position"][m] * (px - book["entry"][m])
    pledged = pledged_value(world, book, t, a, prices["tokens"], haircut)
    told = portfolio_of(world, a)
    if told is None:
        return own + pledged
    pledged = min(pledged, told["cap"])
    if haircut == "initial_haircut":
        return own + pledged
    return told["counted"] * (pledged + own) if own > 0.0 else told["counted"] * pledged + own


def maintenance_at(world, book, t, a, marks):
    """What keeps the positions at these prices open, with the buffer of portfolio margin."""
    told = portfolio_of(world, a)
    held = any(book["position"][m] != 0.0 for m in marks)
    buffer = told["buffer"] if told is not None and held else 0.0
    return required(world, book, t, marks, "maintenance") + buffer


def slack(world, book, t, a, prices, share=1.0):
    """Margin value above a share of maintenance."""
    own = {m: px for m, px in prices["perps"].items() if book["position"][m] != 0.0}
    asked = maintenance_at(world, book, t, a, own)
    return value_at(world, book, t, a, {**prices, "perps": own}) - share * asked


def prices_now(world, book, t, a):
    """Marks and fair prices of the hour."""
    return {"perps": marks_of(world, book, a, t), "tokens": fair_prices(world, t)}


def fair_prices(world, t):
    return {k: token["fair"][t] for k, token in enumerate(world["tokens"])}


def start_prices(world, book, t, a):
    """Marks and fair prices of the hour before; a token that had none is where it ends.

    Where a split lies between, they are in units of this hour.
    """
    tokens = {}
    for k, token in enumerate(world["tokens"]):
        tokens[k] = token["fair"][t]
        if token["fair"][t - 1] is not None:
            units = units_since(world, t, len(world["perps"]) + k)
            tokens[k] = token["fair"][t - 1] / units
    marks = marks_of(world, book, a, t - 1)
    perps = {m: px / units_since(world, t, m) for m, px in marks.items()}
    return {"perps": perps, "tokens": tokens}


def end_prices(world, book, t, a):
    """The worst of the hour for an account, by the run's choice of paths."""
    held = held_at(world, book, a)
    if world["settings"]["margin_paths"] == "own_worst":
        perps = {
            m: world["perps"][m]["high" if book["position"][m] < 0.0 else "low"][t] for m in held
        }
        low = moved_tokens(world, t, "low")
        fair = fair_prices(world, t)
        tokens = {k: px if px is None else min(px, low[k]) for k, px in fair.items()}
        return {"perps": perps, "tokens": tokens}
    ends = [
        {
            "perps": {m: world["perps"][m][name][t] for m in held},
            "tokens": moved_tokens(world, t, name),
        }
        for name in ("high", "low", "mark")
    ]
    return min(ends, key=lambda end: slack(world, book, t, a, end))


def moved_tokens(world, t, name):
    """Fair prices moved with the perp each token is paired with, from mark to ``name``."""
    prices = fair_prices(world, t)
    for k, token in enumerate(world["tokens"]):
        perp = None if token["perp"] is None else world["perps"][token["perp"]]
        if prices[k] is not None and perp is not None and perp["mark"][t] is not None:
            prices[k] *= perp[name][t] / perp["mark"][t]
    return prices


def between(first, last, way):
    """Prices a share of the straight way from the first to the last."""
    made = {}
    for kind in ("perps", "tokens"):
        made[kind] = {
            n: px if px is None else first[kind][n] + way * (px - first[kind][n])
            for n, px in last[kind].items()
        }
    return made


def limit_of(left, low, high):
    """Where a quantity that is left at ``low`` is used up on the way to ``high``, bit by bit."""
    if left(low) <= 0.0:
        return low
    while True:
        middle = (low + high) / 2.0
        if middle in (low, high):
            return high
        if left(middle) < 0.0:
            high = middle
        else:
            low = middle


def liquidation_price(world, book, t, m):
    """Price of one perp, all else at mark, at which margin value meets maintenance."""
    account = world["perps"][m]["account"]
    now = prices_now(world, book, t, account)

    def left(px):
        return slack(world, book, t, account, {**now, "perps": {**now["perps"], m: px}})

    if book["position"][m] > 0.0:
        if left(0.0) >= 0.0:
            return None
        high = now["perps"][m]
        while left(high) < 0.0:
            high *= 2.0
        return limit_of(lambda px: left(-px), -high, 0.0) * -1.0
    if left(0.0) <= 0.0:
        return None
    high = now["perps"][m]
    while left(high) > 0.0:
        high *= 2.0
    return limit_of(left, 0.0, high)
