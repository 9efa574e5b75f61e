"""``python docs/strategies/make.py [--tables]``: play the simulated years, write the tables anew.

Writes seeds.csv, one row a run, and from it the tables between the markers of the pages beside this
file; with ``--tables`` the tables alone. The parameters were chosen before the first run and are
the shipped ones, but for what ``PLAYS`` names. A test plays some of the runs again.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import perpkit
from perpkit.sources.simulated.output import simulate
from perpkit.sources.simulated.world import Request

HERE = Path(__file__).parent
CSV = HERE / "seeds.csv"
SEEDS = range(1, 31)
DAYS = 365
STOCKS = ("NVDA", "TSLA", "AAPL")
START = datetime(2026, 10, 1, tzinfo=UTC)  # trade.xyz's recorded terms do not change after it
CAPITAL = 100_000.0
# A margin call is met by the wallet's cash, then by a cut: a rule is compared, not its ruin.
CONFIG = {"capital": CAPITAL, "topup_at_ratio": 0.5, "delever": True}
BILL_APR = 0.0375  # risk_free_apr


class Play(NamedTuple):
    """A strategy with what is not its default."""

    strategy: str
    params: Mapping[str, Any]


class Year(NamedTuple):
    """A simulated year: its scenario, what is changed in it, and what is played on it."""

    scenario: str
    changed: Mapping[str, float]
    plays: tuple[str, ...]


PAIR = {"notional_usd": 19_000.0}  # three pairs then fill max_gross_frac
PLAYS = {
    "Sunday 20:00": Play("weekend_basis", {}),
    "Monday 09:30": Play("weekend_basis", {"exit_at_cash_open": True}),
    "carry": Play("funding_carry", PAIR),
    # The same but for where it leaves: at the rate at which it enters.
    "one rate": Play("funding_carry", {**PAIR, "exit_apr": 0.08}),
    "cash": Play("cash", {}),
}
WEEKEND, CARRY = ("Sunday 20:00", "Monday 09:30"), ("carry", "one rate", "cash")
YEARS = {
    "base": Year("base", {}, WEEKEND + CARRY),
    "weekends -20 bp": Year("base", {"weekend_premium_bp": -20.0}, WEEKEND),
    "weekends +20 bp": Year("base", {"weekend_premium_bp": 20.0}, WEEKEND),
    "crowding": Year("crowding", {}, CARRY),
    "funding-flip": Year("funding-flip", {}, CARRY),
}
COLUMNS = (
    *("net_usd", "perp_usd", "token_usd", "funding_usd", "cost_usd"),
    *("fills", "trades", "lost", "worst_usd"),
)
Row = dict[str, float]
Rows = dict[tuple[str, int, str], Row]  # by year, seed and play


# --------------------------------------------------------------------------- runs


def played(year: str, seed: int, folder: Path) -> Iterator[tuple[str, Row]]:
    """Every play of one simulated year."""
    told = YEARS[year]
    request = Request(told.scenario, STOCKS, DAYS, seed, START, ("xyz",), told.changed)
    simulate(request, folder)
    for name in told.plays:
        play = PLAYS[name]
        run = perpkit.backtest(play.strategy, folder, params=play.params, config=CONFIG)
        yield name, numbers(run.summary)


def numbers(summary: Mapping[str, Any]) -> Row:
    """What is kept of a run, cents and counts."""
    trades, won = summary["trades"], summary["win_rate_frac"] or 0.0
    causes = {
        "perp_usd": summary["perp_price_usd"],
        "token_usd": summary["token_price_usd"] + summary["dividend_usd"],
        "funding_usd": summary["funding_usd"],
    }
    net = summary["net_pnl_usd"]
    told = {
        "net_usd": net,
        **causes,
        "cost_usd": net - sum(causes.values()),  # fees, slippage, transfers, forced fills
        "fills": summary["fills"],
        "trades": trades,
        "lost": trades - round(trades * won),
        "worst_usd": summary["worst_trade_usd"] or 0.0,
    }
    return {name: round(float(value), 2) for name, value in told.items()}


def apart(told: tuple[str, int]) -> list[tuple[str, Row]]:
    """One year in a folder of its own, for a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return list(played(*told, Path(folder) / "year"))


def play_all() -> Rows:
    """All runs, year by year, on all processors."""
    apart(("base", 1))  # compiles, once
    apart(("crowding", 1))
    todo = list(product(YEARS, SEEDS))
    # Polars' threads do not survive a fork.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        done = pool.map(apart, todo)
        return {
            (year, seed, name): row
            for (year, seed), rows in zip(todo, done, strict=True)
            for name, row in rows
        }


def write(rows: Rows) -> None:
    """Keep the runs."""
    with CSV.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("year", "seed", "play", *COLUMNS))
        for (year, seed, name), row in rows.items():
            out.writerow(
                (
                    year,
                    seed,
                    name,
                    *(f"{row[c]:g}" if c in COUNTS else f"{row[c]:.2f}" for c in COLUMNS),
                )
            )


COUNTS = ("fills", "trades", "lost")


