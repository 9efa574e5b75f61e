"""Reads the rulebook: dated blocks of sourced values, checked while they load.

A file is named for its venue, issuer, token or product and holds

- ``[sources]``: short tag = public name or address;
- ``[[blocks]]``: a ``from`` date and the keys that change on it, the first block stating every key;
- ``[[coins]]`` (venues): the same for the coins in ``names``; in force, it wins over the blocks;
- ``[[venues]]`` (collateral): the same for the venues in ``names``;
- ``[[jurisdictions]]`` (eligibility): the same for the jurisdictions in ``names``;
- ``closed`` (venues): the date the venue ended on, with its source and confidence.

A value is ``{ value = ..., source = "TAG, TAG", confidence = "...", note = "..." }``, the note
being optional. A date without a time is 00:00 UTC. A file of the user's own may state less: it is
laid over the file of the same venue or issuer, and what it states wins from its date on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NoReturn

from perpkit.errors import DataError, nearest
from perpkit.rulebook.asset import Asset
from perpkit.rulebook.consistency import LINKED, inconsistencies
from perpkit.rulebook.issuing import ELIGIBILITY_KEYS, ISSUER_KEYS, ISSUER_NEEDED, JURISDICTIONS
from perpkit.rulebook.keys import COLLATERAL_KEYS, VENUE_KEYS
from perpkit.rulebook.legal import CONFIDENCES, UNKNOWN, Key, fault
from perpkit.rulebook.venue import End, Issuer, Timeline, Value, Venue, day
from perpkit.units import to_ns

HOME: Final = Path(__file__).parent
_PARTS: Final = ("value", "source", "confidence")
KEYS: Final[Mapping[str, Mapping[str, Key]]] = {
    "venue": VENUE_KEYS,
    "issuer": ISSUER_KEYS,
    "collateral": COLLATERAL_KEYS,
    "eligibility": ELIGIBILITY_KEYS,
}
# What the first block may leave out, which is then unknown.
_SILENT: Final = {"issuer": frozenset(ISSUER_KEYS) - ISSUER_NEEDED}
# The table, and the word for its rows, of what some names of a file say otherwise.
_NAMED: Final = {
    "venue": ("coins", "xyz:NVDA"),
    "collateral": ("venues", "kraken"),
    "eligibility": ("jurisdictions", "US"),
}
Subject = Venue | Issuer | Asset


def read_venue(path: Path, base: Venue | None = None, name: str = "") -> Venue:
    """Read and check one venue's file.

    Parameters
    ----------
    path : the file
    base : terms of the same venue that the file is laid over; none: it must be whole
    name : what the file must say it is; default its own name

    Raises
    ------
    DataError
        With the place in the file, what is wrong and what to write.
    """
    file = _File(path, "venue", base, name)
    blocks = file.timeline("blocks")
    names = {name for block in file.table.get("coins", ()) for name in file.names(block)}
    coins = {name: file.timeline("coins", name) for name in sorted(names)}
    closed = file.closed()
    if base is not None:
        closed = closed or base.closed
        _check_names(names, base, file)
    venue = Venue(file.name, file.title, file.where, file.first_ns, blocks, coins, closed, base)
    _check_links(venue, file)
    return venue


def read_issuer(path: Path, base: Issuer | None = None, name: str = "") -> Issuer:
    """Read and check one issuer's file; as :func:`read_venue`."""
    file = _File(path, "issuer", base, name)
    return Issuer(file.name, file.title, file.where, file.first_ns, file.timeline("blocks"), base)


def read_collateral(path: Path, base: Asset | None = None, name: str = "") -> Asset:
    """Read and check one token's file; as :func:`read_venue`."""
    file = _File(path, "collateral", base, name)
    venues = {one for block in file.table.get("venues", ()) for one in file.names(block)}
    apart = {one: file.timeline("venues", one) for one in sorted(venues)}
    blocks = file.timeline("blocks")
    return Asset(file.name, file.title, file.where, file.first_ns, blocks, apart, base)


def read_eligibility(path: Path, base: Asset | None = None, name: str = "") -> Asset:
    """Read and check who may hold or trade one product; as :func:`read_venue`."""
    file = _File(path, "eligibility", base, name)
    told = {one for block in file.table.get("jurisdictions", ()) for one in file.names(block)}
    for one in sorted(told - JURISDICTIONS.keys()):
        file.refuse("a block of jurisdictions", f"names {one}, {nearest(one, JURISDICTIONS)}")
    apart = {one: file.timeline("jurisdictions", one) for one in sorted(told)}
    told_by = (file.name, file.title, file.where, file.first_ns, file.timeline("blocks"))
    return Asset(*told_by, apart, base, ELIGIBILITY_KEYS)


def read_table(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    DataError
        If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror}); check the path") from err
    except UnicodeDecodeError as err:
        raise DataError(f"{path}: the file is not UTF-8 text; save it as UTF-8") from err
    except tomllib.TOMLDecodeError as err:
        raise DataError(f"{_where(path)}: the file is not TOML, {err}; correct it") from err


def _where(path: Path) -> str:
    return path.relative_to(HOME).as_posix() if path.is_relative_to(HOME) else str(path)


def _check_names(names: set[str], base: Venue, file: _File) -> None:
    """Refuse a coin without the prefix that all coins of the venue have: it would never be met."""
    prefix = f"{base.name}:"
    known = base.named()
    if known and all(coin.startswith(prefix) for coin in known):
        for coin in sorted(names):
            if not coin.startswith(prefix):
                file.refuse("a block of coins", f"names {coin}; write {prefix}{coin}")


