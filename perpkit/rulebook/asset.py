"""Dated values that some see otherwise: collateral, of venues; who may hold, of jurisdictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from perpkit.errors import DataError, nearest
from perpkit.rulebook.keys import COLLATERAL_KEYS
from perpkit.rulebook.legal import Key
from perpkit.rulebook.venue import Timeline, Value, day, in_force


@dataclass(frozen=True, slots=True, eq=False)
class Asset:
    """The dated terms of a token or product, laid over those of another file or of none."""

    name: str
    title: str
    place: str
    first_ns: int
    blocks: Timeline
    venues: Mapping[str, Timeline]  # what single venues, or jurisdictions, say otherwise
    base: Asset | None = None
    keys: Mapping[str, Key] = field(default_factory=lambda: COLLATERAL_KEYS)

    def find(self, key: str, when_ns: int, venue: str = "") -> Value | None:
        """Find the value in force at an instant; the venue's own wins, and this file over its base.

        None before there is any.
        """
        own = in_force(self.venues.get(venue, {}).get(key, ()), when_ns)
        found = own or in_force(self.blocks.get(key, ()), when_ns)
        if found is None and self.base is not None:
            return self.base.find(key, when_ns, venue)
        return found

    def at(self, key: str, when_ns: int, venue: str = "") -> Value:
        """Find the value in force at an instant.

        Raises
        ------
        DataError
            If there is no such key, or the instant lies before the first block.
        """
        if key not in self.keys:
            raise DataError(f"{self.place}: there is no key {key}, {nearest(key, self.keys)}")
        found = self.find(key, when_ns, venue)
        if found is None:
            raise DataError(
                f"{self.place}: {key} is not known on {day(when_ns)}, the file starts on "
                f"{day(self.first_ns)}; start the run then or later, or state it in a file of "
                "your own"
            )
        return found

    def over(self, key: str, span_ns: tuple[int, int], venue: str = "") -> list[Value]:
        """Values in force from one instant to another, ascending in time; errors as :meth:`at`."""
        first, last = span_ns
        lines = [line for a in self.layers() for line in (a.blocks, a.venues.get(venue, {}))]
        dates = {value.since_ns for line in lines for value in line.get(key, ())}
        within = [first, *sorted(ns for ns in dates if first < ns <= last)]
        return list(dict.fromkeys(self.at(key, ns, venue) for ns in within))

    def named(self) -> list[str]:
        """Venues, or jurisdictions, with a word of their own, sorted."""
        return sorted({venue for asset in self.layers() for venue in asset.venues})

    def layers(self) -> Iterator[Asset]:
        """The files, the strongest first."""
        asset: Asset | None = self
        while asset is not None:
            yield asset
            asset = asset.base
