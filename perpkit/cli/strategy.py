"""``perpkit strategy``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perpkit.cli.options import AsJson, Debug, Quiet, refuse_both

if TYPE_CHECKING:
    from perpkit.cli.lines import Lines
    from perpkit.research.strategy_check import Report
    from perpkit.strategy.load import Place, Strategy
    from perpkit.strategy.params import Parameter

_WRONG = 4
_HOURS, _SECONDS = 336, 120.0
Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="A name, or the path of a file.")]

strategy = typer.Typer(help="Find, write and check strategies.", no_args_is_help=True)


@strategy.callback()
def _group() -> None:
    """Find, write and check strategies."""


# --------------------------------------------------------------------------- list and show


@strategy.command("list")
def listing(
    params: Annotated[bool, typer.Option("--params", help="Their parameters too.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Strategies that run by name: shipped, yours, and installed by packages."""
    from perpkit.errors import StrategyError
    from perpkit.strategy.load import load, offered

    found: list[tuple[str, Place, Strategy | str]] = []
    for name, place in offered().items():
        try:
            found.append((name, place, load(name)))
        except StrategyError as e:  # one that is broken must not hide the others
            found.append((name, place, str(e)))
    if as_json:
        from perpkit.export import as_json as to_json

        print(to_json({"strategies": [_plain(*one) for one in found]}), end="")
        return
    from perpkit.cli.lines import Lines

    out = Lines()
    wide = max((len(name) for name, _, _ in found), default=0)
    for name, place, loaded in found:
        says = f"broken: {loaded}" if isinstance(loaded, str) else loaded.doc
        out.wrap(f"  {name:<{wide}}  {place.origin:<9}  ", says)
        if params and not isinstance(loaded, str):
            print_parameters(loaded.parameters, out)
            out.say()
    if not params:
        out.say("perpkit strategy show NAME tells its parameters.", "dim")


@strategy.command("show")
def show(name: Name, as_json: AsJson = False, debug: Debug = False) -> None:
    """One strategy: what it does, where it is, and its parameters."""
    from perpkit.strategy.load import Place, offered
    from perpkit.strategy.portfolio import load

    loaded = load(name)
    place = offered().get(name, Place(loaded.file, "yours"))
    if as_json:
        from perpkit.export import as_json as to_json

        print(to_json(_plain(loaded.name, place, loaded)), end="")
        return
    from perpkit.cli.lines import Lines

    out = Lines()
    out.say(loaded.name, "bold")
    out.wrap("  ", loaded.doc or "Its file begins with no line that says what it does.")
    out.say(f"  {place.origin}: {loaded.file}")
    out.say(f"  digest {loaded.digest}")
    out.say()
    print_parameters(loaded.parameters, out)


def print_parameters(known: Sequence[Parameter], out: Lines) -> None:
    """Print a strategy's parameters as a table."""
    if not known:
        out.say("  It has no parameters.")
        return
    head = ("parameter", "default", "least", "most", "unit")
    rows = [
        (p.name, _said(p.default), _said(p.ge), _said(p.le), p.unit or "-", p.help) for p in known
    ]
    wide = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for n, (*cells, text) in enumerate(((*head, "--set NAME=VALUE"), *rows)):
        first, *others = (
            f"{cell:<{w}}" if i in (0, 4) else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(cells, wide, strict=True))
        )
        out.wrap(f"  {first}  {'  '.join(others)}  ", text, "dim" if n == 0 else "")


def _said(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _kind(loaded: Strategy) -> str:
    if loaded.members:
        return "portfolio"
    return "plan" if loaded.decide is None else "decide"


def _members(loaded: Strategy) -> dict[str, Any]:
    if not loaded.members:
        return {}
    told = [
        {"name": m.name, "strategy": m.strategy.name, "capital_share": m.share}
        for m in loaded.members
    ]
    return {"members": told}


def _plain(name: str, place: Place, loaded: Strategy | str) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "origin": place.origin, "file": str(place.file)}
    if isinstance(loaded, str):
        return told | {"broken": loaded}
    return told | {
        "says": loaded.doc,
        "kind": _kind(loaded),
        "digest": loaded.digest,
        **_members(loaded),
        "parameters": [
            {
                "name": p.name,
                "kind": p.kind.__name__,
                "default": p.default,
                "least": p.ge,
                "most": p.le,
                "unit": p.unit,
                "help": p.help,
            }
            for p in loaded.parameters
        ],
    }


# --------------------------------------------------------------------------- new


@strategy.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as my_idea.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="A plan for all hours in place of hourly decisions.")
    ] = False,
    folder: Annotated[Path, typer.Option("--dir", help="Folder to write to.")] = Path(),
    debug: Debug = False,
) -> None:
    """Write a small strategy that works, and its test."""
    from perpkit.cli.lines import Lines
    from perpkit.strategy.making import make_strategy

    file, test = make_strategy(name, folder, plan=plan)
    out = Lines()
    out.say(f"Wrote {file} and {test}. Next:", "bold")
    out.say(f"  perpkit strategy check {file}")
    out.say(f"  perpkit backtest {file}")
    out.say(f"  python -m pytest {test}")


# --------------------------------------------------------------------------- check


@strategy.command("check")
def check(
    name: Name,
    data: Annotated[
        Path | None, typer.Option(help="Dataset folder; default the shipped demo.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Run file (TOML).")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A strategy parameter or a run setting."),
    ] = None,
    hours: Annotated[int, typer.Option(min=48, help="Hours of each market.")] = _HOURS,
    seconds: Annotated[float, typer.Option(min=1.0, help="Time it may take.")] = _SECONDS,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask a strategy whether it looks ahead, repeats itself, scales and bears odd data.

    Exit code 0 where nothing failed, 4 where something did.
    """
    from perpkit.cli.console import stages
    from perpkit.research.strategy_check import Request, check_strategy
    from perpkit.runfile import read_config

    read = read_config(config) if config is not None else {}
    request = Request(name, data, read, tuple(settings or ()), hours, seconds)
    refuse_both(quiet=quiet, as_json=as_json)
    with stages(quiet=quiet) as under_way:
        report = check_strategy(request, under_way.stage)
    if as_json:
        from perpkit.export import as_json as to_json

        print(to_json(report.to_dict()), end="")
    elif not quiet:
        from perpkit.cli.lines import Lines

        _print(report, Lines())
    if not report.passed:
        raise typer.Exit(_WRONG)


def _print(report: Report, out: Lines) -> None:
    from perpkit.research.strategy_check import Status

    count = dict.fromkeys(Status, 0)
    for finding in report.findings:
        count[finding.status] += 1
    told = ", ".join(f"{n} {status.value}" for status, n in count.items() if n)
    out.say(f"{Path(report.file).name}: {told}", "bold")
    style = {Status.FAILED: "red", Status.SKIPPED: "dim"}
    for f in report.findings:
        out.wrap(f"  {f.status.value:<7}  {f.name:<11}  ", f.says, style.get(f.status, ""))
