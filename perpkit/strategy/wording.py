"""What the text of a strategy says: where it returns something, where it asks for units."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_TARGET = 5  # argument of decide
_PARAMS = 3


def returned_at(decide: Callable[..., Any]) -> int | None:
    """First line at which a function returns something; None where it returns nothing."""
    todo: list[ast.AST] = _text_of(decide)
    lines = []
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                continue  # what is inside returns to decide
            todo.append(node)
            if isinstance(node, ast.Return) and not _is_none(node.value):
                lines.append(node.lineno)
    return min(lines, default=None)


def written_at(decide: Callable[..., Any], leg: str) -> int | None:
    """The line that writes ``target.perps`` or ``target.tokens``; None where it is not just one."""
    name = decide.__code__.co_varnames[_TARGET]
    lines = {
        node.lineno
        for node in _nodes(decide)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and _is_field(node.value, name, leg)
    }
    handed_on = any(
        isinstance(node, ast.Call) and any(_is_name(x, name) for x in node.args)
        for node in _nodes(decide)
    )
    return lines.pop() if len(lines) == 1 and not handed_on else None


def reads_of_params(decide: Callable[..., Any], name: str) -> bool:
    """Whether ``decide`` reads a field of that name of its parameters."""
    params = decide.__code__.co_varnames[_PARAMS]
    return any(_is_field(node, params, name) for node in _nodes(decide))


def _nodes(decide: Callable[..., Any]) -> Iterator[ast.AST]:
    for function in _text_of(decide):
        yield from ast.walk(function)


def _text_of(decide: Callable[..., Any]) -> list[ast.AST]:
    """The function as it stands in its file; nothing where a program made it."""
    code = decide.__code__
    try:
        tree = ast.parse(Path(code.co_filename).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return []
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and code.co_firstlineno == min([node.lineno, *(x.lineno for x in node.decorator_list)])
    ]


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_field(node: ast.AST, owner: str, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and _is_name(node.value, owner)
