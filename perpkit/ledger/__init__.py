"""The result frames: causes formed from positions, fills and payments.

Equity is the loop's own sum of cash and values. The causes here never look at it: price effects
come from the positions of the row before and the change of the price, costs from the fills, flows
from the payments. That both agree to the last digits is a check of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from perpkit.codes import CAUSES
from perpkit.ledger.causes import attribute
from perpkit.ledger.members import attribute_members, strategies
from perpkit.ledger.prices import market_frame, quotes_frame
from perpkit.ledger.tables import (
    accounts_frame,
    attribution_frame,
    equity_frame,
    events_frame,
    fills_frame,
    funding_frame,
    positions_frame,
)
from perpkit.play import Played
from perpkit.tape import Market

__all__ = ["CAUSES", "against_frame", "frames"]

_AGAINST: dict[str, Any] = {
    "time": pl.Datetime("ms", "UTC"),
    "strategy": pl.String,
    "equity_usd": pl.Float64,
}


def frames(market: Market, played: Played, strategy: str) -> dict[str, pl.DataFrame]:
    """Every frame of a result, by name.

    Returns
    -------
    equity, attribution, accounts, positions, funding, fills, events, market, quotes; columns as in
    ``docs/files.md``
    """
    causes, shared = attribute(market, played), played.shared
    names: tuple[str, ...] = (strategy,)
    booked = causes
    if shared is not None:
        booked, names = attribute_members(market, played, shared), strategies(shared)
    return {
        "equity": equity_frame(market, played, causes),
        "attribution": attribution_frame(market, booked, names),
        "accounts": accounts_frame(market, played),
        "positions": positions_frame(market, played, strategy),
        "funding": funding_frame(market, played),
        "fills": fills_frame(market, played, strategy),
        "events": events_frame(market, played),
        "market": market_frame(market),
        "quotes": quotes_frame(market),
    }


def against_frame(market: Market, runs: Mapping[str, Played]) -> pl.DataFrame:
    """Equity of other strategies played over the same market, one row an hour and strategy."""
    return pl.concat(
        [
            pl.DataFrame(schema=_AGAINST),
            *(
                equity_frame(market, played, attribute(market, played)).select(
                    "time", pl.lit(name).alias("strategy"), "equity_usd"
                )
                for name, played in runs.items()
            ),
        ]
    )
