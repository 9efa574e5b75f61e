"""``data check``, ``rules infer`` and ``markets funding`` as a user meets them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Command = Callable[..., Any]
COMMANDS = [("data", "check"), ("rules", "infer"), ("markets", "funding")]
START = datetime(2026, 8, 12, 0, tzinfo=UTC)


@pytest.fixture
def settled(tmp_path: Path) -> Path:
    """A file of two weeks of settlements of a core coin, by the formula."""
    rng = np.random.default_rng(3)
    premium = np.round(rng.normal(0, 8e-4, 336), 10)
    rate = np.round(np.clip(0.0001, premium - 0.0005, premium + 0.0005) / 8, 10)
    hours = [START + timedelta(hours=n, milliseconds=int(rng.integers(0, 90))) for n in range(336)]
    path = tmp_path / "settled.parquet"
    pl.DataFrame(
        {
            "time": pl.Series(hours, dtype=pl.Datetime("ms", "UTC")),
            "coin": "BTC",
            "funding": rate,
            "premium": premium,
        }
    ).write_parquet(path)
    return path


def spoil(path: Path) -> None:
    frame = pl.read_parquet(path)
    off = pl.when(pl.int_range(pl.len()) == 100).then(1e-6).otherwise(0.0)
    frame.with_columns(pl.col("funding") + off).write_parquet(path)


def table(out: str) -> dict[str, list[str]]:
    """Cells of the rows of all tables, by their first."""
    rows = [line.split() for line in out.splitlines() if line.startswith("  ")]
    return {row[0]: row for row in reversed(rows) if row}


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_output_is_plain_and_within_100_columns(
    group: str, name: str, settled: Path, inside: Command, work: Path
) -> None:
    ran = inside(group, name, settled, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in ran.out
    assert ran.out.isascii()


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_json_alone_is_printed(
    group: str, name: str, settled: Path, inside: Command, work: Path
) -> None:
    ran = inside(group, name, settled, "--json", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["schema"] == 1
    assert list(told["coins"]) == ["BTC"]


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_what_is_not_there_is_refused_in_one_sentence(
    group: str, name: str, inside: Command, work: Path
) -> None:
    ran = inside(group, name, "nowhere", cwd=work)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("perpkit: nowhere is not a folder")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("group", ["data", "markets"])
def test_a_group_alone_shows_its_commands(group: str, inside: Command, work: Path) -> None:
    ran = inside(group, cwd=work)
    assert dict(COMMANDS)[group] in ran.out
    assert ran.err == ""


# --------------------------------------------------------------------------- each command


def test_check_says_how_much_is_exact(settled: Path, inside: Command, work: Path) -> None:
    ran = inside("data", "check", settled, cwd=work)
    assert table(ran.out)["BTC"][:4] == ["BTC", "336", "336", "100%"]
    assert ran.out.endswith("No findings\n")


def test_check_ends_with_3_on_an_error(settled: Path, inside: Command, work: Path) -> None:
    spoil(settled)
    ran = inside("data", "check", settled, cwd=work)
    assert (ran.code, ran.err) == (3, "")
    assert table(ran.out)["BTC"][3] == "99.70%"
    assert "  error    settled.parquet, BTC: rates of 1 row differ" in ran.out
    assert "2026-08-16 04:00Z" in ran.out
    as_json = inside("data", "check", settled, "--json", cwd=work)
    assert as_json.code == 3
    told = json.loads(as_json.out)
    assert told["worst"] == "error"
    assert told["coins"]["BTC"]["funding_first_differing_hour"] == "2026-08-16 04:00Z"


def test_check_takes_a_venue_for_a_file(settled: Path, inside: Command, work: Path) -> None:
    ran = inside("data", "check", settled, "--venue", "xyz", cwd=work)
    assert ran.code == 3
    wrong = inside("data", "check", settled.parent, "--venue", "xyz", cwd=work)
    assert wrong.code == 2
    assert "a venue is stated for a file only" in wrong.err


def test_check_of_the_demo(inside: Command, month: Path, work: Path) -> None:
    ran = inside("data", "check", month, cwd=work)
    assert ran.code == 0
    assert "note     demo: records no funding" in ran.out


def test_infer_names_the_terms(settled: Path, inside: Command, work: Path) -> None:
    ran = inside("rules", "infer", settled, cwd=work)
    cells = table(ran.out)["BTC"]
    assert cells[3] == "336"
    assert (cells[4], cells[7], cells[10]) == ("1", "0.0005", "0.0001")


def test_infer_names_the_row_that_no_terms_fit(settled: Path, inside: Command, work: Path) -> None:
    spoil(settled)
    ran = inside("rules", "infer", settled, cwd=work)
    assert ran.code == 0
    assert "BTC: no terms fit 2026-08-16 04:00Z" in " ".join(ran.out.split())


def test_infer_says_what_is_not_identified(settled: Path, inside: Command, work: Path) -> None:
    frame = pl.read_parquet(settled)
    calm = frame.filter((pl.col("premium") - 0.0001).abs() < 0.0004)
    calm.write_parquet(settled)
    told = " ".join(inside("rules", "infer", settled, cwd=work).out.split())
    assert "BTC: multiplier, clamp_8h, interest_8h not identified from" in told
    assert "shows only multiplier times interest" in told


def test_infer_shows_a_change(settled: Path, inside: Command, work: Path) -> None:
    frame = pl.read_parquet(settled)
    premium = pl.col("premium")
    rate_8h = 0.5 * pl.lit(0.0001).clip(premium - 0.0005, premium + 0.0005)
    rate = pl.when(pl.int_range(pl.len()) < 168).then(pl.col("funding")).otherwise(rate_8h / 8)
    frame.with_columns(rate.round(10).alias("funding")).write_parquet(settled)
    told = " ".join(inside("rules", "infer", settled, cwd=work).out.split())
    assert (
        "BTC: terms change after 2026-08-18 23:00Z and by 2026-08-19 00:00Z: "
        "multiplier, baseline_8h"
    ) in told


def test_infer_takes_an_interval(settled: Path, inside: Command, work: Path) -> None:
    first = pl.read_parquet(settled).head(1)
    first.write_parquet(settled)
    assert inside("rules", "infer", settled, cwd=work).code == 3
    ran = inside("rules", "infer", settled, "--interval-hours", "1", cwd=work)
    assert ran.code == 0
    assert inside("rules", "infer", settled, "--interval-hours", "7", cwd=work).code == 2


def test_funding_shows_rates_a_year(settled: Path, inside: Command, work: Path) -> None:
    ran = inside("markets", "funding", settled, cwd=work)
    rate = pl.read_parquet(settled)["funding"]
    cells = table(ran.out)["BTC"]
    assert cells[1:3] == ["336", f"{rate.mean() * 8_760:.2%}"]
    assert cells[7:] == ["-", "-", "-"]  # there is no month


def test_formed_rates_are_said_to_be(inside: Command, month: Path, work: Path) -> None:
    for group, name in COMMANDS[1:]:
        ran = inside(group, name, month, cwd=work)
        assert "Nothing is recorded: these rates are perpkit's own." in ran.out
        assert "sim:HAWK" in table(ran.out)


def test_late_stamps_are_refused(settled: Path, inside: Command, work: Path) -> None:
    late = pl.read_parquet(settled).with_columns(pl.col("time").dt.offset_by("11m"))
    shutil.copy(settled, work / "copy.parquet")
    late.write_parquet(work / "late.parquet")
    ran = inside("rules", "infer", "late.parquet", cwd=work)
    assert ran.code == 3
    assert "late.parquet: BTC is settled more than ten minutes past the hour" in ran.err


# --------------------------------------------------------------------------- data check --fix


def plant(folder: Path) -> None:
    """A print of four times and a settlement's worth of NaN."""
    frame = pl.read_parquet(folder / "perps.parquet")
    row = pl.int_range(pl.len())
    mid = pl.when(row == 300).then(pl.col("mid_px") * 4).when(row == 400).then(float("nan"))
    frame.with_columns(mid.otherwise("mid_px").alias("mid_px")).write_parquet(
        folder / "perps.parquet"
    )


