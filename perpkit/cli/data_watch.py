"""``perpkit data watch``."""

from __future__ import annotations

from typing import Annotated

import typer

from perpkit.cli.data_options import BaseUrl, Coins, Out, coins_of
from perpkit.cli.options import Debug

watch = typer.Typer(help="Record a venue from now on into a dataset.", no_args_is_help=True)


@watch.callback()
def _group() -> None:
    """Record a venue from now on into a dataset."""


@watch.command("hyperliquid")
def hyperliquid(
    coins: Coins,
    out: Out,
    every: Annotated[float, typer.Option(metavar="SECONDS", help="Pause between polls.")] = 30.0,
    polls: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after so many; default never.")
    ] = None,
    base_url: BaseUrl = None,
    debug: Debug = False,
) -> None:
    """Record oracle, mark, book, open interest and settlements of perps, hour by hour.

    Ctrl-C ends it. What was polled of the unfinished hour is kept for the next run.
    """
    from perpkit.cli.console import stages
    from perpkit.cli.lines import Lines
    from perpkit.errors import Stopped
    from perpkit.sources.hyperliquid import API, Client, Pace, Watching
    from perpkit.sources.hyperliquid import watch as run
    from perpkit.units import stamp

    client = Client(API if base_url is None else base_url)
    watching = Watching(client, coins_of(coins), out, Lines().say)

    def saved() -> str:
        done = watching.watched
        text = f"{done.rows:,} rows of {done.polls:,} polls are saved in {out}"
        if done.last_hour_ms is not None:
            text += f", the last of {stamp(done.last_hour_ms * 1_000_000)}"
        if watching.pending.hours:
            text += "; the polls of the unfinished hour are kept for the next run"
        return text

    try:
        # It shows nothing: the lines of the watch are what there is to see.
        with client, stages(says=f"what was polled is saved in {out}", quiet=True):
            run(watching, client, Pace(every, polls))
    except KeyboardInterrupt as error:
        raise Stopped(f"stopped; {saved()}") from error
    print(saved())
