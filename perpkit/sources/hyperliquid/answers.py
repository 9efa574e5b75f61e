"""Reads the parts of an answer, and says which of them is not what it should be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from perpkit.errors import DataError


def fault(what: str, told: object) -> DataError:
    """Make the error of an answer that has another form than the API is known for."""
    text = " ".join(repr(told).split())
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return DataError(
        f"the answer holds {what} {shown}, which this perpkit cannot read; check --base-url, and "
        "whether this perpkit is the latest"
    )


def rows(answer: object, what: str) -> list[Mapping[str, Any]]:
    """The answer as a list of tables."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise fault(f"no list of {what} but", answer)
    return answer


def number(row: Mapping[str, Any], key: str) -> float:
    """A number, which the API writes as text.

    >>> number({"c": "329.55"}, "c"), number({"n": 38}, "n")
    (329.55, 38.0)
    """
    value = row.get(key)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            made = float(value)
        except ValueError:
            made = math.nan
        if math.isfinite(made):
            return made
    raise fault(f"as {key}", value)


def maybe(row: Mapping[str, Any], key: str) -> float | None:
    """A number, or None where the answer is silent or says null."""
    return None if row.get(key) is None else number(row, key)


def rate(row: Mapping[str, Any], key: str) -> float:
    """A rate or premium, a fraction below 1 in size."""
    made = number(row, key)
    if abs(made) >= 1:
        raise fault(f"as {key}", row.get(key))
    return made


def positive(row: Mapping[str, Any], key: str) -> float:
    """A price."""
    made = number(row, key)
    if made <= 0:
        raise fault(f"as {key}", row.get(key))
    return made


def moment(row: Mapping[str, Any], key: str) -> int:
    """An instant in milliseconds since 1970."""
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise fault(f"as {key}", value)
    return value


def text(row: Mapping[str, Any], key: str) -> str:
    """A text that is not empty."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise fault(f"as {key}", value)
    return value


def pairs(row: Mapping[str, Any], key: str) -> dict[str, float] | None:
    """A list of coins with a number each; None where the answer does not hold it.

    >>> pairs({"caps": [["xyz:NVDA", "5e7"]]}, "caps"), pairs({}, "caps")
    ({'xyz:NVDA': 50000000.0}, None)
    """
    if row.get(key) is None:
        return None
    told = row[key]
    sound = isinstance(told, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in told
    )
    if not sound:
        raise fault(f"as {key}", told)
    return {coin: number({key: value}, key) for coin, value in told}
