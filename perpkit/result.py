"""What a backtest found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from perpkit.assumptions import Assumption
from perpkit.errors import nearest
from perpkit.export import SCHEMA, Files, save
from perpkit.headline import parts, percent, plain, span
from perpkit.html import result_html, summary_html
from perpkit.metrics import METRICS, Metric
from perpkit.metrics.formula import FundingCheck

V = TypeVar("V")


def _unknown(noun: str, name: object, known: Iterable[str]) -> str:
    return f"there is no {noun} {name}: {nearest(str(name), known)}"


class Named(dict[str, V]):
    """A dict that answers an unknown name with the nearest right one, in its KeyError."""

    _noun = "name"

    def __missing__(self, name: object) -> V:
        raise KeyError(_unknown(self._noun, name, self))


class Frames(Named[pl.DataFrame]):
    """The result frames by name; their columns: docs/files.md."""

    _noun = "frame"

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {frame.height:,} rows" for name, frame in self.items())
        return f"Frames({told})"


class Summary(Named["float | int | str | None"]):
    """Every number of a run by its name; None where it is undefined.

    A dict in the order of docs/metrics.md. :meth:`about` tells what a number is; a notebook shows
    all of them with their units and definitions.
    """

    _noun = "metric"

    def about(self, name: str) -> Metric:
        """Name, unit, group and definition of a metric.

        >>> Summary(net_apr=0.02).about("net_apr").unit
        '1/year'
        """
        for metric in METRICS:
            if metric.name == name:
                return metric
        raise KeyError(_unknown(self._noun, name, (metric.name for metric in METRICS)))

    def _repr_html_(self) -> str:
        return summary_html(self)


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What a backtest found.

    Attributes
    ----------
    strategy : its name
    frames : Polars frames by name: ``equity``, ``attribution``, ``accounts``, ``positions``,
        ``funding``, ``fills``, ``events``, ``market``, ``quotes`` and ``against``; their columns,
        units and types: docs/files.md
    summary : every number of docs/metrics.md by name; money in USD, shares and rates as fractions
        (0.05 is 5%), None where undefined
    facts : what the forming of the market has to say, as ``market`` of ``summary.json``
    assumptions : what is assumed and not known, each with ``name``, ``value`` and ``why``
    warnings : sentences to read before the numbers
    manifest : what the result was made of, as ``manifest.json``
    funding_checks : with ``funding = "both"``, recorded rates against the formula's, one a coin
    """

    strategy: str
    frames: Frames
    summary: Summary
    facts: dict[str, float | int | None]
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    manifest: dict[str, Any]
    funding_checks: tuple[FundingCheck, ...] = ()

    def __repr__(self) -> str:
        """One line; the frames are not in it."""
        equity, apr = self.summary["final_equity_usd"], self.summary["net_apr"]
        dataset = self.manifest["dataset"]["name"]
        return (
            f"<Result of {self.strategy} on {dataset}, {span(self)}: "
            f"final equity {plain(equity)} USD, net APR {percent(apr)}>"
        )

    def _repr_html_(self) -> str:
        return result_html(self)

    def save(self, out: Path | str, report: str | None = None) -> Path:
        """Write the result folder; it appears whole or not at all.

        Parameters
        ----------
        out : the folder: a Parquet file a frame, ``summary.json`` and ``manifest.json``, as
            docs/files.md tells. Folders above it are made; an older result there is replaced.
        report : text of ``report.html``, as ``perpkit.report.page.page`` makes it; none: no report

        Returns
        -------
        the folder

        Raises
        ------
        RequestError
            If the folder cannot be written, or holds something that is not a result.

        Examples
        --------
        >>> perpkit.backtest("funding_carry").save("runs/demo")  # doctest: +SKIP
        PosixPath('runs/demo')
        """
        files = Files(self.frames, self.to_dict(), self.manifest, report)
        return save(files, Path(out).expanduser())

    def to_dict(self) -> dict[str, Any]:
        """Content of ``summary.json``: every metric with its unit, and what the market said."""
        made = {
            "schema": SCHEMA,
            "strategy": self.strategy,
            "metrics": {
                m.name: {"value": self.summary[m.name], "unit": m.unit, "group": m.group}
                for m in METRICS
            },
            "market": self.facts,
            "warnings": list(self.warnings),
        }
        if of_members := parts(self):
            made["members"] = [part._asdict() for part in of_members]
        if self.funding_checks:
            made["funding_against_formula"] = [check._asdict() for check in self.funding_checks]
        return made
