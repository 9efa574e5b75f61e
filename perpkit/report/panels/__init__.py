"""The panels of the report, one function and file each."""

from __future__ import annotations

from perpkit.report.panel import Make

PANELS: tuple[Make, ...] = ()  # in the order of the page
