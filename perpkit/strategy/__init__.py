"""Strategies: one plain Python file each, reached through one door.

>>> from perpkit.strategy import field, lots, rule
"""

from __future__ import annotations

from perpkit.rule import rule
from perpkit.strategy.helpers import (
    close_pair,
    equity_usd,
    fill_cost_frac,
    gross_usd,
    hysteresis,
    lots,
    open_pair,
    pair_cost_frac,
    room_usd,
    trailing_apr,
)
from perpkit.strategy.params import field

__all__ = [
    "close_pair",
    "equity_usd",
    "field",
    "fill_cost_frac",
    "gross_usd",
    "hysteresis",
    "lots",
    "open_pair",
    "pair_cost_frac",
    "room_usd",
    "rule",
    "trailing_apr",
]
