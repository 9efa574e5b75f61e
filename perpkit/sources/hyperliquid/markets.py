"""What the API says of perps now: their place, their numbers, and the settings of their dex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perpkit.errors import RequestError, nearest
from perpkit.rulebook import Rulebook
from perpkit.sources.hyperliquid import answers
from perpkit.sources.hyperliquid.history import Asks

CORE = "hyperliquid"  # the venue of coins without a prefix


class Market(NamedTuple):
    """A perp as ``meta`` and ``perpDexs`` tell it."""

    coin: str
    dex: str  # "" for the core perps
    listed: Mapping[str, Any]  # its entry in the universe
    tables: Mapping[int, Any]  # margin tables of its dex by number
    settings: Mapping[str, Any]  # of its dex; empty for the core perps

    @property
    def venue(self) -> str:
        """Name of the venue in the rulebook."""
        return self.dex or CORE

    @property
    def underlying(self) -> str:
        """What the perp is on."""
        return self.coin.removeprefix(f"{self.dex}:")

    @property
    def delisted(self) -> bool:
        """Whether nobody trades it any more."""
        return self.listed.get("isDelisted") is True


def dex_of(coin: str) -> str:
    """Name of the dex in a coin's name; "" for a core perp.

    >>> dex_of("xyz:NVDA"), dex_of("BTC")
    ('xyz', '')
    """
    return coin.partition(":")[0] if ":" in coin else ""


def read_markets(client: Asks, coins: Sequence[str], book: Rulebook) -> list[Market]:
    """Ask for the perps of these names, in their order.

    Raises
    ------
    RequestError
        If a coin, or its dex, is not there.
    DataError
        If an answer cannot be read.
    """
    dexes = dict.fromkeys(dex_of(coin) for coin in coins)
    settings = _settings(client, [dex for dex in dexes if dex], book)
    found: dict[str, Market] = {}
    for dex in dexes:
        listed, tables = read_meta(client.ask({"type": "meta", **({"dex": dex} if dex else {})}))
        for name, entry in listed.items():
            found[name] = Market(name, dex, entry, tables, settings.get(dex, {}))
    for coin in coins:
        if coin not in found:
            names = [name for name, market in found.items() if market.dex == dex_of(coin)]
            prefix = "" if dex_of(coin) else ", and a stock is written with its dex, xyz:NVDA"
            raise RequestError(
                f"--coins: there is no perp {coin} on Hyperliquid, {nearest(coin, names)}{prefix}"
            )
    return [found[coin] for coin in coins]


def read_meta(meta: object) -> tuple[dict[str, Mapping[str, Any]], dict[int, Any]]:
    """Read ``meta``: the perps by name, in its order, and the margin tables by number."""
    if not isinstance(meta, dict):
        raise answers.fault("as meta", meta)
    listed = answers.rows(meta.get("universe"), "perps")
    tables = meta.get("marginTables") or []  # the answers of 2023 had none
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in tables):
        raise answers.fault("as marginTables", tables)
    return {answers.text(entry, "name"): entry for entry in listed}, dict(tables)


def _settings(client: Asks, dexes: list[str], book: Rulebook) -> dict[str, Mapping[str, Any]]:
    if not dexes:
        return {}
    told = client.ask({"type": "perpDexs"})
    if not isinstance(told, list):
        raise answers.fault("as perpDexs", told)
    # The first is null and stands for the core perps.
    found = {answers.text(e, "name"): e for e in answers.rows([e for e in told if e], "dexes")}
    for dex in dexes:
        if dex not in found:
            raise RequestError(f"--coins: there is no dex {dex}, {nearest(dex, found)}")
        if dex not in book.names("venue"):
            raise RequestError(
                f"--coins: the rulebook has no venue {dex}, {nearest(dex, book.names('venue'))}; "
                "state its terms in a file of your own, docs/rulebook.md says how"
            )
    return found