def read() -> Rows:
    """The runs as they were kept."""
    with CSV.open(encoding="utf-8", newline="") as file:
        return {
            (row["year"], int(row["seed"]), row["play"]): {c: float(row[c]) for c in COLUMNS}
            for row in csv.DictReader(file)
        }


# --------------------------------------------------------------------------- tables


def of(rows: Rows, year: str, play: str, column: str = "net_usd") -> list[float]:
    """One column of a play, seed by seed."""
    return [rows[year, seed, play][column] for seed in SEEDS]


def usd(value: float) -> str:
    """Whole dollars with their sign."""
    whole = f"{abs(value):,.0f}"
    return whole if whole == "0" else ("−" if value < 0 else "+") + whole


def table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, body)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def compared(year: str, first: str, second: str, differences: list[float]) -> list[str]:
    """How often and by how much the first is ahead, and the seed in which it is farthest behind."""
    ahead = sum(d > 0 for d in differences)
    worst = min(range(len(differences)), key=differences.__getitem__)
    return [
        *(year, f"{first} against {second}", f"{ahead} of {len(differences)}"),
        *(usd(median(differences)), f"{usd(max(differences))}"),
        f"{usd(differences[worst])} (seed {SEEDS[worst]})",
    ]


def minus(rows: Rows, year: str, first: str, second: str) -> list[float]:
    """Net of the first less that of the second, seed by seed."""
    pairs = zip(of(rows, year, first), of(rows, year, second), strict=True)
    return [one - other for one, other in pairs]


def years_of(plays: tuple[str, ...]) -> list[str]:
    """Years in which all of these are played."""
    return [year for year, told in YEARS.items() if set(plays) <= set(told.plays)]


COMPARED = ("year", "what", "ahead in", "median, USD", "best", "worst")


def weekend_exits(rows: Rows) -> str:
    """Sunday against Monday."""
    years = years_of(WEEKEND)
    return table(COMPARED, [compared(y, *WEEKEND, minus(rows, y, *WEEKEND)) for y in years])


def weekend_locked(rows: Rows) -> str:
    """What became of the basis: years and single weekends that lost, and the causes."""
    body = []
    for year in years_of(WEEKEND):
        for play in WEEKEND:
            net = of(rows, year, play)
            trades, lost = (sum(of(rows, year, play, c)) for c in ("trades", "lost"))
            body.append(
                [
                    *(year, play, f"{sum(n < 0 for n in net)} of {len(net)}"),
                    f"{lost:.0f} of {trades:.0f} ({lost / trades:.0%})",
                    *(usd(median(of(rows, year, play, c))) for c in CAUSES),
                    usd(median(net)),
                    usd(min(of(rows, year, play, "worst_usd"))),
                ]
            )
    head = ("year", "exit", "years lost", "trades lost", "price", "funding", "costs", "net")
    return table((*head, "worst trade"), body)


CAUSES = ("perp_usd", "funding_usd", "cost_usd")


def carry_cash(rows: Rows) -> str:
    """The carry against cash that earns nothing, and against T-bills bought with all of it."""
    body = []
    for year in years_of(CARRY):
        net = minus(rows, year, "carry", "cash")
        bills = CAPITAL * BILL_APR * DAYS / 365
        body.append(compared(year, "carry", "cash", net))
        body.append(compared(year, "carry", "T-bills", [n - bills for n in net]))
    return table(COMPARED, body)


def carry_flips(rows: Rows) -> str:
    """Two rates against one."""
    pair = ("carry", "one rate")
    return table(COMPARED, [compared(y, *pair, minus(rows, y, *pair)) for y in years_of(CARRY)])


def carry_causes(rows: Rows) -> str:
    """Medians of what a year brought and cost."""
    body = []
    for year in years_of(CARRY):
        for play in ("carry", "one rate"):
            basis = [
                rows[year, seed, play]["perp_usd"] + rows[year, seed, play]["token_usd"]
                for seed in SEEDS
            ]
            rest = (of(rows, year, play, c) for c in ("funding_usd", "cost_usd", "net_usd"))
            fills = f"{median(of(rows, year, play, 'fills')):.0f}"
            body.append([year, play, fills, usd(median(basis)), *(usd(median(x)) for x in rest)])
    head = ("year", "play", "fills", "prices and dividends", "funding", "costs", "net")
    return table(head, body)


MADE: dict[str, dict[str, Callable[[Rows], str]]] = {
    "weekend_basis.md": {"exits": weekend_exits, "locked": weekend_locked},
    "funding_carry.md": {"cash": carry_cash, "flips": carry_flips, "causes": carry_causes},
}


def filled(page: str, text: str, rows: Rows) -> str:
    """The page with its tables made anew."""
    for name, make in MADE[page].items():
        mark = f"<!-- made: {name} -->\n"
        text = re.sub(
            f"{re.escape(mark)}.*?<!-- end -->",
            lambda _, mark=mark, make=make: f"{mark}{make(rows)}\n<!-- end -->",
            text,
            flags=re.DOTALL,
        )
    return text


def main(arguments: list[str]) -> None:
    """Play and write."""
    if "--tables" not in arguments:
        write(play_all())
    rows = read()
    for page in MADE:
        file = HERE / page
        file.write_text(filled(page, file.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
