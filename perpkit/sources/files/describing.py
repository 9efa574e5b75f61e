"""``dataset.toml`` of an import: what is there stays, what comes is added below."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perpkit.dataset.description import (
    FILE,
    TOKEN_KINDS,
    Description,
    check_description,
    read_description,
)
from perpkit.dataset.schema import EXTERNAL, ONCHAIN
from perpkit.errors import DataError, RequestError, nearest
from perpkit.rulebook import venue_names
from perpkit.sources.files.mapping import FileMap

_CORE: Final = "hyperliquid"  # the venue whose coins carry no prefix
_PERPS: Final = ("perps", "funding", "candles", "bars")


@dataclass(frozen=True, slots=True)
class About:
    """What a user says of the data beside the files; None and empty: not said."""

    describe: Path | None = None
    name: str | None = None
    source: str | None = None
    licence: str | None = None
    prices: str | None = None
    venue: str | None = None
    issuer: str | None = None
    kind: str | None = None
    underlyings: Mapping[str, str] = field(default_factory=dict)
    multipliers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What describes the dataset before the import: its text, and that read."""

    text: str = ""
    said: Description | None = None

    def instruments(self, mapping: FileMap) -> set[str] | None:
        """Instruments of the mapping's table that it lists; None where all are to be taken."""
        column = mapping.table.instrument
        if self.said is None or column in ("instrument", "symbol"):
            return None
        return self.said.names(column)

    def coins_of(self, symbol: str) -> list[str]:
        """Coins whose underlying is a symbol."""
        if self.said is None:
            return []
        return [coin for coin, meta in self.said.perps.items() if meta.underlying == symbol]


def known(folder: Path, about: About) -> Known:
    """Read what describes the dataset: its own file, else the one the user names.

    Raises
    ------
    DataError, RequestError
        If it is not valid, or both are there.
    """
    own = (folder / FILE).is_file()
    if about.describe is not None:
        if own:
            raise RequestError(f"{folder} has a {FILE} already; leave --describe out")
        try:
            text = about.describe.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as e:
            raise RequestError(f"{about.describe} cannot be read ({e}); name a {FILE}") from e
        return Known(text, check_description(text))
    if not own:
        return Known()
    said = read_description(folder)
    return Known((folder / FILE).read_text(encoding="utf-8-sig"), said)


def coin_of(symbol: str, venue: str) -> str:
    """The name of a stock's perp at a venue.

    >>> coin_of("NVDA", "xyz"), coin_of("NVDA", "hyperliquid")
    ('xyz:NVDA', 'NVDA')
    """
    return symbol if venue == _CORE else f"{venue}:{symbol}"


def described(
    before: Known, mapping: FileMap, instruments: Iterable[str], about: About, folder: Path
) -> str | None:
    """Write the text of ``dataset.toml`` with these instruments in it; None if nothing is new.

    Raises
    ------
    RequestError
        If something must be said of an instrument that nothing says.
    """
    names = sorted(instruments)
    table = mapping.table.name
    if table in ("actions", "shocks"):
        _check_known(before, names, mapping)
        return before.text if about.describe is not None else None
    there = (
        set() if before.said is None else before.said.names("coin" if table in _PERPS else "token")
    )
    new = [name for name in names if name not in there]
    if before.said is None and table == "tokens":
        raise RequestError(
            f"{folder} has no {FILE}, and tokens alone are no dataset; import perps first, or "
            f"name a {FILE} with --describe"
        )
    if not new and (before.said is not None and about.describe is None):
        return None
    head = before.text if before.text else _head(mapping, about, folder)
    make = _perp if table in _PERPS else _token
    return "\n".join([head.rstrip("\n"), *(make(name, mapping, about) for name in new)]) + "\n"


def _head(mapping: FileMap, about: About, folder: Path) -> str:
    prices = prices_of(mapping, about)
    if prices not in (ONCHAIN, EXTERNAL):
        raise RequestError(f'--prices is "{prices}"; write {ONCHAIN} or {EXTERNAL}')
    texts = {
        "name": about.name or folder.resolve().name,
        "source": about.source or mapping.source or f"imported by {mapping.label}",
        "licence": about.licence or mapping.licence or "not stated",
        "prices": prices,
    }
    return "\n".join(["schema = 1", *(f"{key} = {_quoted(told)}" for key, told in texts.items())])


def prices_of(mapping: FileMap, about: About) -> str:
    """What a new dataset's prices are: as the user or the mapping says, else by its columns."""
    if about.prices or mapping.prices:
        return about.prices or mapping.prices or ""
    given = {*mapping.cells, *mapping.constants}
    if mapping.table.name != "perps" or {"oracle_px", "mark_px"} <= given:
        return ONCHAIN
    return EXTERNAL


def _perp(coin: str, mapping: FileMap, about: About) -> str:
    prefix, _, rest = coin.rpartition(":")
    venue = about.venue or (prefix if prefix in venue_names() else None)
    if venue is None and not prefix:
        venue = mapping.venue
    if venue is None:
        raise RequestError(
            f"nothing says which venue's rules hold for {coin}; give --venue, or name a {FILE} "
            "with --describe"
        )
    if venue not in venue_names():
        raise RequestError(f'there is no venue "{venue}"; {nearest(venue, venue_names())}')
    underlying = about.underlyings.get(coin, rest)
    return "\n".join(
        [
            "",
            f"[perps.{_quoted(coin)}]",
            f"venue = {_quoted(venue)}",
            f"underlying = {_quoted(underlying)}",
        ]
    )


def _token(token: str, _: FileMap, about: About) -> str:
    underlying = about.underlyings.get(token)
    if about.issuer is None or about.kind is None or underlying is None:
        raise RequestError(
            f"{FILE} does not list token {token}; add [tokens.{_quoted(token)}] with underlying, "
            f"kind and issuer there, or give --issuer, --kind and --underlying {token}=STOCK"
        )
    if about.kind not in TOKEN_KINDS:
        raise RequestError(f'--kind is "{about.kind}"; {nearest(about.kind, TOKEN_KINDS)}')
    lines = [
        "",
        f"[tokens.{_quoted(token)}]",
        f"underlying = {_quoted(underlying)}",
        f"kind = {_quoted(about.kind)}",
        f"issuer = {_quoted(about.issuer)}",
    ]
    if token in about.multipliers:
        lines.append(f"multiplier = {about.multipliers[token]!r}")
    return "\n".join(lines)


def _check_known(before: Known, names: list[str], mapping: FileMap) -> None:
    if before.said is None:
        raise RequestError(
            f"{mapping.table.name} alone are no dataset; import perps first, or name a {FILE} "
            "with --describe"
        )
    there = before.said.names(mapping.table.instrument)
    for name in names:
        if name not in there:
            raise DataError(
                f"{mapping.table.name}: {mapping.table.instrument} {name} is not in {FILE}; "
                f"correct it, or add it there: {nearest(name, sorted(there))}"
            )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
