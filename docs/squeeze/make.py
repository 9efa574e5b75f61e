"""``python docs/squeeze/make.py [FOLDER]``: play the squeeze, write the tables and pictures anew.

Writes the tables between the markers of docs/squeeze.md and the pictures beside this file. With a
folder it writes the made-up datasets there instead, to be played by hand. The test beside the other
tests of docs/ makes all of it again and compares.
"""

from __future__ import annotations

import atexit
import re
import runpy
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

import perpkit
from perpkit.rulebook import open_rulebook
from perpkit.run import Result
from perpkit.units import to_ns

HERE = Path(__file__).parent
PAGE = HERE.parent / "squeeze.md"
PICTURE = runpy.run_path(str(HERE.parent / "pictures" / "make.py"), run_name="pictures")
Plot, Axis = PICTURE["Plot"], PICTURE["Axis"]

START = datetime(2026, 8, 10, tzinfo=UTC)  # Sunday 20:00 in New York
DAYS = 14
HOURS = [START + timedelta(hours=h) for h in range(DAYS * 24 + 1)]
NEWS = datetime(2026, 8, 15, 16, tzinfo=UTC)  # Saturday noon in New York
REOPEN = datetime(2026, 8, 17, tzinfo=UTC)  # Sunday 20:00 in New York
CALM_PX, HIGH_PX = 200.0, 250.0
CLIMB_HOURS = 5  # of the weekend's book
SHARES = 300
CAPITAL = 100_000
MARGIN = {"1/10": 0.1, "1/3": 1 / 3, "1/2": 0.5}
WAYS = {
    "alone": "cash, left alone",
    "cash": "cash, sent when called",
    "bills": "bills, redeemed when called",
    "pledged": "bills as margin too, and cuts",
}
PATHS = {
    "weekday": "weekday",
    "weekend": "weekend",
    "bound": "at the bound",
    "denied": "denied",
}
DATASET = """\
schema = 1
name = "squeeze-{path}"
source = "made up by docs/squeeze/make.py"
licence = "MIT"
prices = "external"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"

[tokens.NVDAon]
underlying = "NVDA"
kind = "equity"
issuer = "ondo"
multiplier = 1.0
"""


# --------------------------------------------------------------------------- the made-up weeks


def bound_px() -> float:
    """The farthest that the mark gets while the market is closed."""
    xyz, now = open_rulebook().venue("xyz"), to_ns(NEWS)
    bound = xyz.at("bound_frac", now, "xyz:NVDA").value
    return float(CALM_PX * (1 + bound) ** (xyz.at("bound_resets", now, "xyz:NVDA").value + 1))


def weekday_px(hour: datetime) -> float:
    """Five equal steps from Monday to Friday, each within the rows of the cash session."""
    days = (hour - REOPEN).total_seconds() / 86_400
    if days < 0:
        return CALM_PX
    step = (HIGH_PX - CALM_PX) / 5
    today = min(max(hour.hour - 13, 0) / 7, 1)  # rows of 14:00 to 20:00 UTC
    return min(CALM_PX + step * (int(days) + today), HIGH_PX)


def prices(path: str, hour: datetime) -> tuple[float, float]:
    """External price and mid of the perp's book."""
    if path == "calm":
        return CALM_PX, CALM_PX
    if path == "weekday":
        return weekday_px(hour), weekday_px(hour)
    after = CALM_PX if path == "denied" else HIGH_PX
    if hour > REOPEN:
        return after, after
    climbed = (hour - NEWS).total_seconds() / 3600 / CLIMB_HOURS
    book = CALM_PX + (HIGH_PX - CALM_PX) * min(max(climbed, 0.0), 1.0)
    # The book of a row is held over the hour before it: at the reopening it is still the weekend's.
    return after if hour == REOPEN else CALM_PX, book if path == "weekend" else min(
        book, bound_px()
    )


def write_dataset(folder: Path, path: str) -> None:
    """One path as a dataset. The token's quotes change by a cent, so as not to count as frozen."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(DATASET.format(path=path), encoding="utf-8")
    external, book = zip(*(prices(path, hour) for hour in HOURS), strict=True)
    rows = pl.DataFrame({"time": HOURS, "external_px": external, "mid_px": book}).with_columns(
        pl.col("time").cast(pl.Datetime("ms", "UTC")),
        pl.lit("xyz:NVDA").alias("coin"),
        (pl.col("mid_px") * (1 - 0.0002)).alias("impact_bid_px"),
        (pl.col("mid_px") * (1 + 0.0002)).alias("impact_ask_px"),
    )
    rows.write_parquet(folder / "perps.parquet")
    cent = 0.01 * (pl.int_range(pl.len()) % 2)
    rows.select(
        "time",
        pl.lit("NVDAon").alias("token"),
        (pl.col("external_px") - 0.06 + cent).alias("bid_px"),
        (pl.col("external_px") + 0.06 - cent).alias("ask_px"),
    ).write_parquet(folder / "tokens.parquet")


# --------------------------------------------------------------------------- runs


@cache
def datasets() -> Path:
    """All paths, in a folder that goes with the process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    for path in ("calm", *PATHS):
        write_dataset(folder / path, path)
    return folder


