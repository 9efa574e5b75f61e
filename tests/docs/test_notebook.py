"""docs/library.ipynb holds what its cells give; docs/library.md tells what a call takes."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import perpkit

from .test_docs import anchors, names, tables

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "library.ipynb"


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    made = runpy.run_path(str(DOCS / "library" / "make.py"), run_name="library")
    return SimpleNamespace(**made)


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return made


def test_outputs_are_what_the_cells_give(
    script: SimpleNamespace,
    notebook: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POLARS_TABLE_WIDTH", "100")
    again = script.executed(notebook)
    for stored, made in zip(notebook["cells"], again["cells"], strict=True):
        assert stored == made, f"{stored['id']}: run python docs/library/make.py"
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert NOTEBOOK.read_text(encoding="utf-8") == script.as_text(again)


def test_the_cells_are_those_of_a_notebook(notebook: dict[str, Any]) -> None:
    """What nbformat 4.5 asks of these kinds of cells and outputs."""
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    cells = notebook["cells"]
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]{1,64}", name) for name in ids)
    common = {"cell_type", "id", "metadata", "source"}
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for cell in cells:
        if cell["cell_type"] == "markdown":
            assert set(cell) == common
        else:
            assert set(cell) == common | {"execution_count", "outputs"}
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell["outputs"]):
        kind = output["output_type"]
        told = {"stream": {"name", "text"}, "execute_result": {"data", "execution_count"}}[kind]
        assert set(output) - {"output_type", "metadata"} == told


def test_it_shows_what_it_is_there_for(notebook: dict[str, Any]) -> None:
    code = {
        cell["id"]: "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    }
    (shown,) = (cell["outputs"] for cell in notebook["cells"] if cell["id"] == "run")
    assert shown[0]["data"]["text/html"][1].startswith("<p><b>funding_carry</b> on <b>demo</b>")
    for cell, word in (("loop", "params="), ("save", ".save("), ("causes", 'group_by("cause")')):
        assert word in code[cell]
    assert max(len(line) for text in code.values() for line in text.splitlines()) <= 100


def test_links_of_the_notebook_resolve(notebook: dict[str, Any]) -> None:
    text = "".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"
    )
    found = re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", text)
    assert found
    for file, anchor in found:
        assert (DOCS / file).is_file(), file
        assert not anchor or anchor in anchors(DOCS / file)


# --------------------------------------------------------------------------- library.md


def test_arguments_and_attributes_are_told() -> None:
    told = tables("library.md")
    assert names(told["A run"]) == list(inspect.signature(perpkit.backtest).parameters)
    assert names(told["A result"]) == [field.name for field in fields(perpkit.Result)]
    assert sorted(names(told["Errors"])) == sorted(
        name for name in perpkit.__all__ if name.endswith("Error")
    )
