"""Incidents the whole way: from the rows of a dataset to the frames and warnings of a result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit import backtest
from perpkit.run import Result

START = datetime(2026, 8, 12, 5, tzinfo=UTC)
PLAN = """\
from math import nan

import numpy as np


def targets(tape):
    made = np.full((len(tape.past.time_ns), len(tape.coins) + len(tape.tokens)), nan)
    made[0, 0] = -10.0
    return made
"""


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    (tiny_dataset / "actions.parquet").unlink()
    return tiny_dataset


def run(folder: Path, **settings: object) -> Result:
    file = folder.parent / "short.py"
    file.write_text(PLAN, encoding="utf-8")
    return backtest(file, folder, config={"coins": ["xyz:NVDA"], **settings}, pure_python=True)


def tell(folder: Path, *rows: tuple[float, str, str, float]) -> None:
    pl.DataFrame(
        {
            "time": [START + timedelta(hours=row[0]) for row in rows],
            "kind": [row[1] for row in rows],
            "instrument": [row[2] for row in rows],
            "value": [row[3] for row in rows],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    ).write_parquet(folder / "shocks.parquet")


def test_a_recorded_deleveraging_is_in_the_result(tiny: Path) -> None:
    """Half of the short at 09:00, at the mark of 08:00: 180 and three times 0.1%."""
    result = run(tiny)
    fill = result.frames["fills"].filter(pl.col("reason") == "adl").row(0, named=True)
    assert (fill["time"], fill["way"], fill["side"]) == (START + timedelta(hours=4), "adl", "buy")
    assert (fill["size"], fill["fee_usd"]) == (5.0, 0.0)
    assert fill["px"] == pytest.approx(180.0 * 1.003)
    event = result.frames["events"].filter(pl.col("kind") == "adl").row(0, named=True)
    assert event["value_usd"] == pytest.approx(5.0 * 180.0 * 1.003)
    assert "incidents of shocks.parquet that were played: 1 adl" in result.warnings
    assert "1 positions closed by auto-deleveraging; see events" in result.warnings


def test_a_run_that_ignores_incidents_says_so(tiny: Path) -> None:
    result = run(tiny, shocks="ignore")
    assert not (result.frames["fills"]["reason"] == "adl").any()
    assert any("holds 1 incidents and none is played" in said for said in result.warnings)
    assert any(a.name == "shocks" and a.value == "ignore" for a in result.assumptions)


def test_a_dataset_without_incidents_says_nothing_of_them(tiny: Path) -> None:
    (tiny / "shocks.parquet").unlink()
    assert not any("shocks" in said for said in run(tiny).warnings)


def test_what_strikes_nothing_is_counted_apart(tiny: Path) -> None:
    tell(tiny, (4.0, "adl", "xyz:AAPL", 1.0), (-50.0, "adl", "xyz:NVDA", 1.0))
    said = "incidents of shocks.parquet that were played: none; 2 strike nothing of the run in its"
    assert any(warning.startswith(said) for warning in run(tiny).warnings)


def test_a_venue_that_fails_takes_its_cash_and_the_causes_say_so(tiny: Path) -> None:
    tell(tiny, (3.0, "venue_failure", "xyz", 0.5))
    result = run(tiny)
    equity = result.frames["equity"]
    held = result.frames["accounts"].filter(pl.col("account") == "xyz")["cash_usd"]
    assert equity["settlement_usd"].to_list()[3] == pytest.approx(-held[3])
    assert np.flatnonzero(equity["settlement_usd"].to_numpy()).tolist() == [3]
    assert held[3] == held[5], "frozen"
    assert not result.frames["funding"].filter(pl.col("time") >= START + timedelta(hours=3)).height
    assert "1 failures of a venue; see events" in result.warnings


def test_a_depeg_is_the_price_of_a_currency(tiny: Path) -> None:
    """88 cents from 08:00 to 10:00: an eighth of all the cash, and back."""
    tell(tiny, (3.0, "depeg", "USDC", 0.88), (5.0, "depeg", "USDC", 1.0))
    result = run(tiny)
    lost = result.frames["equity"]["token_price_usd"].to_numpy()
    assert lost[3] == pytest.approx(-0.12 * 100_000, rel=1e-3)
    assert lost[5] == pytest.approx(0.12 * 100_000, rel=1e-3)
    assert "incidents of shocks.parquet that were played: 2 depeg" in result.warnings


def test_orders_held_back_by_a_cap_are_counted(tiny: Path) -> None:
    result = run(tiny, oi_cap=True, terms={"oi_cap_usd": 1_000_000}, shocks="ignore")
    assert result.frames["fills"].height == 0
    assert "1 targets held back by an open-interest cap; see events" in result.warnings


# --------------------------------------------------------------------------- what issuers do

PAIR = """\
from math import nan

import numpy as np


def targets(tape):
    made = np.full((len(tape.past.time_ns), len(tape.coins) + len(tape.tokens)), nan)
    made[0, 0], made[0, 1] = -10.0, 10.0
    made[3, 0], made[3, 1] = 0.0, 0.0
    return made
