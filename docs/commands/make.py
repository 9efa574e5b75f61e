"""``python docs/commands/make.py``: write the commands of docs/commands.md anew.

Arguments, options, defaults and meanings are those of the command line itself; here stand the
order, an example of each command, and the page that says more. tests/docs/test_commands.py makes
the page again and compares; tests/docs/test_docs.py runs the examples in one folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import typer

from perpkit.cli import app

HERE = Path(__file__).parent
PAGE = HERE.parent / "commands.md"
EVERYWHERE = ("--debug",)  # told once, at the head of the page


class Told(NamedTuple):
    """What the command line cannot say of a command itself."""

    example: str
    pages: tuple[str, ...]
    online: bool = False  # the example asks a venue, and is not run by the tests


TOLD = {
    "backtest": Told(
        "perpkit backtest funding_carry --set enter_apr=0.05 --from 2026-01-01 --out runs/mine",
        ("run-file", "files", "metrics", "report", "terminal"),
    ),
    "report": Told("perpkit report runs/mine --out mine.html", ("report",)),
    "strategy new": Told("perpkit strategy new my_idea", ("strategies",)),
    "strategy list": Told("perpkit strategy list --params", ("strategies",)),
    "strategy show": Told("perpkit strategy show weekend_basis", ("strategies",)),
    "strategy check": Told(
        "perpkit strategy check my_idea.py --hours 168 --seconds 300", ("strategy-check",)
    ),
    "data simulate": Told(
        "perpkit data simulate --scenario weekend-shock --stocks NVDA,TSLA --days 90 "
        "--out data/shock",
        ("simulate",),
    ),
    "data show": Told("perpkit data show data/shock", ("dataset", "store")),
    "data check": Told("perpkit data check data/shock --fix data/mended", ("check", "audit")),
    "data import": Told(
        "perpkit data import perps data/shock/perps.parquet --out data/copy --prices external "
        "--venue baseline",
        ("import",),
    ),
    "data fetch hyperliquid": Told(
        "perpkit data fetch hyperliquid --coins xyz:NVDA,xyz:TSLA --from 2025-11-12 --out data/xyz",
        ("fetch",),
        online=True,
    ),
    "data watch hyperliquid": Told(
        "perpkit data watch hyperliquid --coins xyz:NVDA,xyz:TSLA --out data/xyz",
        ("fetch",),
        online=True,
    ),
    "rules show": Told("perpkit rules show xyz --at 2026-08-15 --coin NVDA", ("rulebook",)),
    "rules eligibility": Told(
        "perpkit rules eligibility --jurisdiction CH --product ondo", ("issuers",)
    ),
    "rules infer": Told("perpkit rules infer data/shock", ("audit",)),
    "markets funding": Told("perpkit markets funding data/shock", ("audit", "funding")),
    "settlement run": Told(
        "perpkit settlement run --mode coordinated --fail no_answer", ("settlement",)
    ),
    "settlement endings": Told("perpkit settlement endings --mode sequential", ("settlement",)),
    "financing breakeven": Told(
        "perpkit financing breakeven --friction 0.5%,2% --carry 5.475%,20%", ("funding",)
    ),
}


def commands() -> dict[str, Any]:
    """Every command by its words, as the command line has it."""
    return dict(_walk(typer.main.get_command(app), ()))


def groups() -> dict[str, str]:
    """What each group of commands is for, by its first word."""
    top = typer.main.get_command(app)
    return {name: _line(own.help) for name, own in top.commands.items() if _is_group(own)}


def _is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if not _is_group(command):
        yield " ".join(words), command
        return
    for name, own in command.commands.items():
        yield from _walk(own, (*words, name))


def untold() -> list[str]:
    """Commands without an example here, and examples without a command."""
    return sorted(set(commands()) ^ set(TOLD))


# --------------------------------------------------------------------------- one command


def _kind(param: Any) -> str:
    """What a value of it is, in a word."""
    if param.metavar and param.param_type_name == "option":
        return f"`{param.metavar.replace('|', ' / ')}`"
    annotation = param.type_descriptor.annotation
    kind = (get_args(annotation) or (annotation,))[0]
    words = {"str": "text", "int": "whole number", "float": "number"}
    return words.get(kind.__name__, "path" if issubclass(kind, Path) else kind.__name__)


def _value(param: Any) -> str:
    """The column of what to write: the kind of value, its least, its default."""
    if getattr(param, "is_flag", False):
        return "-"
    told = [_kind(param)]
    if param.min is not None:
        told.append(f"at least {param.min:g}")
    if param.required:
        told.append("required")
    elif param.default is not None:
        told.append(f"default `{_said(param.default)}`")
    if getattr(param, "multiple", False):
        told.append("may be repeated")
    elif param.nargs == -1:
        told.append("one or more")
    return ", ".join(told)


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        word = (param.metavar or param.name.upper()).rstrip(".")
        return f"`{word}`"
    return ", ".join(f"`{word}`" for word in (*param.opts, *param.secondary_opts))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def section(words: str, command: Any) -> str:
    """One command: what it does, an example, its arguments and options, where more is said."""
    paragraphs = [_line(part) for part in str(command.help).split("\n\n")]
    made = [f"### `perpkit {words}`", *paragraphs]
    told = TOLD.get(words)
    if told is not None:
        made.append(f"```{'' if told.online else 'sh'}\n{told.example}\n```")
        made += ["It asks the venue, over the network."] if told.online else []
    rows = [
        f"| {_name(param)} | {_value(param)} | {_line(param.help)} |"
        for param in command.params
        if not set(EVERYWHERE) & set(param.opts)
    ]
    made.append("\n".join(["| word | value | meaning |", "|---|---|---|", *rows]))
    if told is not None:
        links = ", ".join(f"[{page}.md]({page}.md)" for page in told.pages)
        made.append(f"More: {links}.")
    return "\n\n".join(made)


def document() -> str:
    """All commands, a heading for each group."""
    found, about = commands(), groups()
    order = [*(words for words in TOLD if words in found), *(w for w in found if w not in TOLD)]
    made, last = [], ""
    for words in order:
        first = words.partition(" ")[0]
        if first != last:
            made.append(
                f"## {first.capitalize()}" + (f"\n\n{about[first]}" if first in about else "")
            )
            last = first
        made.append(section(words, found[words]))
    return "\n\n".join(made)


MADE = {"commands": document}


def filled(page: str) -> str:
    """The page with what stands between its markers made anew."""
    for name, make in MADE.items():
        head, begin, rest = page.partition(f"<!-- made: {name} -->\n")
        _, end, tail = rest.partition("<!-- end -->")
        page = f"{head}{begin}\n{make()}\n\n{end}{tail}"
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
