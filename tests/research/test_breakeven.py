"""Days of carry that pay for friction, and the command that prints them."""

from __future__ import annotations

import json
import math

import pytest

from perpkit.cli import main
from perpkit.errors import RequestError
from perpkit.research import breakeven, breakeven_days

# Days by friction and carry, rounded: friction / carry * 365, worked by hand.
PUBLISHED = {
    0.01: {0.0285: 128, 0.05475: 67, 0.1095: 33, 0.40: 9},
    0.02: {0.0285: 256, 0.05475: 133, 0.1095: 67, 0.40: 18},
    0.05: {0.0285: 640, 0.05475: 333, 0.1095: 167, 0.40: 46},
}


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["financing", "breakeven", *arguments])
    return code, *capsys.readouterr()


def test_the_published_table() -> None:
    rows = breakeven()
    assert len(rows) == 12
    for row in rows:
        assert round(row.days) == PUBLISHED[row.friction_frac][row.carry_apr]


def test_days_earn_exactly_the_friction() -> None:
    days = breakeven_days(0.031, 0.17)
    assert math.isclose(days * 24 * 0.17 / 8_760, 0.031, rel_tol=1e-12)
    assert breakeven_days(0.0, 0.17) == 0.0


@pytest.mark.parametrize(("friction", "carry"), [(1.0, 0.1), (-0.01, 0.1), (math.nan, 0.1)])
def test_a_friction_that_is_no_fraction_is_refused(friction: float, carry: float) -> None:
    with pytest.raises(RequestError, match="friction was"):
        breakeven_days(friction, carry)


@pytest.mark.parametrize("carry", [0.0, -0.05, 40.0, math.nan])
def test_a_carry_that_never_earns_it_back_is_refused(carry: float) -> None:
    with pytest.raises(RequestError, match="carry was"):
        breakeven_days(0.01, carry)


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys=capsys)
    assert (code, err) == (0, "")
    cells = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert cells[0][0] == "friction"
    assert cells[0][1::2] == ["2.85%", "5.475%", "10.95%", "40%"]
    for (friction, days), row in zip(PUBLISHED.items(), cells[1:4], strict=True):
        assert row[0] == f"{friction:.0%}"
        assert row[1::2] == [str(day) for day in days.values()]
    assert max(map(len, out.splitlines())) <= 100
    assert out.isascii()


def test_lists_in_per_cent_or_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--friction", "0.5%, 0.02", "--carry", "20%", "--json", capsys=capsys)
    assert code == 0
    told = json.loads(out)
    assert told["schema"] == 1
    assert [(row["friction_frac"], row["carry_apr"]) for row in told["breakeven"]] == [
        (0.005, 0.2),
        (0.02, 0.2),
    ]
    assert math.isclose(told["breakeven"][1]["days"], 36.5)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--friction", "1,2"), "friction was 1"),
        (("--carry", "0"), "carry was 0"),
        (("--carry", "fast"), "write numbers with commas"),
        (("--friction", ""), "write numbers with commas"),
    ],
)
def test_what_is_no_list_is_refused(
    arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(*arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1
