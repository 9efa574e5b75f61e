"""The shape of the code: sizes, arguments, and how little is compiled."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "perpkit").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(file: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def is_rule(function: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "rule" for d in function.decorator_list)


def length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def rules() -> list[tuple[str, Function]]:
    folders = (ROOT / "perpkit" / "market", ROOT / "perpkit" / "book")
    return [
        (f"{named(file)}:{function.lineno} {function.name}", function)
        for folder in folders
        for file in sorted(folder.glob("*.py"))
        for function in functions(file)
        if is_rule(function)
    ]


def test_a_rule_takes_at_most_six_arguments() -> None:
    found = rules()
    assert len(found) > 30
    many = {where: len(f.args.args) for where, f in found if len(f.args.args) > 6}
    assert many == {}
    assert not [where for where, f in found if f.args.kwonlyargs or f.args.vararg or f.args.kwarg]


def test_the_book_loop_is_the_order_of_the_hour_and_little_else() -> None:
    file = ROOT / "perpkit" / "book" / "loop.py"
    loop = next(f for f in functions(file) if f.name == "run_hours")
    body = (loop.end_lineno or 0) - loop.body[0].lineno + 1
    assert body < 60


@pytest.mark.parametrize("file", FILES, ids=named)
def test_files_and_functions_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 450
    assert {f.name: length(f) for f in functions(file) if length(f) > 80} == {}


def test_three_kinds_of_function_are_compiled() -> None:
    calls: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "compile_cached":
                assert isinstance(node.args[0], ast.Name)
                calls.setdefault(named(file), []).append(node.args[0].id)
    assert {file: sorted(names) for file, names in calls.items()} == {
        "perpkit/market/loop.py": ["form_market"],
        "perpkit/book/loop.py": ["run_hours"],
        # With and without reference counting.
        "perpkit/strategy/door.py": ["counted", "counted", "decide", "idle"],
    }


def test_nothing_else_calls_the_compiler() -> None:
    where = {
        named(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if "jit" in str(getattr(node, "attr", getattr(node, "id", "")))
    }
    assert where == {"perpkit/rule.py"}


def test_rules_import_arrays_and_rule_alone() -> None:
    for folder in ("market", "book"):
        for file in sorted((ROOT / "perpkit" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("perpkit"):
                    assert node.module is not None
                    assert node.module.split(".")[1] in {"arrays", "lend", "rule", "market", "book"}


@pytest.mark.parametrize("file", sorted((ROOT / "strategies").glob("*.py")), ids=named)
def test_a_strategy_knows_no_compiler(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert not {name for name in imported if name and name.partition(".")[0] == "numba"}
    assert {name for name in imported if name and name.startswith("perpkit")} <= {
        "perpkit.strategy",
        "perpkit",
    }
