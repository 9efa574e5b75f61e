"""Scenarios: small TOML files that change parameters and make things happen."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from perpkit.dataset.schema import SHOCKS
from perpkit.errors import RequestError, nearest
from perpkit.sources.simulated.books import place
from perpkit.sources.simulated.events import row_of, which
from perpkit.sources.simulated.hours import Hours
from perpkit.sources.simulated.tokens import BILL, token_name
from perpkit.units import HOUR_NS

FOLDER: Final = Path(__file__).with_name("scenarios")
ISSUER: Final = "simulated"
_KEYS: Final = ("title", "says", "watch", "set", "stocks", "events", "shocks", "settings", "rules")
_SHOCK_KEYS: Final = ("kind", "on", "stock", "at", "value", "ends_after_hours", "end_value")
_NUMBERS: Final = (
    *("size", "hours", "learnt", "value", "ends_after_hours", "end_value"),
    *("share", "after_hours"),  # of `at`
)
_ON: Final = ("coins", "venues", "tokens", "issuer", "bill")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a simulation is made of beside its stocks and hours.

    Attributes
    ----------
    name, title, says : str
    watch : str
        What to look at in a run.
    changed : parameters that it changes
    stocks : what it tells of stocks, by ticker
    events : what happens to prices, quotes and shares
    shocks : rows of the table of incidents
    settings : settings a run needs to show it; a key `TOKENS` stands for every stock token
    rules : str
        Text of a rulebook file that these settings name; "" for none.
    """

    name: str
    title: str
    says: str
    watch: str
    changed: Mapping[str, float]
    stocks: Mapping[str, Mapping[str, float]]
    events: Sequence[Mapping[str, Any]]
    shocks: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    rules: str


def scenario_names() -> list[str]:
    """Every shipped scenario, `base` first."""
    names = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return ["base", *(name for name in names if name != "base")]


def read_scenario(name: str) -> Scenario:
    """A shipped scenario by name, or one of your own by the path of its TOML file.

    Raises
    ------
    RequestError
        If there is none, or its file is not understood.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise RequestError(f"--scenario: there is no file {name}; write its path")
        known = nearest(name, scenario_names())
        raise RequestError(f"--scenario {name} is unknown: {known}")
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: not valid TOML: {error}; repair that line") from error
    for key in told:
        if key not in _KEYS:
            raise RequestError(f"{path}: no key {key}: {nearest(key, _KEYS)}")
    _check_forms(told, path)
    return Scenario(
        name=path.stem,
        title=str(told.get("title", path.stem)),
        says=str(told.get("says", "")),
        watch=str(told.get("watch", "")),
        changed=told.get("set", {}),
        stocks=told.get("stocks", {}),
        events=told.get("events", []),
        shocks=told.get("shocks", []),
        settings=told.get("settings", {}),
        rules=str(told.get("rules", "")),
    )


def _check_forms(told: Mapping[str, Any], path: Path) -> None:
    """Refuse text where a number, and a value where a table is meant."""
    for key in ("set", "stocks", "settings"):
        if not isinstance(told.get(key, {}), dict):
            raise RequestError(f"{path}: {key} was {told[key]!r}; write a table, [{key}]")
    for ticker, own in told.get("stocks", {}).items():
        if not isinstance(own, dict):
            raise RequestError(f"{path}: stocks.{ticker} was {own!r}; write [stocks.{ticker}]")
        _check_numbers(own, own, f"{path}: stocks.{ticker}")
    for key in ("events", "shocks"):
        rows = told.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise RequestError(f"{path}: {key} was {rows!r}; write tables, [[{key}]]")
        for n, one in enumerate(rows, 1):
            where = f"{path}: {key.removesuffix('s')} {n}"
            _check_numbers(one, _NUMBERS, where)
            if isinstance(one.get("at"), dict):
                _check_numbers(one["at"], _NUMBERS, f"{where}: at")
            if key == "shocks" and not isinstance(one.get("kind"), str):
                raise RequestError(f'{where}: kind was {one.get("kind")!r}; write kind = "adl"')


def _check_numbers(told: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in names:
        value = told.get(name, 0.0)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise RequestError(f"{where}: {name} was {value!r}; write a number")


def settings_of(scenario: Scenario, tickers: Sequence[str]) -> dict[str, Any]:
    """Settings of a run that shows a scenario, for these stocks."""

    def named(told: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in told.items():
            own = named(value) if isinstance(value, dict) else value
            keys = [token_name(ticker) for ticker in tickers] if key == "TOKENS" else [key]
            made.update(dict.fromkeys(keys, own))
        return made

    return named(scenario.settings)


def shock_frame(
    scenario: Scenario, hours: Hours, tickers: Sequence[str], venues: Sequence[str]
) -> pl.DataFrame:
    """The table of incidents; no rows where the scenario has none.

    Raises
    ------
    RequestError
        If an incident is not understood, or outside the hours.
    """
    rows: list[tuple[int, str, str, float | None]] = []
    for n, one in enumerate(scenario.shocks, 1):
        where = f"scenario {scenario.name}: shock {n}"
        for key in one:
            if key not in _SHOCK_KEYS:
                raise RequestError(f"{where}: no key {key}: {nearest(key, _SHOCK_KEYS)}")
        at_ms = int(hours.time_ns[row_of(one.get("at"), hours, where)]) // 1_000_000
        kind, value = str(one.get("kind")), one.get("value")
        for name in _struck(one, tickers, venues, where):
            rows.append((at_ms, kind, name, value))
            if "ends_after_hours" in one:
                end_ms = at_ms + int(one["ends_after_hours"]) * (HOUR_NS // 1_000_000)
                rows.append((end_ms, kind, name, one.get("end_value", 0.0)))
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    names = ("time", "kind", "instrument", "value")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    return pl.DataFrame(columns, schema_overrides={"value": pl.Float64}).with_columns(
        pl.col("time").cast(pl.Int64).cast(SHOCKS.columns["time"].dtype),
        pl.col("kind", "instrument").cast(pl.String),
    )


def _struck(
    one: Mapping[str, Any], tickers: Sequence[str], venues: Sequence[str], where: str
) -> list[str]:
    """Names that an incident strikes: of `stock`'s coins or tokens, venues, or as written."""
    on = str(one.get("on"))
    own = [tickers[s] for s in which(one.get("stock", "all"), tickers, where)]
    names = {
        "coins": [f"{place(venue).prefix}:{ticker}" for venue in venues for ticker in own],
        "venues": list(venues),
        "tokens": [token_name(ticker) for ticker in own],
        "issuer": [ISSUER],
        "bill": [BILL],
    }
    if on in names:
        return names[on]
    if not on.isupper():
        raise RequestError(f"{where}: on was {on}: {nearest(on, _ON)}, or write a currency")
    return [on]
