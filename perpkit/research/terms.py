"""The rulebook's terms at the times of recorded rows, unknown ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, I64
from perpkit.rulebook import CoinTerms, Rulebook, Value
from perpkit.rulebook.keys import CONFIDENCES, NONE
from perpkit.rulebook.overrides import stated_terms

SURE: Final = ("verified", "documented")


class Era(NamedTuple):
    """Rows over which the same values hold."""

    rows: B8  # (R,)
    values: Mapping[str, Value | None]  # None: the rulebook has no word for that day

    def lacking(self) -> list[str]:
        """Keys without a value to use."""
        return [key for key, value in self.values.items() if value is None or not value.known]

    def number(self, key: str, none: float = float("nan")) -> float:
        """A known value as a number; "none" as told."""
        value = self.values[key]
        if value is None or value.value == NONE:
            return none
        return float(value.value)

    def word(self, key: str) -> str:
        """A known value as a word."""
        value = self.values[key]
        return "" if value is None else str(value.value)

    def confidence(self, keys: Iterable[str]) -> str:
        """The weakest confidence of some known values."""
        told = [value.confidence for key in keys if (value := self.values[key]) is not None]
        return max(told, key=CONFIDENCES.index)


def eras(coin: CoinTerms, keys: Iterable[str], time_ns: I64, book: Rulebook) -> Iterator[Era]:
    """Cut rows by what the rulebook and the dataset say of some keys.

    Parameters
    ----------
    coin : name, venue and what the dataset overrides
    keys : of the rulebook
    time_ns : (R,) instants, ascending
    book : the rulebook

    Raises
    ------
    DataError
        If the rulebook has no such venue, or the dataset's word is not legal.
    """
    wanted = frozenset(keys)
    venue = book.venue(coin.venue)
    (stated,) = stated_terms([coin], {})
    starts = np.array([0, *(ns for ns in venue.dates(coin.coin, wanted) if ns > 0)], np.int64)
    era = np.searchsorted(starts, time_ns, side="right") - 1
    before: Era | None = None
    for number in np.unique(era):
        when = int(starts[number])
        values = {key: stated.get(key) or venue.find(key, when, coin.coin) for key in wanted}
        rows: B8 = era == number
        if before is not None and before.values == values:
            before = Era(before.rows | rows, values)
            continue
        if before is not None:
            yield before
        before = Era(rows, values)
    if before is not None:
        yield before
