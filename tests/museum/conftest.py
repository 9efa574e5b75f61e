"""Dataset folders, strategy files and runs for the bug museum, the whole way from files to frames.

What an exhibit does not set is harmless: prices stand still, nothing costs, no rate is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from perpkit import backtest
from perpkit.run import Result

START = datetime(2026, 8, 12, tzinfo=UTC)  # a Wednesday, at a boundary of eight hours
CLOCK = pl.Datetime("ms", "UTC")
HEAD = """\
schema = 1
name = "exhibit"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"
"""
PERP = """
[perps.{name}]
venue = "{venue}"
underlying = "{name}"
"""
TOKEN = """
[tokens.{name}on]
underlying = "{name}"
kind = "equity"
issuer = "simulated"
multiplier = 1
"""
PLAN = """\
from math import nan

import numpy as np

PLAN = {plan!r}


def targets(tape):
    made = np.full((len(tape.past.time_ns), len(tape.coins) + len(tape.tokens)), nan)
    for row, units in PLAN.items():
        made[row] = units
    return made
"""
FREE = {"half_spread_frac": 0.0, "slippage_frac": 0.0, "token_half_spread_frac": 0.0}
Columns = Mapping[str, Any]
Plan = Mapping[int, Sequence[float]] | str


@dataclass(frozen=True)
class Bench:
    """Where an exhibit is made and run."""

    folder: Path

    def data(
        self,
        perps: Mapping[str, Columns],
        *,
        tokens: Mapping[str, Columns] | None = None,
        funding: Mapping[str, Sequence[tuple[float, float]]] | None = None,
        start: datetime = START,
        venue: str = "baseline",
    ) -> Path:
        """A dataset folder.

        Columns of each perp, all but ``mark_px`` optional; ``row`` tells the hours that are there.
        Tokens are named by their underlying. ``funding`` is (hours after the start, rate).
        """
        made = self.folder / f"data-{len(list(self.folder.iterdir()))}"
        made.mkdir()
        toml = HEAD + "".join(PERP.format(name=name, venue=venue) for name in perps)
        toml += "".join(TOKEN.format(name=name) for name in tokens or {})
        (made / "dataset.toml").write_text(toml, encoding="utf-8")
        rows = [
            table({"oracle_px": told["mark_px"], **told}, start).with_columns(coin=pl.lit(name))
            for name, told in perps.items()
        ]
        whole = pl.concat(rows, how="diagonal_relaxed")
        if "funding" not in whole.columns and funding is None:
            whole = whole.with_columns(funding=0.0)
        whole.write_parquet(made / "perps.parquet")
        if tokens:
            quotes = [
                table(told, start).with_columns(token=pl.lit(f"{name}on"))
                for name, told in tokens.items()
            ]
            pl.concat(quotes, how="diagonal_relaxed").write_parquet(made / "tokens.parquet")
        if funding is not None:
            settled = [
                {"time": start + timedelta(hours=at), "coin": coin, "funding": rate}
                for coin, rates in funding.items()
                for at, rate in rates
            ]
            pl.DataFrame(settled, schema_overrides={"time": CLOCK}).write_parquet(
                made / "funding.parquet"
            )
        return made

    def run(self, data: Path, plan: Plan, **settings: Any) -> Result:
        """Play target units by row, perps first, or the text of a strategy; without costs."""
        file = self.folder / f"strategy_{len(list(self.folder.iterdir()))}.py"
        text = plan if isinstance(plan, str) else PLAN.format(plan=dict(plan))
        file.write_text(text, encoding="utf-8")
        told = {**FREE, **settings}
        told["terms"] = {"max_leverage": 20, "taker_frac": 0.0, **settings.get("terms", {})}
        return backtest(file, data, config=told, pure_python=True)


def table(columns: Columns, start: datetime) -> pl.DataFrame:
    hours = len(columns["mark_px"] if "mark_px" in columns else columns["bid_px"])
    row = columns.get("row", range(hours))
    told = {name: values for name, values in columns.items() if name != "row"}
    time = pl.Series("time", [start + timedelta(hours=n) for n in row], CLOCK)
    return pl.DataFrame({"time": time, **{name: pl.Series(v) for name, v in told.items()}})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def row_of() -> Callable[[Any], list[int]]:
    """Rows of the default clock that times stand for."""

    def rows(time: pl.Series) -> list[int]:
        return [(x - START) // timedelta(hours=1) for x in time]

    return rows
