"""What accounts settle in, and where the price of a currency is from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from perpkit import backtest
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, RequestError
from perpkit.tape import Market, cut_before, form

ONE = [1.0] * 6


@pytest.fixture(autouse=True)
def without_events(tiny_dataset: Path) -> None:
    (tiny_dataset / "actions.parquet").unlink()
    (tiny_dataset / "shocks.parquet").unlink()


def formed(folder: Path, **settings: Any) -> Market:
    return form(read_dataset(folder), check_config(settings), pure_python=True)


def shocked(folder: Path, *rows: tuple[float, str, float | None]) -> None:
    """Depegs at so many hours after the first row."""
    path = folder / "shocks.parquet"
    first = pl.read_parquet(folder / "perps.parquet")["time"].min()
    frame = pl.DataFrame(
        {
            "time": [first + timedelta(hours=hours) for hours, _, _ in rows],
            "kind": "depeg",
            "instrument": [currency for _, currency, _ in rows],
            "value": [px for _, _, px in rows],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC"), "value": pl.Float64},
    )
    frame.write_parquet(path)


def quoted(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Add a stable token USDC whose quotes are those of USDY, changed."""
    toml = folder / "dataset.toml"
    about = '\n[tokens.USDC]\nunderlying = "USDC"\nkind = "stable"\nissuer = "ondo"\n'
    toml.write_text(toml.read_text(encoding="utf-8") + about, encoding="utf-8")
    path = folder / "tokens.parquet"
    quotes = pl.read_parquet(path)
    own = change(quotes.filter(pl.col("token") == "USDY").with_columns(token=pl.lit("USDC")))
    pl.concat([quotes, own]).write_parquet(path)


def at(mids: list[float | None]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        mid = pl.Series(mids, dtype=pl.Float64)
        return frame.with_columns(bid_px=mid - 0.001, ask_px=mid + 0.001)

    return change


def test_nothing_told_is_no_price_at_all(tiny_dataset: Path) -> None:
    market = formed(tiny_dataset)
    assert market.tape.cash_px.shape == (6, 0)
    # Margin of xyz is USDC (rulebook), and the wallet follows the first margin account.
    assert market.currencies == (("USDC", "USDC"), ())


def test_a_depeg_holds_from_its_hour_on(tiny_dataset: Path) -> None:
    shocked(tiny_dataset, (1.5, "USDC", 0.9), (4.0, "USDC", 1.0))
    market = formed(tiny_dataset)
    # Half past belongs to the row that ends the hour.
    assert market.tape.cash_px.tolist() == [[x, x] for x in (1.0, 1.0, 0.9, 0.9, 1.0, 1.0)]
    assert market.currencies == (("USDC", "USDC"), ("USDC",))
    cut = cut_before(market, int(market.tape.time_ns[2]))
    assert cut.tape.cash_px[:, 0].tolist() == [0.9, 0.9, 1.0, 1.0]


def test_a_depeg_of_another_currency_prices_nothing(tiny_dataset: Path) -> None:
    shocked(tiny_dataset, (1.0, "USDC", 0.9))
    market = formed(tiny_dataset, terms={"collateral": "USDT"})
    assert market.tape.cash_px.shape == (6, 0)
    assert market.currencies == (("USDT", "USDT"), ())


def test_the_wallet_may_settle_in_another_currency(tiny_dataset: Path) -> None:
    shocked(tiny_dataset, (1.0, "USDC", 0.9))
    market = formed(tiny_dataset, wallet_currency="USDT")
    assert market.currencies.names == ("USDT", "USDC")
    assert market.tape.cash_px[:, 0].tolist() == ONE
    assert market.tape.cash_px[:, 1].tolist() == [1.0] + [0.9] * 5
    with pytest.raises(RequestError, match="wallet_currency"):
        check_config({"wallet_currency": ""})


@pytest.mark.parametrize(
    ("collateral", "currency"), [("USDT, BTC", "USDT"), ("USDe", "USDe"), ("unknown", "USD")]
)
def test_the_first_collateral_is_what_an_account_settles_in(
    tiny_dataset: Path, collateral: str, currency: str
) -> None:
    market = formed(tiny_dataset, terms={"collateral": collateral})
    assert market.currencies.names == (currency, currency)


def test_a_stable_token_prices_the_currency_of_its_name(tiny_dataset: Path) -> None:
    quoted(tiny_dataset, at([1.0, 0.99, None, 0.97, 0.98, 1.0]))
    market = formed(tiny_dataset)
    assert market.tape.cash_px[:, 1] == pytest.approx([1.0, 0.99, 0.99, 0.97, 0.98, 1.0])
    assert "USDC" not in market.names.tokens
    # A shock has the last word from its hour on.
    shocked(tiny_dataset, (3.0, "USDC", 0.5))
    market = formed(tiny_dataset)
    assert market.tape.cash_px[:, 1] == pytest.approx([1.0, 0.99, 0.99, 0.5, 0.5, 0.5])
    # No account settles in it: no price.
    assert formed(tiny_dataset, terms={"collateral": "USDT"}).tape.cash_px.shape == (6, 0)


def test_a_peg_that_stands_still_is_a_price(tiny_dataset: Path) -> None:
    quoted(tiny_dataset, at([0.998] * 6))
    assert formed(tiny_dataset).tape.cash_px == pytest.approx(np.full((6, 2), 0.998))


def test_a_currency_without_a_first_quote_is_refused(tiny_dataset: Path) -> None:
    quoted(tiny_dataset, at([None, 1.0, 1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match="USDC, which an account settles in, has no quote at"):
        formed(tiny_dataset)


def test_a_gap_in_the_quotes_of_a_currency_is_refused(tiny_dataset: Path) -> None:
    quoted(tiny_dataset, at([1.0, None, None, 1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match="quote of USDC is missing for 2 hours"):
        formed(tiny_dataset, max_stale_hours=1)


def test_an_isolated_position_settles_in_what_its_venue_does(tiny_dataset: Path) -> None:
    shocked(tiny_dataset, (1.0, "USDC", 0.9))
    market = formed(tiny_dataset, margin_mode="isolated", wallet_currency="USDT")
    assert len(market.names.accounts) == 4
    assert market.currencies.names == ("USDT", "USDC", "USDC", "USDC")
    assert market.tape.cash_px[-1].tolist() == [1.0, 0.9, 0.9, 0.9]


def test_a_run_says_what_its_accounts_settle_in(tiny_dataset: Path) -> None:
    run = {"data": tiny_dataset, "params": {"lookback_hours": 1}, "pure_python": True}
    quiet = backtest("funding_carry", **run)
    assert "settle currencies" not in {a.name for a in quiet.assumptions}
    shocked(tiny_dataset, (3.0, "USDC", 0.9))
    result = backtest("funding_carry", **run, config={"wallet_currency": "USDT"})
    (said,) = [a for a in result.assumptions if a.name == "settle currencies"]
    assert said.value == "wallet USDT, xyz USDC"
    assert said.why == "price told of USDC; USDT taken at one USD"
    # A third of 100,000 is on the venue.
    lost = result.frames["equity"]["token_price_usd"].sum()
    assert lost == pytest.approx(-100_000 / 3 * 0.1, rel=0.01)


def test_a_currency_that_nobody_knows_is_refused():
    with pytest.raises(RequestError, match="wallet_currency was 'DOGE'"):
        backtest("funding_carry", config={"wallet_currency": "DOGE"}, pure_python=True)
