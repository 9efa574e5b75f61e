"""``perpkit financing``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perpkit.research.breakeven import Breakeven

financing = typer.Typer(help="What holding costs and when it pays.", no_args_is_help=True)


@financing.callback()
def _group() -> None:
    """What holding costs and when it pays."""


@financing.command("breakeven")
def breakeven(
    friction: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Cost of entry and exit, 1%,2% or 0.01,0.02; default 1%,2%,5%.",
        ),
    ] = None,
    carry: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Simple rates a year; default 2.85%,5.475%,10.95%,40%.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Days of carry that pay for the friction of entry and exit."""
    from perpkit.research.breakeven import CARRIES, FRICTIONS
    from perpkit.research.breakeven import breakeven as rows_of

    frictions = FRICTIONS if friction is None else _fractions("--friction", friction)
    carries = CARRIES if carry is None else _fractions("--carry", carry)
    found = rows_of(frictions, carries)
    if as_json:
        from dataclasses import asdict

        from perpkit.export import as_json as to_json

        print(to_json({"schema": 1, "breakeven": [asdict(row) for row in found]}), end="")
        return
    _print(found)


def _fractions(option: str, told: str) -> tuple[float, ...]:
    """A list of fractions, each as a number or in per cent."""
    from perpkit.errors import RequestError

    made = []
    for part in told.split(","):
        text = part.strip()
        percent = text.endswith("%")
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            raise RequestError(
                f"{option} {told}: write numbers with commas between them, such as 1%,2% or "
                "0.01,0.02"
            ) from None
        made.append(value / 100.0 if percent else value)
    return tuple(made)


def _print(found: list[Breakeven]) -> None:
    from perpkit.cli.lines import Lines

    out = Lines()
    out.say("Days of carry that pay for the friction of entry and exit", "bold")
    out.say()
    carries = list(dict.fromkeys(row.carry_apr for row in found))
    frictions = list(dict.fromkeys(row.friction_frac for row in found))
    days = {(row.friction_frac, row.carry_apr): row.days for row in found}
    out.table(
        ("friction", *(f"{carry * 100:.6g}% APR" for carry in carries)),
        [
            (f"{friction * 100:.6g}%", *(f"{days[friction, c]:,.0f} d" for c in carries))
            for friction in frictions
        ],
    )
    out.say()
    out.wrap(
        "  ",
        "friction / carry x 365: friction is what entry and exit of all legs cost, carry what a "
        "year earns after everything that is paid, both as shares of the same notional. Whoever "
        "leaves earlier has paid to hold.",
        "dim",
    )
