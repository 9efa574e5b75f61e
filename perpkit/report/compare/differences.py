"""What the runs differ in: parameters, settings, terms, data, versions; nothing that is equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perpkit.report.compare.runs import Runs
from perpkit.report.panel import Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.settings import flat, in_words
from perpkit.units import stamp

KEY, TITLE = "compared-inputs", "What the runs differ in"
NOTHING = "–"


def panel(told: Runs) -> Panel:
    """Tables of what differs, and the sentence that says there is nothing else."""
    tables = {
        "strategy": _differing(told, [_strategy(run) for run in told.runs]),
        "parameters": _differing(told, [run.manifest["strategy"]["params"] for run in told.runs]),
        "settings": _differing(told, [flat(run.manifest["config"]) for run in told.runs]),
        "terms": _terms(told),
        "data": _differing(told, [_data(run) for run in told.runs]),
        "versions": _differing(told, [_versions(run) for run in told.runs]),
    }
    found = {name: rows for name, rows in tables.items() if rows}
    if not found:
        return Panel(
            KEY,
            TITLE,
            empty="Nothing differs: strategy, parameters, settings, terms, data and versions are "
            "the same, so the same numbers are no confirmation of anything.",
        )
    return Panel(
        KEY,
        TITLE,
        [_table(told, name, rows) for name, rows in found.items()],
        lead=f"Nothing differs but {_listed(found)}.",
    )


def _listed(found: Mapping[str, Sequence[Sequence[str]]]) -> str:
    parts = [f"{name} ({_some([row[0] for row in rows])})" for name, rows in found.items()]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _some(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _strategy(run: Run) -> dict[str, Any]:
    told = run.manifest["strategy"]
    return {name: told.get(name) for name in ("name", "file", "digest")}


def _data(run: Run) -> dict[str, Any]:
    dataset, told = run.manifest["dataset"], run.manifest
    made = {name: dataset.get(name) for name in ("name", "source", "prices", "digest")}
    span = told.get("span") or (None, None)
    made |= {"first hour": span[0], "last hour": span[1], "funding": told.get("funding")}
    return made | {name: told["instruments"][name] for name in ("coins", "tokens", "accounts")}


def _versions(run: Run) -> dict[str, Any]:
    told = run.manifest
    names = ("schema", "rules_digest", "rulebook_digest")
    return {**told.get("versions", {}), **{name: told.get(name) for name in names}}


def _differing(told: Runs, each: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Rows of what is not the same in all runs: its name, then each run's."""
    names = dict.fromkeys(name for one in each for name in one)
    rows = []
    for name in names:
        values = [in_words(one.get(name)) for one in each]
        if any(value != values[0] for value in values[1:]):
            rows.append([name, *values])
    return rows


def _terms(told: Runs) -> list[list[str]]:
    """Terms of the coins that all runs have, coins of one answer in one row."""
    shared = set.intersection(*(set(run.coins) for run in told.runs))
    each = [_by_coin(run, shared) for run in told.runs]
    keys = dict.fromkeys(key for one in each for key in one)
    together: dict[tuple[str, ...], list[str]] = {}
    for coin, key in keys:
        values = [one.get((coin, key), NOTHING) for one in each]
        if any(value != values[0] for value in values[1:]):
            together.setdefault((key, *values), []).append(coin)
    return [[f"{key} of {_some(coins)}", *values] for (key, *values), coins in together.items()]


def _by_coin(run: Run, coins: set[str]) -> dict[tuple[str, str], str]:
    """Value of each term by coin; with their dates where there are several."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for term in run.manifest["terms"]:
        for coin in term["coins"]:
            if coin in coins:
                told = (int(term["from_ns"]), in_words(term["value"]))
                found.setdefault((coin, term["key"]), []).append(told)
    return {key: _dated(values) for key, values in found.items()}


def _dated(values: list[tuple[int, str]]) -> str:
    """A value, or the values with the days from which they hold."""
    values = sorted(values)
    turns = [one for n, one in enumerate(values) if n == 0 or one[1] != values[n - 1][1]]
    if len(turns) == 1:
        return turns[0][1]
    first, *later = turns
    told = [first[1], *(f"{value} from {stamp(since)[:10]}" for since, value in later)]
    return ", ".join(told)


def _table(told: Runs, name: str, rows: Sequence[Sequence[str]]) -> Table:
    columns = [Column(name.removesuffix("s") if name != "data" else name)]
    return Table(
        [*columns, *(Column(run) for run in told.names)],
        rows,
        caption=f"{name.capitalize()}: what differs",
        shown=15,
    )
