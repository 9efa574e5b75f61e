"""Colours of the report stand out from their ground, for any eye, in both themes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from perpkit.report.theme import DARK, LIGHT

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
# Machado, Oliveira and Fernandes 2009, severity 1: what is left of linear RGB.
BLIND = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> NDArray[np.float64]:
    told = np.array([int(colour[n : n + 2], 16) / 255.0 for n in (1, 3, 5)])
    return np.where(told <= 0.04045, told / 12.92, ((told + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Ratio of relative luminances, as WCAG 2 has it."""
    bright = [float(linear(c) @ (0.2126, 0.7152, 0.0722)) + 0.05 for c in (one, other)]
    return max(bright) / min(bright)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0.0, 1.0) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16.0 / 116.0)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


def apart(one: str, other: str, blindness: str) -> float:
    """Distance of two colours in Lab as somebody colour-blind sees them; 10 is seen at a glance."""
    seen = np.array(BLIND[blindness])
    return float(np.linalg.norm(lab(seen @ linear(one)) - lab(seen @ linear(other))))


def test_black_and_white_are_21_to_1_apart() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert apart("#000000", "#ffffff", "deutan") == pytest.approx(100.0, abs=0.1)


@THEMES
def test_series_stand_out_from_their_ground(theme: Mapping[str, str]) -> None:
    for role in "12345678":
        assert contrast(theme[role], theme["panel"]) >= 3.0, role


@THEMES
def test_text_can_be_read(theme: Mapping[str, str]) -> None:
    for role in ("ink", "muted", "link", "gain", "loss", "warn"):
        for ground in ("panel", "page", "raised"):
            assert contrast(theme[role], theme[ground]) >= 4.5, (role, ground)


@THEMES
@pytest.mark.parametrize("blindness", BLIND)
def test_what_is_told_by_colour_is_told_to_all(theme: Mapping[str, str], blindness: str) -> None:
    pairs = [("gain", "loss"), *combinations("12345678", 2)]
    near = {pair: apart(theme[pair[0]], theme[pair[1]], blindness) for pair in pairs}
    assert min(near.values()) > 10.0, near


def test_both_themes_have_the_same_roles() -> None:
    assert list(LIGHT) == list(DARK)