def idle_share(share: float) -> float:
    """Share of the wallet that the tokens do not cost, rounded down to leave no whole dollar."""
    wallet = CAPITAL * (1 - share)
    return max(int((1 - SHARES * (CALM_PX + 0.05) / wallet) * 1e5) / 1e5, 0.0)


def settings(way: str, share: float) -> dict[str, Any]:
    """The run file of a way, for a margin share."""
    told = tomllib.loads((HERE / f"{way}.toml").read_text(encoding="utf-8"))
    told["margin_share"] = share
    if "rulebook" in told:
        told["rulebook"] = str(HERE / Path(told["rulebook"]).name)
        told["collateral"]["USTB"]["wallet_share"] = idle_share(share)
    return told


@cache
def played(
    way: str, share: float, path: str, topup_at: float | None = None, shares: int = SHARES
) -> Result:
    """One run."""
    config = settings(way, share)
    if topup_at is not None:
        config |= {"topup_at_ratio": topup_at, "topup_to_ratio": topup_at / 2}
    data = datasets() / path
    return perpkit.backtest(HERE / "hold_hedged.py", data, config=config, params={"shares": shares})


def final_usd(run: Result) -> float:
    """Equity of the last row."""
    return float(run.frames["equity"]["equity_usd"][-1])


def forced(run: Result) -> pl.DataFrame:
    """Fills of the perp that nobody asked for."""
    reasons = ["liquidation", "backstop", "delevered"]
    return run.frames["fills"].filter(
        pl.col("instrument") == "xyz:NVDA", pl.col("reason").is_in(reasons)
    )


def opened(run: Result) -> float:
    """Shares of the hedge."""
    return float(run.frames["fills"].filter(pl.col("instrument") == "xyz:NVDA")["size"][0])


def liquidation_px(run: Result) -> float:
    """Price at which the short dies, of its first hour."""
    held = run.frames["positions"].filter(pl.col("instrument") == "xyz:NVDA")
    return float(held["liquidation_px"][0])


def naked_hours(run: Result) -> int:
    """Rows that end with tokens that nothing hedges."""
    return run.frames["equity"].filter(pl.col("net_delta_usd") > 1.0).height


def death(run: Result) -> datetime | None:
    """Row in which the account was closed by force, and not by its own treasury."""
    dead = forced(run).filter(pl.col("reason") != "delevered")
    return dead["time"][0] if dead.height else None


def fate(run: Result) -> str:
    """What became of the short."""
    told = []
    for fill in forced(run).iter_rows(named=True):
        when = f"{fill['time']:%a %H:%M} at {fill['px']:.2f}"
        if fill["reason"] == "delevered":
            told.append(f"{abs(fill['size']) / opened(run):.0%} cut {when}")
        else:
            told.append(f"**{when}**" + (", backstop" if fill["reason"] == "backstop" else ""))
    return "; ".join(told) or "lives"


# --------------------------------------------------------------------------- tables


def signed(usd: float) -> str:
    """Whole USD with a typographic minus."""
    return f"{usd:+,.0f}".replace("-", "−").replace("+0", "0").replace("−0", "0")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_path(cell: Callable[[str, float, str], str]) -> str:
    """One row a margin share and way, one column a path."""
    rows = [
        [name, WAYS[way], *(cell(way, share, path) for path in PATHS)]
        for (name, share), way in product(MARGIN.items(), WAYS)
    ]
    return table(["margin", "idle capital", *PATHS.values()], rows)


def calm() -> str:
    """What two weeks at 200 USD bring."""
    rows = []
    for (name, share), way in product(MARGIN.items(), WAYS):
        run = played(way, share, "calm")
        ratio = f"{run.frames['equity']['margin_ratio'].max():.3f}"
        sums = run.frames["equity"]
        rows.append(
            [
                name,
                WAYS[way],
                f"{opened(run):,.0f}",
                ratio,
                f"{liquidation_px(run):.2f}",
                signed(sums["funding_usd"].sum()),
                signed(sums["yield_usd"].sum()),
                f"{final_usd(run):,.0f}",
            ]
        )
    head = ("shares", "margin ratio", "dies at", "funding", "yield", "final equity")
    return table(["margin", "idle capital", *head], rows)


