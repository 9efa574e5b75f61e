"""Colours of the report by role, in a light and in a dark theme.

The series colours began as those of Okabe and Ito. Each stands out from its ground by 3 to 1, text
by 4.5 to 1, and any two of the eight differ for each of the three kinds of colour blindness, on a
white ground and on a dark one (tests/report/test_theme.py).
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "page": "#f5f6f8",
    "panel": "#ffffff",
    "raised": "#f0f2f5",
    "ink": "#17202a",
    "muted": "#566270",
    "line": "#dde2e8",
    "grid": "#e8ebef",
    "shade": "#5666701f",
    "link": "#0067a3",
    "gain": "#007a58",
    "loss": "#b84600",
    "warn": "#8a5a00",
    "1": "#0072b2",
    "2": "#d55e00",
    "3": "#008a64",
    "4": "#a3398a",
    "5": "#6f6000",
    "6": "#4a9bd1",
    "7": "#6e2c1a",
    "8": "#75808c",
}
DARK: Mapping[str, str] = {
    "page": "#0d1117",
    "panel": "#161b22",
    "raised": "#1f262f",
    "ink": "#e6ebf1",
    "muted": "#9aa7b4",
    "line": "#2c3540",
    "grid": "#262e38",
    "shade": "#9aa7b424",
    "link": "#6cb8f0",
    "gain": "#35c498",
    "loss": "#ff8a5c",
    "warn": "#e6b450",
    "1": "#56b4e9",
    "2": "#f0763b",
    "3": "#27b587",
    "4": "#dd8fba",
    "5": "#e6a817",
    "6": "#3a82c9",
    "7": "#f5e663",
    "8": "#748190",
}


def variables() -> str:
    """Style rules that set each role's colour: the system's theme unless one is chosen."""
    light = "".join(f"--{role}:{colour};" for role, colour in LIGHT.items())
    dark = "".join(f"--{role}:{colour};" for role, colour in DARK.items())
    dark = f"color-scheme:dark;{dark}"
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media (prefers-color-scheme: dark){{:root:not([data-theme]){{{dark}}}}}\n"
        f":root[data-theme=dark]{{{dark}}}\n"
        f"@media print{{:root:root:root{{color-scheme:light;{light}}}}}\n"
    )
