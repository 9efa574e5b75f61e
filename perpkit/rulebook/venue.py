"""A venue and an issuer: dated values, and which of them is in force."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from perpkit.errors import DataError, nearest
from perpkit.rulebook.keys import ISSUER_KEYS, UNKNOWN, VENUE_KEYS
from perpkit.units import instant

Term = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Value:
    """One value with where it is from and how sure it is."""

    value: Term
    source: str
    confidence: str  # verified, documented, reported or assumed
    since_ns: int  # 0: holds undated
    place: str  # "venues/xyz.toml", a file of the user's own, "dataset.toml" or "run file"

    @property
    def known(self) -> bool:
        """Whether there is a value to use."""
        return self.value != UNKNOWN


@dataclass(frozen=True, slots=True)
class End:
    """The end of a venue."""

    ns: int
    source: str
    confidence: str


Timeline = Mapping[str, tuple[Value, ...]]  # key -> values, ascending in time


@dataclass(frozen=True, slots=True, eq=False)
class Venue:
    """The dated terms of a venue and of its coins, laid over those of another file or of none."""

    name: str
    title: str
    place: str
    first_ns: int  # of the first whole block; the venue has no terms before it
    blocks: Timeline
    coins: Mapping[str, Timeline]
    closed: End | None = None
    base: Venue | None = None  # what this file leaves unsaid

    def find(self, key: str, when_ns: int, coin: str = "") -> Value | None:
        """Find the value in force at an instant; None before there is any.

        The coin's own value wins over the venue's, and all that this file says over its base.
        """
        own = in_force(self.coins.get(coin, {}).get(key, ()), when_ns)
        found = own or in_force(self.blocks.get(key, ()), when_ns)
        if found is None and self.base is not None:
            return self.base.find(key, when_ns, coin)
        return found

    def at(self, key: str, when_ns: int, coin: str = "") -> Value:
        """Find the value in force at an instant.

        Raises
        ------
        DataError
            If there is no such key, or the instant lies before the venue's first block.
        """
        if key not in VENUE_KEYS:
            raise DataError(f"{self.place}: there is no key {key}, {nearest(key, VENUE_KEYS)}")
        found = self.find(key, when_ns, coin)
        if found is None:
            of = f" of {coin}" if coin else ""
            raise DataError(
                f"{self.place}: {key}{of} is not known on {day(when_ns)}, the file starts on "
                f"{day(self.first_ns)}; start the run then or later, or the dataset where "
                "its prices are external: these are formed from its first row on, whatever --from"
            )
        return found

    def named(self) -> list[str]:
        """Coins with a word of their own, sorted."""
        return sorted({coin for venue in self.layers() for coin in venue.coins})

    def layers(self) -> Iterator[Venue]:
        """The files, the strongest first."""
        venue: Venue | None = self
        while venue is not None:
            yield venue
            venue = venue.base

    def dates(self, coin: str = "", keys: frozenset[str] | None = None) -> list[int]:
        """Instants at which a block of the venue or of the coin starts, or one with these keys."""
        lines = [line for v in self.layers() for line in (v.blocks, v.coins.get(coin, {}))]
        return sorted(
            {
                value.since_ns
                for line in lines
                for key, series in line.items()
                if keys is None or key in keys
                for value in series
            }
        )

    def own_dates(self, coin: str, key: str) -> list[int]:
        """Instants at which a block of the coin alone states a key."""
        lines = [venue.coins.get(coin, {}) for venue in self.layers()]
        return sorted({value.since_ns for line in lines for value in line.get(key, ())})


@dataclass(frozen=True, slots=True, eq=False)
class Issuer:
    """The dated terms of a token's issuer, laid over those of another file or of none."""

    name: str
    title: str
    place: str
    first_ns: int
    blocks: Timeline
    base: Issuer | None = None

    def find(self, key: str, when_ns: int) -> Value | None:
        """Find the value in force at an instant; None before there is any."""
        found = in_force(self.blocks.get(key, ()), when_ns)
        if found is not None:
            return found
        return None if self.base is None else self.base.find(key, when_ns)

    def at(self, key: str, when_ns: int) -> Value:
        """Find the value in force at an instant; unknown where the file is silent on the key.

        Raises
        ------
        DataError
            If there is no such key, or the instant lies before the issuer's first block.
        """
        if key not in ISSUER_KEYS:
            raise DataError(f"{self.place}: there is no key {key}, {nearest(key, ISSUER_KEYS)}")
        found = self.find(key, when_ns)
        if found is not None:
            return found
        if when_ns < self.first_ns:
            raise DataError(
                f"{self.place}: {key} is not known on {day(when_ns)}, the file starts on "
                f"{day(self.first_ns)}; start the run then or later"
            )
        return Value(UNKNOWN, "the file does not state it", "assumed", self.first_ns, self.place)

    def dates(self, key: str) -> list[int]:
        """Instants at which a value of the key starts, ascending."""
        below = self.base.dates(key) if self.base is not None else []
        return sorted({*below, *(value.since_ns for value in self.blocks.get(key, ()))})


def day(ns: int) -> str:
    """Write an instant as messages do: the date alone when it is midnight UTC.

    >>> day(1_760_313_600_000_000_000)
    '2025-10-13'
    """
    moment = instant(ns)
    midnight = ns % 86_400_000_000_000 == 0
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%MZ")


def in_force(series: tuple[Value, ...], when_ns: int) -> Value | None:
    """The last value that started at an instant or before it."""
    row = bisect_right(series, when_ns, key=lambda value: value.since_ns)
    return series[row - 1] if row else None
