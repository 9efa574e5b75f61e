"""The README of a simulated dataset: how it was made and what was put into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from perpkit.sources.simulated.parameters import parameters
from perpkit.sources.simulated.scenarios import settings_of
from perpkit.sources.simulated.world import Request, Tables, World
from perpkit.units import stamp


def command(request: Request, out: str) -> str:
    """The command that makes a dataset again."""
    # The name alone of a file of one's own: the files are the same wherever it lies.
    told = Path(request.scenario).name
    parts = [f"perpkit data simulate --scenario {told}"]
    parts.append(f"--stocks {','.join(request.stocks)}")
    parts.append(f"--days {request.days} --seed {request.seed}")
    parts.append(f"--start {request.start:%Y-%m-%dT%H:%M} --venues {','.join(request.venues)}")
    parts += [f"--set {name}={value:g}" for name, value in request.changed.items()]
    if request.real_path is not None:
        parts.append(f"--real-path {request.real_path.name}")
    return " ".join([*parts, f"--out {out}"])


def readme(world: World, tables: Tables, name: str, made_by: str | None = None) -> str:
    """Write a dataset's README; `made_by` is the command that makes it again, if another."""
    request, scenario = world.request, world.scenario
    first, last = (stamp(int(ns)) for ns in world.hours.time_ns[[0, -1]])
    lines = [
        f"# {name}",
        "",
        f"Simulated, no market data in it: scenario `{scenario.name}`, {scenario.title}."
        if request.real_path is None
        else f"Simulated along the recorded prices of `{request.real_path.name}`: scenario "
        f"`{scenario.name}`, {scenario.title}.",
        "",
        f"    {made_by or command(request, name)}",
        "",
        "makes these files again, byte for byte.",
        "",
        f"- hours: {first} to {last}, {len(world.hours.time_ns):,} rows an instrument",
        f"- perps: {_names(tables.perps['coin'])}",
        f"- tokens: {_names(tables.tokens['token'])}",
        f"- dividends and splits: {len(tables.actions)}; incidents: {len(tables.shocks)}",
        '- `prices = "external"`: perpkit forms oracle, mark and funding, by the venue',
    ]
    if scenario.says:
        lines += ["", scenario.says]
    if scenario.watch:
        lines += ["", f"What to watch: {scenario.watch}"]
    if scenario.settings:
        lines += ["", "It shows with these settings of a run, in a file for `--config`:", ""]
        lines += ["```toml", *_toml(settings_of(scenario, request.stocks)), "```"]
    if scenario.rules:
        lines += ["", f"`{scenario.settings['rulebook']}` beside it holds:", ""]
        lines += ["```toml", *scenario.rules.strip().splitlines(), "```"]
    changed = {**scenario.changed, **request.changed}
    if changed:
        lines += ["", "| parameter | here | usually |", "|---|---|---|"]
        usual = parameters()
        lines += [f"| `{k}` | {v:g} | {usual[k].value:g} |" for k, v in changed.items()]
    lines += _happenings(world, tables.shocks)
    lines += ["", "What it cannot show: whether a trade pays. Its funding was put there."]
    return "\n".join(lines) + "\n"


def _names(column: pl.Series) -> str:
    return ", ".join(f"`{name}`" for name in column.unique(maintain_order=True))


def _happenings(world: World, shocks: pl.DataFrame) -> list[str]:
    if not world.events and not len(shocks):
        return []
    lines = ["", "| when | what | of | size |", "|---|---|---|---|"]
    for event in world.events:
        when = stamp(int(world.hours.time_ns[event.row]))
        long = f", {event.hours} h" if event.hours > 1 else ""
        of = world.stocks[event.stock].ticker + (f" on {event.venue}" if event.venue else "")
        lines.append(f"| {when} | {event.what}{long} | {of} | {event.size:g} |")
    for row in shocks.iter_rows(named=True):
        value = "" if row["value"] is None else f"{row['value']:g}"
        when = f"{row['time']:%Y-%m-%d %H:%MZ}"
        lines.append(f"| {when} | {row['kind']} | {row['instrument']} | {value} |")
    return lines


def _toml(settings: Any, table: str = "") -> list[str]:
    """Settings as TOML, plain keys before tables."""
    plain = [f"{k} = {_value(v)}" for k, v in settings.items() if not isinstance(v, dict)]
    lines = [f"[{table}]", *plain] if table and plain else plain
    for key, value in settings.items():
        if isinstance(value, dict):
            lines += ["", *_toml(value, f"{table}.{key}" if table else key)]
    return lines


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)
