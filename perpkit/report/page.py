"""The report: one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import perpkit
from perpkit.errors import RequestError
from perpkit.headline import plain
from perpkit.report.panel import Panel
from perpkit.report.panels import PANELS
from perpkit.report.parts import as_script, links, panel_html
from perpkit.report.reading import Run, run_of
from perpkit.report.theme import DARK, LIGHT, variables
from perpkit.result import Result

# Nothing from anywhere, and nothing sent anywhere, whatever stands in the page.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
THEMES = {"light": dict(LIGHT), "dark": dict(DARK)}
_LIBRARY = "plotly.min.js"
_SPANS = (("1w", 7), ("1m", 30), ("3m", 91), ("1y", 365), ("all", 0))  # days
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the panels</a>
<div class="bar"><b>{title}</b>
<div class="spans" role="group" aria-label="Span of the charts" data-span="{first} {last}" hidden>
{spans}</div>
<button type="button" class="theme" aria-pressed="false" hidden>Dark</button></div>
<nav aria-label="Panels">{links}</nav>
<main id="main">
<header class="title"><h1>{title}</h1><dl class="facts">{facts}</dl></header>
<noscript><p class="tone-warn">The charts need JavaScript, which is switched off here; every number
and table is on the page without it.</p></noscript>
{panels}
<footer>perpkit {version}. Times are UTC. This page is one file and asks the network for nothing.
</footer>
</main>
<script type="application/json" id="theme">{themes}</script>
<script>{library}</script>
<script>{script}</script>
</body>
</html>
"""


class Heading(NamedTuple):
    """What stands above the panels."""

    title: str
    facts: Sequence[tuple[str, str]]  # name and value
    span: tuple[int, int]  # of the time axes, ms since 1970


def write(run: Run | Result, path: Path | str) -> Path:
    """Write the report of a run to a file.

    Parameters
    ----------
    run : a result, or what :func:`perpkit.report.reading.read_run` read
    path : the file; folders above it are made, and an older file is replaced

    Returns
    -------
    the file

    Raises
    ------
    RequestError
        If the file cannot be written.

    Examples
    --------
    >>> write(perpkit.backtest("funding_carry", against=["cash"]), "report.html")  # doctest: +SKIP
    PosixPath('report.html')
    """
    return put(page(run_of(run) if isinstance(run, Result) else run), Path(path).expanduser())


def put(text: str, path: Path) -> Path:
    """Write a page beside its place and rename it there."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as e:
        raise RequestError(f"{path}: cannot be written ({e.strerror or e})") from e
    finally:
        with suppress(OSError):  # it has gone to its place, or never came
            part.unlink()
    return path


def page(run: Run) -> str:
    """The report of a run as HTML; the same run gives the same text."""
    first, last = (str(told) for told in run.manifest["span"])
    heading = Heading(
        run.name,
        (
            ("Strategy", run.strategy),
            ("Dataset", run.dataset),
            ("Span", f"{first} to {last}"),
            ("Capital", f"{plain(run.capital)} USD"),
            ("Instruments", f"{_count(run.coins, 'perp')}, {_count(run.tokens, 'token')}"),
        ),
        span_of(run),
    )
    return document(heading, [make(run) for make in PANELS])


def span_of(run: Run) -> tuple[int, int]:
    """First and last hour of a run, ms since 1970."""
    time = run.frames["equity"]["time"].dt.epoch("ms")
    return int(time[0]), int(time[-1])


def _count(names: Sequence[str], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def document(heading: Heading, panels: Sequence[Panel]) -> str:
    """A whole page of panels."""
    title = escape(heading.title)
    themes = as_script(THEMES)
    return _PAGE.format(
        policy=_POLICY,
        title=title,
        style=variables() + _asset("page.css"),
        spans="".join(
            f'<button type="button" data-days="{days}">{name}</button>' for name, days in _SPANS
        ),
        first=heading.span[0],
        last=heading.span[1],
        links="".join(links(panels)),
        facts="".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in heading.facts
        ),
        panels="\n".join(map(panel_html, panels)),
        version=escape(perpkit.__version__),
        themes=themes,
        library=_library(),
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return (files("perpkit.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """plotly.js as the plotly package has it; the package itself is not imported."""
    found = find_spec("plotly")
    if found is None or found.origin is None:
        raise RequestError("the report needs the package plotly; pip install plotly")
    held = Path(found.origin).parent / "package_data" / _LIBRARY
    return held.read_text(encoding="utf-8").replace("</script", "<\\/script")
