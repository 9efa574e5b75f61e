"""The pages of docs/ hold: their code runs, their links resolve, their tables are current.

A block that begins with a comment naming a file (`# my_strategy.py`) is saved under that name
before it runs; a ```text block right after a ```python block is what that block prints. Lines of a
```sh block that call perpkit run too, in the same folder; ```text blocks below it are lines of what
they print, in its order.
"""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit import strategy
from perpkit.arrays import Event, Past, Reason
from perpkit.cli import main
from perpkit.cli.strategy import _HOURS, _SECONDS
from perpkit.config import RunConfig, check_config
from perpkit.config_table import document
from perpkit.dataset import schema
from perpkit.dataset.description import TOKEN_KINDS
from perpkit.errors import DataError
from perpkit.ledger import CAUSES
from perpkit.records import ACCOUNT_VIEW, PERP_VIEW, TOKEN_VIEW
from perpkit.research.strategy_check.apart import SECONDS
from perpkit.research.strategy_check.findings import CHECKS
from perpkit.research.strategy_check.grounds import HOURS, STRESS
from perpkit.rulebook import VENUE_KEYS, CoinTerms, TermChoice, resolve_terms, venue_names
from perpkit.rulebook.document import document_keys, document_venues
from perpkit.rulebook.keys import CONFIDENCES, GROUPS
from perpkit.run import Result
from perpkit.strategy.supply import Supply
from perpkit.told import IssuerTerms
from perpkit.units import to_ns

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "strategies").glob("*.md")])
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


class Block(NamedTuple):
    language: str
    text: str
    line: int
    follows: int  # characters between the block before and this one

    @property
    def file(self) -> str | None:
        found = re.match(r"# (\S+\.(?:py|toml))\n", self.text)
        return found[1] if found else None


def blocks(page: Path) -> Iterator[Block]:
    text, last = page.read_text(encoding="utf-8"), 0
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, found.start(2))
        yield Block(found[1], found[2], line, len(text[last : found.start()].strip()))
        last = found.end()


def tables(page: str) -> dict[str, list[list[str]]]:
    """Rows of the first table under each heading, without its head, cells stripped."""
    found: dict[str, list[list[str]]] = {}
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        table = re.search(r"(?:^\|.*\n?)+", body, re.MULTILINE)
        if table:
            rows = table[0].strip().splitlines()[2:]
            found[heading.strip("`")] = [
                [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows
            ]
    return found


def names(rows: list[list[str]]) -> list[str]:
    """Words in backticks in the first column."""
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


# --------------------------------------------------------------------------- code and links


@EVERY_PAGE
def test_code_of_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    namespace: dict[str, Any] = {"__name__": page.stem}
    printed, of_shell = "", False
    for block in blocks(page):
        if block.file is not None:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        if block.language == "python":
            with redirect_stdout(StringIO()) as out:
                exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
            printed, of_shell = out.getvalue(), False
        elif block.language == "sh":
            printed, of_shell = shell(block, page), True
        elif block.language == "text" and of_shell:
            left = iter(printed.splitlines())
            lost = [line for line in block.text.splitlines() if line not in left]
            assert not lost, (
                f"{page.name}:{block.line}: not printed are {lost}; printed is\n{printed}"
            )
        elif block.language == "text" and block.follows == 0:
            assert printed == block.text, f"{page.name}:{block.line}"


def shell(block: Block, page: Path) -> str:
    """What the calls of perpkit in a block print."""
    printed = ""
    for line in block.text.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] != ["perpkit"]:
            continue
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            code = main(words[1:])
        assert code == 0, f"{page.name}:{block.line}: {line}: {err.getvalue()}"
        printed += out.getvalue()
    return printed


@EVERY_PAGE
def test_toml_of_the_page_parses(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            told = tomllib.loads(block.text)
            if block.file == "run.toml":
                check_config(told)


READ = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "benchmarks").glob("*.md"), *PAGES]


