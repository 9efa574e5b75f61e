"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    Path, typer.Argument(metavar="DIR", help="Dataset folder, or a Parquet file of funding.")
]
Venue = Annotated[
    str | None, typer.Option(help="Whose terms hold for a file; default by the coins' prefix.")
]
Rules = Annotated[Path | None, typer.Option(help="Own rulebook: a TOML file, or a folder of them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
