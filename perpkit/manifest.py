"""The manifest: what a result was made of."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from perpkit.assumptions import Assumption
from perpkit.config import RunConfig
from perpkit.rule import digest, rule_sources
from perpkit.strategy.load import Strategy
from perpkit.tape import Market
from perpkit.units import stamp

SCHEMA = 1
_RULEBOOK = Path(__file__).parent / "rulebook"


def manifest(
    strategy: Strategy,
    values: Mapping[str, Any],
    config: RunConfig,
    market: Market,
    told: tuple[tuple[Assumption, ...], tuple[str, ...], Mapping[str, float]],
) -> dict[str, Any]:
    """Everything needed to make the result again, ready for JSON.

    ``told`` is assumptions, warnings and timings in seconds; timings are the one part that differs
    between two equal runs.
    """
    assumed, warned, timings = told
    dataset, names = market.dataset, market.names
    return {
        "schema": SCHEMA,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("perpkit", "numba", "numpy", "polars")},
        },
        "strategy": {
            "name": strategy.name,
            "file": strategy.file.name,
            "doc": strategy.doc,
            "digest": strategy.digest,
            "params": dict(values),
        },
        "config": config.model_dump(mode="json", exclude={"data", "params"}),
        "dataset": {
            "name": dataset.name,
            "folder": dataset.folder.name,
            "source": dataset.source,
            "licence": dataset.licence,
            "prices": dataset.prices,
            "digest": dataset.digest,
        },
        "rules_digest": digest(rule_sources()),
        "rulebook_digest": _digest(sorted(_RULEBOOK.glob("*/*.toml"))),
        "span": [stamp(int(market.tape.time_ns[0])), stamp(int(market.tape.time_ns[-1]))],
        "instruments": {
            "coins": list(names.coins),
            "tokens": list(names.tokens),
            "accounts": list(names.accounts),
        },
        "funding": market.funding_from,
        "seed": None,  # nothing in a run is drawn at random
        "terms": [_plain(t._asdict()) for t in market.resolved.used],
        "facts": market.facts,
        "assumptions": [a._asdict() for a in assumed],
        "warnings": list(warned),
        "timings_s": {name: round(seconds, 4) for name, seconds in timings.items()},
    }


def _digest(files: Iterable[Path]) -> str:
    seen = hashlib.sha256()
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


def _plain(term: dict[str, Any]) -> dict[str, Any]:
    term["coins"] = list(term["coins"])
    return term
