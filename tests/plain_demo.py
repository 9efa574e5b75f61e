"""The demo without its second venue, for tests of the plain rules and of small plans."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
COINS = ("sim:ORCA", "sim:FALC", "sim:LYNX", "sim:HAWK")
TABLES = ("perps", "tokens")


def plain_demo(folder: Path, first_hour: int, hours: int) -> Path:
    """Write some hours of the demo's perps on `baseline`, and of its tokens, as a dataset."""
    folder.mkdir()
    told = (DEMO / "dataset.toml").read_text(encoding="utf-8")
    told = re.sub(r'\[perps\."xyz:[^\[]*', "", told)
    (folder / "dataset.toml").write_text(told, encoding="utf-8")
    for table in TABLES:
        whole = pl.read_parquet(DEMO / f"{table}.parquet")
        since = (pl.col("time") - pl.col("time").min()).dt.total_hours()
        kept = since.is_between(first_hour, first_hour + hours, closed="left")
        if table == "perps":
            kept &= pl.col("coin").is_in(COINS)
        whole.filter(kept).write_parquet(folder / f"{table}.parquet")
    return folder
