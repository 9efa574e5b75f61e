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
