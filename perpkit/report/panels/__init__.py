"""The panels of the report, one function and file each."""

from __future__ import annotations

from perpkit.report.panel import Make
from perpkit.report.panels import (
    attribution,
    cards,
    equity,
    funding,
    margin,
    positions,
    prices,
    settlement,
    trades,
)

PANELS: tuple[Make, ...] = (  # in the order of the page
    cards.panel,
    equity.panel,
    attribution.panel,
    funding.panel,
    positions.panel,
    margin.panel,
    prices.panel,
    settlement.panel,
    trades.panel,
)
