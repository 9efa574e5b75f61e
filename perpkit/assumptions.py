"""What a result rests on that is not known, and what a reader must be warned of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from perpkit.config import ASSUMED, RunConfig
from perpkit.tape import Market


class Assumption(NamedTuple):
    """One choice that the result depends on."""

    name: str
    value: str
    why: str


def assumptions(market: Market, config: RunConfig) -> tuple[Assumption, ...]:
    """Every choice in force that is assumed rather than known, settings first."""
    fields = RunConfig.model_fields
    made = [
        Assumption(name, _text(getattr(config, name)), str(fields[name].description))
        for name in ASSUMED
    ]
    made += _choices(market, config)
    for term in market.resolved.used:
        if term.needed and term.confidence == "assumed":
            made.append(Assumption(f"{term.scope} {term.key}", _text(term.value), term.source))
    return tuple(made)


def _choices(market: Market, config: RunConfig) -> list[Assumption]:
    names = market.names
    pairs = ", ".join(
        f"{coin}/{names.tokens[k]}"
        for coin, k in zip(names.coins, names.perp_token, strict=True)
        if k >= 0
    )
    late = config.fill_delay_hours == 1
    delay = "on the row after the decision" if late else "at the prices they were decided on"
    made = [
        Assumption("pairs", pairs or "none", "token of each perp, the first in the dataset"),
        Assumption("fill_delay_hours", str(config.fill_delay_hours), f"targets fill {delay}"),
        Assumption("funding", market.funding_from, "where rates come from"),
        Assumption(
            "liq_fill",
            config.liq_fill,
            "the whole account is closed, a partial first stage is not modelled",
        ),
    ]
    if config.topup_at_ratio is None:
        made.append(
            Assumption(
                "topup_at_ratio", "never", "no cash moves from the wallet to a margin account"
            )
        )
    if config.trade_frozen_quotes:
        made.append(
            Assumption("trade_frozen_quotes", "true", "quotes that are not live are traded")
        )
    if config.liquidity == "maker":
        made.append(Assumption("liquidity", "maker", "every perp fill pays the maker fee"))
    return made


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def warnings(market: Market, config: RunConfig, frames: dict[str, pl.DataFrame]) -> tuple[str, ...]:
    """Sentences a reader must see before the numbers."""
    facts, names = market.facts, market.names
    made = list(market.notes)
    if facts["oracle_hours_bound"]:
        made.append(
            f"the oracle step limit bound in {facts['oracle_hours_bound']} coin-hours; the oracle "
            f"lagged by up to {facts['oracle_largest_lag_frac']:.1%}"
        )
    if facts["hours_without_book"]:
        made.append(
            f"{facts['hours_without_book']} coin-hours have no book: the mark is the oracle and "
            "the premium 0"
        )
    if facts["stale_perp_hours"]:
        made.append(
            f"{facts['stale_perp_hours']} coin-hours carry an older price: no fills, funding paid"
        )
    extremes, cells = int(facts["hours_with_extremes"] or 0), market.tape.mark_px.size
    if extremes < cells - int(facts["stale_perp_hours"] or 0):
        made.append(
            "highs and lows of the mark are not recorded in every hour; there the margin test sees "
            "the hourly marks alone and may miss a liquidation"
        )
    if market.dataset.shocks.height:
        made.append(
            f"shocks.parquet holds {market.dataset.shocks.height} events and none is played: the "
            "run is as if they had not happened"
        )
    single = [c for c, k in zip(names.coins, names.perp_token, strict=True) if k < 0]
    if single:
        made.append(f"no token in the dataset for {', '.join(single)}: not paired")
    loose = np.flatnonzero((names.token_perp < 0) & np.isin(names.kinds, ("equity", "crypto")))
    made += [
        f"{names.tokens[k]} has no perp to carry its price when its quote is not live"
        for k in loose
    ]
    made += [
        f"{names.tokens[k]} is not paired; {names.coins[m]} carries its price when it is not live"
        for k, m in enumerate(names.token_perp)
        if m >= 0 and names.perp_token[m] != k
    ]
    made += _from_events(frames["events"])
    if not frames["fills"].height:
        made.append("nothing was traded: no target was set, or none could be filled")
    return tuple(made)


def _from_events(events: pl.DataFrame) -> list[str]:
    words = {
        "liquidation": "positions were liquidated",
        "backstop": "positions were taken over by the venue's backstop",
        "bad_debt": "accounts ended below zero",
        "trimmed": "orders were cut by margin or cash",
        "reentry_refused": "entries were refused after a liquidation",
        "transfer_refused": "transfers were refused for want of cash",
    }
    counts = dict(events.group_by("kind").len().iter_rows())
    return [f"{counts[kind]} {text}; see events" for kind, text in words.items() if kind in counts]
