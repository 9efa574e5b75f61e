"""``perpkit rules infer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perpkit.cli.options import AsJson, Debug, Source

if TYPE_CHECKING:
    from perpkit.cli.lines import Lines
    from perpkit.research.estimates import Estimate
    from perpkit.research.history import History
    from perpkit.research.inference import Inferred, Terms

_ODD_SHOWN = 10


def infer(
    folder: Source,
    interval_hours: Annotated[
        int | None,
        typer.Option("--interval-hours", help="Time between settlements; default by the stamps."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Find multiplier, clamp and interest from settled rates and premiums alone."""
    from perpkit.export import as_json as to_json
    from perpkit.research.history import read_history
    from perpkit.research.inference import as_dict
    from perpkit.research.inference import infer as infer_terms

    history = read_history(folder, interval_hours=interval_hours)
    found = infer_terms(history)
    if as_json:
        print(to_json(as_dict(found, history)), end="")
        return
    from perpkit.cli.lines import Lines

    _print(history, found, Lines())


def _print(history: History, found: dict[str, Inferred], out: Lines) -> None:
    out.say(f"{history.name}: what {history.file} says of its terms, per 8 hours", "bold")
    if history.formed:
        out.say("Nothing is recorded: these rates are perpkit's own.", "yellow")
    out.say()
    head = ("coin", "from", "rows", "multiplier", "clamp_8h", "interest_8h")
    rows = [_row(own.coin, terms) for own in found.values() for terms in own.terms]
    if rows:
        out.table(head, rows, left=2)
        out.say()
        out.wrap(
            "  ",
            "A value is the simplest decimal in the interval that the rows leave open; behind +- "
            "stands half the width of that interval. --json gives its ends.",
            "dim",
        )
    for own in found.values():
        _print_rest(own, out)


def _print_rest(own: Inferred, out: Lines) -> None:
    from perpkit.units import stamp

    if own.says:
        out.wrap(f"  {own.coin}: ", own.says, "yellow")
    if own.unusable:
        out.wrap(f"  {own.coin}: ", f"{own.unusable:,} rows have no premium and count for nothing")
    whys: dict[tuple[str, str], list[str]] = {}
    for terms in own.terms:
        for name in ("multiplier", "clamp_8h", "interest_8h"):
            if why := getattr(terms, name).why:
                since = stamp(terms.first_ns) if terms.rows else "an unsure hour"
                whys.setdefault((since, why), []).append(name)
        if terms.simplest_fit is False:
            out.wrap(f"  {own.coin}: ", "the simplest decimals together do not fit every row")
    for (since, why), names in whys.items():
        out.wrap(f"  {own.coin}: ", f"{', '.join(names)} not identified from {since}: {why}")
    for switch in own.switches:
        what = ", ".join(switch.changed) or "the rows do not tell which term"
        out.wrap(
            f"  {own.coin}: ",
            f"terms change after {stamp(switch.after_ns)} and by {stamp(switch.by_ns)}: {what}",
            "yellow",
        )
    for odd in own.odd[:_ODD_SHOWN]:
        out.wrap(
            f"  {own.coin}: ",
            f"no terms fit {stamp(odd.time_ns)}: rate {odd.funding:.10f} at premium "
            f"{odd.premium:.10f}, {_rate(odd.expected)} by the terms around it",
            "yellow",
        )
    if len(own.odd) > _ODD_SHOWN:
        more = len(own.odd) - _ODD_SHOWN
        out.wrap(f"  {own.coin}: ", f"{more:,} more rows that no terms fit; --json lists them")
    if own.cap is not None and own.cap.high is not None:
        out.wrap(f"  {own.coin}: ", f"{own.cap.rows:,} rows stand at the cap, {own.cap.high:.10g}")


def _row(coin: str, terms: Terms) -> tuple[str, ...]:
    from perpkit.units import stamp

    return (
        coin,
        stamp(terms.first_ns) if terms.rows else "-",
        f"{terms.rows:,}",
        *(_cell(e) for e in (terms.multiplier, terms.clamp_8h, terms.interest_8h)),
    )


def _cell(estimate: Estimate) -> str:
    if estimate.identified and estimate.simplest is not None:
        return f"{estimate.simplest:.10g} +- {(estimate.high - estimate.low) / 2:.0e}"
    return f"{estimate.low:.4g} to {estimate.high:.4g}"


def _rate(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.10f}"
