"""Arithmetic that recomputes a run from the raw files, with nothing of perpkit in it.

Data: polls of the xyz dex, Robinhood stock tokens and BSC pools, 2026-08-12 to 22 (GitHub
hykk0009/tokenized-stock-monitor, commit 1cd59d5), with settlements as the public info API gives
them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

NEW_YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
CAPITAL = 100_000.0
MARGIN = CAPITAL / 3  # starts on the venue, the rest in the wallet
PERP_COST = 0.0004  # half-spread and impact, both 2 bp
# trade.xyz, perp-mechanics/fees: taker 0.09%, a tenth of it in growth mode.
TAKER = 0.0009 * 0.1
LAST = datetime(2026, 8, 22, 19, tzinfo=UTC)  # the last settlement of the record
TOLERANCE = 1e-12  # of equity: 0.1 millionth of a dollar
CAUSES = (
    *("perp_price", "token_price", "funding", "yield", "dividend", "fees", "slippage"),
    *("interest", "transfer", "settlement", "liquidation", "bad_debt"),
)


class Raw:
    """The files on an hourly grid: NaN where nothing was recorded, and prices carried over it."""

    def __init__(
        self, folder: Path, first: datetime | None = None, pairs: dict[str, str] | None = None
    ) -> None:
        meta = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
        self.perps, self.tokens = meta["perps"], meta["tokens"]
        perps = pl.read_parquet(folder / "perps.parquet")
        tokens = pl.read_parquet(folder / "tokens.parquet")
        funding = pl.read_parquet(folder / "funding.parquet")
        hour = first or perps["time"].min()
        self.hours: list[datetime] = []
        while hour <= LAST:
            self.hours.append(hour)
            hour += HOUR
        self.row = {h: t for t, h in enumerate(self.hours)}
        self.coins, self.names = list(self.perps), [*self.perps, *self.tokens]
        self.column = {name: n for n, name in enumerate(self.names)}
        self.partner: dict[int, int] = {}  # column of a token to that of its perp
        for m, coin in enumerate(self.coins):
            share = self.perps[coin]["underlying"]
            token = (pairs or {}).get(coin, f"{share}.RH")
            if token in self.tokens:
                self.partner[self.column[token]] = m
        mark = self._grid(perps, "coin", "mark_px", self.coins)
        self.recorded = ~np.isnan(mark)
        self.mark = carried(mark)
        self.oracle = carried(self._grid(perps, "coin", "oracle_px", self.coins))
        self.rate = self._grid(funding, "coin", "funding", self.coins)
        self.bid = self._grid(tokens, "token", "bid_px", list(self.tokens))
        self.ask = self._grid(tokens, "token", "ask_px", list(self.tokens))
        self.live = np.zeros(self.bid.shape, dtype=bool)
        self.fair = np.full(self.bid.shape, np.nan)
        for k, name in enumerate(self.tokens):
            self._value_token(k, self.tokens[name])
        self.price = np.hstack([self.mark, self.fair])  # what a unit is worth
        self.tradable = np.hstack([self.recorded, self.live])

    def _grid(self, table: pl.DataFrame, key: str, value: str, names: list[str]) -> np.ndarray:
        made = np.full((len(self.hours), len(names)), np.nan)
        for time, name, x in table.select("time", key, value).iter_rows():
            if time in self.row:
                made[self.row[time], names.index(name)] = x
        return made

    def _value_token(self, k: int, meta: dict[str, Any]) -> None:
        """Mid while live; else the last live mid, moved with the oracle of the same share."""
        m = self.coins.index(f"xyz:{meta['underlying']}")
        quote, changed, last = None, None, None
        for t, hour in enumerate(self.hours):
            bid, ask = self.bid[t, k], self.ask[t, k]
            if not np.isnan(bid):
                if quote not in (None, (bid, ask)):
                    changed = t  # seen at t, so it happened in the hour before t
                quote = (bid, ask)
                always = meta["issuer"] != "robinhood"  # a pool has no hours
                moving = changed is not None and t - changed < 2
                narrow = ask - bid <= 0.005 * (ask + bid) / 2
                self.live[t, k] = narrow and moving and (always or quoted(hour))
            if self.live[t, k]:
                last = t
                self.fair[t, k] = (bid + ask) / 2
            elif last is not None:
                self.fair[t, k] = self.fair[last, k] * self.oracle[t, m] / self.oracle[last, m]


def carried(x: np.ndarray) -> np.ndarray:
    made = x.copy()
    for t in range(1, len(made)):
        made[t] = np.where(np.isnan(made[t]), made[t - 1], made[t])
    return made


def quoted(hour: datetime) -> bool:
    """Whether Robinhood quotes: Sunday 20:00 until before Friday 20:00 in New York."""
    local = hour.astimezone(NEW_YORK)
    weekday = local.weekday()
    return weekday < 4 or (weekday == 4 and local.hour < 20) or (weekday == 6 and local.hour >= 20)


def before(x: np.ndarray) -> np.ndarray:
    """The rows one hour later, zeros first."""
    return np.vstack([np.zeros((1, x.shape[1])), x[:-1]])


@dataclass(frozen=True)
class Case:
    """A run and the raw files it was run on."""

    raw: Raw
    result: Any
    frames: dict[str, pl.DataFrame]
    together: bool = True
    token_half_spread: float = 0.0
    token_fee: float = 0.0

    def trades(self) -> Iterator[dict[str, Any]]:
        """Fills with their row, column and signed units."""
        for fill in self.frames["fills"].iter_rows(named=True):
            fill["t"] = self.raw.row[fill["time"]]
            fill["n"] = self.raw.column[fill["instrument"]]
            fill["units"] = fill["size"] if fill["side"] == "buy" else -fill["size"]
            yield fill

    def of_fills(self, value: Callable[[dict[str, Any]], float]) -> np.ndarray:
        """(T, N) sums of a value of each fill, at its row and instrument."""
        made = np.zeros((len(self.raw.hours), len(self.raw.names)))
        for fill in self.trades():
            made[fill["t"], fill["n"]] += value(fill)
        return made

    def held(self) -> np.ndarray:
        """(T, N) units at the end of each row: cumulated fills."""
        units = np.cumsum(self.of_fills(lambda f: f["units"]), axis=0)
        return np.where(abs(units) < 1e-9, 0.0, units)

    def fee(self, fill: dict[str, Any]) -> float:
        rate = TAKER if fill["n"] < len(self.raw.coins) else self.token_fee
        return fill["size"] * fill["px"] * rate

    def causes(self) -> dict[str, np.ndarray]:
        """(T, N) dollars of every cause that this data can have."""
        raw, perps = self.raw, len(self.raw.coins)
        price, held = raw.price, before(self.held())
        moved = np.where(held == 0, 0.0, held * (price - before(price)))
        made = {name: np.zeros_like(price) for name in CAUSES}
        made["perp_price"][:, :perps] = moved[:, :perps]
        made["token_price"][:, perps:] = moved[:, perps:]
        made["funding"][:, :perps] = -held[:, :perps] * raw.oracle * raw.rate
        made["slippage"] = self.of_fills(lambda f: -f["units"] * (f["px"] - price[f["t"], f["n"]]))
        made["fees"] = -self.of_fills(self.fee)
        return made

    def column(self, frame: str, name: str) -> np.ndarray:
        return self.frames[frame][name].to_numpy()


def close(a: Any, b: Any, scale: Any = CAPITAL, fraction: float = TOLERANCE) -> None:
    error = np.max(np.abs(np.asarray(a) - np.asarray(b)) / scale, initial=0.0)
    assert error <= fraction, f"off by {error:.3g} of the scale"


def check_payments(case: Case) -> None:
    """Every settlement with a position before it, no more and no fewer, at the published rate."""
    raw, held = case.raw, before(case.held())
    frame = case.frames["funding"]
    rows = np.array([raw.row[h] for h in frame["time"]], dtype=int)
    coins = np.array([raw.column[c] for c in frame["coin"]], dtype=int)
    perps = held[:, : len(raw.coins)]
    assert not np.isnan(raw.rate).any()  # the record of settlements has no gap
    expected = {(int(t), int(m)) for t, m in np.argwhere(perps != 0)}
    got = list(zip(rows.tolist(), coins.tolist(), strict=True))
    assert len(got) == len(set(got))
    assert set(got) == expected
    assert set(frame["account"]) == {"xyz"}
    payment = -perps[rows, coins] * raw.oracle[rows, coins] * raw.rate[rows, coins]
    paid = frame["payment_usd"].to_numpy()
    assert (abs(paid - payment) <= 1e-12 * abs(payment)).all()
    close(frame["position"].to_numpy(), perps[rows, coins], 1.0)
    assert (frame["oracle_px"].to_numpy() == raw.oracle[rows, coins]).all()
    assert (frame["funding"].to_numpy() == raw.rate[rows, coins]).all()


def check_causes(case: Case) -> None:
    """Every cause, by hour and by instrument, and their sum."""
    raw, made = case.raw, case.causes()
    equity = case.column("equity", "equity_usd")
    got = {name: np.zeros_like(raw.price) for name in CAUSES}
    rows = case.frames["attribution"].iter_rows(named=True)
    for row in rows:
        assert row["usd"] != 0.0
        assert row["account"] == ("xyz" if row["instrument"] in raw.perps else "wallet")
        got[row["cause"]][raw.row[row["time"]], raw.column[row["instrument"]]] += row["usd"]
    for name in CAUSES:
        close(got[name], made[name], equity[:, None])
        close(case.column("equity", f"{name}_usd"), made[name].sum(axis=1), equity)
    change = np.diff(equity, prepend=CAPITAL)
    close(sum(case.column("equity", f"{name}_usd") for name in CAUSES), change, equity)


def check_equity(case: Case) -> None:
    """Capital, the cash flows of fills, funding and fees, and holdings at their value."""
    raw = case.raw
    paid = case.of_fills(lambda f: -f["units"] * f["px"] - case.fee(f)) + case.causes()["funding"]
    worth = np.where(case.held() == 0, 0.0, case.held() * raw.price)
    total = CAPITAL + np.cumsum(paid.sum(axis=1)) + worth.sum(axis=1)
    close(case.column("equity", "equity_usd"), total, total)
    assert case.frames["equity"]["time"].to_list() == raw.hours


def check_positions(case: Case) -> None:
    """Cumulated fills at the price that values them."""
    raw, held = case.raw, case.held()
    got, px = np.zeros_like(held), np.where(held == 0, np.nan, raw.price)
    for row in case.frames["positions"].iter_rows(named=True):
        t, n = raw.row[row["time"]], raw.column[row["instrument"]]
        assert got[t, n] == 0.0 != row["position"]
        got[t, n] = row["position"]
        close(row["px"], px[t, n], row["px"])
        close(row["value_usd"], row["position"] * row["px"])
    close(got, held, 1.0)


def check_fills(case: Case) -> None:
    """Later than decided, on the first row that can trade, at the recorded price and its cost."""
    raw, perps = case.raw, len(case.raw.coins)
    free = raw.tradable.copy()
    if case.together:  # a perp waits for its token
        for n, m in raw.partner.items():
            free[:, m] &= raw.tradable[:, n]
    for fill in case.trades():
        t, n, way = fill["t"], fill["n"], np.sign(fill["units"])
        assert fill["decided_at"] in raw.row
        first = raw.row[fill["decided_at"]] + 1
        assert fill["time"] - fill["decided_at"] >= HOUR
        assert raw.tradable[t, n]
        assert not free[first:t, n].any()
        if n < perps:
            px = raw.mark[t, n] * (1 + way * PERP_COST)
            lots = fill["size"] * 10 ** raw.perps[fill["instrument"]]["sz_decimals"]
            assert abs(lots - round(lots)) < 1e-6
        else:
            quote = (raw.ask if way > 0 else raw.bid)[t, n - perps]
            a_mid = raw.bid[t, n - perps] == raw.ask[t, n - perps]  # no spread was recorded
            px = quote * (1 + way * case.token_half_spread * a_mid)
            assert quoted(fill["time"]) or fill["instrument"] in ("NVDAB", "AAPLB")
        close(fill["px"], px, px)
        close(fill["fee_usd"], case.fee(fill), 1.0)
        assert fill["account"] == ("xyz" if n < perps else "wallet")


def check_accounts(case: Case) -> None:
    """Cash, margin and exposure from raw marks and cumulated fills."""
    raw, perps, held = case.raw, len(case.raw.coins), case.held()
    share = np.array([raw.perps[c]["max_leverage"] for c in raw.coins])
    pos, units = held[:, :perps], held[:, perps:]
    flow = case.of_fills(lambda f: -f["units"] * f["px"] - case.fee(f)) + case.causes()["funding"]
    wallet = CAPITAL - MARGIN + np.cumsum(flow[:, perps:].sum(axis=1))
    value = MARGIN + np.cumsum(flow[:, :perps].sum(axis=1)) + (pos * raw.mark).sum(axis=1)
    open_usd = (pos * (raw.mark - entries(case))).sum(axis=1)
    maintenance = (abs(pos) * raw.mark / (2 * share)).sum(axis=1)
    by = {a: case.frames["accounts"].filter(pl.col("account") == a) for a in ("xyz", "wallet")}
    assert len(case.frames["accounts"]) == 2 * len(raw.hours)
    for name, made in {
        "cash_usd": value - open_usd,
        "margin_value_usd": value,
        "initial_usd": 2 * maintenance,
        "maintenance_usd": maintenance,
    }.items():
        close(by["xyz"][name].to_numpy(), made)
    close(by["xyz"]["margin_ratio"].to_numpy(), maintenance / value, 1.0)
    close(by["wallet"]["cash_usd"].to_numpy(), wallet)
    close(case.column("equity", "cash_usd"), value - open_usd + wallet)
    close(case.column("equity", "margin_ratio"), maintenance / value, 1.0)
    fair = np.where(units == 0, 0.0, raw.fair)
    gross = (abs(pos) * raw.mark).sum(axis=1) + (units * fair).sum(axis=1)
    close(case.column("equity", "gross_usd"), gross)
    net = pos.copy()  # shares held in tokens (all multipliers are 1) less shares short
    for n, m in raw.partner.items():
        net[:, m] += held[:, n]
    close(case.column("equity", "net_delta_usd"), (net * raw.mark).sum(axis=1))


def entries(case: Case) -> np.ndarray:
    """(T, M) average price of what is open: adding averages, cutting keeps, flipping restarts."""
    made = np.zeros_like(case.raw.mark)
    fills = {(f["t"], f["n"]): f for f in case.trades()}
    held = case.held()
    for (t, n), fill in fills.items():
        if n >= made.shape[1]:
            continue
        was, now, px = held[t - 1, n], held[t, n], fill["px"]
        if was * now <= 0:
            entry = px
        elif abs(now) > abs(was):
            entry = (was * made[t, n] + (now - was) * px) / now
        else:
            entry = made[t, n]
        made[t:, n] = entry
    return made


CHECKS = (
    *(check_payments, check_causes, check_equity),
    *(check_positions, check_fills, check_accounts),
)