"""


def carry(folder: Path, **settings: object) -> Result:
    file = folder.parent / "pair.py"
    file.write_text(PAIR, encoding="utf-8")
    told = {"coins": ["xyz:NVDA"], "trade_frozen_quotes": True, **settings}
    return backtest(file, folder, config=told, pure_python=True)


def held(result: Result) -> list[float]:
    """Units of the token at each of the hours."""
    frame = result.frames["positions"].filter(pl.col("instrument") == "NVDAon")
    told = dict(frame.select("time", "position").iter_rows())
    return [told.get(START + timedelta(hours=n), 0.0) for n in range(6)]


@pytest.mark.parametrize("kind", ["freeze", "pause", "revoke"])
def test_a_locked_leg_is_not_sold_and_its_pair_waits(tiny: Path, kind: str) -> None:
    """Both legs are to close at 09:00; from 08:00 on the token does not move."""
    tell(tiny, (3.0, kind, "ondo", 1.0))
    result = carry(tiny)
    assert held(result) == [0.0] + [10.0] * 5
    perp = result.frames["fills"].filter(pl.col("instrument") == "xyz:NVDA")
    assert perp["size"].to_list() == [10.0], "the short stands too"
    (event,) = result.frames["events"].filter(pl.col("kind") == "locked").iter_rows(named=True)
    assert (event["time"], event["instrument"]) == (START + timedelta(hours=3), "NVDAon")
    assert f"incidents of shocks.parquet that were played: 1 {kind}" in result.warnings
    assert any("times that issuers locked tokens held" in said for said in result.warnings)
    assumed = {a.name: a.value for a in result.assumptions}
    assert assumed.get("after_revoke") == ("locked" if kind == "revoke" else None)


LATER = {"after_revoke": "sell", "pause_hours": 2.0, "pause_above_frac": 0.02}
PLEDGED = {
    "collateral": {"USTB": {"apr": 0.04, "share": 0.5}},
    "terms": {"collateral": "USDC, USTB"},
    "locked_margin": "counted",
}


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ((), set()),
        ((3.0, "revoke", "ondo", 1.0), {"after_revoke"}),
        ((-9.0, "revoke", "ondo", 1.0), {"after_revoke"}),  # it lasts
        ((90.0, "revoke", "ondo", 1.0), set()),  # after the run
        ((3.0, "revoke", "USDY", 1.0), set()),  # no token of the run
        ((3.0, "freeze", "ondo", 1.0), set()),  # what is frozen is not pledged
        ((3.0, "freeze", "USTB", 1.0), {"locked_margin"}),
        ((3.0, "pause", "USTB", 1.0), {"locked_margin"}),
        ((3.0, "revoke", "USTB", 1.0), {"after_revoke"}),
    ],
)
def test_what_waits_for_an_event_is_named_where_there_is_one(
    tiny: Path, told: tuple[float, str, str, float], named: set[str]
) -> None:
    tell(tiny, *([told] if told else [(4.0, "adl", "xyz:NVDA", 0.5)]))
    result = carry(tiny, **LATER, **PLEDGED)
    waiting = {"after_revoke", "locked_margin", "pause_hours", "pause_above_frac"}
    assert waiting & {a.name for a in result.assumptions} == named


def test_a_half_spread_that_widens_no_quote_is_warned_of(tiny: Path) -> None:
    said = "token_half_spread_frac widens quotes with bid = ask alone, and no token of the run has"
    (tiny / "shocks.parquet").unlink()
    for more in ({}, PLEDGED):  # what is formed is quoted at its NAV
        told = carry(tiny, token_half_spread_frac=0.001, **more).warnings
        assert [w for w in told if w.startswith(said)]
    assert not [w for w in carry(tiny).warnings if w.startswith(said)]
    path = tiny / "tokens.parquet"
    mid = pl.read_parquet(path).with_columns(ask_px=pl.col("bid_px"))
    mid.write_parquet(path)
    told = carry(tiny, token_half_spread_frac=0.001).warnings
    assert not [w for w in told if w.startswith(said)]


def test_limits_on_quotes_are_assumed_of_tokens(tiny: Path) -> None:
    limits = {"max_quote_spread_frac", "max_frozen_hours", "token_min_order_usd"}
    assert limits <= {a.name for a in run(tiny).assumptions}
    about = tiny / "dataset.toml"
    head, _ = about.read_text(encoding="utf-8").split("[tokens.", 1)
    about.write_text(head, encoding="utf-8")
    (tiny / "tokens.parquet").unlink()
    assert not limits & {a.name for a in run(tiny).assumptions}


def test_without_a_lock_both_legs_are_closed(tiny: Path) -> None:
    assert held(carry(tiny, shocks="ignore")) == [0.0, 10.0, 10.0, 10.0, 0.0, 0.0]


def test_a_revoked_holder_may_sell_where_the_setting_says_so(tiny: Path) -> None:
    tell(tiny, (3.0, "revoke", "ondo", 1.0))
    assert held(carry(tiny, after_revoke="sell"))[4:] == [0.0, 0.0]
    assert held(carry(tiny, after_revoke="redeem"))[4:] == [10.0, 10.0]


def test_a_forced_transfer_is_a_settlement(tiny: Path) -> None:
    """4 of 10 tokens are moved away at 08:00, at their fair price of the hour."""
    tell(tiny, (2.0, "forced_transfer", "NVDAon", 0.4))
    result = carry(tiny)
    assert held(result)[1:4] == pytest.approx([10.0, 6.0, 6.0])
    fill = result.frames["fills"].filter(pl.col("reason") == "shock").row(0, named=True)
    assert (fill["way"], fill["account"], fill["side"], fill["px"]) == (
        "issuer",
        "wallet",
        "sell",
        0.0,
    )
    lost = result.frames["equity"]["settlement_usd"].to_list()
    event = result.frames["events"].filter(pl.col("kind") == "forced_transfer").row(0, named=True)
    assert lost[2] == pytest.approx(-event["value_usd"])
    assert fill["size"] == pytest.approx(4.0)
