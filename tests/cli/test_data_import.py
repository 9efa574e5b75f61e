"""``perpkit data import`` from the shell's side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpkit.cli import main

PERPS = "time,coin,oracle_px,mark_px\n2026-08-12T05:00:00Z,xyz:NVDA,100.5,100.6\n"


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
