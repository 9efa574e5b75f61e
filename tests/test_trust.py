"""What would make a number look right and be wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import perpkit
from perpkit.errors import RequestError, StrategyError
from perpkit.run import _check_identity, demo
from perpkit.strategy.load import load

MONTH = {"end": "2025-11-12"}

WRITES = """
def decide(t, past, book, p, mine, target):
    if t == 10:
        past.mark_px[-1, 0] = 90.0
"""
READS_A_FILE = """
import json
from pathlib import Path

SIZE = float(json.loads(Path(__file__).with_name("size.json").read_text()))


def decide(t, past, book, p, mine, target):
    if t == 5:
        target.perps[0] = -SIZE
"""


@pytest.mark.parametrize("pure", [False, True])
def test_a_strategy_cannot_write_the_market(tmp_path: Path, pure: bool) -> None:
    file = tmp_path / "writes.py"
    file.write_text(WRITES)
    with pytest.raises(StrategyError, match=r"writes\.py:4"):
        perpkit.backtest(file, config=MONTH, pure_python=pure)


def test_a_value_read_at_import_is_part_of_what_was_compiled(tmp_path: Path) -> None:
    file = tmp_path / "sized.py"
    file.write_text(READS_A_FILE)
    sizes, digests = [], []
    for size in (1.0, 3.0):
        (tmp_path / "size.json").write_text(json.dumps(size))
        digests.append(load(str(file)).digest)
        sizes.append(perpkit.backtest(file, config=MONTH).frames["fills"]["size"].to_list())
    assert sizes == [[1.0], [3.0]]
    assert digests[0] != digests[1]


def test_the_market_does_not_depend_on_where_a_run_starts(tmp_path: Path) -> None:
    # FALC's oracle crawls after the gap of Friday 2026-01-30; a run may start in the middle of it.
    always = """
def decide(t, past, book, p, mine, target):
    target.perps[1] = -1.0
"""
    crawl = pl.col("time") >= datetime(2026, 1, 31, 10, tzinfo=UTC)
    oracles = []
    for start in ("2026-01-20", "2026-01-31T05:00"):
        file = tmp_path / "always.py"
        file.write_text(always)
        config = {"start": start, "end": "2026-02-02"}
        funding = perpkit.backtest(file, config=config).frames["funding"]
        oracles.append(funding.filter(crawl).select("time", "oracle_px", "funding"))
    assert oracles[0].height > 30
    assert oracles[0].equals(oracles[1])


def late(folder: Path, coin: str, token: str, hours: int) -> Path:
    """The demo with one coin and its token listed later."""
    source, begins = demo(), datetime(2025, 10, 13, tzinfo=UTC)
    folder.mkdir()
    (folder / "dataset.toml").write_bytes((source / "dataset.toml").read_bytes())
    for table, key, name in (("perps", "coin", coin), ("tokens", "token", token)):
        rows = pl.read_parquet(source / f"{table}.parquet")
        early = (pl.col("time") - begins).dt.total_hours() < hours
        rows.filter(~((pl.col(key) == name) & early)).write_parquet(folder / f"{table}.parquet")
    return folder


def test_a_coin_that_is_not_listed_yet_stops_no_other(tmp_path: Path) -> None:
    data = late(tmp_path / "late", "sim:HAWK", "HAWKx", 300)
    both = perpkit.backtest("funding_carry", data=data, config={"end": "2025-11-16"})
    alone = perpkit.backtest(
        "funding_carry",
        data=data,
        config={"end": "2025-11-16", "coins": ["sim:ORCA", "sim:FALC", "sim:LYNX"]},
    )
    columns = ["time", "instrument", "side", "size", "px"]
    before = pl.col("time") < datetime(2025, 10, 25, 12, tzinfo=UTC)  # its first hour
    made, told = (x.frames["fills"].filter(before).select(columns) for x in (both, alone))
    assert made.height > 5
    assert made.equals(told)


def test_a_result_whose_causes_do_not_sum_is_not_given_out() -> None:
    equity = perpkit.backtest("funding_carry", config=MONTH).frames["equity"]
    _check_identity(equity, 100_000.0)
    wrong = equity.with_columns(
        fees_usd=pl.when(pl.int_range(pl.len()) == 500).then(0.01).otherwise(pl.col("fees_usd"))
    )
    with pytest.raises(AssertionError, match="causes miss the change of equity"):
        _check_identity(wrong, 100_000.0)


def test_a_coin_named_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="names one twice"):
        perpkit.backtest("funding_carry", config={"coins": ["sim:ORCA", "sim:ORCA"]})


def test_fills_of_the_first_row_cost_the_capital(tmp_path: Path) -> None:
    file = tmp_path / "at_once.py"
    file.write_text("def decide(t, past, book, p, mine, target):\n    target.perps[0] = -10.0\n")
    result = perpkit.backtest(file, config={**MONTH, "fill_delay_hours": 0})
    equity, summary = result.frames["equity"], result.summary
    assert equity["slippage_usd"][0] < 0.0
    assert summary["start_equity_usd"] == 100_000.0
    assert summary["net_pnl_usd"] == pytest.approx(equity["equity_usd"][-1] - 100_000.0)
    assert summary["identity_error_frac"] < 1e-12
