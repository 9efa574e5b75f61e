"""Dividends and splits the whole way, by hand to the cent: three issuers, three venues, one pair.

ACME stands at 100 USD from Monday 2026-08-10 00:00Z. The pair is short 100 units of the perp and
holds 100 tokens, both since row 1, without funding. Rows are hours after START.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit import backtest
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError
from perpkit.run import Result
from perpkit.tape import Market, form
from perpkit.units import to_ns

START = datetime(2026, 8, 10, tzinfo=UTC)
HOURS = 96
TOKENS = {"ACMEon": "ondo", "ACMEx": "backed", "dACME": "dinari"}
VENUES = ("xyz", "okx", "aster")  # price only and settled; rescaled; shorts debited
PLAN = """\
from math import nan

import numpy as np

TOLD = {told}


def targets(tape):
    made = np.full((len(tape.past.time_ns), len(tape.coins) + len(tape.tokens)), nan)
    for row, units in TOLD.items():
        made[row] = units
    return made
"""


# What the venues' own files leave open; nothing of it is what these tests are about.
TERMS = """\
max_leverage = 10
maintenance_share_frac = 0.5
margin_tiers = "none"
liquidation_part_frac = "none"
liquidation_part_above_usd = "none"
backstop_frac = "none"
taker_frac = 0.0009
growth_mode = true
growth_factor = 0.1
sz_decimals = 3
min_order_usd = 10
interval_hours = 1
collateral = "USDC"
margin_modes = "cross"
external_session = "us_24_5"
"""


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def made(
    folder: Path,
    venue: str,
    token: str,
    px: Any,
    actions: list[dict[str, Any]],
    quote: Any = None,
    multiplier: list[float | None] | None = None,
    prices: str = "onchain",
) -> Path:
    """A dataset of one perp and one token; ``px`` and ``quote`` are (HOURS,)."""
    folder.mkdir(exist_ok=True)
    (folder / "dataset.toml").write_text(
        f'schema = 1\nname = "acme"\nsource = "made up"\nlicence = "MIT"\nprices = "{prices}"\n\n'
        f'[perps."{venue}:ACME"]\nvenue = "{venue}"\nunderlying = "ACME"\n{TERMS}\n'
        f'[tokens.{token}]\nunderlying = "ACME"\nkind = "equity"\nissuer = "{TOKENS[token]}"\n'
        "multiplier = 1\n",
        encoding="utf-8",
    )
    px = np.asarray(px, np.float64)
    quote = px if quote is None else np.asarray(quote, np.float64)
    time = pl.Series("time", [at(n) for n in range(HOURS)], pl.Datetime("ms", "UTC"))
    # A book beside the oracle, so that the mark's average basis is something.
    mid = px * 1.003 if prices == "external" and "settle" not in folder.name else px
    perps = pl.DataFrame({"time": time, "coin": f"{venue}:ACME", "mid_px": mid})
    names = ("external_px",) if prices == "external" else ("oracle_px", "mark_px")
    perps = perps.with_columns(pl.Series(name, px) for name in names)
    perps.write_parquet(folder / "perps.parquet")
    pl.DataFrame({"time": time, "coin": f"{venue}:ACME", "funding": 0.0}).write_parquet(
        folder / "funding.parquet"
    )
    wide = 1e-4 * (1 + np.arange(HOURS) % 2)  # a quote that moves around its mid
    tokens = {
        "time": time,
        "token": token,
        "bid_px": quote * (1 - wide),
        "ask_px": quote * (1 + wide),
    }
    if multiplier is not None:
        tokens["multiplier"] = pl.Series(multiplier, dtype=pl.Float64)
    pl.DataFrame(tokens).write_parquet(folder / "tokens.parquet")
    pl.DataFrame(
        [{"underlying": "ACME", "withholding_frac": None, **action} for action in actions],
        schema={
            "time": pl.Datetime("ms", "UTC"),
            "underlying": pl.String,
            "kind": pl.String,
            "amount": pl.Float64,
            "withholding_frac": pl.Float64,
        },
    ).write_parquet(folder / "actions.parquet")
    return folder


def step(row: int, before: float, after: float) -> np.ndarray:
    return np.where(np.arange(HOURS) < row, before, after)


def dividend(row: float, amount: float, tax: float | None = 0.3) -> dict[str, Any]:
    return {"time": at(row), "kind": "dividend", "amount": amount, "withholding_frac": tax}


def split(row: float, ratio: float) -> dict[str, Any]:
    return {"time": at(row), "kind": "split", "amount": ratio}


SETTINGS: dict[str, Any] = {
    "token_fee_frac": 0.0,
    "half_spread_frac": 0.0,
    "slippage_frac": 0.0,
    "margin_mode": "cross",
    "margin_share": 0.5,
}


def formed(folder: Path, **settings: Any) -> Market:
    config = check_config({**SETTINGS, **settings})
    return form(read_dataset(folder), config, pure_python=True)


def played(folder: Path, told: dict[int, Any], **settings: Any) -> Result:
    file = folder.parent / "plan.py"
    file.write_text(PLAN.format(told=told), encoding="utf-8")
    return backtest(file, folder, config={**SETTINGS, **settings}, pure_python=True)


PAIR = {0: (-100.0, 100.0)}


def gained(result: Result, row: int) -> float:
    equity = result.frames["equity"]["equity_usd"].to_numpy()
    return float(equity[row] - equity[row - 1])


def caused(result: Result, cause: str) -> np.ndarray:
    return result.frames["equity"][f"{cause}_usd"].to_numpy()


def told(result: Result, kind: str) -> pl.DataFrame:
    return result.frames["events"].filter(pl.col("kind") == kind)


# ------------------------------------------------------------------- dividends


# D = 0.50 in row 30, 30% withheld, in cash or at 99.50 into the multiplier: the token keeps 0.35
# of it, 35.00 in all. Shorts debited pay 50.00.
@pytest.mark.parametrize(("venue", "usd"), [("xyz", 35.0), ("okx", 35.0), ("aster", -15.0)])
@pytest.mark.parametrize("token", TOKENS)
def test_what_a_pair_nets_of_a_dividend(tmp_path: Path, venue: str, token: str, usd: float) -> None:
    px = step(30, 100.0, 99.5)
    grown = 1.0 if token == "dACME" else 1.0 + 0.35 / 99.5
    folder = made(tmp_path / "a", venue, token, px, [dividend(30, 0.5)], px * step(30, 1.0, grown))
    # okx said until 2026-05-18 that holders get none; that was its last word.
    result = played(folder, PAIR, terms={"dividends": "none"} if venue == "okx" else {})
    assert gained(result, 30) == pytest.approx(usd, abs=0.005)
    assert caused(result, "perp_price")[30] == pytest.approx(50.0, abs=1e-9)
    paid = (35.0 if token == "dACME" else 0.0) - (50.0 if venue == "aster" else 0.0)
    assert caused(result, "dividend")[30] == pytest.approx(paid, abs=1e-9)
    assert caused(result, "dividend").sum() == pytest.approx(paid, abs=1e-9)


def test_the_multiplier_is_formed_at_the_price_of_the_ex_hour(tmp_path: Path) -> None:
    px = step(30, 100.0, 99.5)
    folder = made(tmp_path / "a", "xyz", "ACMEon", px, [dividend(30, 0.5, None)])
    tape = formed(folder).tape
    assert tape.multiplier[[29, 30, 95], 0].tolist() == [1.0, 1.0 + 0.7 * 0.5 / 99.5] * 1 + [
        1.0 + 0.7 * 0.5 / 99.5
    ]
    assert not tape.halted.any()
    assert tape.action_row.size == 0


def test_a_recorded_multiplier_wins_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    recorded = [*[1.0] * 31, *[1.0030] * (HOURS - 31)]
    folder = made(
        tmp_path / "a", "xyz", "ACMEon", step(30, 100.0, 99.5), [dividend(30, 0.5)], None, recorded
    )
    market = formed(folder)
    assert market.tape.multiplier[:, 0].tolist() == recorded
    assert caused(played(folder, PAIR), "dividend").tolist() == [0.0] * HOURS


def test_a_dividend_at_the_weekend_is_effective_when_the_stock_is_priced(tmp_path: Path) -> None:
    # Wednesday's data a weekend earlier: Saturday 2026-08-08 00:00Z to Sunday 24:00Z is unpriced.
    folder = made(tmp_path / "a", "xyz", "ACMEon", step(78, 100.0, 99.5), [dividend(30, 0.5)])
    tape = formed(earlier(folder, "-3d")).tape
    assert tape.multiplier[[71, 72], 0].tolist() == [1.0, 1.0 + 0.35 / 100.0]


@pytest.mark.parametrize(
    ("venue", "says"),
    [
        (
            "okx",
            "okx: dividends of okx:ACME is unknown, and ACME pays a dividend at 2026-08-11 06:00Z",
        )
    ],
)
def test_a_venue_that_says_nothing_of_dividends_is_refused(
    tmp_path: Path, venue: str, says: str
) -> None:
    folder = made(tmp_path / "a", venue, "ACMEon", step(30, 100.0, 99.5), [dividend(30, 0.5)])
    with pytest.raises(DataError, match=says + r".*terms\.okx:ACME\.dividends=VALUE"):
        formed(folder)
    outside = made(tmp_path / "a", venue, "ACMEon", step(30, 100.0, 99.5), [dividend(0, 0.5)])
    assert formed(outside).tape.action_row.size == 0


def test_total_return_pays_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "xyz", "dACME", [100.0] * HOURS, [dividend(30, 0.5)])
    result = played(folder, PAIR, terms={"dividends": "total_return"})
    assert caused(result, "dividend")[30] == 35.0


def test_terms_that_a_dividend_needs_are_named_in_the_result(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "xyz", "ACMEon", step(30, 100.0, 99.5), [dividend(30, 0.5)])
    named = [a.name for a in played(folder, PAIR, terms={"dividends": "none"}).assumptions]
    assert "xyz:ACME dividends" in named


# ------------------------------------------------------------------- a special dividend


@pytest.mark.parametrize("venue", ["xyz", "aster"])
def test_a_special_dividend_pauses_the_token(tmp_path: Path, venue: str) -> None:
    # D = 5: the multiplier grows by 0.7 * 5 / 95 = 3.68%, above 1%. The token stands still from
    # row 30 for 24 hours; what it is worth falls by the tax, 1.50, and never by the dividend.
    px, grown = step(30, 100.0, 95.0), 1.0 + 3.5 / 95.0
    folder = made(
        tmp_path / "a", venue, "ACMEon", px, [dividend(30, 5.0)], px * step(54, 1.0, grown)
    )
    tape = formed(folder).tape
    assert np.flatnonzero(tape.halted[:, 0]).tolist() == list(range(30, 54))
    assert not tape.live[30:54, 0].any()
    assert tape.live[54, 0]
    assert tape.multiplier[[29, 30, 53, 54], 0].tolist() == [1.0, 1.0, 1.0, grown]
    assert tape.fair_px[[29, 30, 53, 54], 0] == pytest.approx([100.0, 98.5, 98.5, 98.5])
    result = played(folder, PAIR)
    assert gained(result, 30) == pytest.approx(350.0 if venue == "xyz" else -150.0, abs=0.005)
    assert gained(result, 54) == pytest.approx(0.0, abs=0.005)


NAMED = ("pause_hours", "pause_above_frac")


def test_how_long_a_pause_takes_is_a_setting_and_the_issuers_shortest_holds(tmp_path: Path) -> None:
    px = step(30, 100.0, 95.0)
    folder = made(tmp_path / "a", "xyz", "ACMEon", px, [dividend(30, 5.0)])
    assert formed(folder, pause_hours=2.5).tape.halted[:, 0].sum() == 3
    assert formed(folder, pause_hours=0.0).tape.halted[:, 0].sum() == 1  # ten minutes, in hours
    told = [a.value for a in played(folder, PAIR, pause_hours=2.5).assumptions if a.name in NAMED]
    assert told == ["2.5"]
    still = made(tmp_path / "b", "xyz", "ACMEon", px, [dividend(30, 0.5)])  # below the limit
    told = played(still, PAIR, pause_hours=2.5, pause_above_frac=0.5).assumptions
    assert not [a for a in told if a.name in NAMED]


def test_where_an_issuers_limit_is_unknown_a_setting_holds_and_is_named(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "xyz", "ACMEx", step(30, 100.0, 95.0), [dividend(30, 5.0)])
    market = formed(folder)
    assert market.tape.halted[:, 0].sum() == 24
    assert ("pause_above_frac", "0.01", "ACMEx: its issuer's limit is unknown") in market.assumed
    assert not formed(folder, pause_above_frac=0.04).tape.halted.any()


def test_a_special_dividend_in_cash_pauses_nothing(tmp_path: Path) -> None:
    px = step(30, 100.0, 95.0)
    folder = made(tmp_path / "a", "xyz", "dACME", px, [dividend(30, 5.0)])
    assert not formed(folder).tape.halted.any()
    assert gained(played(folder, PAIR), 30) == pytest.approx(350.0, abs=0.005)


# ------------------------------------------------------------------- a split


# Announced for 00:00Z on Tuesday, row 24; the perp's first print in new units is row 28.
TEN = step(28, 100.0, 10.0)
SPLIT = [split(24, 10.0)]


def quoted(token: str) -> np.ndarray:
    return TEN if token == "dACME" else np.full(HOURS, 100.0)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("token", TOKENS)
def test_a_split_changes_nothing_that_is_worth_anything(
    tmp_path: Path, venue: str, token: str
) -> None:
    folder = made(tmp_path / "a", venue, token, TEN, SPLIT, quoted(token))
    terms = {"splits": "rescale"} if venue == "aster" else {}  # its own word is unknown
    result = played(folder, PAIR, terms=terms)
    assert np.abs(np.diff(result.frames["equity"]["equity_usd"].to_numpy()[2:])).max() < 0.005
    for cause in ("perp_price", "token_price", "slippage", "settlement", "liquidation"):
        assert np.abs(caused(result, cause)[2:]).max() < 0.005, cause
    held = result.frames["positions"].filter(pl.col("time") == at(40))
    units = dict(held.select("instrument", "position").iter_rows())
    assert units[token] == pytest.approx(1_000.0 if token == "dACME" else 100.0)
    assert units.get(f"{venue}:ACME") == (None if venue == "xyz" else -1_000.0)
    delta = result.frames["equity"]["net_delta_usd"].to_numpy()
    assert delta[[27, 40]] == pytest.approx([0.0, 10_000.0 if venue == "xyz" else 0.0], abs=0.01)


def test_the_stages_of_a_split(tmp_path: Path) -> None:
    # Activated at row 24, reopened at row 28, resumed 24 hours later, at row 52.
    folder = made(tmp_path / "a", "xyz", "ACMEx", TEN, SPLIT, quoted("ACMEx"))
    tape = formed(folder).tape
    assert np.flatnonzero(tape.halted[:, 0]).tolist() == list(range(24, 52))
    assert tape.live[[23, 24, 51, 52], 0].tolist() == [True, False, False, True]
    assert tape.multiplier[[27, 28], 0].tolist() == [1.0, 10.0]
    assert tape.fair_px[:, 0] == pytest.approx(np.full(HOURS, 100.0))
    assert (tape.multiplier * tape.oracle_px)[:, 0] == pytest.approx(np.full(HOURS, 100.0))


@pytest.mark.parametrize("row", [24, 31])
def test_a_recorded_multiplier_is_aligned_with_the_price(tmp_path: Path, row: int) -> None:
    # Recorded from its activation at row 24, or late; between it and row 28 price x multiplier
    # would be wrong by ten.
    recorded = step(row, 1.0, 10.0).tolist()
    folder = made(tmp_path / "a", "xyz", "ACMEx", TEN, SPLIT, quoted("ACMEx"), recorded)
    tape = formed(folder).tape
    assert (tape.multiplier * tape.oracle_px)[:, 0] == pytest.approx(np.full(HOURS, 100.0))
    assert tape.fair_px[:, 0] == pytest.approx(np.full(HOURS, 100.0))


def test_a_recorded_multiplier_without_the_split_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "xyz", "ACMEx", TEN, SPLIT, quoted("ACMEx"), [1.0] * HOURS)
    with pytest.raises(DataError, match="multiplier of ACMEx does not change by its split of 10"):
        formed(folder)


def test_prices_without_the_split_are_refused(tmp_path: Path) -> None:
    more = step(28, 100.0, 100.0)
    folder = made(tmp_path / "a", "xyz", "ACMEx", more, [split(-97.0, 10.0)], quoted("ACMEx"))
    assert formed(folder).tape.action_row.size == 0  # before the run
    folder = made(tmp_path / "a", "xyz", "ACMEx", more, [split(-1.0, 10.0)], quoted("ACMEx"))
    with pytest.raises(DataError, match="its prices may still be in old units; start 96 hours"):
        formed(folder)  # whose first print may be inside the run
    folder = made(tmp_path / "a", "xyz", "ACMEx", more, [split(1e-3 - 0.0, 10.0)], quoted("ACMEx"))
    tape = formed(folder).tape  # the run ends before four days are over: not yet in the perp
    assert tape.action_row.size == 0
    assert tape.halted[1:].all()


def later(folder: Path, hour: float, **settings: Any) -> Market:
    """The market from an hour of the data on."""
    data = read_dataset(folder, start_ns=to_ns(at(hour)))
    return form(data, check_config({**SETTINGS, **settings}), pure_python=True)


# Ten new shares for one in hour 10: the tokens of Ondo and Backed stand for ten, Dinari's are ten.
@pytest.mark.parametrize(
    ("token", "multiplier"), [("ACMEon", 10.0), ("ACMEx", 10.0), ("dACME", 1.0)]
)
def test_a_run_that_starts_after_a_split_knows_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, multiplier: float
) -> None:
    monkeypatch.setitem(globals(), "HOURS", 200)
    prices = step(12, 100.0, 10.0)
    quote = step(12, 100.0, 10.0 * multiplier)
    folder = made(tmp_path / "a", "okx", token, prices, [split(10, 10.0)], quote)
    whole, cut = formed(folder).tape, later(folder, 120).tape
    assert (cut.multiplier == multiplier).all()
    for name in ("multiplier", "fair_px"):
        assert getattr(cut, name).tolist() == getattr(whole, name)[120:].tolist()
    told = later(folder, 120, multiplier={token: 7.0}).tape  # the run's own is of its first hour
    assert (told.multiplier == 7.0).all()


def test_a_run_that_starts_after_a_reinvested_dividend_asks_for_its_multiplier(
    tmp_path: Path,
) -> None:
    px, paid = step(10, 100.0, 99.5), [dividend(10, 0.5)]
    folder = made(tmp_path / "a", "xyz", "ACMEon", px, paid)
    with pytest.raises(
        DataError, match=r"put the dividend of 2026-08-10 10:00Z into its multiplier"
    ):
        later(folder, 40)
    assert later(folder, 40, multiplier={"ACMEon": 1.0035}).tape.multiplier[0, 0] == 1.0035
    recorded = made(tmp_path / "b", "xyz", "ACMEon", px, paid, None, [1.0035] * HOURS)
    assert later(recorded, 40).tape.multiplier[0, 0] == 1.0035
    in_cash = made(tmp_path / "c", "xyz", "dACME", px, paid)
    assert later(in_cash, 40).tape.multiplier[0, 0] == 1.0
    before = made(tmp_path / "d", "xyz", "ACMEon", px, [dividend(-10, 0.5)])
    assert later(before, 40).tape.multiplier[0, 0] == 1.0  # dataset.toml knows of it


def test_what_a_venue_does_not_say_or_is_not_played_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "aster", "ACMEx", TEN, SPLIT, quoted("ACMEx"))
    says = r"aster: splits of aster:ACME is unknown, and ACME splits at 2026-08-11 00:00Z"
    with pytest.raises(DataError, match=says):
        formed(folder)
    says = r'splits of aster:ACME is "new_market", which perpkit does not play'
    with pytest.raises(DataError, match=says):
        formed(folder, terms={"splits": "new_market"})


def test_a_small_split_is_at_its_time(tmp_path: Path) -> None:
    # A stock dividend of 5%: 21 for 20. No price can tell it from a move.
    px = step(24, 105.0, 100.0)
    folder = made(tmp_path / "a", "okx", "ACMEx", px, [split(24, 1.05)], [105.0] * HOURS)
    tape = formed(folder).tape
    assert tape.action_row.tolist() == [24]
    assert tape.multiplier[[23, 24], 0].tolist() == [1.0, 1.05]


def test_a_recorded_high_of_the_old_units_is_restated(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "okx", "ACMEx", TEN, SPLIT, quoted("ACMEx"))
    perps = pl.read_parquet(folder / "perps.parquet")
    high = perps["mark_px"] * 1.01
    high[28] = 101.0  # of the part of the hour before the split
    perps.with_columns(high.alias("mark_high_px"), (pl.col("mark_px") * 0.99).alias("mark_low_px"))
    perps = perps.with_columns(high.alias("mark_high_px"))
    perps.write_parquet(folder / "perps.parquet")
    tape = formed(folder).tape
    assert tape.high_px[[27, 28, 29], 0] == pytest.approx([101.0, 10.1, 10.1])
    assert tape.low_px[[27, 28, 29], 0] == pytest.approx([100.0, 10.0, 10.0])
    assert tape.start_px[[27, 28, 29], 0] == pytest.approx([100.0, 10.0, 10.0])


# ------------------------------------------------------------------- a split of formed prices


def wavy() -> np.ndarray:
    n = np.arange(HOURS)
    return np.asarray(100.0 * (1.0 + 0.03 * np.sin(n / 3.0)) * np.where(n > 40, 1.04, 1.0))


def earlier(folder: Path, by: str) -> Path:
    for table in ("perps", "funding", "tokens", "actions"):
        file = folder / f"{table}.parquet"
        pl.read_parquet(file).with_columns(pl.col("time").dt.offset_by(by)).write_parquet(file)
    return folder


# 28 hours earlier the first print is at the reopening after a weekend of internal prices.
@pytest.mark.parametrize(("venue", "by"), [("xyz", "0h"), ("xyz", "-28h"), ("baseline", "0h")])
def test_formed_prices_through_a_split_are_those_of_adjusted_ones(
    tmp_path: Path, venue: str, by: str
) -> None:
    # With rescaled positions nothing but the unit changes: oracle, mark, extremes and premium are
    # those of a record adjusted for the split.
    terms = {"splits": "rescale", "dividends": "none"}
    if venue == "baseline":
        terms |= {"step_frac": 0.002, "updates_per_hour": 5, "external_session": "24/7"}
    else:
        terms |= {"bound_threshold_frac": 0.9, "bound_resets": 2, "bound_frac": 0.05}
        terms |= {"updates_per_hour": 60}  # uncompiled, the venue's own 1,200 take a minute
    ratio = step(28, 1.0, 10.0)
    through = made(tmp_path / "a", venue, "ACMEx", wavy() / ratio, SPLIT, wavy(), prices="external")
    adjusted = made(tmp_path / "b", venue, "ACMEx", wavy() / 10.0, [], wavy(), prices="external")
    one = formed(earlier(through, by), terms=terms, funding="formula").tape
    other = formed(earlier(adjusted, by), terms=terms, funding="formula").tape
    for name in ("oracle_px", "mark_px", "high_px", "low_px"):
        unit = 10.0 / ratio[:, None]
        assert getattr(one, name) / unit == pytest.approx(getattr(other, name), rel=1e-12), name
    assert one.premium == pytest.approx(other.premium, abs=1e-12)
    assert np.abs(np.diff(np.log(one.fair_px[:, 0]))).max() < 0.05, "it never jumps by the split"


def test_a_settled_market_is_listed_anew_at_its_first_print(tmp_path: Path) -> None:
    px = np.where(np.arange(HOURS) < 28, 100.0, 12.0)  # up 20% over the split
    folder = made(
        tmp_path / "settle", "baseline", "ACMEx", px, SPLIT, [100.0] * HOURS, prices="external"
    )
    terms = {"splits": "settle", "updates_per_hour": 1, "step_frac": 0.01}
    terms |= {"external_session": "24/7"}
    tape = formed(folder, terms=terms, funding="formula").tape
    assert tape.oracle_px[[27, 28, 29], 0].tolist() == [100.0, 12.0, 12.0]
    assert tape.mark_px[[27, 28, 29], 0].tolist() == [100.0, 12.0, 12.0]
    rescaled = formed(folder, terms={**terms, "splits": "rescale"}, funding="formula").tape
    assert rescaled.oracle_px[[28, 29], 0] == pytest.approx([10.1, 10.201])


# ------------------------------------------------------------------- a pair through a split


def test_a_pair_through_a_split_shows_its_broken_hour_and_what_it_cost(tmp_path: Path) -> None:
    # xyz settles at 101, its last mark, and prints 10.20 in row 28. Settled: 100 short from 100.
    # The plan sees it at row 28 and is short 1,000 again in row 29, at 10.30 and 9 bp of fee:
    # 10,300 x 0.00009 = 0.93. In the hour between the token gained 1% of 10,200 with no short:
    # 100.00. The short that was not there would have lost 1,000 x 0.10 = 100.00.
    px = np.where(np.arange(HOURS) < 28, 101.0, np.where(np.arange(HOURS) < 29, 10.2, 10.3))
    px[:10] = 100.0
    folder = made(tmp_path / "a", "xyz", "ACMEon", px, SPLIT, px * step(28, 1.0, 10.0))
    result = played(folder, {**PAIR, 28: (-1_000.0, 100.0)})
    settled = told(result, "market_settled").row(0, named=True)
    assert (settled["time"], settled["value_usd"]) == (at(28), pytest.approx(10_100.0))
    delta = result.frames["equity"]["net_delta_usd"].to_numpy()
    assert delta[[27, 28, 29]] == pytest.approx([0.0, 10_200.0, 0.0], abs=0.01)
    assert caused(result, "perp_price")[[28, 29]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert caused(result, "token_price")[[28, 29]] == pytest.approx([100.0, 100.0], abs=0.005)
    fee = caused(result, "fees")
    assert fee[28] == 0.0
    assert fee[29] == pytest.approx(-0.93, abs=0.005)
    reasons = result.frames["fills"].filter(instrument="xyz:ACME")["reason"].to_list()
    assert reasons == ["target", "action", "target"]


def test_a_split_is_no_return_of_the_stock(tmp_path: Path) -> None:
    # Unhedged through the split, 10,000 long: what metrics make of the oracle is without it.
    folder = made(tmp_path / "a", "okx", "ACMEon", TEN, SPLIT, quoted("ACMEon"))
    result = played(folder, {0: (0.0, 100.0)})
    assert result.summary["residual_delta_usd"] == pytest.approx(0.0, abs=1e-9)


def test_the_premium_of_a_token_is_told(tmp_path: Path) -> None:
    # 1% above ten shares of 10 from row 60 on, 2% at row 90; live from row 1 on but for the pause.
    quote = np.where(np.arange(HOURS) < 60, 100.0, 101.0)
    quote[90] = 102.0
    folder = made(tmp_path / "a", "xyz", "ACMEon", TEN, SPLIT, quote)
    facts = formed(folder).facts
    live = 95 - 28
    assert facts["premium_mean_frac ACMEon"] == pytest.approx((36 * 0.01 + 0.01) / live)
    assert facts["premium_worst_frac ACMEon"] == pytest.approx(0.02)
    assert facts["premium_last_frac ACMEon"] == pytest.approx(0.01)
    positions = played(folder, PAIR).frames["positions"]
    assert positions.filter(instrument="xyz:ACME")["premium_frac"].null_count() == sum(
        positions["instrument"] == "xyz:ACME"
    )
    over = dict(positions.filter(instrument="ACMEon").select("time", "premium_frac").iter_rows())
    assert [over[at(row)] for row in (23, 24, 59)] == [pytest.approx(0.0), None, pytest.approx(0.0)]
    assert [over[at(row)] for row in (60, 90)] == pytest.approx([0.01, 0.02])


def test_the_carry_rebuilds_its_hedge(tmp_path: Path) -> None:
    folder = made(tmp_path / "a", "xyz", "ACMEon", TEN, SPLIT, [100.0] * HOURS)
    funding = pl.read_parquet(folder / "funding.parquet").with_columns(funding=pl.lit(1e-4))
    funding.write_parquet(folder / "funding.parquet")
    result = backtest(
        "funding_carry",
        folder,
        config={**SETTINGS},
        params={"lookback_hours": 4, "notional_usd": 10_000.0},
        pure_python=True,
    )
    position = np.zeros(HOURS)
    for row in result.frames["positions"].filter(instrument="xyz:ACME").iter_rows(named=True):
        position[int((row["time"] - START).total_seconds() // 3600)] = row["position"]
    assert position[[27, 28, 29]].tolist() == [-100.0, 0.0, -1_000.0]


def test_a_run_cut_short_has_the_same_past(tmp_path: Path) -> None:
    actions = [dividend(12, 0.5), split(24, 10.0), dividend(60, 0.2)]
    px = TEN * step(12, 1.0, 0.995) * step(60, 1.0, 0.98)
    folder = made(tmp_path / "a", "okx", "ACMEon", px, actions, px)
    config = check_config({**SETTINGS, "terms": {"dividends": "none"}})
    whole = form(read_dataset(folder), config, pure_python=True).tape
    for end in (11, 12, 23, 24, 26, 27, 28, 40, 59, 60, 61):
        cut = form(read_dataset(folder, None, whole.time_ns[end]), config, pure_python=True).tape
        rows = len(cut.time_ns)
        assert rows == end + 1
        for name in ("multiplier", "fair_px", "halted", "live", "high_px", "low_px"):
            one, other = getattr(cut, name), getattr(whole, name)[:rows]
            assert np.array_equal(one, other, equal_nan=True), (name, end)
        assert cut.action_row.tolist() == [r for r in whole.action_row.tolist() if r < rows]
