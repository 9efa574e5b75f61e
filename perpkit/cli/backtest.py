"""``perpkit backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perpkit.cli.options import Debug, Quiet, Rules, print_json, refuse_both

if TYPE_CHECKING:
    from perpkit.result import Result
    from perpkit.strategy.load import Strategy


def backtest(
    strategy: Annotated[str, typer.Argument(help="Strategy: a name, or the path of a file.")],
    data: Annotated[
        Path | None, typer.Option(help="Dataset folder; default the shipped demo.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Run file (TOML).")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A strategy parameter or a run setting."),
    ] = None,
    rules: Rules = None,
    start: Annotated[str | None, typer.Option("--from", help="First hour, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last hour, UTC.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Result folder; default runs/STRATEGY-DATASET.")
    ] = None,
    funding: Annotated[
        str | None,
        typer.Option(
            metavar="recorded|formula|both", help="Where rates come from; both compares the two."
        ),
    ] = None,
    capital: Annotated[float | None, typer.Option(help="USD at the start.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print summary.json and nothing else.")
    ] = False,
    quiet: Quiet = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.html, and play nothing beside.")
    ] = False,
    pure_python: Annotated[
        bool, typer.Option("--pure-python", help="Run uncompiled: slow, same numbers.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Play a strategy over a dataset and write the result folder, with its report."""
    from perpkit.cli.console import stages
    from perpkit.cli.leaving import kept, untouched
    from perpkit.config import check_config
    from perpkit.export import check_writable
    from perpkit.run import check_names, demo, run
    from perpkit.runfile import apply_settings, read_config
    from perpkit.strategy.portfolio import load

    refuse_both(quiet=quiet, as_json=as_json)
    loaded = load(strategy)
    check_names(loaded)
    made = apply_settings(
        read_config(config) if config is not None else {},
        settings or [],
        [p.name for p in loaded.parameters],
    )
    options: dict[str, Any] = {
        "data": data,
        "rulebook": rules,
        "start": start,
        "end": end,
        "funding": funding,
        "capital": capital,
    }
    made.update({name: value for name, value in options.items() if value is not None})
    checked = check_config(made, "the run" if config is None else str(config))
    others = () if no_report else beside(loaded.name)
    folder = out or Path("runs") / f"{loaded.name}-{(checked.data or demo()).resolve().name}"
    check_writable(folder)
    with stages(says=untouched(folder), quiet=quiet) as under_way:
        told = (under_way.progress, under_way.stage)
        result = run(loaded, checked, pure_python, *told, against=others)
        under_way.stage("writing")
        page = None if no_report else page_of(result, folder)
        under_way.keep(lambda: result.save(folder, page), *kept(folder))
    if as_json:
        print_json(result.to_dict())
    elif not quiet:
        from perpkit.report.terminal import print_summary

        print_summary(result, folder, page is not None)


def beside(name: str) -> tuple[Strategy, ...]:
    """What a report sets a run against: idle cash, and the tokens alone."""
    from perpkit.strategy.load import load

    return tuple(load(other) for other in ("cash", "spot_hold") if other != name)


def page_of(result: Result, folder: Path) -> str:
    """The report of a result that is to lie in a folder."""
    from perpkit.report.page import page
    from perpkit.report.reading import run_of

    return page(run_of(result, folder.resolve().name))
