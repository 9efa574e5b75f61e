"""The panels of the report, one function and file each."""

from __future__ import annotations

from perpkit.report.panel import Make
from perpkit.report.panels import attribution, cards, equity, positions

PANELS: tuple[Make, ...] = (
    cards.panel,
    equity.panel,
    attribution.panel,
    positions.panel,
)  # in the order of the page
