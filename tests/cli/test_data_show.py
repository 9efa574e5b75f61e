"""``data show`` as a user meets it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from perpkit.dataset.store import Store

Command = Callable[..., Any]
START = datetime(2026, 8, 12, tzinfo=UTC)
TOML = """\
schema = 1
name = "shown"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"
sz_decimals = 3

[perps."xyz:AAPL"]
venue = "nowhere"
underlying = "AAPL"
"""


SHOWN = """\
shown: 2026-08-12 to 2026-08-13, prices onchain
  source   made up by the tests
  licence  MIT

Tables, kept by instrument and month
  table  rows  instruments  files  kB
  perps    69            2      2   4

Prices of perps
  coin      coverage                        from          to  rows  gaps  missing
  xyz:AAPL  ............###.##+#####  2026-08-13  2026-08-13    21     2      3 h
  xyz:NVDA  ########################  2026-08-12  2026-08-13    48     -        -

  A character is 2 hours: # all recorded, + some, . none.

Gaps
  2 h from 2026-08-13 06:00Z: perps of xyz:AAPL
  1 h from 2026-08-13 13:00Z: perps of xyz:AAPL

Where oracle prices come from
  xyz:AAPL: premium 100%
  xyz:NVDA: chain 50.00%, premium 50.00%

Terms in force
  xyz:NVDA: venue xyz
    funding_multiplier 0.5, interest_8h 0.0001, clamp_8h 0.0003, cap_1h 0.04, interval_hours 1,
    max_leverage 20
    dataset.toml: sz_decimals 3
  xyz:AAPL: venue nowhere, which the rulebook does not have
"""


def prices(coin: str, hours: list[int]) -> pl.DataFrame:
    times = pl.Series([START + timedelta(hours=n) for n in hours], dtype=pl.Datetime("ms", "UTC"))
    source = ["chain" if n < 24 else "premium" for n in hours]
    return pl.DataFrame({"time": times, "coin": coin, "mark_px": 180.0, "oracle_source": source})


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """A store of two coins over two days; the second begins late and lacks hours."""
    folder = tmp_path / "shown"
    with Store(folder).writer() as writer:
        writer.describe(TOML)
        writer.add("perps", prices("xyz:NVDA", list(range(48))))
        writer.add("perps", prices("xyz:AAPL", [n for n in range(24, 48) if n not in (30, 31, 37)]))
    return folder


def test_what_is_shown_of_a_store(shown: Path, inside: Command, work: Path) -> None:
    ran = inside("data", "show", shown, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert ran.out == SHOWN


def test_a_change_of_terms_is_told_with_its_date(
    tmp_path: Path, inside: Command, work: Path
) -> None:
    with Store(tmp_path / "old").writer() as writer:
        writer.describe(TOML)
        old = pl.concat([prices(c, list(range(48))) for c in ("xyz:NVDA", "xyz:AAPL")])
        writer.add("perps", old.with_columns(pl.col("time").dt.offset_by("-237d")))
    lines = inside("data", "show", tmp_path / "old", cwd=work).out.splitlines()
    assert "    funding_multiplier 1.0, interest_8h 0.0001" in "\n".join(lines)
    assert "    from 2025-12-19: funding_multiplier 0.5" in lines


def test_a_date_without_a_change_of_shown_terms_is_not_told(
    tmp_path: Path, inside: Command, work: Path
) -> None:
    with Store(tmp_path / "old").writer() as writer:
        writer.describe(TOML)
        writer.add("perps", pl.concat([prices("xyz:NVDA", [24 * n for n in range(-90, 90)])]))
    out = inside("data", "show", tmp_path / "old", cwd=work).out
    assert "Terms in force" in out
    assert not [line for line in out.splitlines() if line.endswith(":")], out


def test_the_page_shows_what_is_shown(
    inside: Command,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
    monkeypatch.chdir(work)
    names: dict[str, Any] = {}
    for found in re.finditer(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(found[1], names)
    shown = re.search(r"^\$ perpkit data show grown\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    ran = inside("data", "show", "grown", cwd=work)
    # How small the files become is for the version of polars to say.
    size = re.compile(r"^(  (?:table|perps) .*) \S+$", re.MULTILINE)
    assert size.sub(r"\1", ran.out[ran.out.index("grown: ") :]) == size.sub(r"\1", shown[1])


def test_the_demo_is_shown_within_100_columns(inside: Command, work: Path) -> None:
    demo = Path(__file__).resolve().parents[2] / "data" / "demo"
    ran = inside("data", "show", demo, cwd=work)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    assert "Quotes of tokens" in lines
    assert "  perpkit forms oracle and mark from external prices." in lines


def test_json_lists_every_gap(shown: Path, inside: Command, work: Path) -> None:
    told = json.loads(inside("data", "show", shown, "--json", cwd=work).out)
    aapl = told["coverage"][0]
    assert (aapl["instrument"], aapl["missing_hours"]) == ("xyz:AAPL", 3)
    assert aapl["gaps"] == [
        {"first": "2026-08-13 06:00Z", "hours": 2},
        {"first": "2026-08-13 13:00Z", "hours": 1},
    ]
    assert told["perps"]["xyz:AAPL"]["terms"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_gets_a_drawn_picture_and_a_pipe_a_plain_one(
    shown: Path, inside: Command, watch: Command, work: Path
) -> None:
    utf = {"LC_ALL": "C.UTF-8"}
    for colour in ({}, {"NO_COLOR": "1"}):
        assert "█" in watch("data", "show", shown, cwd=work, **utf, **colour).text
    assert "█" not in watch("data", "show", shown, cwd=work, LC_ALL="C").text
    assert inside("data", "show", shown, cwd=work, FORCE_COLOR="1").out.isascii()


def test_a_folder_that_is_no_dataset_is_refused(inside: Command, work: Path) -> None:
    ran = inside("data", "show", work, cwd=work)
    assert ran.code == 3
    assert "holds no dataset.toml" in ran.err
    assert len(ran.err.splitlines()) == 1
