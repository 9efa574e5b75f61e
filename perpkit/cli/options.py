"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from perpkit.errors import RequestError

Source = Annotated[
    Path, typer.Argument(metavar="DIR", help="Dataset folder, or a Parquet file of funding.")
]
Venue = Annotated[
    str | None, typer.Option(help="Whose terms hold for a file; default by the coins' prefix.")
]
Rules = Annotated[Path | None, typer.Option(help="Own rulebook: a TOML file, or a folder of them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def refuse_both(*, quiet: bool, as_json: bool) -> None:
    """Refuse --quiet beside --json: one of them was not meant.

    Raises
    ------
    RequestError
        Saying so.
    """
    if quiet and as_json:
        raise RequestError("--quiet prints nothing and --json prints JSON; drop one of them")


def print_json(content: Any) -> None:
    """Print JSON on standard output, and nothing else."""
    from perpkit.export import as_json

    print(as_json(content), end="")
