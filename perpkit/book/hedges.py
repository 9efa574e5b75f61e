"""The two legs of a hedge: which orders are, and what becomes of one without the other."""

from __future__ import annotations

import math

from perpkit.arrays import Perps, Settings, Tokens
from perpkit.rule import rule


@rule
def is_hedge(m: int, perps: Perps, tokens: Tokens, settings: Settings) -> bool:
    """Whether the orders of a perp and its token are two legs that move together."""
    if perps.order[m] == 0.0:  # as mostly
        return False
    k = perps.token[m]
    return settings.pair_together == 1 and k >= 0 and perps.order[m] * tokens.order[k] < 0.0


@rule
def drop_hedge(m: int, perps: Perps, tokens: Tokens, settings: Settings) -> None:
    """Cancel the token buy that was to hedge a short, held or wanted: alone it would be naked."""
    k = perps.token[m]
    short = perps.position[m] < 0.0 or perps.target[m] < 0.0
    paired = settings.pair_together == 1 and k >= 0 and short
    if paired and tokens.target[k] > tokens.units[k]:
        tokens.target[k] = math.nan
