"""``dataset.toml``: where the data come from and which instruments they hold."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perpkit.dataset.parts import WATCH_FILE, is_store, pending_description
from perpkit.dataset.schema import EXTERNAL, ONCHAIN
from perpkit.errors import DataError, nearest
from perpkit.rulebook import UNKNOWN, collateral_names, load_venue, venue_names

FILE: Final = "dataset.toml"
TOKEN_KINDS: Final = ("equity", "treasury", "stable", "crypto")
_TEXTS: Final = ("name", "source", "licence", "prices")
_TOP_KEYS: Final = ("schema", *_TEXTS, "perps", "tokens")
_LATEST_NS: Final = 2**63 - 1
_TOKEN_KEYS: Final = ("underlying", "kind", "issuer", "multiplier")


@dataclass(frozen=True, slots=True)
class PerpMeta:
    """What ``dataset.toml`` says of a perp; `terms` override the rulebook, which checks them."""

    coin: str
    venue: str
    underlying: str
    quote: str | None
    terms: dict[str, object]


@dataclass(frozen=True, slots=True)
class TokenMeta:
    """What ``dataset.toml`` says of a token; `multiplier` is underlying units per token."""

    token: str
    underlying: str
    kind: str
    issuer: str
    multiplier: float | None


@dataclass(frozen=True, slots=True)
class Description:
    """The checked content of ``dataset.toml``; perps and tokens in the file's order."""

    name: str
    source: str
    licence: str
    prices: str
    perps: dict[str, PerpMeta]
    tokens: dict[str, TokenMeta]

    @property
    def unlisted(self) -> bool:
        """Whether no perp ever has an external price, by its own terms or its venue's latest."""
        return all(_session(coin, meta) == "none" for coin, meta in self.perps.items())

    def names(self, instrument: str) -> set[str]:
        """Names that a table may use in its column `instrument`."""
        coins, tokens = set(self.perps), set(self.tokens)
        underlyings = {meta.underlying for meta in self.perps.values()}
        underlyings |= {meta.underlying for meta in self.tokens.values()}
        if instrument == "coin":
            return coins
        if instrument == "token":
            return tokens
        if instrument == "underlying":
            return underlyings
        # A shock may strike an instrument, and also whom it depends on.
        others = {meta.venue for meta in self.perps.values()}
        others |= {meta.quote for meta in self.perps.values() if meta.quote is not None}
        others |= {meta.issuer for meta in self.tokens.values()}
        others |= _currencies({meta.venue for meta in self.perps.values()})
        others |= set(collateral_names())  # a run may hold them without any data
        return coins | tokens | underlyings | others


def read_description(folder: Path) -> Description:
    """Read and check the ``dataset.toml`` of a folder.

    Raises
    ------
    DataError
        If the file is missing, is not TOML, or says something unknown or too little.
    """
    return _describe(_parse(read_text(folder)))


def check_description(text: str) -> Description:
    """Check a text that is to become ``dataset.toml``.

    Raises
    ------
    DataError
        As `read_description`.
    """
    return _describe(_parse(text.encode()))


def _describe(top: dict[str, Any]) -> Description:
    version = top.get("schema")
    if type(version) is not int or version != 1:  # TOML's `true` and 1.0 equal 1 in Python
        said = "is not given" if version is None else f"is {version!r}"
        raise DataError(f"{FILE}: schema {said}; this perpkit reads schema = 1")
    _known(top, _TOP_KEYS, "")
    texts = {key: _text(top, key, "") for key in _TEXTS}
    if texts["prices"] not in (ONCHAIN, EXTERNAL):
        raise DataError(
            f'{FILE}: prices is "{texts["prices"]}"; write "{ONCHAIN}" where oracle and mark are '
            f'recorded from the chain, "{EXTERNAL}" where perpkit forms them'
        )
    perps = {coin: _perp(coin, entry) for coin, entry in _section(top, "perps").items()}
    if not perps:
        raise DataError(f'{FILE}: there is no perp; add a table such as [perps."xyz:NVDA"]')
    tokens = {token: _token(token, entry) for token, entry in _section(top, "tokens").items()}
    return Description(**texts, perps=perps, tokens=tokens)


def read_text(folder: Path) -> bytes:
    """The bytes of ``dataset.toml``, or of the one that is to take its place."""
    path = folder / FILE
    if is_store(folder):
        pending = pending_description(folder)
        path = path if pending is None else pending
    if not path.is_file():
        if is_store(folder):
            raise DataError(_unfinished(folder))
        what = "holds no dataset.toml" if folder.is_dir() else "is not a folder"
        raise DataError(
            f"{folder} {what}; a dataset is a folder with dataset.toml and perps.parquet"
        )
    return path.read_bytes()


