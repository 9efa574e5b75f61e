"""``perpkit data simulate`` as people run it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from perpkit.cli.data_simulate import _changed, _moment
from perpkit.errors import RequestError

from .conftest import Command


def test_it_writes_a_dataset_that_runs(command: Command, tmp_path: Path) -> None:
    words = ["--scenario", "split-week", "--stocks", "NVDA,TSLA", "--days", "30", "--seed", "7"]
    more = ["--start", "2026-05-04", "--venues", "baseline,xyz", "--set", "weekend_premium_bp=6"]
    ran = command("data", "simulate", *words, *more, "--out", "sim", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "2026-05-04 00:00Z to 2026-06-02 23:00Z, 4 perps, 3 tokens" in ran.out
    names = sorted(path.name for path in (tmp_path / "sim").iterdir())
    tables = ["perps.parquet", "tokens.parquet"]
    assert names == ["README.md", "actions.parquet", "dataset.toml", *tables]
    assert (
        (tmp_path / "sim" / "README.md").read_text(encoding="utf-8").count("weekend_premium_bp=6")
    )
    assert len(pl.read_parquet(tmp_path / "sim" / "perps.parquet")) == 4 * 24 * 30
    ran = command("backtest", "funding_carry", "--data", "sim", "--out", "run", cwd=tmp_path)
    assert ran.code == 0
    assert "on split-week" in ran.out


def test_a_wrong_request_is_one_sentence(command: Command, tmp_path: Path) -> None:
    ran = command("data", "simulate", "--scenario", "bul", "--out", "sim", cwd=tmp_path)
    assert ran.code == 2
    assert "--scenario bul is unknown: did you mean bull?" in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("told", ["drift_apr", "drift_apr=x", "=1x"])
def test_a_change_needs_a_number(told: str) -> None:
    with pytest.raises(RequestError, match="write KEY=NUMBER"):
        _changed([told])


def test_a_start_without_a_zone_is_utc() -> None:
    assert _moment("2026-05-04").isoformat() == "2026-05-04T00:00:00+00:00"
    assert _moment("2026-05-04T02:00+02:00").isoformat() == "2026-05-04T00:00:00+00:00"
    with pytest.raises(RequestError, match="write 2026-05-04"):
        _moment("May")
