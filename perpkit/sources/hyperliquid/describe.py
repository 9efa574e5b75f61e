"""Writes ``dataset.toml`` of what was fetched, or adds perps to one that is there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from perpkit.dataset.description import FILE, check_description
from perpkit.dataset.parts import pending_description
from perpkit.dataset.schema import ONCHAIN
from perpkit.errors import DataError
from perpkit.sources.hyperliquid.markets import Market
from perpkit.sources.hyperliquid.terms import sz_decimals

_HEAD = """\
schema = 1
name = {name}
source = "info API of Hyperliquid: fundingHistory, candleSnapshot, metaAndAssetCtxs, meta, perpDexs"
licence = "none stated by the publisher"
prices = "onchain"  # where oracle_source is "premium" they are formed from trades, docs/fetch.md
"""


def described(folder: Path, markets: Iterable[Market]) -> str | None:
    """Text of ``dataset.toml`` with these perps in it; None where they all are there already.

    Raises
    ------
    DataError
        If the folder holds a dataset of another kind, or says otherwise of one of these perps.
    """
    path = pending_description(folder) or folder / FILE
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    known = {}
    if before:
        about = check_description(before)
        if about.prices != ONCHAIN:
            raise DataError(
                f'{folder / FILE}: prices is "{about.prices}", and what is fetched is "{ONCHAIN}"; '
                "name another folder with --out"
            )
        known = about.perps
    new = []
    for market in markets:
        meta = known.get(market.coin)
        if meta is None:
            new.append(market)
        elif meta.venue != market.venue:
            raise DataError(
                f'{folder / FILE}: {market.coin} is of venue "{meta.venue}", not '
                f'"{market.venue}"; correct it, or name another folder with --out'
            )
    if not new:
        return None
    text = before or _HEAD.format(name=json.dumps(folder.resolve().name))
    return text.rstrip("\n") + "\n" + "".join(_perp(market) for market in new)


def _perp(market: Market) -> str:
    return (
        f"\n[perps.{json.dumps(market.coin)}]\n"
        f"venue = {json.dumps(market.venue)}\n"
        f"underlying = {json.dumps(market.underlying)}\n"
        f"sz_decimals = {sz_decimals(market)}\n"
    )
