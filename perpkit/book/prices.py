"""The prices of the hour, as the book uses them from here on."""

from __future__ import annotations

from perpkit.arrays import Perps, Settings, Tape, Tokens
from perpkit.rule import rule


@rule
def read_perps(t: int, tape: Tape, perps: Perps) -> None:
    """Take the prices of row ``t``; the mark they replace starts the margin test's path."""
    for m in range(perps.mark_px.shape[0]):
        perps.start_px[m] = perps.mark_px[m]
        perps.mark_px[m] = tape.mark_px[t, m]
        perps.mid_px[m] = tape.mid_px[t, m]
        perps.high_px[m] = tape.high_px[t, m]
        perps.low_px[m] = tape.low_px[t, m]
        perps.stale[m] = tape.stale[t, m]


@rule
def read_tokens(t: int, tape: Tape, tokens: Tokens, settings: Settings) -> None:
    """Take the quotes of row ``t``, and whether each can be traded."""
    for k in range(tokens.fair_px.shape[0]):
        tokens.fair_px[k] = tape.fair_px[t, k]
        tokens.bid_px[k] = tape.bid_px[t, k]
        tokens.ask_px[k] = tape.ask_px[t, k]
        tokens.multiplier[k] = tape.multiplier[t, k]
        frozen = not tape.halted[t, k] and not tape.token_stale[t, k]
        tokens.tradable[k] = tape.live[t, k] or (settings.trade_frozen_quotes == 1 and frozen)
