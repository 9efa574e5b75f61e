"""What a value of the rulebook may be."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import inf, isfinite
from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"
NONE: Final = "none"
CONFIDENCES: Final = ("verified", "documented", "reported", "assumed")
_LONGEST = 200  # of a text
_FURTHER_TIERS = 2  # a table of Hyperliquid's builders has three at most


class Key(NamedTuple):
    """One key of the rulebook."""

    unit: str
    meaning: str
    legal: str  # ends the sentence "must be ..."
    allows: Callable[[object], bool]
    group: str = ""


def fault(key: Key, value: object) -> str:
    """Why a value is not legal for a key, or "" where it is.

    >>> fault(fraction("fraction", "a share"), 5)
    'must be a number in [0, 1), not 5'
    >>> fault(fraction("fraction", "a share"), "unknown")
    ''
    """
    if value == UNKNOWN or key.allows(value):
        return ""
    return f"must be {key.legal}, not {value!r}"


# --------------------------------------------------------------------------- kinds of keys


def fraction(unit: str, meaning: str) -> Key:
    """A number in [0, 1)."""
    return Key(unit, meaning, "a number in [0, 1)", between(0, 1))


def signed(unit: str, meaning: str) -> Key:
    """A number in (-1, 1)."""
    return Key(unit, meaning, "a number in (-1, 1)", _signed)


def above_zero(unit: str, meaning: str) -> Key:
    """A number above 0."""
    return Key(unit, meaning, "a number above 0", _positive)


def whole(unit: str, meaning: str, low: int, high: int) -> Key:
    """A whole number between two bounds, both legal."""
    return Key(unit, meaning, f"a whole number from {low} to {high}", whole_number(low, high))


def word(meaning: str, *words: str) -> Key:
    """One of several words."""
    told = [f'"{one}"' for one in words]
    return Key(
        "", meaning, " or ".join(told), lambda value: isinstance(value, str) and value in words
    )


def text(meaning: str) -> Key:
    """A short text."""
    return Key("", meaning, f"a text of 1 to {_LONGEST} characters", _text)


def or_none(key: Key) -> Key:
    """The same key, for which there may be nothing: ``"none"``.

    >>> fault(or_none(fraction("", "")), "none")
    ''
    """
    return key._replace(
        legal=f'{key.legal} or "{NONE}"', allows=lambda value: value == NONE or key.allows(value)
    )


# --------------------------------------------------------------------------- checks


def between(low: float, high: float, *, to_high: bool = False) -> Callable[[object], bool]:
    """Whether a value is a number in [low, high), or with `to_high` in [low, high]."""

    def allows(value: object) -> bool:
        number = _number(value)
        return number is not None and (low <= number < high or (to_high and number == high))

    return allows


def whole_number(low: float, high: float) -> Callable[[object], bool]:
    """Whether a value is a whole number in [low, high]."""

    def allows(value: object) -> bool:
        number = _number(value)
        return number is not None and low <= number <= high and number == int(number)

    return allows


def divides_day(value: object) -> bool:
    """Whether a value is a whole number of hours that divides 24."""
    return whole_number(1, 24)(value) and 24 % int(_number(value) or 1) == 0


def currencies(value: object) -> bool:
    """Whether a value is one currency code or several, separated by commas.

    >>> currencies("USDC, USDT"), currencies("usdc"), currencies("USDe")
    (True, False, True)
    """
    codes = value.split(", ") if isinstance(value, str) else []
    return bool(codes) and all(c.isalnum() and c[0].isupper() and len(c) > 1 for c in codes)


def cutoff(value: object) -> bool:
    """Whether a value is a time of the day, up to its end, on the hour or within.

    >>> cutoff("16:00"), cutoff("24:00"), cutoff("24:01"), cutoff("9")
    (True, True, False, False)
    """
    if not isinstance(value, str) or len(value) != len("00:00") or value[2] != ":":
        return False
    hours, minutes = value[:2], value[3:]
    if not (hours.isdecimal() and minutes.isdecimal()) or int(minutes) > 59:
        return False
    return int(hours) * 60 + int(minutes) <= 24 * 60


def tick(value: object) -> bool:
    """Whether a value is the rule of five significant digits, or a tick in USD."""
    return value == "5_significant" or _positive(value)


def tiers(value: object) -> bool:
    """Whether a value is one or two further tiers, "notional from which: leverage", that rise.

    >>> tiers("150e6: 20"), tiers("1e6: 20, 5e6: 10"), tiers("5e6: 20, 1e6: 10"), tiers("1e6: 0")
    (True, True, False, False)
    """
    return bool(read_tiers(value))


def read_tiers(value: object) -> list[tuple[float, float]]:
    """Lower bound in USD and highest leverage of each further tier; empty where it is no table."""
    parts = [part.split(":") for part in value.split(",")] if isinstance(value, str) else []
    try:
        made = [(float(usd), float(leverage)) for usd, leverage in parts]
    except ValueError:
        return []
    rise = all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise([(0.0, inf), *made]))
    sound = all(isfinite(usd) and leverage >= 1 for usd, leverage in made)
    return made if 0 < len(made) <= _FURTHER_TIERS and rise and sound else []


def _number(value: object) -> float | None:
    """Read a finite number; None for text, for true and false, for NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) else None


def _signed(value: object) -> bool:
    number = _number(value)
    return number is not None and -1 < number < 1


def _positive(value: object) -> bool:
    number = _number(value)
    return number is not None and number > 0


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value == value.strip()
