"""docs/validation.md names tests that are there and hold its figures; not-modelled.md is true."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from perpkit.dataset import schema
from perpkit.market.funding import settled_rate
from perpkit.rulebook import VENUE_KEYS
from perpkit.rulebook.keys import UNPLAYED
from perpkit.run import IDENTITY

ROOT = Path(__file__).parents[2]
VALIDATION = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
NOT_MODELLED = (ROOT / "docs" / "not-modelled.md").read_text(encoding="utf-8")


def claims() -> list[tuple[str, list[str]]]:
    """Each claim of the tables with the tests it names."""
    rows = re.findall(r"^\| (.+) \| (`tests.+`) \|$", VALIDATION, re.MULTILINE)
    return [(claim, re.findall(r"`([^`]+)`", tests)) for claim, tests in rows]


CLAIMS = claims()


def loaded(path: str) -> Any:
    """A module of the tests, by its path."""
    file = ROOT / "tests" / path
    sys.path.insert(0, str(file.parent))
    try:
        spec = importlib.util.spec_from_file_location(f"told_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(file.parent))


# --------------------------------------------------------------------------- validation.md


def test_there_are_claims_and_each_names_a_test() -> None:
    assert len(CLAIMS) > 30
    assert VALIDATION.count("\n| ") == len(CLAIMS) + VALIDATION.count("| claim | test |")


@pytest.mark.parametrize("test", sorted({test for _, tests in CLAIMS for test in tests}))
def test_a_test_that_is_named_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert (ROOT / path).exists()
    if name:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), test


@pytest.mark.parametrize(("claim", "tests"), CLAIMS, ids=lambda x: str(x)[:40])
def test_a_figure_of_a_claim_stands_in_its_test(claim: str, tests: list[str]) -> None:
    files = [ROOT / test.partition("::")[0] for test in tests]
    source = "".join(f.read_text(encoding="utf-8") for f in files if f.is_file())
    stands = set(re.findall(r"\d+", re.sub(r"(?<=\d)[_,](?=\d)", "", source)))
    told = re.sub(r"[Mm]ore than \d+|1e-\d+|\b20\d\d\b", "", claim.replace(",", ""))
    figures = set(re.findall(r"\d+", told))
    sums = {"155"} if {"cash", "xyz"} <= set(re.findall(r"\w+", source)) else set()  # of the dexes
    assert figures <= stands | sums


def test_sums_and_least_counts_of_the_claims() -> None:
    faults = loaded("mutations/faults.py").FAULTS
    families = loaded("twin/tapes_book.py").FAMILIES
    peeking = list((ROOT / "tests" / "strategy" / "peeking").glob("*.py"))
    honest = list((ROOT / "tests" / "strategy" / "honest").glob("*.py"))
    museum = "".join(f.read_text("utf-8") for f in (ROOT / "tests" / "museum").glob("test_*.py"))
    recomputed = (ROOT / "tests" / "test_recomputation.py").read_text(encoding="utf-8")
    wrong = recomputed.partition("\nWRONG = {")[2].partition("\n}\n")[0]
    counted = {
        "More than 500 faults": len(faults),
        "more than 20 families": len(families),
        "More than 35 bugs": len(re.findall(r"^def test_", museum, re.MULTILINE)),
        "More than 25 wrong books": len(re.findall(r'^    "', wrong, re.MULTILINE)),
    }
    for words, count in counted.items():
        assert words in VALIDATION
        assert count > int(re.findall(r"\d+", words)[0]), words
    assert "more than ten ways are all found, and ten honest ones pass" in VALIDATION
    assert len(peeking) > len(honest) == 10
    contexts = (ROOT / "tests" / "market" / "test_recorded_contexts.py").read_text(encoding="utf-8")
    dexes = dict(re.findall(r'"(\w+)": (\d+),\n', contexts))
    assert (sum(map(int, dexes.values())), len(dexes)) == (155, 7)
    cases = re.findall(r'^        "(\w+)": case\(', recomputed, re.MULTILINE)
    assert "Eight runs" in VALIDATION
    assert len(set(cases)) == 8


def test_the_precision_is_the_programs() -> None:
    assert IDENTITY == 1e-9
    assert loaded("twin/comparing.py").PRECISION == 1e-9
    assert "TOLERANCE = 1e-12" in (ROOT / "tests" / "recomputation.py").read_text(encoding="utf-8")


def test_the_twin_imports_nothing_of_perpkit() -> None:
    assert "imports\nnothing of perpkit" in VALIDATION
    files = list((ROOT / "tests" / "twin").glob("twin_*.py"))
    assert len(files) > 8
    for file in files:
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(?:import|from) (?:perpkit|adapter)\b", source, re.MULTILINE), (
            file
        )


# --------------------------------------------------------------------------- not-modelled.md


def test_keys_that_no_run_reads_are_told() -> None:
    # "quote" is a common word of the sources: a way to trade, and a kind of row.
    folders = (ROOT / "perpkit" / name for name in ("tape", "market", "book"))
    files = [*(f for folder in folders for f in folder.glob("*.py"))]
    files.append(ROOT / "perpkit" / "rulebook" / "record.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    words = set(re.findall(r"\w+", source))
    assert settled_rate.__name__ in words
    unread = {key for key in VENUE_KEYS if key not in words} | {"quote"}
    told = {key for key in VENUE_KEYS if f"`{key}`" in NOT_MODELLED}
    assert unread <= told
    for key, values in UNPLAYED.items():
        assert all(f'`{key} = "{value}"`' in NOT_MODELLED for value in values)


def test_actions_that_change_a_holding_are_the_two_that_are_told() -> None:
    text = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert "| `kind` | | always | `dividend`, `split` or `earnings` |" in text
    assert "actions on a holding are dividends and splits" in NOT_MODELLED
    assert "kind" in schema.ACTIONS.columns


def test_each_row_says_which_way_it_bends() -> None:
    rows = [line.split("|")[1:-1] for line in NOT_MODELLED.splitlines() if line.startswith("|")]
    ways = [way.strip() for what, way, _ in rows if what.strip() not in {"not modelled", "---"}]
    assert len(ways) > 25
    known = ("flattered", "harsh", "either", "refused", "wrong", "hardly changed")
    assert not [way for way in ways if not way.startswith(known)]
