"""``perpkit report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perpkit.cli.options import AsJson, Debug, Quiet, refuse_both
from perpkit.errors import RequestError

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Result folders; several are compared.")
]


def report(
    runs: Runs,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page; default RUN/report.html, comparison.html."),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write pictures of the panels too; needs Chromium."),
    ] = None,
    theme: Annotated[str, typer.Option(metavar="light|dark", help="Of the pictures.")] = "light",
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write the report of a result folder, or one page that compares several."""
    from perpkit.export import as_json as to_json
    from perpkit.report.page import THEMES, page, put
    from perpkit.report.reading import read_run

    refuse_both(quiet=quiet, as_json=as_json)
    if theme not in THEMES:
        raise RequestError(f"--theme was {theme}: one of {', '.join(THEMES)}")
    if png is not None:
        from perpkit.report.pictures import browser_path, write_pictures

        browser_path(theme)
    found = [read_run(folder) for folder in runs]
    if len(found) == 1:
        text, file = page(found[0]), out or runs[0] / "report.html"
    else:
        from perpkit.report.comparison import comparison

        text, file = comparison(found), out or Path("comparison.html")
    put(text, file)
    pictures = [] if png is None else write_pictures(text, png, theme)
    if as_json:
        print(to_json({"report": str(file), "pictures": list(map(str, pictures))}), end="")
    elif not quiet:
        print(f"Report   {file}")
        if png is not None:
            print(f"Pictures {len(pictures)} in {png}")