def _unfinished(folder: Path) -> str:
    """What is going on in a store into which nothing was committed yet."""
    if (folder / WATCH_FILE).is_file():
        return (
            f"{folder} holds no whole hour yet: perpkit data watch saves the first, with {FILE}, "
            "when it has ended; look again after the full hour, and leave the watch running"
        )
    return (
        f"{folder} holds nothing yet: a watch, fetch or import into it has just begun or was cut "
        "short; wait for it, or start it again"
    )


def _parse(content: bytes) -> dict[str, Any]:
    try:
        # Editors on Windows put a byte order mark, which TOML does not know.
        return tomllib.loads(content.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{FILE} is not valid TOML: {error}; repair that line") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{FILE} is not UTF-8 text at line {line}; save it as UTF-8") from error


def _section(top: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    section = top.get(name, {})
    if not isinstance(section, dict):
        raise DataError(f'{FILE}: {name} is not a table; write [{name}."NAME"] for each of them')
    for instrument, entry in section.items():
        if not isinstance(entry, dict):
            raise DataError(
                f"{FILE}: {name}.{instrument} is not a table; "
                f'write [{name}."{instrument}"] with its keys below'
            )
    return section


def _perp(coin: str, entry: dict[str, Any]) -> PerpMeta:
    where = f'perps."{coin}".'
    own = ("venue", "underlying", "quote")
    return PerpMeta(
        coin=coin,
        venue=_text(entry, "venue", where),
        underlying=_text(entry, "underlying", where),
        quote=_text(entry, "quote", where) if "quote" in entry else None,
        terms={key: value for key, value in entry.items() if key not in own},
    )


def _session(coin: str, meta: PerpMeta) -> object:
    if "external_session" in meta.terms:
        return meta.terms["external_session"]
    if meta.venue not in venue_names():
        return None  # refused where the terms are resolved
    return load_venue(meta.venue).at("external_session", _LATEST_NS, coin).value


def _currencies(venues: Iterable[str]) -> set[str]:
    """Currencies that these venues take as margin, by the shipped rulebook at any date."""
    made: set[str] = set()
    for venue in set(venues).intersection(venue_names()):
        told = load_venue(venue)
        for ns in told.dates(keys=frozenset({"collateral"})):
            made.update(str(told.at("collateral", ns).value).split(", "))
    return made - {UNKNOWN}


def _token(token: str, entry: dict[str, Any]) -> TokenMeta:
    where = f'tokens."{token}".'
    _known(entry, _TOKEN_KEYS, where)
    kind = _text(entry, "kind", where)
    if kind not in TOKEN_KINDS:
        raise DataError(f'{FILE}: {where}kind "{kind}" is unknown; {nearest(kind, TOKEN_KINDS)}')
    return TokenMeta(
        token=token,
        underlying=_text(entry, "underlying", where),
        kind=kind,
        issuer=_text(entry, "issuer", where),
        multiplier=_multiplier(entry, where),
    )


def _multiplier(entry: dict[str, Any], where: str) -> float | None:
    value = entry.get("multiplier")
    if value is None:
        return None
    number = type(value) in (int, float)  # not bool, which is an int in Python
    if not number or not math.isfinite(value) or value <= 0:
        raise DataError(
            f"{FILE}: {where}multiplier is {value!r}; write the underlying units per token, "
            "a number above 0, or leave it out where it is not known"
        )
    return float(value)


def _known(entry: dict[str, Any], keys: Iterable[str], where: str) -> None:
    for key, value in entry.items():
        if key in keys:
            continue
        if where and isinstance(value, dict):
            raise DataError(f"{FILE}: {where}{key} is a table; {_quoting(where, key)}")
        raise DataError(f"{FILE}: key {where}{key} is unknown; {nearest(key, keys)}")


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    if key not in entry:
        nested = [name for name, value in entry.items() if where and isinstance(value, dict)]
        remedy = _quoting(where, nested[0]) if nested else f'add {key} = "..."'
        raise DataError(f"{FILE}: key {where}{key} is missing; {remedy}")
    value = entry[key]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{FILE}: {where}{key} is {value!r}; write a text in quotes")
    return value


def _quoting(where: str, key: str) -> str:
    # `[tokens.NVDA.RH]` is a table RH within NVDA: the commonest slip with dotted names.
    section, name = where.rstrip(".").split(".", 1)
    return f'a name with a dot is written in quotes, [{section}."{name.strip(chr(34))}.{key}"]'
