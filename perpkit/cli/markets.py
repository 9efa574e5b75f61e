"""``perpkit markets funding``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from perpkit.cli.options import AsJson, Debug, Rules, Source, Venue

if TYPE_CHECKING:
    from perpkit.cli.lines import Lines
    from perpkit.research.history import History
    from perpkit.research.rates import FundingRates, Rolling

markets = typer.Typer(help="What markets did.", no_args_is_help=True)


@markets.callback()
def _group() -> None:
    """What markets did."""


@markets.command("funding")
def funding(
    folder: Source,
    venue: Venue = None,
    rules: Rules = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Funding as rates a year: over all, over rolling weeks and months, by phase of the week."""
    from perpkit.export import as_json as to_json
    from perpkit.research.history import read_history
    from perpkit.research.rates import as_dict, funding_rates
    from perpkit.rulebook import open_rulebook

    history = read_history(folder, venue)
    found = funding_rates(history, open_rulebook(rules, folder))
    if as_json:
        print(to_json(as_dict(found, history)), end="")
        return
    from perpkit.cli.lines import Lines

    _print(history, found, Lines())


def _print(history: History, found: dict[str, FundingRates], out: Lines) -> None:
    from perpkit.metrics.funding import FULL_FRAC

    out.say(f"Funding of {history.name}, {history.file}, rates a year", "bold")
    if history.formed:
        out.say("Nothing is recorded: these rates are perpkit's own.", "yellow")
    out.say()
    ends = ("now", "min", "max")
    head = ("coin", "hours", "APR", "APY", *(f"7d {e}" for e in ends), *(f"30d {e}" for e in ends))
    out.table(head, [_row(rates) for rates in found.values()])
    out.say()
    head = ("coin", "at baseline", "cash", "extended", "closed", "gaps", "week of")
    out.table(head, [_phase_row(rates) for rates in found.values()])
    out.say()
    out.wrap(
        "  ",
        "APR is simple, APY compounds at each settlement. A window counts where "
        f"{FULL_FRAC:.0%} of its hours are recorded. Phases show the APR and the share of the "
        "hours; gaps are hours "
        "without a settlement, which no figure counts.",
        "dim",
    )
    guessed = [coin for coin, rates in found.items() if rates.baseline_from != "rulebook"]
    if guessed:
        out.wrap("  ", f"Baseline of {', '.join(guessed)}: the commonest rate, not the rulebook's.")


def _row(rates: FundingRates) -> tuple[str, ...]:
    return (
        rates.coin,
        f"{rates.hours:,}",
        _percent(rates.apr),
        _percent(rates.apy),
        *_windows(rates.week),
        *_windows(rates.month),
    )


def _windows(rolling: Rolling) -> tuple[str, ...]:
    told = (rolling.latest_apr, rolling.lowest_apr, rolling.highest_apr)
    return tuple(map(_percent, told))


def _phase_row(rates: FundingRates) -> tuple[str, ...]:
    frac = rates.baseline_frac
    phases = [
        "-" if phase.apr is None else f"{_percent(phase.apr)} ({phase.hours / rates.hours:.0%})"
        for phase in rates.phases
    ]
    return (
        rates.coin,
        "-" if frac is None else f"{frac:.1%}",
        *phases,
        f"{rates.gap_hours:,} h",
        rates.session,
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
