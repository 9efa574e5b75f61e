"""The manifest: what a result was made of."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from perpkit.assumptions import Assumption, own_files
from perpkit.config import RunConfig
from perpkit.rule import digest, rule_sources
from perpkit.rulebook import digest as rulebook_digest
from perpkit.strategy.load import Strategy
from perpkit.tape import Market
from perpkit.units import stamp

SCHEMA = 1


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
    own = own_files(market, config)
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
            **_members(strategy, values),
        },
        "config": config.model_dump(mode="json", exclude={"data", "params", "rulebook"}),
        "dataset": {
            "name": dataset.name,
            "folder": dataset.folder.name,
            "source": dataset.source,
            "licence": dataset.licence,
            "prices": dataset.prices,
            "digest": dataset.digest,
        },
        "rules_digest": digest(rule_sources()),
        "rulebook_digest": rulebook_digest(own),
        "rulebook_own": [file._asdict() for file in own],
        "span": [stamp(int(market.tape.time_ns[0])), stamp(int(market.tape.time_ns[-1]))],
        "instruments": {
            "coins": list(names.coins),
            "tokens": list(names.tokens),
            "accounts": list(names.accounts),
            "underlyings": {
                **{coin: dataset.perps_meta[coin].underlying for coin in names.coins},
                **{token: dataset.tokens_meta[token].underlying for token in names.tokens},
            },
        },
        "funding": market.funding_from,
        "seed": config.seed,
        "terms": [_plain(t._asdict()) for t in market.resolved.used],
        "facts": market.facts,
        "assumptions": [a._asdict() for a in assumed],
        "warnings": list(warned),
        "timings_s": {name: round(seconds, 4) for name, seconds in timings.items()},
    }


def _members(strategy: Strategy, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a portfolio: what each member is, its share of the capital and its parameters."""
    if not strategy.members:
        return {}
    return {
        "members": {
            member.name: {
                "strategy": member.strategy.name,
                "file": member.strategy.file.name,
                "doc": member.strategy.doc,
                "digest": member.strategy.digest,
                "capital_share": member.share,
                "params": {
                    p.name: values[f"{member.name}.{p.name}"] for p in member.strategy.parameters
                },
            }
            for member in strategy.members
        }
    }


def _plain(term: dict[str, Any]) -> dict[str, Any]:
    term["coins"] = list(term["coins"])
    return term
