"""A small market of one stock on two venues, with its token: splits and incidents as asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

START = datetime(2026, 8, 10, tzinfo=UTC)  # a Monday
HOURS = 96
COINS = ("xyz:ACME", "okx:ACME")  # of the one a split settles the market, of the other it restates
TOKEN = "dACME"
TERMS = """\
max_leverage = 10
maintenance_share_frac = 0.5
margin_tiers = "none"
liquidation_part_frac = "none"
liquidation_part_above_usd = "none"
backstop_frac = "none"
taker_frac = 0.001
growth_mode = false
growth_factor = 0.1
sz_decimals = 1
min_order_usd = 0
interval_hours = 1
collateral = "USDC"
margin_modes = "cross"
external_session = "us_24_5"
"""
SETTINGS: dict[str, Any] = {
    "token_fee_frac": 0.001,
    "token_half_spread_frac": 0.001,
    "half_spread_frac": 0.0005,
    "slippage_frac": 0.0005,
    "margin_mode": "cross",
    "margin_share": 0.6,
    "pairs": {"xyz:ACME": TOKEN},
    "terms": {"dividends": "debit_shorts"},
}


def at(row: float) -> datetime:
    return START + timedelta(hours=row)


def write_market(
    folder: Path,
    px: np.ndarray,
    funding: np.ndarray | float = 0.0,
    actions: tuple[tuple[float, str, float], ...] = (),
    shocks: tuple[tuple[float, str, str, float], ...] = (),
) -> Path:
    """Write a dataset; ``px`` (HOURS,) is the mark, the oracle and the token's quote alike."""
    folder.mkdir()
    perps = "".join(
        f'[perps."{coin}"]\nvenue = "{coin[:3]}"\nunderlying = "ACME"\n{TERMS}\n' for coin in COINS
    )
    (folder / "dataset.toml").write_text(
        'schema = 1\nname = "acme"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n\n'
        f'{perps}[tokens.{TOKEN}]\nunderlying = "ACME"\nkind = "equity"\nissuer = "dinari"\n'
        "multiplier = 1\n",
        encoding="utf-8",
    )
    time = pl.Series("time", [at(n) for n in range(HOURS)], pl.Datetime("ms", "UTC"))
    rate = np.broadcast_to(funding, (HOURS,))
    frames = [
        pl.DataFrame({"time": time, "coin": coin, "oracle_px": px, "mark_px": px}) for coin in COINS
    ]
    pl.concat(frames).write_parquet(folder / "perps.parquet")
    pl.concat(
        pl.DataFrame({"time": time, "coin": coin, "funding": rate}) for coin in COINS
    ).write_parquet(folder / "funding.parquet")
    wide = 1e-4 * (1 + np.arange(HOURS) % 2)  # a quote that moves around its mid
    token = {"time": time, "token": TOKEN, "bid_px": px * (1 - wide), "ask_px": px * (1 + wide)}
    pl.DataFrame(token).write_parquet(folder / "tokens.parquet")
    if actions:
        pl.DataFrame(
            [
                {"time": at(row), "underlying": "ACME", "kind": kind, "amount": amount}
                for row, kind, amount in actions
            ],
            schema_overrides={"time": pl.Datetime("ms", "UTC")},
        ).with_columns(withholding_frac=pl.lit(0.3)).write_parquet(folder / "actions.parquet")
    if shocks:
        pl.DataFrame(
            [
                {"time": at(row), "kind": kind, "instrument": instrument, "value": value}
                for row, kind, instrument, value in shocks
            ],
            schema_overrides={"time": pl.Datetime("ms", "UTC")},
        ).write_parquet(folder / "shocks.parquet")
    return folder
