"""``python docs/library/make.py``: run the cells of docs/library.ipynb and store what they give.

The cells are the notebook's own; edit them there. What is stored is what Jupyter stores: the text
that is printed, and of a last line that is an expression its text and its HTML. The test beside the
other tests of docs/ runs the cells again and compares, without Jupyter.
"""

from __future__ import annotations

import ast
import json
import os
import tempfile
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parents[1] / "library.ipynb"


def read(path: Path = NOTEBOOK) -> dict[str, Any]:
    """The notebook."""
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def executed(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs that its code cells give now, run in order where we are."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        made = dict(cell)
        if cell["cell_type"] == "code":
            count += 1
            outputs = _run("".join(cell["source"]), namespace, count)
            made |= {"execution_count": count, "outputs": outputs}
        cells.append(made)
    return {**notebook, "cells": cells}


def _run(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    name = f"cell {count}"
    body = ast.parse(source, name)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    value = None
    with redirect_stdout(StringIO()) as printed:
        exec(compile(body, name, "exec"), namespace)  # noqa: S102 (the notebook's own cells)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = _lines(printed.getvalue())
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        shown = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            shown = {"text/html": _lines(value._repr_html_()), **shown}
        outputs.append(
            {
                "data": shown,
                "execution_count": count,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


def _lines(text: str) -> list[str]:
    """A text as a notebook's file holds it."""
    return text.splitlines(keepends=True)


def as_text(notebook: dict[str, Any]) -> str:
    """The notebook as its file holds it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write the notebook anew."""
    os.environ["POLARS_TABLE_WIDTH"] = "100"
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        made = as_text(executed(read()))
    NOTEBOOK.write_text(made, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
