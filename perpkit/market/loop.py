"""The market loop: one of the two compiled loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from numba import types

from perpkit.arrays import TERM, Axes, Records, Session, Settings, Tape, Tokens
from perpkit.market.funding import formula_rate, hours_covered, mean_premium, short_rate
from perpkit.market.hour import learn, restate, solve_hour
from perpkit.market.oracle import form_price, is_solved
from perpkit.market.premium import premium_of
from perpkit.market.quotes import value_tokens
from perpkit.rule import Entry, compile_cached, is_cached, numba_type, rule_sources

Loop = Callable[[Tape, Records, Tokens, Settings, int, int], None]

ALWAYS = int(Session.ALWAYS)
NEVER = int(Session.NEVER)


def form_market(
    tape: Tape, terms: Records, tokens: Tokens, settings: Settings, first: int, last: int
) -> None:
    """Fill rows ``first <= t < last`` of the tape's formed columns; earlier rows are its state.

    The tape is read and written here and the rules get records: each rule that takes the tape costs
    half a second to compile, and what it calls is compiled anew in it.
    """
    priced = tape.external_px.shape[1]
    rated = tape.by_formula.shape[1]
    for t in range(first, last):
        now = terms[tape.era[t]]
        for m in range(max(priced, rated)):
            term = now[m]
            bid = tape.impact_bid_px[t, m]
            ask = tape.impact_ask_px[t, m]
            if m < priced:
                path = tape.path[m]
                path.told_px = tape.external_px[t, m]
                path.bid_px = bid
                path.ask_px = ask
                path.mid_px = tape.mid_px[t, m]
                path.oracle_px = math.nan
                if t > 0:
                    path.oracle_px = tape.oracle_px[t - 1, m]
                    path.mark_px = tape.mark_px[t - 1, m]
                if m < tape.split_ratio.shape[1] and tape.split_ratio[t, m] != 1.0:
                    restate(path, tape.split_ratio[t, m])
                if is_solved(term):
                    learn(path, term, tape.era[t] + 1)
                    session = int(term.external_session)
                    opened = session == ALWAYS
                    turn = back = math.nan
                    if session not in (ALWAYS, NEVER):
                        opened = tape.opened[t, session]
                        turn = tape.first_frac[t, session]
                        back = tape.second_frac[t, session]
                    solve_hour(path, term, opened, turn, back)
                else:
                    form_price(path, term)
                tape.oracle_px[t, m] = path.oracle_px
                tape.mark_px[t, m] = path.mark_px
                tape.high_px[t, m] = path.high_px
                tape.low_px[t, m] = path.low_px
                tape.bound[t, m] = path.held == 1
                premium = path.premiums
            else:
                mark = tape.mark_px[t, m]
                premium = premium_of(tape.oracle_px[t, m], mark, bid, ask, term.two_sided)
            if math.isnan(tape.premium[t, m]):
                tape.premium[t, m] = premium
            if m < rated and tape.by_formula[t, m]:
                hours = hours_covered(t, m, tape.due, term.interval_hours)
                mean = mean_premium(t, m, tape.premium, hours)
                rate = formula_rate(mean, hours, tape.oracle_px[t, m], tape.mark_px[t, m], term)
                tape.funding[t, m] = rate
                if m < tape.short_funding.shape[1]:
                    tape.short_funding[t, m] = short_rate(rate, hours, term)
        value_tokens(t, tape, tokens, settings)


def is_compiled() -> bool:
    """Whether the compiled market loop is in the cache."""
    return is_cached(Entry("market", rule_sources()))


@lru_cache(maxsize=1)
def compiled() -> Loop:
    """The compiled market loop, from the cache where it is there."""
    signature: Any = types.void(
        numba_type(Tape),
        numba_type(Axes(TERM, ("E", "M"))),
        numba_type(Tokens),
        numba_type(Settings),
        types.int64,
        types.int64,
    )
    return compile_cached(form_market, signature, Entry("market", rule_sources()), counted=False)