def lives() -> str:
    """What became of each short: its worst margin ratio, or what was closed and left naked."""

    def cell(way: str, share: float, path: str) -> str:
        run = played(way, share, path)
        told = [fate(run)] if forced(run).height else []
        if death(run) is None:
            told.append(f"{run.frames['equity']['margin_ratio'].max():.2f}")
        hours = naked_hours(run)
        return ", ".join([*told, f"naked {hours} h"] if hours else told)

    return by_path(cell)


def against_calm() -> str:
    """Final equity less that of the calm weeks."""
    return by_path(
        lambda way, share, path: signed(
            final_usd(played(way, share, path)) - final_usd(played(way, share, "calm"))
        )
    )


def attributed(way: str, share: float, path: str) -> dict[str, float]:
    """Causes of a run less those of the calm one; they sum to its difference of equity."""
    sums = []
    for run in (played(way, share, path), played(way, share, "calm")):
        told = run.frames["attribution"]
        kept = told.filter(pl.col("cause") == "liquidation", pl.col("instrument") == "")
        by_cause = dict(told.group_by("cause").agg(pl.col("usd").sum()).iter_rows())
        margin = float(kept["usd"].sum())
        sums.append(
            {
                "prices": by_cause.get("perp_price", 0.0) + by_cause.get("token_price", 0.0),
                "forced fills": by_cause.get("liquidation", 0.0) - margin,
                "margin kept": margin,
                "bad debt": by_cause.get("bad_debt", 0.0),
                "slippage": by_cause.get("slippage", 0.0),
                "fees": by_cause.get("fees", 0.0),
                "funding": by_cause.get("funding", 0.0),
                "the rest": sum(
                    by_cause.get(cause, 0.0) for cause in ("yield", "interest", "transfer")
                ),
            }
        )
    return {cause: sums[0][cause] - sums[1][cause] for cause in sums[0]}


def causes() -> str:
    """Where the difference comes from, a tenth in the margin account."""
    rows = []
    for path, way in product(PATHS, WAYS):
        told = attributed(way, MARGIN["1/10"], path)
        rows.append(
            [PATHS[path], WAYS[way], *map(signed, told.values()), signed(sum(told.values()))]
        )
    head = attributed("alone", MARGIN["1/10"], "weekday")
    return table(["path", "idle capital", *head, "in all"], rows)


def untouched(way: str, per_mille: int, path: str) -> bool:
    """Whether a margin share opens the hedge whole and keeps it."""
    run = played(way, per_mille / 1000, path)
    return opened(run) == SHARES and forced(run).height == 0


def least_per_mille(way: str, path: str) -> int:
    """The smallest margin share that keeps the hedge, in tenths of a percent."""
    low, high = 0, 333
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if untouched(way, middle, path) else (middle, high)
    return high


def least() -> str:
    """The smallest margin share that keeps the hedge, by path."""
    rows = [
        [WAYS[way], *(f"{least_per_mille(way, path) / 1000:.1%}" for path in PATHS)] for way in WAYS
    ]
    return table(["idle capital", *PATHS.values()], rows)


def reopening() -> str:
    """Smaller hedges, left alone, which the bound keeps alive until the market opens."""
    rows = []
    for shares in (SHARES, 240, 200):
        run = played("alone", MARGIN["1/10"], "bound", shares=shares)
        calm_px = liquidation_px(played("alone", MARGIN["1/10"], "calm", shares=shares))
        kept = run.frames["attribution"].filter(
            pl.col("cause") == "liquidation", pl.col("instrument") == ""
        )
        rows.append([f"{shares}", f"{calm_px:.2f}", fate(run), signed(kept["usd"].sum())])
    return table(["shares", "dies at", "short", "margin that is lost"], rows)


def triggers() -> str:
    """Bills on weekdays, called earlier and later."""
    rows = []
    for topup_at in (0.2, 0.3, 0.4, 0.5):
        run = played("bills", MARGIN["1/10"], "weekday", topup_at)
        sent = run.frames["events"].filter(pl.col("kind") == "redeem_sent")
        paid = run.frames["events"].filter(pl.col("kind") == "redeem_paid")
        rows.append(
            [
                f"{topup_at:g}",
                f"{topup_at / 2:g}",
                f"{sent['time'][0]:%a %H:%M}" if sent.height else "never",
                f"{paid['time'][0]:%a %H:%M}" if paid.height else "never",
                fate(run),
            ]
        )
    return table(["`topup_at_ratio`", "`topup_to_ratio`", "redeemed", "paid", "short"], rows)


def run_file(name: str) -> Callable[[], str]:
    """A run file, as a block."""
    return lambda: f"```toml\n{(HERE / name).read_text(encoding='utf-8')}```"


