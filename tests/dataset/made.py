"""A dataset over three months and both sides of their ends, plain and as a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from perpkit.dataset.schema import TABLES
from perpkit.dataset.store import Store

TIME = pl.Datetime("ms", "UTC")
SPELLS = (datetime(2026, 1, 31, 20, tzinfo=UTC), datetime(2026, 2, 28, 20, tzinfo=UTC))
TOML = """\
schema = 1
name = "months"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"

[perps."xyz:AAPL"]
venue = "xyz"
underlying = "AAPL"

[tokens.NVDAon]
underlying = "NVDA"
kind = "equity"
issuer = "ondo"
multiplier = 1.0
"""


def tree(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, and the folders there as empty ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def times(late: str = "0ms") -> pl.Series:
    hours = [start + timedelta(hours=n) for start in SPELLS for n in range(8)]
    return pl.Series("time", hours, TIME).dt.offset_by(late)


def tables() -> dict[str, pl.DataFrame]:
    return {
        "perps": pl.concat([_perp("xyz:NVDA", 180.0), _perp("xyz:AAPL", 300.0)]),
        "funding": pl.concat([_funding("xyz:NVDA"), _funding("xyz:AAPL")]),
        "tokens": pl.DataFrame(
            {
                "time": times(),
                "token": "NVDAon",
                "bid_px": [179.0] * 16,
                "ask_px": [181.0] * 16,
                "halted": [False] * 8 + [None] * 8,
            }
        ),
        "actions": pl.DataFrame(
            {
                "time": [SPELLS[1] + timedelta(hours=5)],
                "underlying": "NVDA",
                "kind": "dividend",
                "amount": 0.01,
            },
            schema_overrides={"time": TIME},
        ),
        "shocks": pl.DataFrame(
            {
                "time": [SPELLS[0], SPELLS[0], SPELLS[1]],
                "kind": ["adl", "freeze", "adl"],
                "instrument": ["xyz:NVDA", None, "xyz:AAPL"],
                "value": [0.5, None, 0.25],
            },
            schema_overrides={"time": TIME},
        ),
    }


def plain(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    for name, frame in tables().items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


def stored(folder: Path) -> Path:
    with Store(folder).writer() as writer:
        writer.describe(TOML)
        for table in TABLES:
            writer.add(table.name, tables()[table.name].reverse())
    return folder


def commit(folder: Path, which: str) -> None:
    """One of two commits on a folder: the "first" brings a part of what the "second" does."""
    perps = _perp("xyz:NVDA", 180.0)
    with Store(folder).writer() as writer:
        writer.describe(TOML[: TOML.index('[perps."xyz:AAPL"]')].replace("months", which))
        if which == "first":
            writer.add("perps", perps.head(6).gather_every(2).drop("oracle_source"))
        else:
            writer.add("perps", perps.head(8))
            writer.add("funding", _funding("xyz:NVDA").head(2))


def _perp(coin: str, px: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": times(),
            "coin": coin,
            "oracle_px": [px + n for n in range(16)],
            "mark_px": [px + n + 0.5 for n in range(16)],
            "oracle_source": ["chain"] * 8 + ["premium"] * 8,
        }
    )


def _funding(coin: str) -> pl.DataFrame:
    return pl.DataFrame({"time": times("30ms"), "coin": coin, "funding": [1e-5] * 16})
