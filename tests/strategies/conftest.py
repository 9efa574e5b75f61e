"""Small made-up weeks that the shipped strategies are played on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

TOML = """\
schema = 1
name = "week"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"
"""
PERP = """\
[perps."{venue}:{name}"]
venue = "{rules}"
underlying = "{name}"
sz_decimals = 3
max_leverage = 10
"""
TOKEN = '[tokens.{name}x]\nunderlying = "{name}"\nkind = "equity"\nissuer = "simulated"\n'
Write = Callable[..., Path]


@pytest.fixture
def week(tmp_path: Path) -> Write:
    """Writes a dataset: hours from ``start``, a mark for each hour, an oracle of 100.

    ``mark(hour)`` is the mark of every perp in USD and ``rate`` what every hour settles, or each of
    them. Tokens are quoted at 100, 0.1% wide, with a cent that moves so that they do not count as
    frozen; ``liquidity`` is of their pools and ``volume`` that of a day of the perps, USD.
    """

    def write(
        start: datetime,
        hours: int,
        mark: Callable[[datetime], float],
        rate: float | list[float] = 0.0,
        stocks: tuple[str, ...] = ("ABC",),
        venues: tuple[str, ...] = ("sim",),
        multiplier: float = 1.0,
        volume: float | None = None,
        liquidity: float | None = None,
        name: str = "week",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rates = rate if isinstance(rate, list) else [rate] * hours
        at = [start + timedelta(hours=n) for n in range(hours)]
        time = pl.Series("time", at).cast(pl.Datetime("ms", "UTC"))
        text = [TOML]
        perps, tokens = [], []
        for stock in stocks:
            text.append(TOKEN.format(name=stock) + f"multiplier = {multiplier}\n")
            cent = [0.01 * (n % 2) for n in range(hours)]
            tokens.append(
                pl.DataFrame(
                    {
                        "time": time,
                        "token": f"{stock}x",
                        "bid_px": [multiplier * (99.95 + c) for c in cent],
                        "ask_px": [multiplier * (100.05 - c) for c in cent],
                        "liquidity_usd": [liquidity] * hours,
                    },
                    schema_overrides={"liquidity_usd": pl.Float64},
                )
            )
            for venue in venues:
                rules = "baseline" if venue == "sim" else venue
                text.append(PERP.format(venue=venue, rules=rules, name=stock))
                perps.append(
                    pl.DataFrame(
                        {
                            "time": time,
                            "coin": f"{venue}:{stock}",
                            "oracle_px": [100.0] * hours,
                            "mark_px": [mark(hour) for hour in at],
                            "funding": rates,
                            "day_ntl_vlm": [volume] * hours,
                        },
                        schema_overrides={"day_ntl_vlm": pl.Float64},
                    )
                )
        (folder / "dataset.toml").write_text("\n".join(text), encoding="utf-8")
        pl.concat(perps).write_parquet(folder / "perps.parquet")
        pl.concat(tokens).write_parquet(folder / "tokens.parquet")
        return folder

    return write
