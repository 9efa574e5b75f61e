"""``--funding both``: the run of the record, and what the formula makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import perpkit
from perpkit.run import Result

Command = Callable[..., Any]

HEAD = """\
schema = 1
name = "told"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."sim:ABC"]
venue = "baseline"
underlying = "ABC"
"""
SHORT = """\
def decide(t, past, book, p, mine, target):
    if t == 0:
        target.perps[0] = -10.0
"""
START = datetime(2026, 8, 12, 0, tzinfo=UTC)


def dataset(folder: Path, interval: int, rates: list[float], premiums: list[float | None]) -> Path:
    """Prices of 100 and a record of settlements so many hours apart, from the first hour on."""
    folder.mkdir()
    told = HEAD + f"interval_hours = {interval}\n"
    (folder / "dataset.toml").write_text(told, encoding="utf-8")
    hours = interval * (len(rates) - 1) + 1
    time = [START + timedelta(hours=n) for n in range(hours)]
    settled = [START + timedelta(hours=interval * n) for n in range(len(rates))]
    utc = pl.col("time").cast(pl.Datetime("ms", "UTC"))
    prices = {"time": time, "coin": "sim:ABC", "oracle_px": 100.0, "mark_px": 100.0}
    pl.DataFrame(prices).with_columns(utc).write_parquet(folder / "perps.parquet")
    record = {"time": settled, "coin": "sim:ABC", "funding": rates, "premium": premiums}
    schema = {"premium": pl.Float64}
    frame = pl.DataFrame(record, schema_overrides=schema).with_columns(utc)
    frame.write_parquet(folder / "funding.parquet")
    return folder


@pytest.fixture
def played(tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "short.py").write_text(SHORT, encoding="utf-8")

    def play(folder: Path, funding: str) -> Result:
        config = {"funding": funding, "half_spread_frac": 0.0, "slippage_frac": 0.0}
        return perpkit.backtest(tmp_path / "short.py", folder, config=config, pure_python=True)

    return play


def test_the_difference_by_hand(tmp_path: Path, played: Callable[..., Result]) -> None:
    # Baseline: (0.001 - 0.0005) / 8 = 0.0000625. Rows 0 and 3 have it; row 1 is 0.0001 too high,
    # row 2 has a rate that is off in the last of ten decimals.
    rates = [0.0000625, 0.0001625, 0.0000625001, 0.0000625]
    result = played(dataset(tmp_path / "d", 1, rates, [0.001] * 4), "both")
    (check,) = result.funding_checks
    assert (check.coin, check.settlements, check.exact_frac) == ("sim:ABC", 4, 0.5)
    assert check.worst_error == pytest.approx(0.0001, abs=1e-15)
    # Short 10 units of 100 USD from row 1 on, so paid in rows 2 and 3: at the formula's rate the
    # receipt of row 2 is 1,000 * 0.0000000001 less, that of row 3 the same.
    settled = result.frames["funding"]
    assert settled["position"].to_list() == [-10.0, -10.0]
    assert check.difference_usd == pytest.approx(-1e-7, abs=1e-12)


def test_half_a_unit_of_the_last_decimal_is_rounding(
    tmp_path: Path, played: Callable[..., Result]
) -> None:
    # 5e-11 (1 + 1/8) for an hour of multiplier 1: 5.6e-11 is allowed, 5.7e-11 is not.
    rates = [0.0000625 + 5.6e-11, 0.0000625 - 5.6e-11, 0.0000625 + 5.7e-11, 0.0000625]
    (check,) = played(dataset(tmp_path / "d", 1, rates, [0.001] * 4), "both").funding_checks
    assert check.exact_frac == 0.75


def test_a_premium_told_with_a_settlement_is_that_of_all_its_hours(
    tmp_path: Path, played: Callable[..., Result]
) -> None:
    # Eight hours at once: 0.001 - 0.0005 and -0.002 + 0.0005.
    told = dataset(tmp_path / "d", 8, [0.0005, 0.0005, -0.0015], [0.001, 0.001, -0.002])
    (check,) = played(told, "both").funding_checks
    assert (check.settlements, check.exact_frac) == (3, 1.0)


def test_without_a_recorded_premium_it_is_that_of_the_prices(
    tmp_path: Path, played: Callable[..., Result]
) -> None:
    # Mark on the oracle: premium 0, interest alone, 0.0001 / 8.
    told = dataset(tmp_path / "d", 1, [0.0000125, 0.00001], [None, None])
    (check,) = played(told, "both").funding_checks
    assert (check.settlements, check.exact_frac) == (2, 0.5)


def test_the_run_is_that_of_the_record(tmp_path: Path, played: Callable[..., Result]) -> None:
    told = dataset(tmp_path / "d", 1, [0.0001] * 30, [0.001] * 30)
    both, recorded = played(told, "both"), played(told, "recorded")
    for name, frame in recorded.frames.items():
        assert_frame_equal(both.frames[name], frame, check_exact=True)
    assert recorded.funding_checks == ()
    assert "funding_against_formula" not in recorded.to_dict()
    assert both.to_dict() == recorded.to_dict() | {
        "funding_against_formula": [both.funding_checks[0]._asdict()]
    }


def test_from_a_later_hour_on(tmp_path: Path, played: Callable[..., Result]) -> None:
    told = dataset(tmp_path / "d", 1, [0.0001] * 30, [0.001] * 30)
    config = {"funding": "both", "start": START + timedelta(hours=20)}
    (tmp_path / "short.py").write_text(SHORT, encoding="utf-8")
    made = perpkit.backtest(tmp_path / "short.py", told, config=config, pure_python=True)
    (check,) = made.funding_checks
    assert check.settlements == 10
    # 8 of the 9 rows after the fill: (0.0000625 - 0.0001) on a short of about 1,000 USD.
    paid = made.frames["funding"].height
    assert check.difference_usd == pytest.approx(-0.0375 * paid, rel=1e-9)


@pytest.mark.parametrize("later", [2, 5, 8, 9])
def test_rates_of_eight_hours_depend_on_no_first_hour(
    tmp_path: Path, played: Callable[..., Result], later: int
) -> None:
    folder = dataset(tmp_path / "d", 8, [0.0] * 5, [None] * 5)
    (folder / "funding.parquet").unlink()
    frame = pl.read_parquet(folder / "perps.parquet")
    rising = frame.with_columns(mark_px=100.0 + 0.1 * pl.int_range(pl.len()))
    rising.write_parquet(folder / "perps.parquet")
    whole = played(folder, "formula").frames["funding"]
    config = {"funding": "formula", "start": START + timedelta(hours=later)}
    made = perpkit.backtest(tmp_path / "short.py", folder, config=config, pure_python=True)
    assert made.frames["equity"]["time"][0].replace(tzinfo=UTC) == START + timedelta(hours=later)
    rates = dict(zip(whole["time"], whole["funding"], strict=True))
    cut = made.frames["funding"]
    assert cut.height >= 2
    assert cut["funding"].to_list() == [rates[when] for when in cut["time"]]
    # Premiums 0.1% to 0.8%, less the clamp: the first of the whole run.
    assert rates[START.replace(hour=8)] == pytest.approx(0.0045 - 0.0005, abs=1e-12)


def test_on_the_command_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text(SHORT, encoding="utf-8")
    told = dataset(tmp_path / "d", 1, [0.0001] * 30, [0.001] * 30)
    ran = command("backtest", "short.py", "--data", told, "--funding", "both", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    at = ran.out.splitlines().index("Recorded funding against the formula")
    head, row = (line.split() for line in ran.out.splitlines()[at + 1 : at + 3])
    assert head == ["coin", "settled", "exact", "worst", "error", "USD"]
    assert row == ["sim:ABC", "30", "0.00%", "3.8e-05", "-1.05"]
    told_so = json.loads((tmp_path / "runs" / "short-d" / "summary.json").read_text())
    assert told_so["funding_against_formula"][0]["settlements"] == 30
    ran = command("backtest", "short.py", "--data", told, "--funding", "formul", cwd=tmp_path)
    assert ran.code == 2
    assert "funding was 'formul'" in ran.err


@pytest.mark.shared
def test_every_settlement_of_august_2026(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text("def decide(t, past, book, p, mine, target):\n    pass\n")
    settings = {"funding": "both", "token_half_spread_frac": 0.001}
    told = shared_data / "xyz-2026-08"
    result = perpkit.backtest(tmp_path / "idle.py", told, config=settings)
    assert len(result.funding_checks) == 9
    for check in result.funding_checks:
        assert (check.settlements, check.exact_frac) == (255, 1.0), check.coin
        assert check.difference_usd == 0.0
