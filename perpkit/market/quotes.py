"""Which token quotes are prices, and the fair price of a token when its quote is none."""

from __future__ import annotations

import math

from perpkit.arrays import Settings, Tape, Tokens
from perpkit.rule import rule


@rule
def changed_lately(t: int, k: int, tape: Tape, hours: int) -> bool:
    """Whether bid or ask moved within the last hours; the first quote is not a move."""
    for row in range(t, max(t - hours, 0), -1):
        before_bid = tape.bid_px[row - 1, k]
        before_ask = tape.ask_px[row - 1, k]
        if math.isnan(before_bid) or math.isnan(before_ask):
            continue
        if tape.bid_px[row, k] != before_bid or tape.ask_px[row, k] != before_ask:
            return True
    return False


@rule
def is_live(t: int, k: int, tape: Tape, settings: Settings) -> bool:
    """Whether the quote of row ``t`` is a price one can trade at.

    Frozen weekend quotes are 1 bp to 15% wide with ``halted = false``, so width alone cannot tell:
    the issuer's session must be open and the quote must have moved.
    """
    bid = tape.bid_px[t, k]
    ask = tape.ask_px[t, k]
    if tape.token_stale[t, k] or not tape.quoted[t, k] or math.isnan(bid) or math.isnan(ask):
        return False
    if ask - bid > settings.max_quote_spread_frac * 0.5 * (ask + bid):
        return False
    return changed_lately(t, k, tape, settings.max_frozen_hours)


@rule
def carried_fair_px(t: int, k: int, tape: Tape, perp: int) -> float:
    """The last fair price moved with the oracle of the paired perp; before any, the quote's mid.

    A token that comes to stand for more shares is worth so much more.
    """
    mid = float(0.5 * (tape.bid_px[t, k] + tape.ask_px[t, k]))
    if t == 0 or math.isnan(tape.fair_px[t - 1, k]):
        return mid
    last = float(tape.fair_px[t - 1, k])
    shares = tape.multiplier[t, k]
    before = tape.multiplier[t - 1, k]
    if shares != before and not math.isnan(shares) and not math.isnan(before):
        last *= float(shares / before)
    if perp < 0 or math.isnan(tape.oracle_px[t - 1, perp]) or math.isnan(tape.oracle_px[t, perp]):
        return last
    return last * float(tape.oracle_px[t, perp] / tape.oracle_px[t - 1, perp])


@rule
def value_tokens(t: int, tape: Tape, tokens: Tokens, settings: Settings) -> None:
    """Live flag and fair price of every token at row ``t``."""
    for k in range(tape.bid_px.shape[1]):
        live = is_live(t, k, tape, settings)
        tape.live[t, k] = live
        if live:
            tape.fair_px[t, k] = 0.5 * (tape.bid_px[t, k] + tape.ask_px[t, k])
        else:
            tape.fair_px[t, k] = carried_fair_px(t, k, tape, tokens.perp[k])
