"""The vocabulary of the rulebook: every key with its unit, its meaning and what it may be.

``"unknown"`` is legal for every key and is no value: a run that needs it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"
NONE: Final = "none"
CONFIDENCES: Final = ("verified", "documented", "reported", "assumed")


class Key(NamedTuple):
    """One key of the rulebook."""

    unit: str
    meaning: str
    legal: str  # ends the sentence "must be ..."
    allows: Callable[[object], bool]


def _number(value: object) -> float | None:
    """Read a finite number; None for text, for true and false, for NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) else None


def _between(low: float, high: float, *, to_high: bool = False) -> Callable[[object], bool]:
    def allows(value: object) -> bool:
        number = _number(value)
        return number is not None and (low <= number < high or (to_high and number == high))

    return allows


def _whole(low: float, high: float) -> Callable[[object], bool]:
    def allows(value: object) -> bool:
        number = _number(value)
        return number is not None and low <= number <= high and number == int(number)

    return allows


def _signed(value: object) -> bool:
    number = _number(value)
    return number is not None and -1 < number < 1


def _divides_day(value: object) -> bool:
    return _whole(1, 24)(value) and 24 % int(_number(value) or 1) == 0


def _word(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _fraction_key(unit: str, meaning: str) -> Key:
    return Key(unit, meaning, "a number in [0, 1)", _between(0, 1))


def _signed_key(unit: str, meaning: str) -> Key:
    return Key(unit, meaning, "a number in (-1, 1)", _signed)


def _word_key(meaning: str, *words: str) -> Key:
    return Key("", meaning, " or ".join(f'"{word}"' for word in words), _word(*words))


def _backstop(value: object) -> bool:
    return value == NONE or _between(0, 1)(value)


_MIN_ORDER = Key("USD", "smallest order", "a number of at least 0", _between(0, float("inf")))

VENUE_KEYS: Final[Mapping[str, Key]] = {
    "interest_8h": _signed_key("fraction per 8 h", "interest I of the funding formula"),
    "clamp_8h": _fraction_key("fraction per 8 h", "bound c of interest minus premium"),
    "cap_1h": _fraction_key("fraction per settlement", "bound of the settled rate, both signs"),
    "funding_multiplier": Key(
        "", "factor m on the 8-hour rate", "a number in [0, 10]", _between(0, 10, to_high=True)
    ),
    "interval_hours": Key("hours", "time between settlements", "a divisor of 24", _divides_day),
    "premium": _word_key(
        "impact mid against oracle, or impact prices beyond the oracle only",
        "two_sided",
        "one_sided",
    ),
    "step_frac": _fraction_key("fraction", "furthest move of the oracle in one update"),
    "updates_per_hour": Key(
        "1/h", "updates of the oracle", "a whole number of at least 1", _whole(1, 3_600_000)
    ),
    "step_base": _word_key("the last price an update is measured from", "oracle", "mark"),
    "max_leverage": Key(
        "",
        "highest leverage; maintenance is half its margin",
        "a number in [1, 1000]",
        _between(1, 1000, to_high=True),
    ),
    "backstop_frac": Key(
        "fraction",
        "share of maintenance at which the venue takes the account over; none: it never does",
        'a number in [0, 1) or "none"',
        _backstop,
    ),
    "taker_frac": _fraction_key("fraction of notional", "taker fee, standard schedule"),
    "maker_frac": _signed_key("fraction of notional", "maker fee, negative for a rebate"),
    "growth_mode": Key(
        "",
        "whether growth_factor applies to the fees",
        "true or false",
        lambda value: isinstance(value, bool),
    ),
    "growth_factor": Key(
        "",
        "what growth mode multiplies the fees by",
        "a number in [0, 1]",
        _between(0, 1, to_high=True),
    ),
    "sz_decimals": Key(
        "decimals",
        "size is a multiple of 10^-sz_decimals units",
        "a whole number from 0 to 12",
        _whole(0, 12),
    ),
    "min_order_usd": _MIN_ORDER,
}

ISSUER_KEYS: Final[Mapping[str, Key]] = {
    "quote_session": _word_key(
        "when the token's quote is a price: always, outside the weekend, in the cash session",
        "24/7",
        "24/5",
        "cash",
    ),
    "trade_fee_frac": _fraction_key("fraction of notional", "fee of a trade besides the spread"),
    "min_order_usd": _MIN_ORDER,
    "dividends": _word_key("paid in cash, or reinvested in units per token", "cash", "multiplier"),
    "withholding_frac": _fraction_key("fraction of the dividend", "tax kept before the holder"),
}


def fault(key: Key, value: object) -> str:
    """Why a value is not legal for a key, or "" where it is.

    >>> fault(VENUE_KEYS["clamp_8h"], 5)
    'must be a number in [0, 1), not 5'
    >>> fault(VENUE_KEYS["clamp_8h"], "unknown")
    ''
    """
    if value == UNKNOWN or key.allows(value):
        return ""
    return f"must be {key.legal}, not {value!r}"