MADE: dict[str, Callable[[], str]] = {
    "calm": calm,
    "lives": lives,
    "least": least,
    "reopening": reopening,
    "against": against_calm,
    "causes": causes,
    "triggers": triggers,
    "pledged": run_file("pledged.toml"),
    "ustb": run_file("ustb.toml"),
}


def filled(page: str) -> str:
    """The page with every table between its markers made anew."""

    def made(found: re.Match[str]) -> str:
        return f"<!-- made: {found[1]} -->\n{MADE[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- made: (\w+) -->\n.*?<!-- end -->", made, page, flags=re.S)


# --------------------------------------------------------------------------- pictures


class Ratios:
    """A picture of margin ratios between two instants."""

    def __init__(self, words: tuple[str, str], begin: datetime, hours: int, step: int) -> None:
        self.begin, self.hours = begin, hours
        form = "%a %d" if step == 24 else "%a %H:%M"
        self.plot = Plot(
            *words,
            Axis(0, hours, range(0, hours, step), "UTC", lambda h: f"{self.when(h):{form}}"),
            Axis(0, 1.06, [0, 0.25, 0.5, 0.75, 1], "margin ratio, 1 is liquidation"),
        )
        shut = max(self.x(REOPEN - timedelta(days=2)), 0), self.x(REOPEN)
        self.plot.band(shut, (0, 1.06), "fill-c wash")
        self.plot.axes()
        middle = self.plot.at(sum(shut) / 2, 0)[0]
        self.plot.text(middle, self.plot.bottom + 38, "no external price", "fill-c", "middle")

    def when(self, hours: float) -> datetime:
        """The instant at a place of the axis."""
        return self.begin + timedelta(hours=hours)

    def x(self, time: datetime) -> float:
        """The place of an instant."""
        return (time - self.begin).total_seconds() / 3600

    def trace(self, run: Result, colour: str, dashes: str = "") -> None:
        """The ratio of one run, to the hour in which it dies."""
        dead = death(run)
        points = []
        for time, ratio in run.frames["equity"].select("time", "margin_ratio").iter_rows():
            if dead is not None and time >= dead:
                points.append((self.x(time), 1.0))
                break
            if 0 <= self.x(time) <= self.hours:
                points.append((self.x(time), ratio))
        self.plot.line(points, colour, dashes)
        if dead is not None:
            self.plot.dot(*points[-1], colour)


def by_share() -> str:
    """Three margin shares, left alone, on weekdays and on a weekend."""
    told = (
        "Margin ratio of accounts with a tenth, a third and half of capital, left alone. The tenth "
        "is liquidated on Saturday in the weekend's squeeze and on Wednesday in the week's; the "
        "others hardly move."
    )
    picture = Ratios(
        ("The same 25%: three margin shares, weekend and weekdays", told),
        datetime(2026, 8, 14, tzinfo=UTC),
        8 * 24,
        24,
    )
    for share, colour in zip(MARGIN.values(), "bac", strict=True):
        picture.trace(played("alone", share, "bound"), colour)
        picture.trace(played("alone", share, "weekday"), colour, "2 5")
    note = picture.plot.note
    note(45, 0.62, "1/10, weekend", "b")
    note(142, 0.72, "1/10, weekdays", "b")
    note(190, 0.125, "1/3", "a", "end")
    note(190, 0.052, "1/2", "c", "end")
    return str(picture.plot.svg())


def by_way() -> str:
    """A tenth of capital on the weekend, with four ways to answer."""
    told = (
        "Margin ratio of accounts with a tenth of capital while the book rests at the bound: with "
        "bills, as without anything, liquidated on Saturday; with cash, or with a cut, below 0.8 "
        "through the reopening."
    )
    picture = Ratios(
        ("A tenth in margin over the weekend: what can be moved", told),
        datetime(2026, 8, 15, 12, tzinfo=UTC),
        42,
        6,
    )
    ways = (("alone", "b", ""), ("bills", "b", "2 5"), ("cash", "a", ""), ("pledged", "c", "2 5"))
    for way, colour, dashes in ways:
        picture.trace(played(way, MARGIN["1/10"], "bound"), colour, dashes)
    note = picture.plot.note
    note(7.5, 0.85, "left alone, and bills", "b")
    note(8, 0.38, "cash, sent on Saturday evening", "a")
    note(8, 0.1, "bills as margin, cut", "c")
    return str(picture.plot.svg())


PICTURES: dict[str, Callable[[], str]] = {"shares.svg": by_share, "ways.svg": by_way}


def main(folder: str | None = None) -> None:
    """Write the page's tables and the pictures, or the datasets into a folder."""
    if folder is not None:
        for path in ("calm", *PATHS):
            write_dataset(Path(folder) / path, path)
        return
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
