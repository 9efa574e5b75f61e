"""What many strategies need: whole lots, trailing funding, hysteresis, and pairs opened and closed.

Each is a rule: it runs in plain Python, and compiled where ``decide`` is.

>>> from perpkit.strategy import hysteresis, lots
>>> lots(-1.26, 10.0), hysteresis(True, 0.05, 0.10, 0.02)
(-1.3, True)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from perpkit.arrays import Past, Target, View
from perpkit.rule import rule

HOURS_A_YEAR = 8760.0


@rule
def lots(units: float, lots_per_unit: float) -> float:
    """Units rounded to the nearest whole lot, the sign kept; NaN stays NaN.

    Parameters
    ----------
    units : signed
    lots_per_unit : lots in a unit, ``book.perps[m].lots_per_unit``

    >>> lots(0.26, 10.0), lots(-0.26, 10.0), lots(0.04, 10.0)
    (0.3, -0.3, 0.0)
    """
    whole = math.inf
    if not math.isinf(units):
        whole = np.floor(abs(units) * lots_per_unit + 0.5) / lots_per_unit
    return float(-whole if units < 0.0 else whole)


@rule
def trailing_apr(past: Past, m: int, hours: int) -> float:
    """Average settled funding of the last hours, a year, simple; NaN before there are as many.

    Parameters
    ----------
    past : the market up to now
    m : number of the perp
    hours : how many, now included
    """
    total = past.funding_total
    if hours < 1 or len(total) <= hours:
        return math.nan
    return float((total[-1, m] - total[-1 - hours, m]) * HOURS_A_YEAR / hours)


@rule
def hysteresis(on: bool, value: float, enter: float, leave: float) -> bool:
    """Whether to be on: turned on above ``enter``, off below ``leave``, else as it was.

    A value that is NaN changes nothing.

    >>> hysteresis(False, 0.05, 0.10, 0.02), hysteresis(True, 0.01, 0.10, 0.02)
    (False, False)
    """
    if on:
        return not value < leave
    return value > enter


@rule
def equity_usd(book: View) -> float:
    """Equity of all accounts, USD: cash, unrealised profit and tokens at fair price."""
    total = 0.0
    for a in range(len(book.accounts)):
        total += book.accounts[a].equity_usd
    return float(total)


@rule
def gross_usd(book: View) -> float:
    """Sum of the perps' notionals at mark, long and short alike, USD."""
    total = 0.0
    for m in range(len(book.perps)):
        perp = book.perps[m]
        if perp.position != 0.0:  # the mark of a coin that is not listed is NaN
            total += abs(perp.position) * perp.mark_px
    return float(total)


@rule
def fill_cost_frac(past: Past, book: View, m: int, usd: float) -> float:
    """What a fill of a perp costs, fraction of it: ``cost_frac`` and the impact of its size.

    NaN where impact needs a volume that is not known.

    Parameters
    ----------
    past : the market up to now
    book : the account
    m : number of the perp
    usd : size, USD
    """
    perp = book.perps[m]
    if perp.impact_coefficient == 0.0:
        return float(perp.cost_frac)
    volume = past.volume_usd[-1, m]
    if not volume > 0.0:
        return math.nan
    return float(perp.cost_frac + perp.impact_coefficient * math.sqrt(usd / volume))


@rule
def pair_cost_frac(past: Past, book: View, m: int, usd: float) -> float:
    """What opening a pair costs, or closing it, as shown in this hour; a round trip is twice that.

    Both legs: fees, half-spreads, the run's slippage, the token's friction, and what size adds: the
    run's impact on the perp, and a pool's on the token, the mean of a purchase and a sale. NaN for
    a perp without a token, without a quote, and where impact needs a volume that is not known; inf
    where a pool does not hold as much.

    Parameters
    ----------
    past : the market up to now
    book : the account
    m : number of the perp
    usd : size of a leg, USD
    """
    if book.perps[m].token < 0:
        return math.nan
    token = book.tokens[book.perps[m].token]
    taken = usd * token.impact_per_usd
    if not taken < 1.0:
        return math.inf
    return float(fill_cost_frac(past, book, m, usd) + token.cost_frac + taken / (1.0 - taken**2))


@rule
def room_usd(book: View, mine: Any, notional_usd: float, max_gross_frac: float) -> float:
    """Notional that a limit on the perps' sum still allows, USD; less than 0 where it is passed.

    A position that is wanted, ``mine[m].on``, and waits for its fill counts whole.

    Parameters
    ----------
    book : the account
    mine : memory, with a field ``on`` a perp
    notional_usd : of one position, USD
    max_gross_frac : limit, fraction of equity
    """
    gross = 0.0
    for m in range(len(book.perps)):
        held = 0.0
        if book.perps[m].position != 0.0:
            held = abs(book.perps[m].position) * book.perps[m].mark_px
        gross += max(held, notional_usd) if mine[m].on else held
    return float(max_gross_frac * equity_usd(book) - gross)


@rule
def open_pair(target: Target, book: View, m: int, units: float) -> None:
    """Ask for a neutral pair: the perp short, its token long by as many units of the share.

    Does nothing for a perp without a token.

    Parameters
    ----------
    target : what to hold
    book : the account
    m : number of the perp
    units : of the share, not negative; see :func:`lots`
    """
    k = book.perps[m].token
    if k >= 0:
        target.perps[m] = -units
        target.tokens[k] = units / book.tokens[k].multiplier


@rule
def close_pair(target: Target, book: View, m: int) -> None:
    """Ask for neither leg of a pair: the perp flat, and its token sold where it has one."""
    target.perps[m] = 0.0
    k = book.perps[m].token
    if k >= 0:
        target.tokens[k] = 0.0
