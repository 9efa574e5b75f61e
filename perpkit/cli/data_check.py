"""``perpkit data check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perpkit.cli.options import AsJson, Debug, Quiet, Rules, Source, Venue, refuse_both

if TYPE_CHECKING:
    from perpkit.cli.lines import Lines
    from perpkit.research.check import DataCheck
    from perpkit.research.findings import Finding

_ERROR_EXIT = 3


def check(
    folder: Source,
    venue: Venue = None,
    rules: Rules = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the data there, with what is certain mended."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look for faults in data, and hold it against the rulebook to the last decimal.

    Exit code 0 without a finding of severity error, 3 with one; with --fix, with one left.
    """
    from perpkit.cli.console import stages
    from perpkit.cli.leaving import saved
    from perpkit.export import as_json as to_json
    from perpkit.research.check import check_data
    from perpkit.research.findings import Severity

    refuse_both(quiet=quiet, as_json=as_json)
    with stages(quiet=quiet) as under_way:

        def stage(now: str) -> None:
            under_way.stage(now)
            if now == "writing":
                saved(f"if {fix} is there, it is whole")

        found = check_data(folder, venue, rules, fix, stage)
        if fix is not None:
            saved(f"the mended data are in {fix}")
    if as_json:
        print(to_json(found.to_dict()), end="")
    elif not quiet:
        from perpkit.cli.lines import Lines

        _print(found, Lines())
    if any(finding.severity is Severity.ERROR for finding in found.left):
        raise typer.Exit(_ERROR_EXIT)


def _print(found: DataCheck, out: Lines) -> None:
    out.say(f"{found.name}: {len(found.coins)} coins, funding from {found.file}", "bold")
    audited = {coin: own for coin, own in found.coins.items() if own.get("funding_rows")}
    if audited:
        out.say()
        out.say("Funding against the formula", "bold")
        head = ("coin", "rows", "tested", "exact", "worst error", "rounding", "first differing")
        out.table(head, [_funding_row(coin, own) for coin, own in audited.items()])
    premiums = {coin: own for coin, own in audited.items() if own.get("premium_tested")}
    if premiums:
        out.say()
        out.say("Premiums against their own prices", "bold")
        rows = [_audit_row("premium", coin, own) for coin, own in premiums.items()]
        out.table(("coin", "rows", "tested", "exact", "worst error", "rounding", "differs"), rows)
    bounds = [(coin, _tightest(own)) for coin, own in found.coins.items()]
    tested = [(coin, spell) for coin, spell in bounds if spell is not None]
    if tested:
        out.say()
        out.say("Discovery bounds, the spell that came nearest to its bound", "bold")
        head = ("coin", "reference", "oracle", "lowest", "highest", "allowed", "resets")
        out.table(head, [_bound_row(coin, spell) for coin, spell in tested], left=2)
    _list(found.findings, "Findings", "No findings", out)
    _list(found.notes, "Notes", "", out)
    if found.fixed is not None:
        done = found.fixed
        changed = (
            f"{done.cells:,} cells changed, {done.rows:,} rows removed, {len(found.left)} left"
        )
        out.say()
        out.say(f"Written to {done.folder}: {changed}; see fixes.csv there", "bold")


def _list(findings: tuple[Finding, ...], head: str, none: str, out: Lines) -> None:
    if not findings and not none:
        return
    out.say()
    out.say(head if findings else none, "bold")
    for finding in findings:
        word = finding.severity.name.lower()
        style = {"error": "red", "warning": "yellow"}.get(word, "")
        out.wrap(f"  {word:<8} ", finding.sentence, style)


def _funding_row(coin: str, own: dict[str, Any]) -> tuple[str, ...]:
    return _audit_row("funding", coin, own)


def _audit_row(name: str, coin: str, own: dict[str, Any]) -> tuple[str, ...]:
    frac, error = own[f"{name}_exact_frac"], own.get(f"{name}_worst_error")
    return (
        coin,
        f"{own[f'{name}_rows']:,}",
        f"{own.get(f'{name}_tested', 0):,}",
        "-" if frac is None else _share(frac),
        "-" if error is None else f"{error:.2e}",
        "-" if error is None else f"{own[f'{name}_tolerance']:.2e}",
        own.get(f"{name}_first_differing_hour") or "-",
    )


def _share(frac: float) -> str:
    """A share in percent that is 100% only when nothing is missing."""
    return "100%" if frac == 1.0 else f"{min(frac, 0.9999):.2%}"


def _tightest(own: dict[str, Any]) -> dict[str, Any] | None:
    spells = own.get("bounds", {}).get("spells", [])

    def room(spell: dict[str, Any]) -> float:
        up = spell["highest_allowed_px"] / spell["high_px"]
        down = spell["low_px"] / spell["lowest_allowed_px"]
        return float(min(up, down))

    return min(spells, key=room) if spells else None


def _bound_row(coin: str, spell: dict[str, Any]) -> tuple[str, ...]:
    base = spell["reference_px"]
    low, high = spell["lowest_allowed_px"] / base - 1.0, spell["highest_allowed_px"] / base - 1.0
    return (
        coin,
        spell["reference_time"],
        f"{base:g}",
        f"{spell['low_px'] / base - 1.0:+.2%}",
        f"{spell['high_px'] / base - 1.0:+.2%}",
        f"{low:+.2%} {high:+.2%}",
        "unknown" if spell["resets"] is None else str(spell["resets"]),
    )
