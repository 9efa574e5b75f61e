"""``perpkit data simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpkit.cli.options import AsJson, Debug, Quiet, refuse_both

if TYPE_CHECKING:
    from datetime import datetime

    from perpkit.sources.simulated.world import World


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier simulation is replaced.")],
    scenario: Annotated[
        str, typer.Option(help="A shipped scenario, or the path of a TOML file.")
    ] = "base",
    stocks: Annotated[str, typer.Option(help="Tickers, a comma between them.")] = "NVDA,TSLA",
    days: Annotated[int, typer.Option(help="Days of 24 hours.")] = 365,
    seed: Annotated[int, typer.Option(help="The one seed of every draw.")] = 7,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First hour, UTC; default 2025-11-01.")
    ] = None,
    venues: Annotated[
        str, typer.Option(help="Where each stock has a perp: baseline, xyz, or both.")
    ] = "baseline",
    real_path: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hourly bars of shares, as the true price."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a parameter.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make up a market: perps, tokens, T-bills, dividends, and what a scenario does to them.

    The same words give the same bytes. Parameters, their sources and the scenarios are in
    docs/simulate.md.
    """
    from perpkit.cli.console import stages
    from perpkit.cli.leaving import saved
    from perpkit.sources.simulated.output import simulate as write
    from perpkit.sources.simulated.world import START, Request

    refuse_both(quiet=quiet, as_json=as_json)
    request = Request(
        scenario=scenario,
        stocks=_names(stocks),
        days=days,
        seed=seed,
        start=START if start is None else _moment(start),
        venues=_names(venues),
        changed=_changed(changes or []),
        real_path=real_path,
    )
    with stages(quiet=quiet) as under_way:

        def stage(now: str) -> None:
            under_way.stage(now)
            if now == "writing":
                saved(f"if {out} is there, it is whole")

        world = write(request, out, stage=stage)
        saved(f"the market is in {out}")
    if as_json:
        _print_json(world, out)
    elif not quiet:
        _print(world, out)


def _names(told: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in told.split(",") if name.strip())


def _moment(told: str) -> datetime:
    from datetime import UTC, datetime

    from perpkit.errors import RequestError

    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise RequestError(f"--start was {told}; write 2026-05-04 or 2026-05-04T08:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _changed(told: list[str]) -> dict[str, float]:
    from perpkit.errors import RequestError

    made = {}
    for one in told:
        name, equals, value = one.partition("=")
        try:
            made[name] = float(value)
        except ValueError:
            raise RequestError(f"--set {one}: write KEY=NUMBER") from None
        if not equals:
            raise RequestError(f"--set {one}: write KEY=NUMBER")
    return made


def _print_json(world: World, out: Path) -> None:
    from perpkit.cli.options import print_json
    from perpkit.units import stamp

    request = world.request
    first, last = (stamp(int(ns)) for ns in world.hours.time_ns[[0, -1]])
    print_json(
        {
            "schema": 1,
            "folder": str(out),
            "scenario": world.scenario.name,
            "seed": request.seed,
            "first_hour": first,
            "last_hour": last,
            "stocks": list(request.stocks),
            "venues": list(request.venues),
            "settings": world.scenario.settings,
        }
    )


def _print(world: World, out: Path) -> None:
    from perpkit.cli.lines import Lines
    from perpkit.units import stamp

    lines = Lines()
    first, last = (stamp(int(ns)) for ns in world.hours.time_ns[[0, -1]])
    perps = len(world.stocks) * len(world.request.venues)
    lines.say(f"{out}: {world.scenario.title}", "bold")
    lines.say(f"  {first} to {last}, {perps} perps, {len(world.stocks) + 1} tokens")
    if world.scenario.watch:
        lines.wrap("  ", f"Watch: {world.scenario.watch}")
    if world.scenario.settings:
        lines.wrap("  ", f"It shows with the settings of a run in {out / 'README.md'}.")
