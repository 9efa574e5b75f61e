"""``perpkit data``: the commands that get or make data and look into it."""

from __future__ import annotations

import typer

from perpkit.cli.data_check import check
from perpkit.cli.data_fetch import fetch
from perpkit.cli.data_import import import_
from perpkit.cli.data_show import show
from perpkit.cli.data_simulate import simulate
from perpkit.cli.data_watch import watch

data = typer.Typer(
    help="Get or make data, and look into it before it is used.", no_args_is_help=True
)
data.add_typer(fetch, name="fetch")
data.add_typer(watch, name="watch")


@data.callback()
def _group() -> None:
    """Get or make data, and look into it before it is used."""


data.command("import")(import_)
data.command("simulate")(simulate)
data.command("show")(show)
data.command("check")(check)
