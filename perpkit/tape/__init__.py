"""The tape: a dataset laid on the hourly clock, with what the market forms from it.

Row ``t`` holds what is known at ``time_ns[t]``; targets decided at row ``t`` trade at ``t + 1``.
"""

from perpkit.tape.build import Laid, Market, complete, cut_before, form, lay, settings_of
from perpkit.tape.instruments import WALLET, Instruments

__all__ = [
    "WALLET",
    "Instruments",
    "Laid",
    "Market",
    "complete",
    "cut_before",
    "form",
    "lay",
    "settings_of",
]
