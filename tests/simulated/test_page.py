"""docs/simulate.md lists every parameter, band and scenario as it is."""

from __future__ import annotations

from pathlib import Path

from perpkit.sources.simulated.parameters import bands, parameters, sources
from perpkit.sources.simulated.scenarios import read_scenario, scenario_names

PAGE = Path(__file__).parents[2] / "docs" / "simulate.md"


def scenario_rows() -> list[str]:
    rows = []
    for name in scenario_names():
        told = read_scenario(name)
        settings = ", ".join(f"`{key}`" for key in told.settings) or "-"
        rows.append(f"| `{name}` | {told.title} | {told.watch or '-'} | {settings} |")
    return rows


def parameter_rows() -> list[str]:
    return [
        f"| `{name}` | {one.value:g} | {one.unit} | {one.confidence} | {one.source} | "
        f"{one.zone or '-'} | {one.sample or '-'} | {one.note or '-'} |"
        for name, one in parameters().items()
    ]


def band_rows() -> list[str]:
    return [
        f"| `{name}` | {one.value:g} | {one.low:g} to {one.high:g} | {one.source} | {one.zone} | "
        f"{one.sample} |"
        for name, one in bands().items()
    ]


def source_rows() -> list[str]:
    return [f"- **{name}**: {says}" for name, says in sources().items()]


def test_the_page_lists_them_all() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rows in (scenario_rows(), parameter_rows(), band_rows(), source_rows()):
        assert "\n".join(rows) in page, "write these rows to docs/simulate.md:\n" + "\n".join(rows)
