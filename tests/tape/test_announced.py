"""What is announced: known from its hour on, counted down until it takes effect, never before."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import Past
from perpkit.book.view import past_until
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.play import replay_of
from perpkit.tape import form
from perpkit.units import to_ns

START = datetime(2026, 8, 13, tzinfo=UTC)  # Thursday; the stock is priced until Saturday 00:00Z
HOURS = 96
TIME = pl.Datetime("ms", "UTC")
SCHEMA = {
    "time": TIME,
    "underlying": pl.String,
    "kind": pl.String,
    "amount": pl.Float64,
    "withholding_frac": pl.Float64,
    "announced": TIME,
}
TERMS = """\
max_leverage = 10
maintenance_share_frac = 0.5
margin_tiers = "none"
liquidation_part_frac = "none"
liquidation_part_above_usd = "none"
backstop_frac = "none"
taker_frac = 0.0009
sz_decimals = 3
min_order_usd = 10
interval_hours = 1
collateral = "USDC"
margin_modes = "cross"
external_session = "us_24_5"
"""


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def row(kind: str, time: float, amount: float | None = None, **told: Any) -> dict[str, Any]:
    return {"time": at(time), "underlying": "ACME", "kind": kind, "amount": amount, **told}


def dividend(time: float, announced: float | None, amount: float = 0.5, **told: Any) -> Any:
    known = None if announced is None else at(announced)
    return row("dividend", time, amount, announced=known, withholding_frac=0.3, **told)


def earnings(time: float, announced: float | None) -> dict[str, Any]:
    return row("earnings", time, announced=None if announced is None else at(announced))


def dataset(
    folder: Path, actions: list[dict[str, Any]], dividends: str = "none", splits: str = "settle"
) -> Path:
    folder.mkdir()
    (folder / "dataset.toml").write_text(
        'schema = 1\nname = "acme"\nsource = "made up"\nlicence = "MIT"\nprices = "onchain"\n\n'
        f'[perps."xyz:ACME"]\nvenue = "xyz"\nunderlying = "ACME"\ndividends = "{dividends}"\n'
        f'splits = "{splits}"\n'
        f'{TERMS}\n[perps."xyz:BEAR"]\nvenue = "xyz"\nunderlying = "BEAR"\n{TERMS}\n'
        '[tokens.ACMEon]\nunderlying = "ACME"\nkind = "equity"\nissuer = "ondo"\nmultiplier = 1\n',
        encoding="utf-8",
    )
    time = pl.Series("time", [at(n) for n in range(HOURS)], TIME)
    frames = []
    for coin in ("xyz:ACME", "xyz:BEAR"):
        one = {"time": time, "coin": coin, "oracle_px": 100.0, "mark_px": 100.0, "funding": 0.0}
        frames.append(pl.DataFrame(one))
    pl.concat(frames).write_parquet(folder / "perps.parquet")
    wide = 1e-4 * (1 + np.arange(HOURS) % 2)
    quotes = {"time": time, "token": "ACMEon", "bid_px": 100 - wide, "ask_px": 100 + wide}
    pl.DataFrame(quotes).write_parquet(folder / "tokens.parquet")
    pl.DataFrame(actions, schema=SCHEMA).write_parquet(folder / "actions.parquet")
    return folder


def past(folder: Path, end: float | None = None, **settings: Any) -> Past:
    """All rows of a run as a strategy sees them, cut at an hour where one is told."""
    config = check_config({"token_fee_frac": 0.0, "margin_mode": "cross", **settings})
    end_ns = None if end is None else to_ns(at(end))
    market = form(read_dataset(folder, end_ns=end_ns), config, pure_python=True)
    return past_until(replay_of(market.tape), len(market.tape.time_ns) - 1)


def test_a_dividend_is_known_from_its_announcement_and_counted_down(tmp_path: Path) -> None:
    told = past(dataset(tmp_path / "d", [dividend(20.0, 9.5)]))
    hours = told.hours_to_ex_dividend[:, 0]
    assert (hours[:10] == np.inf).all()
    assert hours[10:20].tolist() == list(np.arange(10.0, 0.0, -1.0))
    assert (hours[20:] == np.inf).all()
    assert (told.hours_to_ex_dividend[:, 1] == np.inf).all()
    assert told.pair_dividend_usd[:, 0].tolist() == [0.0] * 10 + [0.35] * 10 + [0.0] * 76
    assert not told.pair_dividend_usd[:, 1].any()


def test_what_is_not_said_to_be_announced_is_never_told(tmp_path: Path) -> None:
    late = [dividend(40.0, 40.0), earnings(50.5, 50.5)]  # said when it happens
    told = past(dataset(tmp_path / "d", [dividend(20.5, None), earnings(30.0, None), *late]))
    assert (told.hours_to_ex_dividend == np.inf).all()
    assert (told.hours_to_earnings == np.inf).all()
    assert not told.pair_dividend_usd.any()


def test_an_hour_between_two_is_counted_from_the_full_hour_after_it(tmp_path: Path) -> None:
    told = past(dataset(tmp_path / "d", [earnings(20.25, 18.0)]))
    assert told.hours_to_earnings[17:23, 0].tolist() == [np.inf, 3.0, 2.0, 1.0, np.inf, np.inf]
    assert (told.hours_to_ex_dividend == np.inf).all()


def test_the_next_of_two_is_shown(tmp_path: Path) -> None:
    two = [dividend(20.0, 5.0, 0.5), dividend(24.0, 2.0, 1.0)]
    told = past(dataset(tmp_path / "d", two))
    assert told.hours_to_ex_dividend[1:6, 0].tolist() == [np.inf, 22.0, 21.0, 20.0, 15.0]
    assert told.pair_dividend_usd[4:6, 0] == pytest.approx([0.7, 0.35])
    assert told.hours_to_ex_dividend[19:25, 0].tolist() == [1.0, 4.0, 3.0, 2.0, 1.0, np.inf]
    assert told.pair_dividend_usd[19:21, 0] == pytest.approx([0.35, 0.7])


def test_one_dated_on_a_weekend_is_due_until_it_takes_effect(tmp_path: Path) -> None:
    """Saturday 12:00Z; the stock is priced again on Monday 00:00Z, the hour after the last."""
    told = past(dataset(tmp_path / "d", [dividend(60.0, 50.0)]))
    hours = told.hours_to_ex_dividend[:, 0]
    assert hours[50:60].tolist() == list(np.arange(10.0, 0.0, -1.0))
    assert (hours[60:] == 0.0).all()
    silent = past(dataset(tmp_path / "silent", [dividend(60.0, None)]))
    assert (silent.hours_to_ex_dividend == np.inf).all()


@pytest.mark.parametrize("end", [15, 30, 60])
def test_an_hour_knows_the_same_wherever_the_run_ends(tmp_path: Path, end: int) -> None:
    coming = [dividend(40.0, 8.0), dividend(62.0, 20.0, 2.0), earnings(70.0, 12.0)]
    folder = dataset(tmp_path / "d", coming)
    whole, cut = past(folder), past(folder, end)
    assert len(cut.time_ns) == end + 1
    for name in ("hours_to_ex_dividend", "hours_to_earnings", "pair_dividend_usd"):
        known = getattr(cut, name)
        assert np.array_equal(known, getattr(whole, name)[: end + 1], equal_nan=True), name
        assert np.isfinite(known).any()


def test_what_was_before_the_run_is_over(tmp_path: Path) -> None:
    told = past(dataset(tmp_path / "d", [dividend(0.0, -50.0), earnings(-1.0, -60.0)]))
    assert (told.hours_to_ex_dividend == np.inf).all()
    assert (told.hours_to_earnings == np.inf).all()
    assert not told.pair_dividend_usd.any()


@pytest.mark.parametrize(
    ("word", "usd"), [("none", 0.35), ("debit_shorts", -0.15), ("total_return", -0.15)]
)
def test_what_a_pair_has_of_it_is_what_the_venue_and_the_issuer_say(
    tmp_path: Path, word: str, usd: float
) -> None:
    told = past(dataset(tmp_path / "d", [dividend(20.0, 9.0)], word))
    assert told.pair_dividend_usd[15, 0] == pytest.approx(usd)


def test_what_a_venue_does_not_say_is_not_known(tmp_path: Path) -> None:
    """After the run's end it is no reason to refuse the run."""
    told = past(dataset(tmp_path / "d", [dividend(40.0, 9.0)], "unknown"), 30)
    assert math.isnan(told.pair_dividend_usd[15, 0])
    assert told.hours_to_ex_dividend[15, 0] == 25.0


