"""``perpkit data fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpkit.cli.data_options import BaseUrl, Coins, Out, coins_of, moment_ms
from perpkit.cli.options import AsJson, Debug, Quiet, refuse_both

if TYPE_CHECKING:
    from perpkit.sources.hyperliquid import Report

fetch = typer.Typer(help="Bring history from a venue into a dataset.", no_args_is_help=True)


@fetch.callback()
def _group() -> None:
    """Bring history from a venue into a dataset."""


@fetch.command("hyperliquid")
def hyperliquid(
    coins: Coins,
    out: Out,
    start: Annotated[str, typer.Option("--from", help="First hour, UTC.")],
    end: Annotated[str | None, typer.Option("--to", help="Last hour, UTC; default now.")] = None,
    trade_range: Annotated[
        bool,
        typer.Option(
            "--trade-range", help="Take the highest and lowest trade for those of the mark."
        ),
    ] = False,
    base_url: BaseUrl = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fetch settlements, prices and terms of perps from Hyperliquid's public API.

    What the folder holds is not asked for again, so a run that was ended goes on where it was.
    """
    from perpkit.cli.console import stages
    from perpkit.cli.leaving import saved
    from perpkit.sources.hyperliquid import API, Client, Wanted
    from perpkit.sources.hyperliquid import fetch as run

    refuse_both(quiet=quiet, as_json=as_json)
    wanted = Wanted(
        coins_of(coins),
        moment_ms(start, "--from"),
        None if end is None else moment_ms(end, "--to"),
        trade_range,
    )
    kept = f"what was fetched is in {out}, and the same command goes on from there"
    with (
        Client(API if base_url is None else base_url) as client,
        stages("windows", says="nothing was fetched", quiet=quiet) as under_way,
    ):

        def stage(now: str) -> None:
            under_way.stage(now)
            if now.startswith("fetching "):
                saved(kept)

        report = run(client, wanted, out, stage, under_way.progress)
    if as_json:
        _print_json(report)
    elif not quiet:
        _print(report, out)


def _print_json(report: Report) -> None:
    from dataclasses import asdict

    from perpkit.export import as_json

    coins = {made.coin: asdict(made) for made in report.coins}
    print(as_json({"schema": 1, "coins": coins, "notes": report.notes}), end="")


def _print(report: Report, out: Path) -> None:
    from perpkit.cli.lines import Lines

    lines = Lines()
    span = report.coins[0].span
    lines.say(f"{out}: {_stamp(span.first_ms)} to {_stamp(span.last_ms)}", "bold")
    lines.say()
    head = ("coin", "prices", "from", "settlements", "from")
    rows = [
        (
            made.coin,
            f"{made.prices:,}",
            _stamp(made.first_price_ms),
            f"{made.settlements:,}",
            _stamp(made.first_funding_ms),
        )
        for made in report.coins
    ]
    lines.table(head, rows)
    if report.notes:
        lines.say()
        for note in report.notes:
            lines.wrap("  ", note)


def _stamp(ms: int | None) -> str:
    from perpkit.units import stamp

    return "-" if ms is None else stamp(ms * 1_000_000)
