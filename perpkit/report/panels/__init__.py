"""The panels of the report, one function and file each."""

from __future__ import annotations

from perpkit.report.panel import Make
from perpkit.report.panels import (
    assumptions,
    attribution,
    basis,
    cards,
    collateral,
    equity,
    funding,
    manifest,
    margin,
    positions,
    prices,
    settlement,
    tables,
    trades,
    weekends,
)

PANELS: tuple[Make, ...] = (  # in the order of the page
    cards.panel,
    equity.panel,
    attribution.panel,
    funding.panel,
    basis.panel,
    positions.panel,
    margin.panel,
    weekends.panel,
    prices.panel,
    collateral.panel,
    settlement.panel,
    trades.panel,
    tables.panel,
    assumptions.panel,
    manifest.panel,
)
