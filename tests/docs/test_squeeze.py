"""docs/squeeze.md is what its script plays: tables, pictures, and every number of its prose."""

from __future__ import annotations

import math
import re
import runpy
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

import perpkit
from perpkit.config import check_config
from perpkit.rulebook import open_rulebook
from perpkit.units import to_ns

FOLDER = Path(__file__).parents[2] / "docs" / "squeeze"
PAGE = FOLDER.parent / "squeeze.md"
TENTH = 0.1
MAINTENANCE = 0.025  # half of 1/20


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make.py"), run_name="squeeze"))


def sums(run: Any, cause: str) -> float:
    return float(run.frames["equity"][f"{cause}_usd"].sum())


def first(run: Any, kind: str) -> tuple[str, float]:
    """Hour and worth of the first event of a kind."""
    row = run.frames["events"].filter(pl.col("kind") == kind).row(0, named=True)
    return f"{row['time']:%a %H:%M}", float(row["value_usd"])


# --------------------------------------------------------------------------- made again


def test_tables_are_current(script: SimpleNamespace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- made: (\w+) -->", page)) == set(script.MADE)
    assert script.filled(page) == page, "run python docs/squeeze/make.py"


def test_pictures_are_current_and_shown(script: SimpleNamespace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(path.name for path in FOLDER.glob("*.svg")) == sorted(script.PICTURES)
    for name, draw in script.PICTURES.items():
        drawn = draw()
        shipped = (FOLDER / name).read_text(encoding="utf-8")
        assert drawn == shipped, "run python docs/squeeze/make.py"
        assert f"](squeeze/{name})" in page
        picture = ET.fromstring(drawn)
        for line in picture.iter("{http://www.w3.org/2000/svg}polyline"):
            for point in str(line.get("points")).split():
                x, y = map(float, point.split(","))
                assert 0 < x < float(picture.get("width", 0))
                assert 0 < y < float(picture.get("height", 0))


def test_run_files_differ_in_what_they_say(script: SimpleNamespace) -> None:
    whole = script.settings("pledged", TENTH)
    assert whole["collateral"]["USTB"]["wallet_share"] == script.idle_share(TENTH)
    for way in script.WAYS:
        told = script.settings(way, TENTH)
        check_config(told)
        assert all(whole[key] == value for key, value in told.items() if key != "collateral")


def test_datasets_are_written_for_the_reader(script: SimpleNamespace, tmp_path: Path) -> None:
    script.main(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"calm", *script.PATHS}


# --------------------------------------------------------------------------- what the runs say


def test_causes_explain_every_difference(script: SimpleNamespace) -> None:
    for path in script.PATHS:
        for way in script.WAYS:
            told = script.attributed(way, TENTH, path)
            runs = [script.played(way, TENTH, p) for p in (path, "calm")]
            difference = script.final_usd(runs[0]) - script.final_usd(runs[1])
            assert sum(told.values()) == pytest.approx(difference, abs=1e-6)


@pytest.mark.parametrize("shares", [300, 240, 200])
def test_a_short_dies_where_its_margin_ends(script: SimpleNamespace, shares: int) -> None:
    # By hand: cash less fee, the entry 4 bp below 200, maintenance of half of 1/20.
    entry = 200 * (1 - 0.0004)
    cash = 10_000 - shares * entry * 0.0009 * 0.1  # taker fee in growth mode
    dies = (cash + shares * entry) / (shares * (1 + MAINTENANCE))
    run = script.played("alone", TENTH, "calm", shares=shares)
    assert script.liquidation_px(run) == pytest.approx(dies, rel=1e-12)


@pytest.mark.parametrize("path", ["weekday", "bound"])
def test_the_least_share_is_the_rises(script: SimpleNamespace, path: str) -> None:
    # The formula of the page, less what funding brought until the top.
    run = script.played("alone", 1 / 3, path)
    top = run.frames["equity"].filter(pl.col("margin_ratio") == pl.col("margin_ratio").max())
    funding = run.frames["funding"].filter(pl.col("time") <= top["time"][0])["payment_usd"].sum()
    rise = 0.25 + MAINTENANCE * 1.25
    share = 0.6 * rise - (funding - 24 - 5.4) / 100_000  # half-spread and slippage, fee
    assert script.least_per_mille("alone", path) == math.ceil(share * 1000)


def test_a_little_less_would_not_do(script: SimpleNamespace) -> None:
    for path in script.PATHS:
        for way in script.WAYS:
            least = script.least_per_mille(way, path)
            assert script.untouched(way, least, path)
            assert script.untouched(way, least + 5, path)
            assert not script.untouched(way, least - 1, path)


def test_naked_hours_are_the_metric_s(script: SimpleNamespace) -> None:
    for path in script.PATHS:
        for way in ("alone", "cash", "bills"):
            run = script.played(way, TENTH, path)
            assert run.summary["naked_after_close_hours"] == script.naked_hours(run)


def test_a_hundred_dollars_under_way_do_not_hold_up_the_cut(script: SimpleNamespace) -> None:
    config = script.settings("pledged", TENTH)
    config["collateral"]["USTB"]["wallet_share"] = 1 - (60_015 + 100) / 90_000
    data = script.datasets() / "bound"
    run = perpkit.backtest(FOLDER / "hold_hedged.py", data, config=config)
    assert script.death(run) is None


# --------------------------------------------------------------------------- the prose


def prose() -> str:
    text = PAGE.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$|<!-- made.*?<!-- end -->", "", text, flags=re.M | re.S)
    return re.sub(r"^\|.*?$|^    .*?$|`[^`]*`|\]\([^)]*\)|^\d\. ", "", text, flags=re.M)


def computed(script: SimpleNamespace) -> set[str]:
    """Numbers that runs and rules bring."""
    played: Callable[..., Any] = script.played
    xyz, now = open_rulebook().venue("xyz"), to_ns(script.NEWS)
    bound = script.bound_px()
    calm, alone = played("alone", TENTH, "calm"), played("alone", TENTH, "weekend")
    dies = script.liquidation_px(calm)
    pledged = played("pledged", TENTH, "bound")
    cut = script.forced(pledged)
    half = played("alone", 0.5, "calm")
    paid = [sums(played("alone", 1 / 3, path), "funding") for path in ("weekend", "bound", "calm")]
    last = alone.frames["events"].filter(pl.col("kind") == "liquidation").row(0, named=True)
    liquidation = script.attributed("alone", TENTH, "weekend")
    denied = script.attributed("alone", TENTH, "denied")
    moved = played("cash", TENTH, "weekend").frames["funding"]
    rate = moved.filter(pl.col("time") == script.REOPEN - timedelta(hours=5))["funding"][0]
    step = xyz.at("step_frac", now, "xyz:NVDA").value
    steps = math.ceil(math.log(script.HIGH_PX / bound) / math.log(1 + step))
    rises = [bound / script.CALM_PX - 1, 0.25]
    needed = [0.6 * (rise + MAINTENANCE * (1 + rise)) for rise in rises]
    wallet = played("bills", TENTH, "weekend").frames["positions"]
    bills = wallet.filter(pl.col("instrument") == "USTB", pl.col("time") == last["time"])
    assert bills["value_usd"][0] == pytest.approx(30_000, abs=50)
    assert xyz.at("bound_frac", now, "xyz:NVDA").value == 0.05
    assert xyz.at("bound_resets", now, "xyz:NVDA").value == 2
    return {
        f"{MAINTENANCE:.1%}",
        f"{script.opened(half):.0f}",
        f"{sums(played('bills', TENTH, 'calm'), 'yield'):.0f}",
        f"{sums(played('pledged', TENTH, 'calm'), 'yield'):.0f}",
        f"{dies:.2f}",
        f"{dies / script.CALM_PX - 1:.1%}",
        f"{script.liquidation_px(played('pledged', TENTH, 'calm')):.2f}",
        f"{cut['size'].abs()[0] / script.opened(pledged):.0%}",
        f"{script.naked_hours(pledged)}",
        f"{played('cash', TENTH, 'bound').frames['equity']['margin_ratio'].max():.2f}",
        f"{-liquidation['forced fills']:.0f}",
        f"{-liquidation['fees']:.0f}",
        f"{last['value_usd'] / 300:.2f}",
        f"{liquidation['prices']:,.0f}",
        f"{-denied['prices']:,.0f}",
        f"{bound:.2f}",
        f"{rises[0]:.1%}",
        f"{script.HIGH_PX / bound - 1:.1%}",
        f"{rate:.3%}",
        f"{paid[0] - paid[2]:,.0f}",
        f"{paid[1] - paid[2]:,.0f}",
        f"{step:.1%}",
        f"{steps}",
        f"{3600 / xyz.at('updates_per_hour', now, 'xyz:NVDA').value:.0f}",
        *(f"{share:.1%}" for share in needed),
        f"{script.least_per_mille('cash', 'weekday') / 1000:.1%}",
        f"{script.least_per_mille('pledged', 'bound') / 1000:.1%}",
        f"{script.least_per_mille('alone', 'bound') / 1000:.1%}",
        f"{script.idle_share(1 / 3):g}",
        f"{script.idle_share(0.5):g}",
    }


def test_numbers_of_the_prose(script: SimpleNamespace) -> None:
    text = re.sub(r"\b\d?\d:\d\d\b", "", prose())
    found = {n.rstrip(",") for n in re.findall(r"(?<![-\w.])\d[\d,]*(?:\.\d+)?(?:%|x\b)?", text)}
    # The setting: rise, prices, hedge, capital, idle cash, year, leverage, bounds, steps.
    given = {
        *("25%", "200", "220", "230", "250", "300", "60%", "100,000", "10,000", "30,000", "10"),
        *("2026", "20x", "5%", "3.75%", "24", "90%", "2", "0.1%"),
    }
    assert found == computed(script) | given


def test_hours_of_the_prose(script: SimpleNamespace) -> None:
    cash, bills = (script.played(way, TENTH, "weekday") for way in ("cash", "bills"))
    saturday = script.played("cash", TENTH, "bound")
    assert [first(cash, kind)[0] for kind in ("transfer_sent", "transfer_arrived")] == [
        "Tue 17:00",
        "Tue 18:00",
    ]
    assert [first(bills, kind)[0] for kind in ("redeem_sent", "redeem_paid")] == [
        "Tue 17:00",
        "Wed 17:00",
    ]
    assert first(script.played("alone", TENTH, "weekday"), "liquidation")[0] == "Wed 19:00"
    assert [first(saturday, kind)[0] for kind in ("transfer_sent", "transfer_arrived")] == [
        "Sat 18:00",
        "Sat 19:00",
    ]
    assert first(script.played("pledged", TENTH, "bound"), "delevered")[0] == "Sat 18:00"
    assert set(re.findall(r"\b\d\d:\d\d\b", prose())) == {"17:00", "18:00", "19:00"}
    marks = dict(
        saturday.frames["positions"]
        .filter(pl.col("instrument") == "xyz:NVDA")
        .select(pl.col("time").dt.strftime("%a %d %H:%M"), "px")
        .iter_rows()
    )
    assert [round(marks[f"Sat 15 {h}:00"]) for h in (18, 19)] == [220, 230]
    for share in (1 / 3, 0.5):
        for way in script.WAYS:
            for path in script.PATHS:
                sent = script.played(way, share, path).frames["events"]["kind"].to_list()
                assert set(sent) <= {"trimmed", "pledged"}
