"""``perpkit data``: the commands that get data and look into it."""

from __future__ import annotations

import typer

from perpkit.cli.data_check import check
from perpkit.cli.data_import import import_
from perpkit.cli.data_show import show

data = typer.Typer(help="Look into data before it is used.", no_args_is_help=True)


@data.callback()
def _group() -> None:
    """Look into data before it is used."""


data.command("check")(check)
data.command("import")(import_)
data.command("show")(show)