def test_a_dividend_after_a_split_is_shown_of_the_shares_there_are(tmp_path: Path) -> None:
    """Ten for one in hour 16, then 0.05 USD a new share: 0.5 an old one, as it was announced."""
    folder = dataset(
        tmp_path / "d", [row("split", 16.0, 10.0), dividend(20.0, 9.5, 0.05)], splits="rescale"
    )
    frame = pl.read_parquet(folder / "perps.parquet")
    later = (pl.col("time") >= at(16.0)) & (pl.col("coin") == "xyz:ACME")
    px = [pl.when(later).then(10.0).otherwise(100.0).alias(c) for c in ("oracle_px", "mark_px")]
    frame.with_columns(px).write_parquet(folder / "perps.parquet")
    told = past(folder).pair_dividend_usd[:, 0]
    assert told[:10].tolist() == [0.0] * 10
    assert told[10:16] == pytest.approx([0.35] * 6)
    assert told[16:20] == pytest.approx([0.035] * 4)


def test_earnings_pay_and_change_nothing(tmp_path: Path) -> None:
    with_them = past(dataset(tmp_path / "a", [earnings(20.0, 2.0)]))
    without = past(dataset(tmp_path / "b", []))
    for name in set(Past._fields) - {"hours_to_earnings"}:
        assert np.array_equal(getattr(with_them, name), getattr(without, name), equal_nan=True)
