"""``perpkit data import`` from the shell's side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpkit.cli import main

PERPS = "time,coin,oracle_px,mark_px\n2026-08-12T05:00:00Z,xyz:NVDA,100.5,100.6\n"
IMPORT = ["data", "import", "perps", "--out", "made"]


@pytest.fixture
def perps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "perps.csv").write_text(PERPS)
    return tmp_path


def test_an_import_says_what_it_brought(perps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "import", "perps", "perps.csv", "--out", "made", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "folder": "made",
        "table": "perps",
        "files": 1,
        "rows": {"xyz:NVDA": 1},
        "new_rows": 1,
        "first_ms": 1786510800000,
        "last_ms": 1786510800000,
        "notes": [],
    }
    assert (perps / "made" / "dataset.toml").is_file()


def test_what_is_said_beside_the_files_is_in_the_dataset(perps: Path) -> None:
    command = "data import perps perps.csv --out made --venue baseline --underlying xyz:NVDA=NVDA2"
    assert main([*command.split(), "--name", "my own", "--licence", "MIT", "--source", "me"]) == 0
    text = (perps / "made" / "dataset.toml").read_text()
    assert text.startswith('schema = 1\nname = "my own"\nsource = "me"\nlicence = "MIT"\n')
    assert text.endswith('[perps."xyz:NVDA"]\nvenue = "baseline"\nunderlying = "NVDA2"\n')


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("perp perps.csv", "there is no format perp; did you mean perps?"),
        ("generic perps.csv", "the format generic needs --mapping"),
        ("perps perps.csv --mapping m.toml", "--mapping goes with the format generic"),
        ("perps none.csv", "none.csv is not there; name the files to import"),
        ("perps perps.csv perps.csv", "perps.csv is given twice"),
        ("perps perps.csv --underlying NVDA", '--underlying is "NVDA"; write it as NAME=VALUE'),
        ("perps perps.csv --multiplier T=x", '--multiplier T is "x"; write a number'),
        ("perps perps.csv --prices chain", '--prices is "chain"; write onchain or external'),
        ("perps perps.csv --describe no.toml", "no.toml cannot be read"),
    ],
)
def test_a_wrong_request_ends_with_2(
    perps: Path, capsys: pytest.CaptureFixture[str], command: str, told: str
) -> None:
    assert main([*f"data import {command}".split(), "--out", "made"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (perps / "made").exists()


def test_wrong_data_end_with_3(perps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (perps / "perps.csv").write_text(PERPS.replace("100.6", "-1"))
    assert main(["data", "import", "perps", "perps.csv", "--out", "made"]) == 3
    assert "perps.csv, line 2: mark_px" in capsys.readouterr().err
    assert not (perps / "made").exists()


def test_a_file_again_brings_nothing_new(perps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*IMPORT, "perps.csv"]
    assert main(command) == 0
    assert "nothing was new" not in capsys.readouterr().out
    assert main(command) == 0
    assert "nothing was new: every row was there already, as it is" in capsys.readouterr().out
    (perps / "perps.csv").write_text(PERPS + PERPS.splitlines()[1].replace("T05", "T06") + "\n")
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["new_rows"], told["notes"]) == ({"xyz:NVDA": 2}, 1, [])


def test_a_cell_more_makes_a_row_new(perps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*IMPORT, "perps.csv"]) == 0
    (perps / "perps.csv").write_text(
        "time,coin,oracle_px,mark_px,mid_px\n2026-08-12T05:00:00Z,xyz:NVDA,100.5,100.6,100.5\n"
    )
    capsys.readouterr()
    assert main([*IMPORT, "perps.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new_rows"] == 1


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        ("oracle_px,mid_px", "", "no row has mark_px, which recorded prices need; add the column"),
        ("mid_px,funding", "", "no row has oracle_px and mark_px, which"),
        ("external_px,mid_px", "", "give --prices external, so that perpkit forms oracle and"),
        ("oracle_px,mid_px", "--prices onchain", "or add external_px and give --prices external"),
    ],
)
def test_prices_that_no_reader_takes_are_not_written(
    perps: Path, capsys: pytest.CaptureFixture[str], header: str, options: str, told: str
) -> None:
    values = ["0.5" for _ in header.split(",")]
    (perps / "lean.csv").write_text(
        f"time,coin,{header},mark_px\n2026-08-12T05:00:00Z,xyz:NVDA,{','.join(values)},\n"
    )
    assert main([*IMPORT, "lean.csv", *options.split()]) == 3
    err = " ".join(capsys.readouterr().err.split())
    assert "lean.csv: " in err
    assert told in err
    assert not (perps / "made").exists()


@pytest.mark.parametrize("header", ["external_px,mid_px", "impact_bid_px,impact_ask_px"])
def test_prices_that_perpkit_forms_need_no_mark(perps: Path, header: str) -> None:
    (perps / "lean.csv").write_text(
        f"time,coin,{header}\n2026-08-12T05:00:00Z,xyz:NVDA,100.0,100.1\n"
    )
    assert main([*IMPORT, "lean.csv", "--prices", "external"]) == 0


def test_marks_may_follow_into_a_dataset_that_has_prices(perps: Path) -> None:
    assert main([*IMPORT, "perps.csv"]) == 0
    (perps / "more.csv").write_text("time,coin,mid_px\n2026-08-12T05:00:00Z,xyz:NVDA,100.5\n")
    assert main([*IMPORT, "more.csv"]) == 0