def _check_links(venue: Venue, file: _File) -> None:
    """Refuse values that do not go together, at any date, for the venue or for a coin."""
    # Without a word on the venue itself, the coins that the file does not name are as they were.
    apart = venue.base is not None and not venue.blocks
    for coin in sorted(venue.coins) if apart else ("", *venue.named()):
        if coin and not any(LINKED & v.coins.get(coin, {}).keys() for v in venue.layers()):
            continue
        for ns in venue.dates(coin, LINKED):
            found = {key: venue.find(key, ns, coin) for key in LINKED}
            told = {k: UNKNOWN if v is None else v.value for k, v in found.items()}
            for key, problem in inconsistencies(told):
                of = f" of {coin}" if coin else ""
                file.refuse(f"{key}{of}", f"{problem}, on {day(ns)}; state both")


class _File:
    """One file on its way in: its table, and the checks that know where they are."""

    def __init__(self, path: Path, kind: str, base: Subject | None, name: str) -> None:
        self.where = _where(path)
        # Of the user's own files the name alone: results say it, and they may travel.
        self.place = self.where if path.is_relative_to(HOME) else path.name
        self.keys = KEYS[kind]
        self.silent: frozenset[str] = _SILENT.get(kind, frozenset())
        self.table = read_table(path)
        self.named, self.example = _NAMED.get(kind, ("", ""))
        tables = ["blocks", self.named] if self.named else ["blocks"]
        known = ["schema", kind, "title", "sources", *tables]
        self.only(self.table, "the file", [*known, "closed"] if kind == "venue" else known)
        self.name = name or path.stem
        if self.table.get("schema") != 1 or self.table.get(kind) != self.name:
            self.refuse("the file", f'must say schema = 1 and {kind} = "{self.name}"')
        for array in tables:
            if not isinstance(self.table.get(array, []), list):
                self.refuse(array, f"must be an array of tables; write [[{array}]]")
        self.title = str(self.table.get("title", self.name if base is None else base.title))
        self.sources: dict[str, str] = self.table.get("sources", {})
        for tag, source in self.sources.items():
            if not isinstance(source, str):
                self.refuse("sources", f"{tag} must be a text, a public name or an address")
        self.first_ns = self.check_blocks(base)

    def refuse(self, where: str, what: str) -> NoReturn:
        raise DataError(f"{self.where}: {where} {what}")

    def only(self, table: Mapping[str, Any], where: str, known: list[str]) -> None:
        for key in table:
            if key not in known:
                self.refuse(where, f"has the unknown key {key}, {nearest(key, known)}")

    def check_blocks(self, base: Subject | None) -> int:
        """Dates ascend and, without a base, the first block is whole; the instant it starts at."""
        blocks = self.table.get("blocks", [])
        needed = [key for key in self.keys if key not in self.silent]
        missing = [key for key in needed if not blocks or key not in blocks[0]]
        if missing and base is None:
            self.refuse("the first block", f'lacks {missing[0]}; state it, if only as "{UNKNOWN}"')
        dates = [self.since(block, f"block {n}") for n, block in enumerate(blocks, 1)]
        for n, (before, after) in enumerate(pairwise(dates), 2):
            if after <= before:
                self.refuse(f"block {n}", f"from {day(after)} must come later than the one before")
        if base is None:
            return dates[0]
        return base.first_ns if missing else min(base.first_ns, dates[0])

    def since(self, block: Mapping[str, Any], where: str) -> int:
        moment = block.get("from")
        if not isinstance(moment, date):
            self.refuse(where, "lacks a from date; write from = 2026-01-31")
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        return to_ns(moment)

    def closed(self) -> End | None:
        """The end of the venue, where the file states one."""
        entry = self.table.get("closed")
        if entry is None:
            return None
        if not isinstance(entry, dict):
            self.refuse("closed", "must be a table of from, source and confidence")
        ns = self.since(entry, "closed")
        told = {name: part for name, part in entry.items() if name != "from"}
        source, confidence = self.vouched(told, "closed", ("source", "confidence"))
        if ns <= self.first_ns:
            self.refuse("closed", f"from {day(ns)} must come later than the first block")
        return End(ns, source, confidence)

    def names(self, block: Mapping[str, Any]) -> list[str]:
        names = block.get("names")
        if not (names and isinstance(names, list) and all(isinstance(n, str) for n in names)):
            self.refuse(
                f"a block of {self.named}", f'lacks names; write names = ["{self.example}"]'
            )
        return names

    def timeline(self, table: str, coin: str | None = None) -> Timeline:
        """Values of each key in time; of a coin, those of the blocks that name it."""
        line: dict[str, list[Value]] = {}
        for n, block in enumerate(self.table.get(table, ()), 1):
            if coin is not None and coin not in self.names(block):
                continue
            where = f"block {n}" if coin is None else f"{table} block {n} ({coin})"
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
        source, confidence = self.vouched(entry, where, _PARTS)
        if problem := fault(self.keys[key], entry["value"]):
            self.refuse(where, problem)
        return Value(entry["value"], source, confidence, since_ns, self.place)

    def vouched(
        self, entry: Mapping[str, Any], where: str, parts: tuple[str, ...]
    ) -> tuple[str, str]:
        """Source and confidence of an entry that has these parts and no other but a note."""
        self.only(entry, where, [*parts, "note"])
        for part in parts:
            if part not in entry:
                self.refuse(where, f"lacks {part}; a value needs {', '.join(parts)}")
        if entry["confidence"] not in CONFIDENCES:
            self.refuse(where, f"confidence must be {' or '.join(CONFIDENCES)}")
        source = self.source(str(entry["source"]), where)
        if note := entry.get("note"):
            source = f"{source} ({note})"
        return source, entry["confidence"]

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
