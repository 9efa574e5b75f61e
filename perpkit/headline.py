"""What leads a result, chosen once: the terminal and the notebook show the same of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import polars as pl

from perpkit.assumptions import Assumption
from perpkit.codes import CAUSES
from perpkit.metrics.formula import FundingCheck

CAUSE_NAMES = {  # how a cause is called where people read it
    "perp_price": "perp price",
    "token_price": "token price",
    "funding": "funding",
    "yield": "yield",
    "dividend": "dividends",
    "fees": "fees",
    "slippage": "slippage",
    "interest": "interest",
    "transfer": "transfers",
    "settlement": "settlement",
    "liquidation": "liquidation",
    "bad_debt": "bad debt (venue's)",
}
# What trading and holding cost; `cost_drag_frac` counts the same.
COSTS = ("fees", "slippage", "interest", "transfer", "settlement")


class Found(Protocol):
    """What is read of a result; :class:`perpkit.result.Result` is one."""

    @property
    def strategy(self) -> str:
        """Its name."""

    @property
    def summary(self) -> Mapping[str, float | int | str | None]:
        """Every metric by name."""

    @property
    def facts(self) -> Mapping[str, float | int | None]:
        """What the forming of the market has to say."""

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What is assumed and not known."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences to read before the numbers."""

    @property
    def frames(self) -> Mapping[str, pl.DataFrame]:
        """The result frames by name."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the result was made of."""

    @property
    def funding_checks(self) -> tuple[FundingCheck, ...]:
        """Recorded funding against the formula, one a coin."""


class Number(NamedTuple):
    """One number that leads: its label, the number as text, and its unit or a remark."""

    label: str
    value: str
    note: str


class Cause(NamedTuple):
    """What one cause made of the equity."""

    name: str
    usd: float
    of_capital: float  # frac


class Part(NamedTuple):
    """What one member of a portfolio made, what nobody's was, or what crossing saved; USD."""

    name: str
    share: float  # of the capital, 0 of what crossing saved
    price_usd: float
    funding_usd: float
    costs_usd: float
    other_usd: float
    net_usd: float


def percent(value: float | str | None) -> str:
    """A fraction as a percentage.

    >>> percent(0.0339)
    '3.39%'
    """
    return "n/a" if value is None or isinstance(value, str) else f"{value:.2%}"


def plain(value: float | str | None) -> str:
    """A number with thousands, to two digits.

    >>> plain(103385.106)
    '103,385.11'
    """
    return "n/a" if value is None or isinstance(value, str) else f"{value:,.2f}"


def span(found: Found) -> str:
    """First and last hour, and how many instruments there are."""
    first, last = found.manifest["span"]
    coins = _count(found.manifest["instruments"]["coins"], "perp")
    tokens = _count(found.manifest["instruments"]["tokens"], "token")
    return f"{first} to {last}, {coins} and {tokens}"


