"""A run as the report reads it: a result at hand, or a result folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from perpkit.errors import DataError, RequestError
from perpkit.export import FRAMES, MARK, SCHEMA, read_frame
from perpkit.result import Result


@dataclass(frozen=True, slots=True)
class Run:
    """What the report reads of a run.

    Attributes
    ----------
    name : what it is called on the page: the folder's name, or strategy and dataset
    frames : the frames of docs/files.md by name
    summary : the content of ``summary.json``
    manifest : the content of ``manifest.json``
    """

    name: str
    frames: Mapping[str, pl.DataFrame]
    summary: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def strategy(self) -> str:
        """Name of its strategy."""
        return str(self.summary["strategy"])

    @property
    def dataset(self) -> str:
        """Name of its dataset."""
        return str(self.manifest["dataset"]["name"])

    @property
    def capital(self) -> float:
        """USD at the start."""
        return float(self.manifest["config"]["capital"])

    @property
    def coins(self) -> list[str]:
        """Its perps."""
        return list(self.manifest["instruments"]["coins"])

    @property
    def tokens(self) -> list[str]:
        """Its tokens."""
        return list(self.manifest["instruments"]["tokens"])

    @property
    def underlyings(self) -> dict[str, str]:
        """Underlying of each perp and token; empty of a run whose manifest does not tell them."""
        return dict(self.manifest["instruments"].get("underlyings", {}))

    def metric(self, name: str) -> float | None:
        """A number of ``summary.json``; None where it is undefined, or no number."""
        told = self.summary["metrics"][name]["value"]
        if told in ("inf", "-inf"):  # as JSON has them
            return float(told)
        return None if told is None or isinstance(told, str) else float(told)

    def fact(self, name: str) -> float | None:
        """What the forming of the market has to say; None where it does not apply."""
        told = self.summary["market"].get(name)
        return None if told is None else float(told)


def run_of(result: Result, name: str = "") -> Run:
    """A result at hand."""
    told = name or f"{result.strategy} on {result.manifest['dataset']['name']}"
    return Run(told, result.frames, result.to_dict(), result.manifest)


def read_run(folder: Path) -> Run:
    """A result folder.

    Raises
    ------
    RequestError
        If the folder is not a result.
    DataError
        If a file of it is missing or cannot be read, or its schema is another.
    """
    if not (folder / MARK).is_file():
        raise RequestError(f"{folder}: is not a result folder; name one that backtest --out wrote")
    manifest, summary = _json(folder / MARK), _json(folder / "summary.json")
    if (schema := summary.get("schema")) != SCHEMA:
        raise DataError(
            f"{folder / 'summary.json'}: its schema is {schema}, this perpkit reads {SCHEMA}; run "
            "the backtest again, or take the perpkit that wrote it"
        )
    frames = {name: _frame(folder, name) for name in FRAMES}
    return Run(folder.resolve().name, frames, summary, manifest)


def _frame(folder: Path, name: str) -> pl.DataFrame:
    try:
        return read_frame(folder, name)
    except FileNotFoundError as e:
        raise DataError(f"{folder / name}.parquet is missing; run the backtest again") from e
    except (OSError, pl.exceptions.PolarsError) as e:
        raise DataError(
            f"{folder / name}.parquet cannot be read ({e}); run the backtest again"
        ) from e


def _json(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise DataError(f"{file} cannot be read ({e}); run the backtest again") from e
    if not isinstance(told, dict):
        raise DataError(f"{file} is not a JSON object; run the backtest again")
    return told


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)
