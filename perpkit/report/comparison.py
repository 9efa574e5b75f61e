"""Several runs on one page."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.report.compare import panels_of
from perpkit.report.compare.runs import told_apart
from perpkit.report.page import Heading, document, span_of
from perpkit.report.reading import Run


def comparison(runs: Sequence[Run]) -> str:
    """The page that compares runs with the first of them, as HTML.

    Raises
    ------
    RequestError
        If there are fewer than two, or one has no two hours in common with the first.
    """
    panels = panels_of(runs)
    names = told_apart(runs).names
    spans = [span_of(run) for run in runs]
    facts = [
        (name, f"{run.strategy} on {run.dataset}, {' to '.join(run.manifest['span'])}")
        for name, run in zip(names, runs, strict=True)
    ]
    whole = (min(first for first, _ in spans), max(last for _, last in spans))
    return document(Heading(f"{names[0]} against {', '.join(names[1:])}", facts, whole), panels)