@pytest.mark.parametrize("page", READ, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_relative_links_resolve(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\[[^\]]*\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        aim = (page.parent / file) if file else page
        assert aim.exists(), target
        if anchor:
            assert anchor in anchors(aim), target


def anchors(page: Path) -> list[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]


# --------------------------------------------------------------------------- ways.md


def test_the_terms_of_an_issuer_are_documented() -> None:
    page = (ROOT / "docs" / "ways.md").read_text(encoding="utf-8")
    assert document(IssuerTerms) in page, "write document(IssuerTerms) to docs/ways.md"


# --------------------------------------------------------------------------- run-file.md


def test_settings_are_current() -> None:
    page = (ROOT / "docs" / "run-file.md").read_text(encoding="utf-8")
    assert document() in page, "write perpkit.config_table.document() to docs/run-file.md"


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in RunConfig.model_fields.values())


# --------------------------------------------------------------------------- rulebook.md


def test_the_rulebooks_tables_are_current() -> None:
    page = (ROOT / "docs" / "rulebook.md").read_text(encoding="utf-8")
    for made in (document_keys(), document_venues()):
        assert made in page, "write the tables of perpkit.rulebook.document to docs/rulebook.md"
    told = tables("rulebook.md")
    assert [n for group in GROUPS for n in names(told[group.capitalize()])] == list(VENUE_KEYS)
    assert names(told["Venues"]) == venue_names()
    assert names(told["How sure a value is"]) == list(CONFIDENCES)


def test_the_refusal_on_the_page_is_the_real_one() -> None:
    coin = CoinTerms("xyz:IREN", "xyz", {})
    other = CoinTerms("xyz:NVDA", "xyz", {})
    hour = np.array([to_ns(datetime(2026, 10, 12, tzinfo=UTC))])
    with pytest.raises(DataError) as refusal:
        resolve_terms(
            [coin, other], hour, {}, TermChoice("taker", None, 0, 0), frozenset({"sz_decimals"})
        )
    page = (ROOT / "docs" / "rulebook.md").read_text(encoding="utf-8")
    assert f"perpkit: {refusal.value}" in " ".join(page.split())


# --------------------------------------------------------------------------- files.md


@pytest.fixture(scope="module")
def result() -> Result:
    return perpkit.backtest("funding_carry", config={"end": datetime(2025, 10, 18, tzinfo=UTC)})


def test_every_frame_has_its_columns(result: Result) -> None:
    told = tables("files.md")
    assert {name: names(told[name]) for name in result.frames} == {
        name: frame.columns for name, frame in result.frames.items()
    }


def test_a_unit_says_the_type(result: Result) -> None:
    told = tables("files.md")
    kinds: dict[str, Any] = {"UTC": pl.Datetime("ms", "UTC"), "": pl.String}
    for name, frame in result.frames.items():
        of_unit = {names([row])[0]: kinds.get(row[1], pl.Float64) for row in told[name]}
        ids = of_unit.keys() & {"fill_id", "settlement_id"}
        assert dict(frame.schema) == of_unit | dict.fromkeys(ids, pl.Int64), name


def test_every_file_is_told(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "run", "<!doctype html>")
    told = names(tables("files.md")["The result folder"])
    assert sorted(told) == sorted(path.name for path in (tmp_path / "run").iterdir())


def test_keys_of_summary_and_manifest_are_told(result: Result) -> None:
    told = tables("files.md")
    assert names(told["summary.json"]) == list(result.to_dict())
    assert names(told["manifest.json"]) == list(result.manifest)


def test_words_in_frames_are_told() -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    ends_the_run = {Event.FUNDING_MISSING, Event.BAD_TARGET}
    events = names(tables("files.md")["Kinds of events"])
    assert events == [event.name.lower() for event in Event if event not in ends_the_run]
    for word in (*CAUSES, *(reason.name.lower() for reason in Reason)):
        assert f"`{word}" in text, word


# --------------------------------------------------------------------------- dataset.md


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda t: t.name)
def test_every_table_has_its_columns(table: schema.Table) -> None:
    rows = tables("dataset.md")[table.name]
    assert names(rows) == list(table.columns)
    for row, (name, column) in zip(rows, table.columns.items(), strict=True):
        needed = [kind for kind, all_of in schema.NEEDED.items() if name in all_of]
        given = "always" if column.required else ", ".join(needed) if table is schema.PERPS else ""
        assert row[2] == given, (table.name, name)


def test_kinds_are_told() -> None:
    text = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert ", ".join(f"`{kind}`" for kind in TOKEN_KINDS) in text


# --------------------------------------------------------------------------- strategies.md


def test_what_a_strategy_sees_is_told() -> None:
    told = tables("strategies.md")
    assert names(told["past"]) == list(Past._fields)
    assert names(told["book.perps"]) == list(PERP_VIEW.names or ())
    assert names(told["book.tokens"]) == list(TOKEN_VIEW.names or ())
    assert names(told["book.accounts"]) == list(ACCOUNT_VIEW.names or ())
    assert names(told["requires(supply)"]) == list(Supply._fields)


def test_the_helpers_are_told() -> None:
    told = [name.partition("(")[0] for name in names(tables("strategies.md")["Helpers"])]
    assert sorted([*told, "field", "rule"]) == sorted(strategy.__all__)
    for name, row in zip(told, tables("strategies.md")["Helpers"], strict=True):
        arguments = ", ".join(inspect.signature(getattr(strategy, name)).parameters)
        assert row[0] == f"`{name}({arguments})`"


# --------------------------------------------------------------------------- strategy-check.md


def test_what_a_check_asks_is_told() -> None:
    rows = tables("strategy-check.md")["Checking a strategy"]
    assert {row[0].strip("`"): row[1] for row in rows} == dict(CHECKS)
    text = (ROOT / "docs" / "strategy-check.md").read_text(encoding="utf-8")
    assert f"`{STRESS}`" in text
    assert f"`--hours` ({HOURS})" in text
    assert f"`--seconds`, {SECONDS:g} by default" in text
    assert (_HOURS, _SECONDS) == (HOURS, SECONDS), "the command's own, which loads nothing for them"
