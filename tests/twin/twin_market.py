"""A slow market in plain Python: oracle, mark, premium and rate of perps, live and fair of tokens.

Prices are lists with one entry an hour, ``None`` where absent; ``terms[t]`` is the dict of terms in
force at hour ``t``.
"""

import math

import twin_path


def form_perp(perp, terms):
    """Oracle, mark, premium, bound flags and rates of a perp.

    A perp with ``external`` prices has its oracle and mark formed; one without has them recorded.
    """
    hours = len(terms)
    made = {
        "oracle": list(perp["oracle"]),
        "mark": list(perp["mark"]),
        "premium": list(perp["premium"]),
        "funding": list(perp["funding"]),
        "short": list(perp["funding"]),
        "bound": [False] * hours,
        "high": [None] * hours,
        "low": [None] * hours,
    }
    state = twin_path.new_state()
    for t in range(hours):
        before = {"oracle": None, "mark": None}
        if t > 0:
            before = {"oracle": made["oracle"][t - 1], "mark": made["mark"][t - 1]}
        if perp["external"] is not None and is_solved(terms[t]):
            if not follow(perp, t, before, state, terms, made):
                continue
            path = marks = ()
        elif perp["external"] is not None and perp["external"][t] is not None:
            twin_path.plain_hour(perp["external"][t], state)
            path = oracle_path(perp["external"][t], before, terms[t])
            made["oracle"][t] = path[-1]
            made["bound"][t] = path[-1] != perp["external"][t]
            marks = mark_path(perp, t, path, before, terms[t])
            made["mark"][t] = marks[-1]
        elif perp["external"] is None and perp["oracle"][t] is not None:
            path, marks = [perp["oracle"][t]], [perp["mark"][t]]
        else:
            continue
        if made["premium"][t] is None:
            pairs = zip(path, marks, strict=True)
            parts = [premium_of(perp, t, oracle, mark, terms[t]) for oracle, mark in pairs]
            made["premium"][t] = sum(parts) / len(parts)
        if perp["by_formula"][t]:
            hours = hours_since(perp, t, terms[t])
            made["funding"][t], made["short"][t] = rates_of(made, t, hours, terms[t])
    return made


def is_solved(terms):
    """Whether the terms ask for more than the plain step limits."""
    return (
        (terms["oracle_closed"] != "external" and terms["session"] != "always")
        or terms["mark_rule"] == "median"
        or terms["bound_frac"] is not None
    )


def follow(perp, t, before, state, terms, made):
    """Prices of an hour of updates; False before the coin has any."""
    priced = perp["external"][t] is not None
    if terms[t]["session"] == "never":
        priced = book_mid(perp, t) is not None
    if before["oracle"] is None and not priced:
        return False
    oracles, marks, premiums = twin_path.hour(perp, t, before, state, terms[t])
    made["oracle"][t], made["mark"][t] = oracles[-1], marks[-1]
    made["high"][t], made["low"][t] = max(marks), min(marks)
    made["bound"][t] = state["open"] and oracles[-1] != perp["external"][t]
    if made["premium"][t] is None:
        made["premium"][t] = math.fsum(premiums) / len(premiums)
    return True


def within(px, base, step, updates):
    """A price held within so many steps of a base."""
    return min(max(px, base * (1.0 - step) ** updates), base * (1.0 + step) ** updates)


def oracle_path(external, before, terms):
    """The oracle after each of the hour's updates, the external price standing all hour."""
    updates = int(terms["updates_per_hour"])
    base = before["mark"] if terms["step_on_mark"] else before["oracle"]
    if base is None:
        return [external] * updates
    return [within(external, base, terms["step_frac"], i) for i in range(1, updates + 1)]


def book_mid(perp, t):
    """Mid of the perp's book: recorded, else between the impact prices."""
    if perp["mid"][t] is not None:
        return perp["mid"][t]
    bid, ask = perp["impact_bid"][t], perp["impact_ask"][t]
    return None if bid is None or ask is None else 0.5 * (bid + ask)


def mark_path(perp, t, oracles, before, terms):
    """The book's mid within the step limit of the last mark; without a book the oracle."""
    mid = book_mid(perp, t)
    if mid is None:
        return list(oracles)
    if before["mark"] is None:
        return [mid] * len(oracles)
    steps = range(1, len(oracles) + 1)
    return [within(mid, before["mark"], terms["step_frac"], i) for i in steps]


def premium_of(perp, t, oracle, mark, terms):
    bid, ask = perp["impact_bid"][t], perp["impact_ask"][t]
    if bid is None or ask is None:
        return mark / oracle - 1.0
    if terms["two_sided"]:
        return 0.5 * (bid + ask) / oracle - 1.0
    return (max(bid - oracle, 0.0) - max(oracle - ask, 0.0)) / oracle


def hours_since(perp, t, terms):
    """Hours from the last settlement, or an interval where there was none within a day."""
    before = [row for row in range(max(t - 24, 0), t) if perp["due"][row]]
    return t - before[-1] if before else int(terms["interval_hours"])


def rates_of(made, t, hours, terms):
    """What a long pays and what a short receives, for the hours that a settlement covers."""
    if terms["funding_formula"] == "cfd_swap":
        return terms["swap_long_1d"] * hours / 24.0, -terms["swap_short_1d"] * hours / 24.0
    known = [p for p in made["premium"][max(t - hours + 1, 0) : t + 1] if p is not None]
    premium = sum(known) / len(known)
    multiplier = terms["funding_multiplier"]
    if terms["funding_formula"] == "ventuals":
        gap = abs(made["mark"][t] / made["oracle"][t] - 1.0) / terms["funding_gap_frac"]
        multiplier *= 400.0 ** min(gap**6, 100.0)  # the cap is reached long before
    pull = clip(terms["interest_8h"] - premium, terms["clamp_8h"])
    rate = clip(multiplier * (premium + pull) / 8.0 * hours, terms["cap_1h"])
    return rate, rate


def clip(number, bound):
    return min(max(number, -bound), bound)


# ------------------------------------------------------------------ tokens


def form_token(token, oracle, settings):
    """Live flags and fair prices; ``oracle`` is that of the perp it is paired with, or ``None``."""
    live, fair = [], []
    for t in range(len(token["bid"])):
        live.append(is_live(token, t, settings))
        if live[t] or t == 0 or fair[t - 1] is None:
            fair.append(mid_of(token, t))
        else:
            shares, before = token["multiplier"][t], token["multiplier"][t - 1]
            fair.append(carried(fair[t - 1], oracle, t) * (shares / before))
    return live, fair


def mid_of(token, t):
    return None if token["bid"][t] is None else 0.5 * (token["bid"][t] + token["ask"][t])


def is_live(token, t, settings):
    if not token["quoted"][t] or token["stale"][t] or token["bid"][t] is None:
        return False
    spread = (token["ask"][t] - token["bid"][t]) / mid_of(token, t)
    if spread > settings["max_quote_spread_frac"]:
        return False
    first = max(t - settings["max_frozen_hours"] + 1, 1)
    return any(changed(token, row) for row in range(first, t + 1))


def changed(token, t):
    """Whether bid or ask differ from the row before; a first quote is not a change."""
    if token["bid"][t - 1] is None or token["bid"][t] is None:
        return False
    now, last = (token["bid"][t], token["ask"][t]), (token["bid"][t - 1], token["ask"][t - 1])
    return now != last


def carried(fair, oracle, t):
    """The fair price of the hour before, moved with the oracle."""
    if oracle is None or oracle[t] is None or oracle[t - 1] is None:
        return fair
    return fair * oracle[t] / oracle[t - 1]
