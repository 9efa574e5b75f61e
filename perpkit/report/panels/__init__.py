"""The panels of the report, one function and file each."""

from __future__ import annotations

from perpkit.report.panel import Make
from perpkit.report.panels import (
    attribution,
    basis,
    cards,
    collateral,
    equity,
    funding,
    margin,
    positions,
    prices,
    settlement,
    tables,
    trades,
)

PANELS: tuple[Make, ...] = (  # in the order of the page
    cards.panel,
    equity.panel,
    attribution.panel,
    funding.panel,
    basis.panel,
    positions.panel,
    margin.panel,
    prices.panel,
    collateral.panel,
    settlement.panel,
    trades.panel,
    tables.panel,
)
