"""Markets of real venues from external prices and a book, through the dataset, the rulebook and the
sessions."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import perpkit
from perpkit.arrays import Phase
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, PerpkitError
from perpkit.tape import Market, form

HEAD = """\
schema = 1
name = "made"
source = "made up by the tests"
licence = "MIT"
prices = "external"
"""


def write(folder: Path, coins: dict[str, str], start: datetime, columns: dict[str, Any]) -> Path:
    """A dataset of coins (name: lines of ``dataset.toml``) that share their columns."""
    folder.mkdir(exist_ok=True)
    tables = [f'[perps."{coin}"]\n{lines}\n' for coin, lines in coins.items()]
    (folder / "dataset.toml").write_text(HEAD + "\n".join(tables), encoding="utf-8")
    hours = len(next(iter(columns.values())))
    time = pl.Series("time", [start + timedelta(hours=n) for n in range(hours)], dtype=None)
    frames = [
        pl.DataFrame({"time": time, **columns}).with_columns(
            pl.col("time").cast(pl.Datetime("ms", "UTC")), coin=pl.lit(coin)
        )
        for coin in coins
    ]
    pl.concat(frames).write_parquet(folder / "perps.parquet")
    return folder


def made(folder: Path, **settings: Any) -> Market:
    return form(read_dataset(folder), RunConfig(**settings), pure_python=True)


def at(market: Market, when: datetime) -> int:
    return int(np.searchsorted(market.tape.time_ns, int(when.timestamp()) * 1_000_000_000))


# ------------------------------------------------------------------- a weekend on trade.xyz

FRIDAY = datetime(2026, 8, 14, 20, tzinfo=UTC)  # New York 16:00
CLOSES = datetime(2026, 8, 15, 0, tzinfo=UTC)  # New York Friday 20:00
REOPENS = datetime(2026, 8, 17, 0, tzinfo=UTC)  # New York Sunday 20:00
NVDA = {"xyz:NVDA": 'venue = "xyz"\nunderlying = "NVDA"'}


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """External price 200, then 204 from the reopening; the book at 203 once it is closed."""
    hours = int((REOPENS - FRIDAY).total_seconds() // 3600) + 4
    moments = [FRIDAY + timedelta(hours=n) for n in range(hours)]
    mid = [203.0 if CLOSES < when <= REOPENS else 200.0 for when in moments]
    mid = [204.0 if when > REOPENS else px for when, px in zip(moments, mid, strict=True)]
    columns = {
        # What the data says in closed hours is no price: 150 would show.
        "external_px": [
            204.0 if when > REOPENS else 150.0 if CLOSES < when <= REOPENS else 200.0
            for when in moments
        ],
        "mid_px": mid,
        "impact_bid_px": [px * 0.9999 for px in mid],
        "impact_ask_px": [px * 1.0001 for px in mid],
    }
    folder = write(tmp_path_factory.mktemp("weekend"), NVDA, FRIDAY, columns)
    return made(folder)


def test_the_hour_that_ends_at_the_close_is_external(weekend: Market) -> None:
    row = at(weekend, CLOSES)
    assert weekend.tape.phase[row, 0] == Phase.CLOSED, "as a strategy sees that instant"
    assert weekend.tape.oracle_px[row, 0] == 200.0


def test_the_weekend_follows_its_book(weekend: Market) -> None:
    row = at(weekend, CLOSES)
    # tau 30 min from 2026-04-30 on: an hour leaves exp(-2) of the gap to the impact bid.
    edge = 203.0 * 0.9999
    told = [edge - (edge - 200.0) * math.exp(-2.0 * n) for n in (1, 2, 3)]
    assert weekend.tape.oracle_px[row + 1 : row + 4, 0].tolist() == pytest.approx(told, abs=1e-9)
    assert weekend.tape.oracle_px[at(weekend, REOPENS), 0] == pytest.approx(edge, abs=1e-9)
    assert weekend.facts["oracle_hours_internal"] == 48
    assert weekend.facts["oracle_hours_bound"] == 0
    # Two-sided premium of the first hour, averaged along that path.
    path = [edge - (edge - 200.0) * math.exp(-k / 600.0) for k in range(1, 1201)]
    premium = sum(203.0 / px - 1.0 for px in path) / 1200
    assert weekend.tape.premium[row + 1, 0] == pytest.approx(premium, abs=1e-12)
    rate = 0.5 * (premium - 0.0003) / 8.0  # xyz: half, less the clamp of 3 bp
    assert weekend.tape.funding[row + 1, 0] == pytest.approx(rate, abs=1e-12)


def test_external_prices_return_with_the_pricing_week(weekend: Market) -> None:
    row = at(weekend, REOPENS)
    assert weekend.tape.phase[row, 0] == Phase.EXTENDED
    assert weekend.tape.oracle_px[row + 1, 0] == 204.0


def test_the_marks_of_the_hour_reach_the_margin_test(weekend: Market) -> None:
    row = at(weekend, CLOSES)
    tape = weekend.tape
    # The mark leaves 200 update by update for the mid, through the median; no high is recorded.
    assert tape.low_px[row + 1, 0] == pytest.approx(200.0, abs=1e-6)
    assert tape.high_px[row + 1, 0] == pytest.approx(tape.mark_px[row + 1, 0], abs=1e-9)
    assert weekend.facts["hours_with_extremes"] == 0


def test_extremes_within_the_hour_are_more_than_those_of_its_ends(tmp_path: Path) -> None:
    # The external price jumps up 3%, the book stays: the second mark goes up with the oracle, and
    # comes back to the mid as its average of 150 s follows.
    columns = {"external_px": [200.0] * 6 + [206.0] * 2, "mid_px": [200.0] * 8}
    market = made(write(tmp_path / "jump", NVDA, FRIDAY - timedelta(hours=8), columns))
    tape = market.tape
    assert tape.mark_px[6, 0] == pytest.approx(200.0, abs=1e-9)
    assert tape.high_px[6, 0] > 204.0
    told = dict(columns, mark_high_px=[200.2] * 8, mark_low_px=[199.9] * 8)
    recorded = made(write(tmp_path / "told", NVDA, FRIDAY - timedelta(hours=8), told))
    assert recorded.tape.high_px[6, 0] == 200.2, "what was recorded wins"
    assert recorded.tape.low_px[6, 0] == 199.9


def test_without_impact_prices_the_mid_draws_the_internal_oracle(tmp_path: Path) -> None:
    columns = {"external_px": [200.0] * 12, "mid_px": [200.0] * 5 + [203.0] * 7}
    market = made(write(tmp_path / "thin", NVDA, FRIDAY, columns))
    told = [200.0] * 5 + [203.0 - 3.0 * math.exp(-2.0 * n) for n in range(1, 8)]
    assert market.tape.oracle_px[:, 0].tolist() == pytest.approx(told, abs=1e-9)
    assert market.tape.mark_px[-1, 0] == pytest.approx(203.0, abs=1e-6)
    assert market.facts["oracle_hours_mid_for_impact"] == 7
    # An average of the gap of half an hour: the funding of the gap as it would stand is far more.
    assert market.tape.funding[-1, 0] == pytest.approx(0.5 * 0.0001 / 8.0, abs=1e-7)
    told = idle(tmp_path, tmp_path / "thin").warnings
    assert [w for w in told if w.startswith("7 coin-hours") and "the mid stands for both" in w]


def test_a_mid_does_not_stand_for_one_missing_side(tmp_path: Path) -> None:
    columns = {
        "external_px": [200.0] * 12,
        "mid_px": [200.0] * 5 + [203.0] * 7,
        "impact_bid_px": [199.0] * 5 + [None] * 7,
        "impact_ask_px": [200.0] * 5 + [203.1] * 7,
    }
    market = made(write(tmp_path / "thin", NVDA, FRIDAY, columns))
    assert market.tape.oracle_px[:, 0].tolist() == [200.0] * 12
    assert market.facts["oracle_hours_mid_for_impact"] == 0


# ------------------------------------------------------------------- what a result says of it


def idle(folder: Path, data: Path, **config: Any) -> perpkit.run.Result:
    (folder / "idle.py").write_text("def decide(t, past, book, p, mine, target):\n    pass\n")
    return perpkit.backtest(folder / "idle.py", data, config=config, pure_python=True)


def test_a_result_names_what_its_prices_rest_on(tmp_path: Path) -> None:
    columns = {"external_px": [200.0] * 7, "mid_px": [200.0] * 7}
    data = write(tmp_path / "flat", NVDA, FRIDAY, columns)
    made = {a.name: a for a in idle(tmp_path, data).assumptions}
    assert made["price path"].value == "every update of the hour"
    assert not {"blend", "first oracle", "swap"} & made.keys()
    assert not [w for w in idle(tmp_path, data).warnings if w.startswith("highs and lows")]
    # Under plain terms there is nothing between the marks, and nothing more is assumed.
    plain = {"sim:NVDA": 'venue = "baseline"\nunderlying = "NVDA"'}
    result = idle(tmp_path, write(tmp_path / "plain", plain, FRIDAY, columns))
    assert "price path" not in {a.name for a in result.assumptions}
    assert [w for w in result.warnings if "hourly marks alone" in w]
    assert {a.name: a for a in result.assumptions}["clock"].why == (
        "phases alone; external prices hold at all hours"
    )


def test_a_book_of_one_impact_price_is_none(tmp_path: Path) -> None:
    columns = {
        "external_px": [200.0] * 4,
        "mid_px": [200.0, None, None, 200.0],
        "impact_bid_px": [199.0, 199.0, None, None],
        "impact_ask_px": [201.0, None, 201.0, None],
    }
    market = made(write(tmp_path / "one", NVDA, FRIDAY, columns))
    assert market.facts["hours_without_book"] == 2


def test_a_gap_of_external_prices_says_that_closed_hours_may_be_carried(tmp_path: Path) -> None:
    gap = [200.0, 200.0, *[None] * 5, 200.0]
    data = write(tmp_path / "gap", NVDA, FRIDAY, {"external_px": gap, "mid_px": [200.0] * 8})
    with pytest.raises(DataError, match=r"fill it at the source \(the last price carried forward"):
        made(data)


def test_a_result_names_where_a_blend_or_an_own_mark_starts(tmp_path: Path) -> None:
    columns = {"external_px": [200.0] * 7, "mid_px": [200.0] * 7}
    blend = {"oracle_closed": "blend", "blend_tau_hours": 1}
    data = write(tmp_path / "blend", NVDA, FRIDAY, columns)
    assert "blend" in {a.name for a in idle(tmp_path, data, terms=blend).assumptions}
    start = datetime(2026, 9, 1, 5, tzinfo=UTC)
    data = write(tmp_path / "pre", {"xyz:UNITREE": UNLISTED}, start, {"mid_px": [50.0] * 4})
    assert "first oracle" in {a.name for a in idle(tmp_path, data).assumptions}


# ------------------------------------------------------------------- Seoul


def test_korea_turns_within_the_hour(tmp_path: Path) -> None:
    # 2026-08-10: 23:00 to 24:00 UTC is 08:00 to 09:00 in Seoul, priced from 08:10 to 08:50.
    start = datetime(2026, 8, 9, 20, tzinfo=UTC)
    columns = {
        "external_px": [1000.0] * 3 + [1000.0, 1010.0, 1010.0],
        "mid_px": [1000.0] * 4 + [1050.0] * 2,
        "impact_bid_px": [1000.0] * 4 + [1050.0] * 2,
        "impact_ask_px": [1000.0] * 4 + [1050.0] * 2,
    }
    coins = {"xyz:SKHX": 'venue = "xyz"\nunderlying = "SKHX"'}
    terms = {"step_frac": "none", "bound_frac": "none"} | dict.fromkeys(
        ("bound_threshold_frac", "bound_resets", "bound_when"), "none"
    )
    market = made(write(tmp_path / "seoul", coins, start, columns), terms=terms)
    row = at(market, datetime(2026, 8, 10, 0, tzinfo=UTC))
    # From 08:50 on, 200 updates of the average away from 1,010.
    told = 1050.0 - 40.0 * math.exp(-200 / 600.0)
    assert market.tape.oracle_px[row, 0] == pytest.approx(told, abs=1e-9)


# ------------------------------------------------------------------- other venues' terms


def test_binance_settles_4_then_8_hours_and_freezes_its_index(tmp_path: Path) -> None:
    # The interval changes on 2026-01-30 12:15 UTC, a Friday; New York closes at 01:00 UTC.
    start = datetime(2026, 1, 30, 1, tzinfo=UTC)
    hours = 40
    columns = {
        "external_px": [400.0] * 25 + [999.0] * (hours - 25),
        "mid_px": [400.0] * 25 + [404.0] * (hours - 25),
        "impact_bid_px": [400.0] * 25 + [404.0] * (hours - 25),
        "impact_ask_px": [400.0] * 25 + [404.0] * (hours - 25),
    }
    coins = {"TSLAUSDT": 'venue = "binance"\nunderlying = "TSLA"'}
    unknown = {
        "interest_8h": 0.0,
        "clamp_8h": 0.0005,
        "cap_1h": 0.02,
        "premium": "one_sided",
        "max_leverage": 5,
        "sz_decimals": 2,
        "taker_frac": 0.0005,
        "min_order_usd": 5,
        "backstop_frac": "none",
        "maintenance_share_frac": 0.5,
        "margin_tiers": "none",
        "liquidation_part_frac": "none",
        "liquidation_part_above_usd": "none",
    }
    market = made(write(tmp_path / "tsla", coins, start, columns), terms=unknown)
    tape = market.tape
    settled = [start + timedelta(hours=int(t)) for t in np.flatnonzero(tape.due[:, 0])]
    assert [f"{when:%d %H}" for when in settled] == [
        *("30 04", "30 08", "30 12"),
        *("30 16", "31 00", "31 08", "31 16"),
    ]
    # Closed from 01:00 on the 31st: the index stands, the book is 1% above it.
    assert (tape.oracle_px[:, 0] == 400.0).all()
    rate = tape.funding[at(market, datetime(2026, 1, 31, 16, tzinfo=UTC)), 0]
    assert rate == pytest.approx(0.01 - 0.0005, abs=1e-12)


UNLISTED = """venue = "xyz"
underlying = "UNITREE"
external_session = "none"
oracle_closed = "own_mark"
oracle_tau_hours = 8
ewma_cap_frac = "none"
bound_frac = "none"
bound_threshold_frac = "none"
bound_resets = "none"
bound_when = "none"
max_leverage = 3
sz_decimals = 1
"""


def test_a_company_that_is_not_listed_needs_no_external_price(tmp_path: Path) -> None:
    columns = {
        "mid_px": [None, 50.0, 52.0, 52.0],
        "impact_bid_px": [None, 49.9, 51.9, 51.9],
        "impact_ask_px": [None, 50.1, 52.1, 52.1],
    }
    start = datetime(2026, 9, 1, 5, tzinfo=UTC)
    folder = write(tmp_path / "pre", {"xyz:UNITREE": UNLISTED}, start, columns)
    market = made(folder)
    oracle = market.tape.oracle_px[:, 0]
    assert math.isnan(oracle[0])
    assert oracle[1] == 50.0
    assert 50.0 < oracle[2] < oracle[3] < 52.0
    assert market.facts["oracle_hours_internal"] == 3
    assert market.facts["oracle_hours_bound"] == 0
    # m = 0.005 of the premium over an oracle that lags.
    premium = market.tape.premium[3, 0]
    assert market.tape.funding[3, 0] == pytest.approx(0.005 * (premium - 0.0003) / 8, abs=1e-12)
    # The same data of a listed company lacks its price.
    (folder / "dataset.toml").write_text(
        HEAD
        + '[perps."xyz:UNITREE"]\nvenue = "xyz"\nunderlying = "X"\nexternal_session = "us_cash"'
    )
    with pytest.raises(DataError, match="external_px"):
        read_dataset(folder)


# ------------------------------------------------------------------- refusals


def refusal(folder: Path, **settings: Any) -> str:
    with pytest.raises(PerpkitError) as caught:
        made(folder, **settings)
    return str(caught.value)


FLAT = {"external_px": [200.0] * 3, "mid_px": [200.0] * 3}


def test_an_unknown_term_is_refused_with_the_line_to_write(tmp_path: Path) -> None:
    # From 2026-08-07 on it is not recorded whether AAPL's bound resets.
    coins = {"xyz:AAPL": 'venue = "xyz"\nunderlying = "AAPL"'}
    folder = write(tmp_path / "aapl", coins, FRIDAY, FLAT)
    told = refusal(folder)
    assert told.startswith("xyz: bound_threshold_frac of xyz:AAPL is unknown on 2026-08-14 20:00Z")
    assert "--set terms.bound_threshold_frac=VALUE" in told
    assert "bound_resets" in refusal(folder, terms={"bound_threshold_frac": 0.9})
    made(folder, terms={"bound_threshold_frac": 0.9, "bound_resets": 2})


def test_what_no_rule_reads_may_stay_unknown(tmp_path: Path) -> None:
    # Without a bound nobody asks for its threshold, with a plain mark for no time constant.
    none = dict.fromkeys(
        ("bound_frac", "bound_threshold_frac", "bound_resets", "bound_when"), "none"
    )
    coins = {"xyz:AAPL": 'venue = "xyz"\nunderlying = "AAPL"'}
    folder = write(tmp_path / "aapl", coins, FRIDAY, FLAT)
    mark = {"mark_rule": "book_mid", "mark_ema_seconds": "none", "mark_step_frac": "none"}
    market = made(folder, terms=none | mark)
    needed = {term.key for term in market.resolved.used if term.needed}
    assert {"oracle_tau_hours", "external_session", "mark_rule"} <= needed
    assert not needed & {"bound_threshold_frac", "mark_ema_seconds", "mark_step_frac"}
    assert not needed & {"funding_gap_frac", "swap_long_1d", "blend_tau_hours"}


def test_long_and_short_pay_a_swap_of_their_own(tmp_path: Path) -> None:
    coins = {"TSLA": 'venue = "bybit"\nunderlying = "TSLA"'}
    folder = write(tmp_path / "cfd", coins, FRIDAY, FLAT)
    plain = {
        "external_session": "24/7",
        "oracle_closed": "external",
        "step_frac": "none",
        "updates_per_hour": 1200,
        "step_base": "oracle",
        "mark_rule": "book_mid",
        "bound_frac": "none",
        "max_leverage": 5,
        "sz_decimals": 2,
        "taker_frac": 0.0005,
        "min_order_usd": 5,
        "backstop_frac": "none",
        "maintenance_share_frac": 0.5,
        "margin_tiers": "none",
        "liquidation_part_frac": "none",
        "liquidation_part_above_usd": "none",
        "growth_mode": False,
        "interval_hours": 24,
    } | dict.fromkeys(
        ("oracle_tau_hours", "ewma_cap_frac", "blend_tau_hours", "mark_ema_seconds"), "none"
    )
    plain |= dict.fromkeys(("bound_threshold_frac", "bound_resets", "bound_when"), "none")
    swaps = {"swap_long_1d": 0.0002, "swap_short_1d": 0.0001}
    market = made(folder, terms=plain | swaps)
    # From 20:00 on, three rows; the fourth, midnight, would settle: none is due yet.
    assert not market.tape.due.any()
    later = made(
        write(tmp_path / "night", coins, FRIDAY, {k: [200.0] * 6 for k in FLAT}),
        terms=plain | swaps,
    )
    assert np.flatnonzero(later.tape.due[:, 0]).tolist() == [4]
    assert later.tape.funding[4, 0] == pytest.approx(0.0002, abs=1e-18)
    # What a short receives of it: less than nothing.
    assert later.tape.short_funding[4, 0] == pytest.approx(-0.0001, abs=1e-18)
