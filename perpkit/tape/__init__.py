"""The tape: a dataset laid on the hourly clock, with what the market forms from it.

Row ``t`` holds what is known at ``time_ns[t]``; targets decided at row ``t`` trade at ``t + 1``.
"""

from perpkit.tape.build import (
    Laid,
    Market,
    complete,
    cut_before,
    form,
    lay,
    settings_of,
    settles_over_hours,
)
from perpkit.tape.formula import has_swaps
from perpkit.tape.hours import sessions_unknown, sessions_used
from perpkit.tape.instruments import WALLET, Instruments

__all__ = [
    "WALLET",
    "Instruments",
    "Laid",
    "Market",
    "complete",
    "cut_before",
    "form",
    "has_swaps",
    "lay",
    "sessions_unknown",
    "sessions_used",
    "settings_of",
    "settles_over_hours",
]
