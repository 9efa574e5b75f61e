"""Reads the rulebook: dated blocks of sourced values, checked while they load.

A file is named for its venue or issuer and holds

- ``[sources]``: short tag = public name or address;
- ``[[blocks]]``: a ``from`` date and the keys that change on it, the first block stating every key;
- ``[[coins]]`` (venues): the same for the coins in ``names``; in force, it wins over the blocks.

A value is ``{ value = ..., source = "TAG, TAG", confidence = "...", note = "..." }``, the note
being optional. A date without a time is 00:00 UTC.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from perpkit.errors import DataError, nearest
from perpkit.rulebook.keys import CONFIDENCES, ISSUER_KEYS, UNKNOWN, VENUE_KEYS, Key, fault
from perpkit.units import instant, to_ns

HOME: Final = Path(__file__).parent
_PARTS: Final = ("value", "source", "confidence")

Term = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Value:
    """One value with where it is from and how sure it is."""

    value: Term
    source: str
    confidence: str  # verified, documented, reported or assumed
    since_ns: int  # 0: holds undated
    place: str  # "venues/xyz.toml", "dataset.toml" or "run file"

    @property
    def known(self) -> bool:
        """Whether there is a value to use."""
        return self.value != UNKNOWN


Timeline = Mapping[str, tuple[Value, ...]]  # key -> values, ascending in time


@dataclass(frozen=True, slots=True, eq=False)
class Venue:
    """The dated terms of a venue and of its coins."""

    name: str
    title: str
    place: str
    first_ns: int  # of the first block; the venue has no terms before it
    blocks: Timeline
    coins: Mapping[str, Timeline]

    def at(self, key: str, when_ns: int, coin: str) -> Value:
        """Find the value in force at an instant.

        Raises
        ------
        DataError
            If there is no such key, or the instant lies before the venue's first block.
        """
        own = _in_force(self.coins.get(coin, {}).get(key, ()), when_ns)
        if own is not None:
            return own
        found = _in_force(_series(self.blocks, key, self.place), when_ns)
        if found is None:
            raise DataError(
                f"{self.place}: {key} of {coin} is not known on {day(when_ns)}, the file starts on "
                f"{day(self.first_ns)}; start the run then or later, or set terms.{key} in the "
                "run file"
            )
        return found

    def changes(self, coin: str, start_ns: int, end_ns: int) -> list[int]:
        """Instants in (start, end] from which another value, source or confidence holds."""
        lines = (self.blocks, self.coins.get(coin, {}))
        dates = {v.since_ns for line in lines for series in line.values() for v in series}
        return sorted(ns for ns in dates if start_ns < ns <= end_ns and self._changes_at(coin, ns))

    def _changes_at(self, coin: str, ns: int) -> bool:
        # A coin's own value hides what the venue's blocks change beneath it.
        if ns <= self.first_ns:
            return True
        return any(self.at(key, ns, coin) != self.at(key, ns - 1, coin) for key in self.blocks)


@dataclass(frozen=True, slots=True, eq=False)
class Issuer:
    """The dated terms of a token's issuer."""

    name: str
    title: str
    place: str
    first_ns: int
    blocks: Timeline

    def at(self, key: str, when_ns: int) -> Value:
        """Find the value in force at an instant.

        Raises
        ------
        DataError
            If there is no such key, or the instant lies before the issuer's first block.
        """
        found = _in_force(_series(self.blocks, key, self.place), when_ns)
        if found is None:
            raise DataError(
                f"{self.place}: {key} is not known on {day(when_ns)}, the file starts on "
                f"{day(self.first_ns)}; start the run then or later"
            )
        return found


def venue_names() -> list[str]:
    """Names of the venues in the rulebook."""
    return sorted(path.stem for path in (HOME / "venues").glob("*.toml"))


def issuer_names() -> list[str]:
    """Names of the issuers in the rulebook."""
    return sorted(path.stem for path in (HOME / "issuers").glob("*.toml"))


@cache
def load_venue(name: str) -> Venue:
    """Load the terms of a venue; a DataError says which venues there are."""
    if name not in venue_names():
        raise DataError(f"there is no venue {name} in the rulebook, {nearest(name, venue_names())}")
    return read_venue(HOME / "venues" / f"{name}.toml")


@cache
def load_issuer(name: str) -> Issuer:
    """Load the terms of an issuer; a DataError says which issuers there are."""
    if name not in issuer_names():
        raise DataError(
            f"there is no issuer {name} in the rulebook, {nearest(name, issuer_names())}"
        )
    return read_issuer(HOME / "issuers" / f"{name}.toml")


def read_venue(path: Path) -> Venue:
    """Read and check one venue's file."""
    file = _File(path, "venue", VENUE_KEYS)
    blocks = file.timeline("blocks")
    names = {name for block in file.table.get("coins", ()) for name in file.names(block)}
    coins = {name: file.timeline("coins", name) for name in sorted(names)}
    return Venue(path.stem, file.title, file.place, file.first_ns, blocks, coins)


def read_issuer(path: Path) -> Issuer:
    """Read and check one issuer's file."""
    file = _File(path, "issuer", ISSUER_KEYS)
    return Issuer(path.stem, file.title, file.place, file.first_ns, file.timeline("blocks"))


