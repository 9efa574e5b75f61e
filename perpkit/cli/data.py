"""``perpkit data``: the commands that get data and look into it."""

from __future__ import annotations

import typer

from perpkit.cli.data_check import check
from perpkit.cli.data_fetch import fetch
from perpkit.cli.data_import import import_
from perpkit.cli.data_show import show
from perpkit.cli.data_watch import watch

data = typer.Typer(help="Get data, and look into it before it is used.", no_args_is_help=True)
data.add_typer(fetch, name="fetch")
data.add_typer(watch, name="watch")


@data.callback()
def _group() -> None:
    """Get data, and look into it before it is used."""


data.command("check")(check)
data.command("import")(import_)
data.command("show")(show)