def test_check_lists_faults_that_a_run_refuses(broken: Path, inside: Command, work: Path) -> None:
    plant(broken)
    ran = inside("data", "check", broken, cwd=work)
    assert (ran.code, ran.err) == (3, "")
    told = " ".join(ran.out.split())
    assert "error perps.parquet, sim:ORCA: mid_px is NaN in 1 row" in told
    assert "error perps.parquet, sim:ORCA: mid_px leaps to 4 times the hours around" in told
    assert max(map(len, ran.out.splitlines())) <= 100


def test_fix_writes_a_dataset_and_says_so(broken: Path, inside: Command, work: Path) -> None:
    plant(broken)
    ran = inside("data", "check", broken, "--fix", "mended", cwd=work)
    assert (ran.code, ran.err) == (0, "")  # no error is left
    assert ran.out.endswith(
        "Written to mended: 2 cells changed, 0 rows removed, 0 left; see fixes.csv there\n"
    )
    log = (work / "mended" / "fixes.csv").read_text().splitlines()
    assert log[0] == "table,instrument,time,column,before,after,check,reason"
    assert [line.split(",")[6] for line in log[1:]] == ["nan", "outliers"]
    again = inside("data", "check", "mended", "--json", cwd=work)
    assert (again.code, json.loads(again.out)["findings"]) == (0, [])
    assert inside("backtest", "funding_carry", "--data", "mended", cwd=work).code == 0
    taken = inside("data", "check", broken, "--fix", "mended", cwd=work)
    assert (taken.code, taken.out) == (2, "")
    assert taken.err == "perpkit: --fix mended: is there already; name a new folder\n"


def test_what_fix_leaves_ends_with_3(broken: Path, inside: Command, work: Path) -> None:
    frame = pl.read_parquet(broken / "perps.parquet")
    later = pl.col("time").dt.offset_by("25m")
    first = pl.int_range(pl.len()) == 0
    time = pl.when(first).then(later).otherwise("time").alias("time")
    frame.with_columns(time).write_parquet(broken / "perps.parquet")
    ran = inside("data", "check", broken, "--fix", "mended", "--json", cwd=work)
    assert ran.code == 3
    told = json.loads(ran.out)
    assert told["fixed"] == {"folder": "mended", "cells": 0, "rows_removed": 0}
    assert [(f["check"], f["fixable"]) for f in told["findings"]] == [("stamps", False)]


def test_a_file_of_settlements_is_fixed_too(settled: Path, inside: Command, work: Path) -> None:
    frame = pl.read_parquet(settled)
    frame.with_columns(pl.col("funding") * 8).write_parquet(settled)
    ran = inside("data", "check", settled, "--fix", "mended", cwd=work)
    assert (ran.code, ran.err) == (0, "")
    assert pl.read_parquet(work / "mended" / settled.name).equals(frame)
