"""Runs side by side: what earned more, by how much, why, and whether that says anything."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.errors import RequestError
from perpkit.report.compare import attribution, chance, differences, equity, headline
from perpkit.report.compare.runs import Runs, told_apart
from perpkit.report.panel import Panel
from perpkit.report.reading import Run

__all__ = ["panels_of"]

_MAKE = (
    equity.panel,
    chance.panel,
    headline.panel,
    attribution.panel,
    differences.panel,
)


def panels_of(runs: Sequence[Run]) -> list[Panel]:
    """Panels of a page that compares runs with the first of them.

    Parameters
    ----------
    runs : two or more; of the same name they are numbered

    Raises
    ------
    RequestError
        If there are fewer than two, or one has no two hours in common with the first.

    Examples
    --------
    >>> panels_of([read_run(Path(name)) for name in ("runs/a", "runs/b")])  # doctest: +SKIP
    """
    if len(runs) < 2:
        raise RequestError("a comparison needs two runs or more; name another result folder")
    told: Runs = told_apart(runs)
    return [make(told) for make in _MAKE]