def day(ns: int) -> str:
    """Write an instant as messages do: the date alone when it is midnight UTC.

    >>> day(1_760_313_600_000_000_000)
    '2025-10-13'
    """
    moment = instant(ns)
    midnight = ns % 86_400_000_000_000 == 0
    return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%MZ")


def _in_force(series: tuple[Value, ...], when_ns: int) -> Value | None:
    row = bisect_right(series, when_ns, key=lambda value: value.since_ns)
    return series[row - 1] if row else None


def _series(line: Timeline, key: str, place: str) -> tuple[Value, ...]:
    if key not in line:
        raise DataError(f"{place}: there is no key {key}, {nearest(key, line)}")
    return line[key]


class _File:
    """One file on its way in: its table, and the checks that know where they are."""

    def __init__(self, path: Path, kind: str, keys: Mapping[str, Key]) -> None:
        self.place = path.relative_to(HOME).as_posix() if path.is_relative_to(HOME) else str(path)
        self.keys = keys
        try:
            self.table = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as err:
            self.refuse("the file", f"is not TOML, {err}; correct it")
        tables = ["blocks", "coins"] if kind == "venue" else ["blocks"]
        self.only(self.table, "the file", ["schema", kind, "title", "sources", *tables])
        if self.table.get("schema") != 1 or self.table.get(kind) != path.stem:
            self.refuse("the file", f'must say schema = 1 and {kind} = "{path.stem}"')
        for name in tables:
            if not isinstance(self.table.get(name, []), list):
                self.refuse(name, f"must be an array of tables; write [[{name}]]")
        self.title = str(self.table.get("title", path.stem))
        self.sources: dict[str, str] = self.table.get("sources", {})
        self.first_ns = self.check_blocks()

    def refuse(self, where: str, what: str) -> NoReturn:
        raise DataError(f"{self.place}: {where} {what}")

    def only(self, table: Mapping[str, Any], where: str, known: list[str]) -> None:
        for key in table:
            if key not in known:
                self.refuse(where, f"has the unknown key {key}, {nearest(key, known)}")

    def check_blocks(self) -> int:
        """Dates ascend and the first block is whole; the instant it starts at."""
        blocks = self.table.get("blocks", [])
        missing = [key for key in self.keys if not blocks or key not in blocks[0]]
        if missing:
            self.refuse("the first block", f'lacks {missing[0]}; state it, if only as "{UNKNOWN}"')
        dates = [self.since(block, f"block {n}") for n, block in enumerate(blocks, 1)]
        for n, (before, after) in enumerate(pairwise(dates), 2):
            if after <= before:
                self.refuse(f"block {n}", f"from {day(after)} must come later than the one before")
        return dates[0]

    def since(self, block: Mapping[str, Any], where: str) -> int:
        moment = block.get("from")
        if not isinstance(moment, date):
            self.refuse(where, "lacks a from date; write from = 2026-01-31")
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        return to_ns(moment)

    def names(self, block: Mapping[str, Any]) -> list[str]:
        names = block.get("names")
        if not (names and isinstance(names, list) and all(isinstance(n, str) for n in names)):
            self.refuse("a block of coins", 'lacks names; write names = ["xyz:NVDA"]')
        return names

    def timeline(self, table: str, coin: str | None = None) -> Timeline:
        """Values of each key in time; of a coin, those of the blocks that name it."""
        line: dict[str, list[Value]] = {}
        for n, block in enumerate(self.table.get(table, ()), 1):
            if coin is not None and coin not in self.names(block):
                continue
            where = f"block {n}" if coin is None else f"coins block {n} ({coin})"
            fixed = ["from"] if coin is None else ["from", "names"]
            for key, value in self.values(block, where, fixed):
                series = line.setdefault(key, [])
                if series and value.since_ns <= series[-1].since_ns:
                    self.refuse(where, f"must come later than the {key} stated before it")
                series.append(value)
        return {key: tuple(series) for key, series in line.items()}

    def values(
        self, block: Mapping[str, Any], where: str, fixed: list[str]
    ) -> Iterator[tuple[str, Value]]:
        since_ns = self.since(block, where)
        self.only(block, where, [*fixed, *self.keys])
        for key, entry in block.items():
            if key not in fixed:
                yield key, self.value(key, entry, f"{where}, {key},", since_ns)

    def value(self, key: str, entry: object, where: str, since_ns: int) -> Value:
        if not isinstance(entry, dict):
            self.refuse(where, "must be a table of value, source and confidence")
        self.only(entry, where, [*_PARTS, "note"])
        for part in _PARTS:
            if part not in entry:
                self.refuse(where, f"lacks {part}; a value needs {', '.join(_PARTS)}")
        if entry["confidence"] not in CONFIDENCES:
            self.refuse(where, f"confidence must be {' or '.join(CONFIDENCES)}")
        if problem := fault(self.keys[key], entry["value"]):
            self.refuse(where, problem)
        source = self.source(str(entry["source"]), where)
        if note := entry.get("note"):
            source = f"{source} ({note})"
        return Value(entry["value"], source, entry["confidence"], since_ns, self.place)

    def source(self, tags: str, where: str) -> str:
        """Resolve tags to public names."""
        names = []
        for tag in tags.split(", "):
            if tag not in self.sources:
                self.refuse(
                    where, f"source {tag} is not in [sources], {nearest(tag, self.sources)}"
                )
            names.append(self.sources[tag])
        return "; ".join(names)
