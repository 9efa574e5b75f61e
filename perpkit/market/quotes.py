"""Which token quotes are prices, and the fair price of a token when its quote is none."""

from __future__ import annotations

import math

from perpkit.arrays import F64, Settings, Tape, Tokens
from perpkit.rule import rule


@rule
def is_narrow(bid_px: float, ask_px: float, frac: float) -> bool:
    """Whether there is a quote and its spread is at most a fraction of its mid."""
    return ask_px - bid_px <= frac * 0.5 * (ask_px + bid_px)


@rule
def changed_lately(t: int, k: int, bid_px: F64, ask_px: F64, hours: int) -> bool:
    """Whether bid or ask moved within the last hours; the first quote is not a move."""
    for row in range(t, max(t - hours, 0), -1):
        before_bid = bid_px[row - 1, k]
        before_ask = ask_px[row - 1, k]
        if math.isnan(before_bid) or math.isnan(before_ask):
            continue
        if bid_px[row, k] != before_bid or ask_px[row, k] != before_ask:
            return True
    return False


@rule
def in_shares(fair_px: float, before: float, shares: float) -> float:
    """A fair price after the token has come to stand for more or fewer shares, USD."""
    if shares != before and not math.isnan(shares) and not math.isnan(before):
        return fair_px * float(shares / before)
    return fair_px


@rule
def carried(fair_px: float, before_px: float, oracle_px: float) -> float:
    """A fair price moved with the oracle; where either oracle is absent, as it was."""
    if math.isnan(before_px) or math.isnan(oracle_px):
        return fair_px
    return fair_px * float(oracle_px / before_px)


@rule
def value_tokens(t: int, tape: Tape, tokens: Tokens, settings: Settings) -> None:
    """Live flag and fair price of every token at row ``t``.

    A quote is live when the issuer's session is open, it is narrow, and it has moved lately:
    frozen weekend quotes are 1 bp to 15% wide with ``halted = false``, so width alone cannot tell.
    Else the last fair price goes with the oracle of the paired perp; before any, it is the mid.
    """
    held = tape.shares if tape.shares.shape[1] > 0 else tape.multiplier
    for k in range(tape.bid_px.shape[1]):
        bid = tape.bid_px[t, k]
        ask = tape.ask_px[t, k]
        live = tape.quoted[t, k] and not tape.token_stale[t, k]
        if live:
            live = is_narrow(bid, ask, settings.max_quote_spread_frac)
        if live:
            hours = settings.max_frozen_hours
            live = changed_lately(t, k, tape.bid_px, tape.ask_px, hours)
        tape.live[t, k] = live
        fair = 0.5 * (bid + ask)
        if not live and t > 0 and not math.isnan(tape.fair_px[t - 1, k]):
            before, shares = held[t - 1, k], held[t, k]
            fair = in_shares(tape.fair_px[t - 1, k], before, shares)
            perp = tokens.perp[k]
            if perp >= 0:
                fair = carried(fair, tape.oracle_px[t - 1, perp], tape.oracle_px[t, perp])
        tape.fair_px[t, k] = fair
