"""Two runs over the demo are what they were when their files were written."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .ledger import CASES, HERE, REMEDY, ROOT, Table, cut, differences, played, read, write

Tables = dict[str, Table]


@pytest.fixture(scope="module")
def tables() -> dict[str, Tables]:
    return {case: cut(played(case)) for case in CASES}


def copied(tables: Tables) -> Tables:
    return {n: (list(columns), [list(r) for r in rows]) for n, (columns, rows) in tables.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_what_it_was(tables: dict[str, Tables], case: str) -> None:
    found = differences(case, tables[case])
    if found:
        pytest.fail(
            f"{case}: {found[0]}; {len(found)} cells differ, this is the first. {REMEDY}",
            pytrace=False,
        )


def test_the_files_reach_what_matters() -> None:
    assert sum(file.stat().st_size for file in HERE.glob("*/*.csv")) < 150_000
    columns, rows = read("strained", "events")
    kinds = {row[columns.index("kind")] for row in rows}
    assert kinds >= {
        "trimmed", "liquidation", "transfer_sent", "transfer_arrived", "transfer_refused",
    }  # fmt: skip
    columns, rows = read("strained", "fills")
    assert {row[columns.index("reason")] for row in rows} == {"target", "liquidation"}
    columns, rows = read("plain", "funding")
    crawl = [
        float(row[columns.index("oracle_px")])
        for row in rows
        if row[columns.index("coin")] == "sim:FALC" and "2026-01-31" <= row[0] < "2026-02-01"
    ]
    steps = [later / earlier for earlier, later in pairwise(crawl)]
    assert sum(abs(step - 1.01) < 1e-9 for step in steps) > 10, "the oracle at its step limit"


# --------------------------------------------------------------------------- the comparison


@pytest.fixture(scope="module")
def written(tables: dict[str, Tables], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of today's run, so that these tests ask nothing of the rules."""
    folder = tmp_path_factory.mktemp("written")
    for case in CASES:
        write(case, tables[case], folder)
    return folder


def cell(tables: Tables, table: str, row: int, column: str) -> tuple[list[Any], int]:
    columns, rows = tables[table]
    return rows[row], columns.index(column)


def test_the_first_difference_is_named_in_words(tables: dict[str, Tables], written: Path) -> None:
    changed = copied(tables["plain"])
    row, n = cell(changed, "equity", 20, "funding_usd")
    later, m = cell(changed, "fills", 60, "size")
    was, time = row[n], row[0]
    row[n] = was * (1.0 + 3e-9)
    later[m] *= 2.0
    found = differences("plain", changed, written)
    assert [(d.table, d.column) for d in found] == [("equity", "funding_usd"), ("fills", "size")]
    stamp = time.strftime("%Y-%m-%d %H:%MZ")
    told = f"equity at {stamp}, funding_usd: was {was:.12g}, is {row[n]:.12g}"
    assert str(found[0]) == told


def test_the_last_digits_may_differ(tables: dict[str, Tables], written: Path) -> None:
    changed = copied(tables["plain"])
    for columns, rows in changed.values():
        for row in rows:
            row[:] = [c * (1.0 + 1e-10) if isinstance(c, float) else c for c in row]
        assert columns
    assert differences("plain", changed, written) == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("fills", "instrument", "sim:LYNX"),
        ("fills", "time", None),
        ("fills", "fill_id", 777),
        ("events", "kind", "bad_debt"),
        ("counts", "count", 1),
        ("metrics", "value", None),
        ("metrics", "value", 1e-7),
    ],
)
def test_what_is_no_number_is_exact(
    tables: dict[str, Tables], written: Path, table: str, column: str, value: object
) -> None:
    changed = copied(tables["strained"])
    row, n = cell(changed, table, 3, column)
    row[n] = value
    (found,) = differences("strained", changed, written)
    assert (found.table, found.now) == (table, "" if value is None else str(value))


def test_rows_that_came_or_went(tables: dict[str, Tables], written: Path) -> None:
    changed = copied(tables["strained"])
    gone = changed["fills"][1].pop()
    (found,) = differences("strained", changed, written)
    assert (found.column, found.now) == ("row", "not there")
    changed["fills"][1].extend([gone, gone])
    (found,) = differences("strained", changed, written)
    assert (found.column, found.was) == ("row", "not there")
    changed["fills"][0].append("more")
    (found,) = differences("strained", changed, written)
    assert found.column == "columns"
    assert differences("strained", tables["strained"], written) == []


def test_metrics_and_counts_are_found_by_their_names(
    tables: dict[str, Tables], written: Path
) -> None:
    changed = copied(tables["plain"])
    name, value = changed["counts"][1].pop(0)
    changed["counts"][1].insert(2, ["new", 3])
    told = [str(difference) for difference in differences("plain", changed, written)]
    assert told == [
        f"counts, {name}: was {value}, is not there",
        "counts, new: was not there, is 3",
    ]


def test_one_command_writes_the_files(tables: dict[str, Tables], tmp_path: Path) -> None:
    told = re.search(r"`python (-m tests\.golden)`", REMEDY)
    assert told is not None
    done = subprocess.run(
        [sys.executable, *told[1].split(), tmp_path],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for case in CASES:
        assert differences(case, tables[case], tmp_path) == []
        here, there = (sorted(f.name for f in (p / case).iterdir()) for p in (HERE, tmp_path))
        assert here == there
