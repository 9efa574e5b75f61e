"""Tables by month, instrument and strategy: recomputed by hand, and equal to the summary."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from perpkit.report.panel import Table, Text
from perpkit.report.panels.tables import panel
from perpkit.report.reading import Run

from .hand import EVIL, keys, made, parts, played, texts

# From 2026-01-30 00:00: hour 48 is 2026-02-01 00:00, which closes January.
HOURS = 60


def equity() -> list[float]:
    return [1_000.0 + h for h in range(49)] + [1_048.0 - 2 * h for h in range(1, HOURS - 48)]


def booked(
    hour: int, instrument: str, cause: str, usd: float, strategy: str = "made"
) -> dict[str, Any]:
    return {
        "hour": hour,
        "instrument": instrument,
        "cause": cause,
        "usd": usd,
        "strategy": strategy,
        "account": "v",
    }


def held(hours: range, instrument: str, usd: float, account: str = "v") -> list[dict[str, Any]]:
    return [
        {
            "hour": h,
            "instrument": instrument,
            "account": account,
            "strategy": "made",
            "value_usd": usd,
        }
        for h in hours
    ]


def fill(instrument: str, usd: float, cost: float, **more: Any) -> dict[str, Any]:
    told = {"reason": "target", "way": "book", "strategy": "made", "fee_usd": cost}
    sums = {"size": usd, "px": 1.0, "slippage_usd": 0.0}
    return {"hour": 1, "instrument": instrument, **sums, **told, **more}


BOOKED = [
    booked(0, "v:AAA", "fees", -1.0),
    booked(2, "v:AAA", "funding", 6.0),
    booked(48, "AAAx", "token_price", 4.0),
    booked(49, "AAAx", "token_price", -3.0),
    booked(50, "", "interest", -0.5),
]


def small(**more: Any) -> Run:
    told: dict[str, Any] = {
        "attribution": BOOKED,
        "positions": [
            *held(range(1, 11), "v:AAA", -500.0),
            *held(range(1, 5), "AAAx", 300.0, "wallet"),
            *held(range(1, 5), "AAAx", 100.0),  # pledged in part: held once
        ],
        "fills": [
            fill("v:AAA", 500.0, 1.0),
            fill("AAAx", 400.0, 0.0),
            fill("AAAx", 50.0, 9.0, reason="action"),
        ],
        "metrics": {"period_hours": float(HOURS - 1), "volume_usd": 900.0, "turnover": 7.0},
    }
    return made(equity(), **{**told, **more})


def by_caption(run: Run, start: str) -> Table:
    return next(t for t in parts(panel(run), Table) if t.caption.startswith(start))


def test_months_close_at_midnight_of_the_first() -> None:
    run = small()
    table = by_caption(run, "Return by calendar month")
    assert texts(table, "year") == ["2026"]
    assert keys(table, "Jan") == [pytest.approx(1_048 / 1_000 - 1)]
    assert keys(table, "Feb") == [pytest.approx(1_026 / 1_048 - 1)]
    assert keys(table, "year's") == [pytest.approx(1_026 / 1_000 - 1)]
    assert texts(table, "Jan") == ["+4.80%"]
    assert texts(table, "Feb") == ["-2.10%"]
    assert texts(table, "Mar") == [""]
    assert panel(run).lead == (
        "1 of 2 months gained; the best was Jan 2026 with +4.80%, the worst Feb 2026 with -2.10%."
    )


def test_usd_by_month_put_the_first_row_into_the_first_month() -> None:
    table = by_caption(small(), "USD by month")
    assert texts(table, "month") == ["all", "Jan 2026", "Feb 2026"]
    assert keys(table, "token price")[1:] == [4.0, -3.0]
    assert keys(table, "fees")[1:] == [-1.0, 0.0]
    assert keys(table, "net")[1:] == [9.0, -3.5]
    assert texts(table, "net")[0] == "5.50"
    assert texts(table, "interest")[1] == "\N{EN DASH}"


def test_a_run_that_begins_with_a_month_has_its_first_row_in_it() -> None:
    run = made([1_000.0, 1_001.0], attribution=[booked(0, "v:AAA", "fees", -1.0)])
    first = datetime(2026, 2, 1, tzinfo=UTC)
    moved = {
        name: frame.with_columns(pl.col("time") + (first - datetime(2026, 1, 30, tzinfo=UTC)))
        for name, frame in run.frames.items()
    }
    table = by_caption(Run(run.name, moved, run.summary, run.manifest), "USD by month")
    assert texts(table, "month") == ["all", "Feb 2026"]


def test_an_instrument_says_what_it_made_held_and_traded() -> None:
    table = by_caption(small(), "Each instrument")
    row = {name: n for n, name in enumerate(texts(table, "instrument"))}
    assert list(row) == ["all", "v:AAA", "AAAx", "account as a whole"]
    perp, token = row["v:AAA"], row["AAAx"]
    assert texts(table, "underlying") == ["", "AAA", "AAA", ""]
    assert texts(table, "net")[1:] == ["5.00", "1.00", "-0.50"]
    assert texts(table, "costs")[perp] == "-1.00"
    assert texts(table, "mean holding")[perp] == "500"
    assert texts(table, "mean holding")[token] == "400"
    assert texts(table, "held")[perp] == f"{10 / 59:.2%}"
    assert texts(table, "held")[token] == f"{4 / 59:.2%}"
    assert texts(table, "funding APR")[perp] == f"{6.0 / (500 * 10) * 8_760:.2%}"
    assert texts(table, "funding APR")[token] == ""
    assert texts(table, "volume")[1:3] == ["500", "400"]
    mean = sum(equity()[:-1]) / 59
    assert texts(table, "turnover a year")[perp] == f"{500 / mean * 8_760 / 59:,.2f}"
    assert texts(table, "cost")[1:3] == ["20.00", "0.00"]
    assert [c.name for c in table.columns].count("forced") == 0


def test_a_run_that_does_not_tell_its_underlyings_has_no_column_of_them() -> None:
    table = by_caption(small(underlyings={}), "Each instrument")
    assert "underlying" not in [column.name for column in table.columns]
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_last_row_holds_for_no_time() -> None:
    run = small(positions=held(range(58, 60), "v:AAA", 100.0))
    table = by_caption(run, "Each instrument")
    place = texts(table, "instrument").index("v:AAA")
    assert texts(table, "held")[place] == f"{1 / 59:.2%}"


def test_what_was_held_and_made_nothing_is_told_all_the_same() -> None:
    run = small(coins=["v:AAA", "v:BBB", "v:CCC"], positions=held(range(1, 3), "v:BBB", 100.0))
    told = texts(by_caption(run, "Each instrument"), "instrument")
    assert "v:BBB" in told
    assert "v:CCC" not in told


def test_strategies_stand_side_by_side() -> None:
    run = small(
        attribution=[
            booked(1, "v:AAA", "funding", 6.0, "first"),
            booked(1, "v:AAA", "fees", -1.0, "second"),
            booked(1, "v:AAA", "slippage", 0.5, "crossing"),
        ],
        fills=[
            fill("v:AAA", 500.0, 1.0, strategy="first"),
            fill("v:AAA", 20.0, 1.0, strategy="second"),
        ],
    )
    table = by_caption(run, "USD by strategy")
    assert texts(table, "strategy") == ["all", "first", "second", "crossing"]
    assert keys(table, "net")[1:] == [6.0, -1.0, 0.5]
    assert texts(table, "trades") == ["2", "1", "1", ""]
    assert "crossing is what the strategies saved" in table.caption
    alone = by_caption(small(), "USD by strategy")
    assert "crossing" not in alone.caption
    assert texts(alone, "strategy") == ["made"]


def test_the_played_run_adds_up_to_its_summary_to_a_cent() -> None:
    run = played()
    told = {name: entry["value"] for name, entry in run.summary["metrics"].items()}

    def total(table: Table, column: str) -> float:
        return sum(key for key in keys(table, column) if key is not None)

    for start in ("USD by month", "USD by strategy"):
        table = by_caption(run, start)
        for cause in ("perp_price", "token_price", "funding", "fees", "slippage"):
            name = cause.replace("_", " ")
            assert total(table, name) == pytest.approx(told[f"{cause}_usd"], abs=0.005)
            if "month" in start:
                assert texts(table, name)[0] == f"{told[f'{cause}_usd']:,.2f}"
        assert total(table, "net") == pytest.approx(told["net_pnl_usd"], abs=0.005)
    table = by_caption(run, "Each instrument")
    assert total(table, "net") == pytest.approx(told["net_pnl_usd"], abs=0.005)
    assert total(table, "price") == pytest.approx(told["basis_usd"], abs=0.005)
    assert total(table, "volume") == pytest.approx(told["volume_usd"], abs=0.005)
    assert total(table, "turnover a year") == pytest.approx(told["turnover"], rel=1e-9)
    assert texts(table, "funding APR")[0] == f"{told['funding_yield_apr']:.2%}"
    assert texts(table, "turnover a year")[0] == f"{told['turnover']:,.2f}"
    months = by_caption(run, "Return by calendar month")
    each = [k for c in ("Oct", "Nov", "Dec") for k in keys(months, c)]
    assert len(each) == 3
    assert max(k for k in each if k is not None) == pytest.approx(
        told["best_month_frac"], abs=1e-12
    )
    assert min(k for k in each if k is not None) == pytest.approx(
        told["worst_month_frac"], abs=1e-12
    )
    whole = 1.0
    for key in each:
        assert key is not None
        whole *= 1.0 + key
    assert keys(months, "year's") == [pytest.approx(whole - 1.0)]


def test_the_funding_rate_of_each_perp_is_that_of_all_weighted() -> None:
    run = played()
    table = by_caption(run, "Each instrument")
    columns = [keys(table, name) for name in ("funding APR", "mean holding", "held")]
    names = texts(table, "instrument")
    assert names[0] == "all"
    perps = [
        (apr, mean * share)
        for name, apr, mean, share in zip(names, *columns, strict=True)
        if name in run.coins and None not in (apr, mean, share)
    ]
    weighted = sum(apr * size for apr, size in perps) / sum(size for _, size in perps)
    assert len(perps) == 4
    assert weighted == pytest.approx(run.metric("funding_yield_apr"), rel=1e-9)


def test_a_run_that_held_nothing_has_its_months_alone() -> None:
    run = made([1_000.0] * 3)
    assert panel(run).lead == "No month gained or lost."
    assert len(parts(panel(run), Table)) == 1
    assert "Nothing was held" in parts(panel(run), Text)[0].text
    assert texts(by_caption(run, "Return"), "Jan") == ["0.00%"]
    assert "one hour long" in panel(made([1_000.0])).empty


def test_months_after_ruin_have_no_return() -> None:
    gone = [1_000.0] * 40 + [-5.0] * (24 * 40)
    table = by_caption(made(gone), "Return by calendar month")
    assert texts(table, "Jan") == ["-100.50%"]
    assert texts(table, "Feb") == [""]


def test_names_go_through_as_they_are() -> None:
    run = small(
        coins=[EVIL], attribution=[booked(1, EVIL, "funding", 1.0, EVIL)], positions=[], fills=[]
    )
    assert EVIL in texts(by_caption(run, "Each instrument"), "instrument")
    assert EVIL in texts(by_caption(run, "USD by strategy"), "strategy")
