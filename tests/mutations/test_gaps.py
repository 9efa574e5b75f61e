"""What only a planted fault showed to be unheld by the rest of the suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from perpkit import backtest
from perpkit.arrays import TERM, Perps
from perpkit.book.liquidation import backstop_share
from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.layout import blank
from perpkit.tape import cut_before, form
from perpkit.tape.grid import hours_between
from perpkit.tape.instruments import choose
from perpkit.tape.settlements import lay_settlements
from perpkit.units import to_ns

START = datetime(2026, 8, 12, tzinfo=UTC)


def test_a_coin_that_changes_its_interval_settles_by_the_one_in_force() -> None:
    # Eight hours until 08:00Z and one from then on.
    hours = [0, 8, 9, 10, 12]
    frame = pl.DataFrame(
        {
            "time": [START + timedelta(hours=n, milliseconds=40) for n in hours],
            "coin": "BTC",
            "funding": [0.001 * n for n in hours],
            "premium": 0.0,
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    )
    time_ns = hours_between(to_ns(START), to_ns(START + timedelta(hours=12)))
    interval = np.where(np.arange(13) < 8, 8.0, 1.0)[:, None]
    rates, _ = lay_settlements(frame, "funding.parquet", ("BTC",), time_ns, interval)
    assert np.flatnonzero(~np.isnan(rates[:, 0])).tolist() == hours


def test_a_recorded_hour_without_a_mid_has_none(tiny_dataset: Path) -> None:
    (tiny_dataset / "actions.parquet").unlink()
    path = tiny_dataset / "perps.parquet"
    hour = pl.col("time").dt.hour()
    mid = pl.when(hour != 7).then(pl.col("mark_px") + 0.25).alias("mid_px")
    pl.read_parquet(path).with_columns(mid).filter(hour != 9).write_parquet(path)
    tape = form(read_dataset(tiny_dataset), RunConfig()).tape
    # 07:00Z is there and has no mid; 09:00Z is not there and is all of 08:00Z.
    assert np.isnan(tape.mid_px[:, 0]).tolist() == [False, False, True, False, False, False]
    assert tape.stale[:, 0].tolist() == [False, False, False, False, True, False]
    assert tape.mid_px[4, 0] == tape.mid_px[3, 0] == tape.mark_px[3, 0] + 0.25


def test_the_first_open_interest_chooses_the_perp_of_a_further_token(tiny_dataset: Path) -> None:
    toml = tiny_dataset / "dataset.toml"
    text = toml.read_text(encoding="utf-8")
    for name in ("AAPL", "USDY"):
        text = text.replace(f'underlying = "{name}"', 'underlying = "NVDA"')
    # Two perps and two tokens of one share are two pairs; the third token is in none.
    text += '\n[tokens.NVDAx]\nunderlying = "NVDA"\nkind = "equity"\nissuer = "backed"\n'
    toml.write_text(text, encoding="utf-8")
    path = tiny_dataset / "tokens.parquet"
    quotes = pl.read_parquet(path)
    third = quotes.filter(pl.col("token") == "USDY").with_columns(token=pl.lit("NVDAx"))
    pl.concat([quotes, third]).write_parquet(path)
    path = tiny_dataset / "perps.parquet"
    later = pl.col("time") > pl.col("time").min()
    interest = pl.when(pl.col("coin") == "xyz:NVDA").then(2e5).when(later).then(9e9).otherwise(1e5)
    pl.read_parquet(path).with_columns(open_interest=interest).write_parquet(path)
    names = choose(read_dataset(tiny_dataset), RunConfig(tokens=("NVDAx",)))
    assert names.tokens[-1] == "NVDAx"
    assert names.coins[names.token_perp[-1]] == "xyz:NVDA"


@pytest.mark.parametrize("delay", [0, 1])
def test_a_target_is_set_once_and_stands(tiny_dataset: Path, tmp_path: Path, delay: int) -> None:
    # Set at 06:00Z, when there is no price, nor at 07:00Z; filled at 08:00Z and still of 06:00Z.
    (tiny_dataset / "shocks.parquet").unlink()
    (tiny_dataset / "actions.parquet").unlink()
    path = tiny_dataset / "perps.parquet"
    recorded = pl.read_parquet(path)
    recorded.filter(~pl.col("time").dt.hour().is_in([6, 7])).write_parquet(path)
    file = tmp_path / "once.py"
    file.write_text(
        "def decide(t, past, book, p, mine, target):\n"
        "    if t == 1:\n"
        "        target.perps[0] = -1.0\n",
        encoding="utf-8",
    )
    config = {"fill_delay_hours": delay}
    fills = backtest(file, tiny_dataset, config=config, pure_python=True).frames["fills"]
    assert fills["decided_at"].dt.hour().to_list() == [6]
    assert fills["time"].dt.hour().to_list() == [8]


def test_the_equity_a_strategy_sees_holds_its_tokens(tiny_dataset: Path, tmp_path: Path) -> None:
    # 100 tokens at 180.18, fair at 180: of 100,000 USD 18 are gone and 18,000 are in tokens.
    (tiny_dataset / "actions.parquet").unlink()
    file = tmp_path / "look.py"
    file.write_text(
        "def decide(t, past, book, p, mine, target):\n"
        "    if t == 0:\n"
        "        target.tokens[0] = 100.0\n"
        "    seen = sum(account.equity_usd for account in book.accounts)\n"
        "    told = 100_000.0 if t == 0 else 99_982.0\n"
        "    if abs(seen - told) > 1e-6:\n"
        "        raise ValueError(f'{seen} and not {told}')\n",
        encoding="utf-8",
    )
    config = {"trade_frozen_quotes": True}
    result = backtest(file, tiny_dataset, config=config, pure_python=True)
    assert result.frames["fills"]["instrument"].to_list() == ["NVDAon"]
    assert result.frames["equity"]["equity_usd"].to_list()[1:] == pytest.approx([99_982.0] * 5)


def test_exposure_is_in_units_of_the_share(tiny_dataset: Path, tmp_path: Path) -> None:
    # 100 tokens of half a share each, against 20 shares short.
    (tiny_dataset / "shocks.parquet").unlink()
    (tiny_dataset / "actions.parquet").unlink()
    file = tmp_path / "half.py"
    file.write_text(
        "def decide(t, past, book, p, mine, target):\n"
        "    target.perps[0] = -20.0\n"
        "    target.tokens[0] = 100.0\n",
        encoding="utf-8",
    )
    config = {"trade_frozen_quotes": True, "multiplier": {"NVDAon": 0.5}}
    frames = backtest(file, tiny_dataset, config=config, pure_python=True).frames
    mark = frames["positions"].filter(pl.col("instrument") == "xyz:NVDA")["px"].to_list()
    assert frames["equity"]["net_delta_usd"].to_list()[1:] == pytest.approx([30 * p for p in mark])


@pytest.mark.parametrize("shares", [(0.5, 2 / 3), (2 / 3, 0.5), (0.5, np.nan, 2 / 3)])
def test_the_backstop_steps_in_at_the_largest_share(shares: tuple[float, ...]) -> None:
    terms = np.zeros(len(shares), TERM).view(np.recarray)
    terms["backstop_frac"] = shares
    perps = blank(Perps, M=len(shares))
    perps.position[:] = -1.0
    perps.account[:] = 1
    assert backstop_share(1, terms, perps) == 2 / 3
    assert np.isnan(backstop_share(2, terms, perps))


def test_a_run_that_starts_later_has_rows_and_sums_of_its_own(tiny_dataset: Path) -> None:
    # Dividends in rows 1 and 3; from row 2 on the second is left, in row 1.
    (tiny_dataset / "actions.parquet").unlink()
    whole = form(read_dataset(tiny_dataset), RunConfig())
    paid = {"action_instrument": np.ones(2, np.int64), "action_value": np.array([0.1, 0.2])}
    paid["action_kind"] = np.zeros(2, np.int64)
    tape = whole.tape._replace(action_row=np.array([1, 3]), **paid)
    cut = cut_before(replace(whole, tape=tape), int(tape.time_ns[2])).tape
    assert len(cut.time_ns) == 4
    assert cut.action_row.tolist() == [1]
    assert cut.action_value.tolist() == [0.2]
    assert cut.funding_total[:, 0] == pytest.approx([0.0000125 * n for n in (1, 2, 3, 4)])
