"""Fixtures that more than one file of tests needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from .plain_demo import plain_demo as write_plain_demo

ROOT = Path(__file__).resolve().parents[1]

TINY_TOML = """\
schema = 1
name = "tiny"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"
max_leverage = 20

[perps."xyz:AAPL"]
venue = "xyz"
underlying = "AAPL"
quote = "USDC"

[tokens.NVDAon]
underlying = "NVDA"
kind = "equity"
issuer = "ondo"
multiplier = 1

[tokens.USDY]
underlying = "USDY"
kind = "treasury"
issuer = "ondo"
"""
TINY_HOURS = 6
TINY_START = datetime(2026, 8, 12, 5, tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared real data, or a skip that says why."""
    folder = Path(os.environ.get("PERPKIT_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set PERPKIT_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def plain_demo() -> Callable[..., Path]:
    """Writes some hours of the demo's first venue: folder, first hour, hours."""
    return write_plain_demo


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    """A valid dataset folder: 2 perps and 2 tokens over 6 hours, and one row of each event table.

    Hours 2026-08-12 05:00Z to 10:00Z; all five tables; the rows of an instrument stand together.
    """
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "dataset.toml").write_text(TINY_TOML, encoding="utf-8")
    for name, frame in _tiny_tables().items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


def _tiny_tables() -> dict[str, pl.DataFrame]:
    return {
        "perps": pl.concat([_tiny_perp("xyz:NVDA", 180.0), _tiny_perp("xyz:AAPL", 300.0)]),
        "funding": pl.concat([_tiny_funding("xyz:NVDA"), _tiny_funding("xyz:AAPL")]),
        "tokens": pl.concat([_tiny_token("NVDAon", 180.0), _tiny_token("USDY", 1.1)]),
        "actions": pl.DataFrame(
            {
                "time": [TINY_START + timedelta(hours=3)],
                "underlying": ["NVDA"],
                "kind": ["dividend"],
                "amount": [0.01],
                "withholding_frac": [0.3],
            },
            schema_overrides={"time": pl.Datetime("ms", "UTC")},
        ),
        "shocks": pl.DataFrame(
            {
                "time": [TINY_START + timedelta(hours=4)],
                "kind": ["adl"],
                "instrument": ["xyz:NVDA"],
                "value": [0.5],
            },
            schema_overrides={"time": pl.Datetime("ms", "UTC")},
        ),
    }


def _tiny_hours() -> pl.Series:
    hours = [TINY_START + timedelta(hours=n) for n in range(TINY_HOURS)]
    return pl.Series("time", hours, pl.Datetime("ms", "UTC"))


def _tiny_perp(coin: str, px: float) -> pl.DataFrame:
    mark_px = [px * (1 + 0.001 * n) for n in range(TINY_HOURS)]
    return pl.DataFrame(
        {
            "time": _tiny_hours(),
            "coin": coin,
            "oracle_px": [px] * TINY_HOURS,
            "mark_px": mark_px,
            "mark_high_px": [p * 1.002 for p in mark_px],
            "mark_low_px": [p * 0.998 for p in mark_px],
            "impact_bid_px": [p - 0.01 for p in mark_px],
            "impact_ask_px": [p + 0.01 for p in mark_px],
            "premium": [0.001 * n for n in range(TINY_HOURS)],
            "funding": [0.0000125] * TINY_HOURS,
            "open_interest": [1e5] * TINY_HOURS,
            "day_ntl_vlm": [1e7] * TINY_HOURS,
        }
    )


def _tiny_funding(coin: str) -> pl.DataFrame:
    # Stamped 30 ms late, as real settlements are.
    return pl.DataFrame(
        {
            "time": _tiny_hours().dt.offset_by("30ms"),
            "coin": coin,
            "funding": [0.0000125] * TINY_HOURS,
            "premium": [0.0001] * TINY_HOURS,
        }
    )


def _tiny_token(token: str, px: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": _tiny_hours(),
            "token": token,
            "bid_px": [px * 0.999] * TINY_HOURS,
            "ask_px": [px * 1.001] * TINY_HOURS,
            "liquidity_usd": [50_000.0] * TINY_HOURS,
            "halted": [False] * TINY_HOURS,
        }
    )
