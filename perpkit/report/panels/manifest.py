"""What the result was made of: versions, strategy, settings, data and digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from perpkit.report.panel import Cell, Column, Panel, Table
from perpkit.report.reading import Run
from perpkit.report.settings import default_of, flat, in_words, own

KEY, TITLE = "manifest", "Manifest"


def panel(run: Run) -> Panel:
    """Everything that is needed to make the result again, as tables."""
    manifest = run.manifest
    strategy, dataset = manifest.get("strategy"), manifest.get("dataset")
    if not strategy or not dataset:
        return Panel(KEY, TITLE, empty="The manifest names neither a strategy nor a dataset.")
    versions = manifest.get("versions", {})
    changed = own(manifest["config"])
    tables = [
        _named("Versions", {"schema": manifest.get("schema"), **versions}),
        _named("Strategy", {k: v for k, v in strategy.items() if k != "params"}),
        _named("Parameters of the strategy", strategy["params"]),
        _settings(manifest["config"], changed),
        _named("Dataset", dataset),
        _named("The run", _whole(run)),
        _facts(manifest.get("facts", {})),
    ]
    away = f"{len(changed):,} settings differ from their defaults"
    if len(changed) == 1:
        away = "1 setting differs from its default"
    return Panel(
        KEY,
        TITLE,
        [table for table in tables if table.rows],
        lead=f"{strategy['name']} ({strategy['digest']}) on {dataset['name']} "
        f"(SHA-256 {dataset['digest'][:16]}), perpkit {versions.get('perpkit', 'unknown')}; "
        f"{away if changed else 'every setting is at its default'}. The same inputs give the same "
        "numbers.",
    )


def _whole(run: Run) -> dict[str, object]:
    """What is of the run as a whole."""
    manifest = run.manifest
    told: dict[str, object] = {}
    span = manifest.get("span")
    if span:
        told |= {"first hour": span[0], "last hour": span[1]}
    told |= {name: manifest["instruments"][name] for name in ("coins", "tokens", "accounts")}
    for name in ("funding", "seed", "rules_digest", "rulebook_digest"):
        if name in manifest:
            told[name] = manifest[name]
    for file in manifest.get("rulebook_own", ()):
        told[f"own rulebook file {file['file']}"] = (
            f"{file['kind']} {file['name']}, {file['digest']}"
        )
    return told


def _named(caption: str, told: Mapping[str, object]) -> Table:
    return Table(
        [Column("name"), Column("value")],
        [[name, in_words(value)] for name, value in told.items()],
        caption=caption,
    )


def _settings(config: Mapping[str, object], changed: Iterable[str]) -> Table:
    """Every setting; the run's own first."""
    mine = set(changed)
    rows = [
        [
            name,
            in_words(value),
            "".join(map(in_words, default_of(name))) or "–",
            "this run" if name in mine else "default",
        ]
        for name, value in flat(config).items()
    ]
    rows.sort(key=lambda row: row[3] == "default")
    return Table(
        [Column("setting"), Column("value"), Column("default"), Column("set by")],
        rows,
        caption="Settings of the run file, those of this run first",
        shown=max(10, len(mine)),
    )


def _facts(facts: Mapping[str, float | None]) -> Table:
    return Table(
        [Column("fact"), Column("value", number=True)],
        [
            [name, Cell("–", None) if value is None else Cell(f"{value:,.6g}", float(value))]
            for name, value in facts.items()
        ],
        caption="What the forming of the market found",
        shown=12,
    )