def _count(names: list[str], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def headline(found: Found) -> tuple[list[Number], list[Number]]:
    """The numbers that lead: what became of the money, and what it earned for its risk."""
    summary, facts = found.summary, found.facts
    spent = sum(float(summary[f"{cause}_usd"] or 0.0) for cause in COSTS)
    bound = int(facts["oracle_hours_bound"] or 0)
    free = percent(found.manifest["config"]["risk_free_apr"])
    money = [
        Number("Final equity", plain(summary["final_equity_usd"]), "USD"),
        Number("Total return", percent(summary["total_return_frac"]), ""),
        Number("Max drawdown", percent(summary["max_drawdown_frac"]), ""),
        Number("Worst margin ratio", plain(summary["worst_margin_ratio"]), "1 is liquidation"),
        Number("Costs", plain(spent), _share(summary["cost_drag_frac"])),
        Number("Oracle held back", f"{bound:,}", "coin-hours"),
    ]
    earned = [
        Number("Net APR on all capital", percent(summary["net_apr"]), ""),
        Number(f"Over {free} risk-free", percent(summary["excess_apr"]), ""),
        Number("Funding APR on notional", percent(summary["funding_yield_apr"]), ""),
        Number("Time in market", percent(summary["time_in_market_frac"]), ""),
        Number("Turnover a year", plain(summary["turnover"]), "x equity"),
        Number("Largest oracle lag", percent(facts["oracle_largest_lag_frac"]), ""),
    ]
    inside, rates = facts["oracle_hours_internal"], facts["rates_by_formula"]
    if inside:
        money.append(Number("Priced by own book", f"{inside:,}", "coin-hours"))
    if rates:
        earned.append(Number("Funding by formula", f"{rates:,}", "rates"))
    return money, earned


def _share(drag: float | str | None) -> str:
    """Costs as a share of funding, in whole percents where two digits more would not fit."""
    if drag is None or isinstance(drag, str):
        return "USD"
    if drag < 0.0:  # fills better than the mark by more than the fees
        return "USD, earned by fills"
    shown = percent(drag) if drag < 1.0 else f"{drag:.0%}"
    return f"USD, {shown} of funding"


def attribution(found: Found) -> tuple[list[Cause], Cause]:
    """The causes that are not 0, and what they come to."""
    capital = float(found.manifest["config"]["capital"])
    usd = {cause: float(found.summary[f"{cause}_usd"] or 0.0) for cause in CAUSES}
    causes = [Cause(CAUSE_NAMES[c], v, v / capital) for c, v in usd.items() if v != 0.0]
    net = sum(usd.values())
    return causes, Cause("net", net, net / capital)


_PRICE = ("perp_price", "token_price")
CROSSING = "crossing"


def parts(found: Found) -> list[Part]:
    """What each member of a portfolio made, in its file's order; none of a plain strategy.

    What nobody manages has an empty name, and is left out where there is nothing of it.
    """
    members = found.manifest["strategy"].get("members")
    if not members:
        return []
    share = {name: float(told["capital_share"]) for name, told in members.items()}
    share |= {"": max(1.0 - sum(share.values()), 0.0), CROSSING: 0.0}
    usd: dict[str, dict[str, float]] = {name: {} for name in share}
    told = found.frames["attribution"].group_by("strategy", "cause").agg(pl.col("usd").sum())
    for name, cause, value in told.rows():
        usd[name][cause] = value
    made = []
    for name, own in usd.items():
        price, funding = sum(own.get(c, 0.0) for c in _PRICE), own.get("funding", 0.0)
        costs, net = sum(own.get(c, 0.0) for c in COSTS), sum(own.values())
        other = sum(v for c, v in own.items() if c not in (*_PRICE, *COSTS, "funding"))
        if name or own:
            made.append(Part(name, share[name], price, funding, costs, other, net))
    return made


def part_row(part: Part, capital: float) -> tuple[str, ...]:
    """One part as :data:`PART_COLUMNS` says."""
    of = percent(part.net_usd / (part.share * capital)) if part.share > 1e-9 else ""
    usd = (part.price_usd, part.funding_usd, part.costs_usd, part.other_usd, part.net_usd)
    share = percent(part.share) if part.share > 1e-9 else ""
    return (part.name or "(nobody)", share, *(f"{round(x, 2) + 0.0:,.2f}" for x in usd), of)


PART_COLUMNS = ("member", "share", "price", "funding", "costs", "other", "net USD", "of share")


def assumed(found: Found) -> Iterator[Assumption]:
    """The choices the result depends on, without the terms that :func:`assumed_terms` has."""
    of_terms = {f"{term['scope']} {term['key']}" for term in _assumed(found)}
    return (choice for choice in found.assumptions if choice.name not in of_terms)


def assumed_terms(found: Found) -> Iterator[tuple[str, str]]:
    """For each venue, coin or issuer its terms that are assumed, in one line."""
    terms = _assumed(found)
    for scope in dict.fromkeys(term["scope"] for term in terms):
        said = dict.fromkeys(f"{t['key']} {t['value']}" for t in terms if t["scope"] == scope)
        yield scope, ", ".join(said)


def _assumed(found: Found) -> list[dict[str, Any]]:
    """Terms of the rulebook that entered and are no venue's word."""
    terms = found.manifest["terms"]
    return [t for t in terms if t["needed"] and t["confidence"] == "assumed"]


def check_row(check: FundingCheck) -> tuple[str, str, str, str, str]:
    """One coin's recorded funding against the formula, as :data:`CHECK_COLUMNS` says."""
    worst = "n/a" if check.worst_error is None else f"{check.worst_error:.1e}"
    usd = f"{round(check.difference_usd, 2) + 0.0:+,.2f}"
    return check.coin, f"{check.settlements:,}", percent(check.exact_frac), worst, usd


CHECK_COLUMNS = ("coin", "settled", "exact", "worst error", "USD")
