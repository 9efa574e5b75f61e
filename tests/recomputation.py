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
from typing import Any, NamedTuple
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
# `onlyIsolated` in the dex's metadata of August 2026: each has an account of its own.
ISOLATED = ("xyz:AVGO", "xyz:HOOD", "xyz:INTC")
PLACES = ("wallet", "xyz", *(f"xyz/{coin}" for coin in ISOLATED))
LAST = datetime(2026, 8, 22, 19, tzinfo=UTC)  # the last settlement of the record
STILL = 24  # hours that a token stands still after the first print of a split
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
        self.perps = meta["perps"]
        self.tokens = {n: told for n, told in meta["tokens"].items() if told["kind"] != "stable"}
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
        self.high = self._grid(perps, "coin", "mark_high_px", self.coins)
        self.low = self._grid(perps, "coin", "mark_low_px", self.coins)
        self.rate = self._grid(funding, "coin", "funding", self.coins)
        self.bid = self._grid(tokens, "token", "bid_px", list(self.tokens))
        self.ask = self._grid(tokens, "token", "ask_px", list(self.tokens))
        self.liquidity = self._grid(tokens, "token", "liquidity_usd", list(self.tokens))
        self.live = np.zeros(self.bid.shape, dtype=bool)
        self.frozen, self.revoked = (self._in_state(folder, x) for x in ("freeze", "revoke"))
        self.fair = np.full(self.bid.shape, np.nan)
        self.splits = dict(self._splits(folder)) if (folder / "actions.parquet").exists() else {}
        # Shares in a token (all start with one): a split's, from the perp's first print on.
        self.shares = np.ones(self.fair.shape)
        for k, name in enumerate(self.tokens):
            self._value_token(k, self.tokens[name])
        self.price = np.hstack([self.mark, self.fair])  # what a unit is worth
        self.tradable = np.hstack([self.recorded, self.live & ~self.revoked])
        self.cash = np.ones((len(self.hours), 2))  # USD a unit: of the wallet, of the venue
        if "USDC" in meta["tokens"]:
            self._price_currency(folder, tokens)
        # What a dollar of an instrument is in USD: perps are in what the venue settles in.
        venue = np.repeat(self.cash[:, 1:], len(self.coins), axis=1)
        self.unit = np.hstack([venue, np.ones_like(self.fair)])

    def _splits(self, folder: Path) -> Iterator[tuple[str, tuple[int, int, float]]]:
        """Of a share the rows in which its split is active and first printed, and its ratio."""
        table = pl.read_parquet(folder / "actions.parquet")
        for time, share, ratio in table.select("time", "underlying", "amount").iter_rows():
            active, mark = self.row[time], self.mark[:, self.coins.index(f"xyz:{share}")]
            steps = np.abs(np.log(mark[active:] / mark[active - 1 : -1] * ratio))
            yield share, (active, active + int(np.argmin(steps)), ratio)

    def _price_currency(self, folder: Path, tokens: pl.DataFrame) -> None:
        """USDC at its mid, from the depeg on at what the incident says; the wallet in USDT."""
        bid, ask = (self._grid(tokens, "token", side, ["USDC"]) for side in ("bid_px", "ask_px"))
        self.cash[:, 1:] = carried((bid + ask) / 2)
        for time, px in pl.read_parquet(folder / "shocks.parquet")["time", "value"].iter_rows():
            self.cash[[hour >= time for hour in self.hours], 1] = px

    def _in_state(self, folder: Path, kind: str) -> np.ndarray:
        """(T, K) hours in which an incident of a kind holds, from the hour at or after its row."""
        made = np.zeros(self.bid.shape, dtype=bool)
        if (folder / "shocks.parquet").is_file():
            shocks = pl.read_parquet(folder / "shocks.parquet").filter(pl.col("kind") == kind)
            for time, name, value in shocks["time", "instrument", "value"].sort("time").iter_rows():
                made[[hour >= time for hour in self.hours], list(self.tokens).index(name)] = value
        return made

    def _grid(self, table: pl.DataFrame, key: str, value: str, names: list[str]) -> np.ndarray:
        made = np.full((len(self.hours), len(names)), np.nan)
        for time, name, x in table.select("time", key, value).iter_rows():
            if time in self.row and name in names:
                made[self.row[time], names.index(name)] = x
        return made

    def _value_token(self, k: int, meta: dict[str, Any]) -> None:
        """Mid while live; else the last live mid, moved with the oracle of the same share."""
        m = self.coins.index(f"xyz:{meta['underlying']}")
        # Without a split all of it lies after the last row.
        end = len(self.hours) + STILL
        active, printed, ratio = self.splits.get(meta["underlying"], (end, end, 1.0))
        self.shares[printed:, k] = ratio
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
                open_now = (always or quoted(hour)) and not self.frozen[t, k]
                self.live[t, k] = narrow and moving and open_now
                self.live[t, k] &= not active <= t < printed + STILL
            if self.live[t, k]:
                last = t
                self.fair[t, k] = (bid + ask) / 2
            elif last is not None:
                self.fair[t, k] = self.fair[last, k] * self.oracle[t, m] / self.oracle[last, m]
                self.fair[t, k] *= self.shares[t, k] / self.shares[last, k]


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


def place(name: str) -> str:
    """The account that an instrument lies in."""
    if not name.startswith("xyz:"):
        return "wallet"
    return f"xyz/{name}" if name in ISOLATED else "xyz"


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
    pools: tuple[str, ...] = ()  # tokens that are traded against their pool

    def tradable(self) -> np.ndarray:
        """(T, N) hours with a price to trade at; a pool has one in every hour that was polled."""
        made = self.raw.tradable.copy()
        for name in self.pools:
            made[:, self.raw.column[name]] = ~np.isnan(
                self.raw.liquidity[:, self.raw.column[name] - len(self.raw.coins)]
            )
        return made

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
        """In what the account settles in; of a token in USD."""
        if fill["reason"] == "action":  # the venue settles, nobody trades
            return 0.0
        rate = TAKER if fill["n"] < len(self.raw.coins) else self.token_fee
        return fill["size"] * fill["px"] * rate

    def causes(self) -> dict[str, np.ndarray]:
        """(T, N + 2) dollars of every cause that this data can have; last wallet and venue."""
        raw, perps, names = self.raw, len(self.raw.coins), len(self.raw.names)
        price, held, unit = raw.price, before(self.held()), raw.unit
        moved = np.where(held == 0, 0.0, held * (price - before(price))) * unit
        made = {name: np.zeros((len(price), names + 2)) for name in CAUSES}
        made["perp_price"][:, :perps] = moved[:, :perps]
        made["token_price"][:, perps:names] = moved[:, perps:]
        made["token_price"][1:, names:] = self.funds()[:-1] * np.diff(raw.cash, axis=0)
        made["funding"][:, :perps] = self.funding() * unit[:, :perps]
        gives_back = self.of_fills(
            lambda f: (f["reason"] == "action") * -f["units"] * (f["px"] - price[f["t"], f["n"]])
        )
        made["perp_price"][:, :perps] += (gives_back * unit)[:, :perps]
        reasons = {"slippage": "target", "liquidation": "liquidation", "settlement": "shock"}
        for cause, reason in reasons.items():
            lost = self.of_fills(
                lambda f, reason=reason: (
                    (f["reason"] == reason) * -f["units"] * (f["px"] - price[f["t"], f["n"]])
                )
            )
            made[cause][:, :names] = lost * unit
        made["bad_debt"][:, -1] = self.bad_debt() * raw.cash[:, 1]
        made["fees"][:, :names] = -self.of_fills(self.fee) * unit
        return made

    def settled_on(self) -> np.ndarray:
        """(T, M) held from the row before, less what a venue settles as the row begins."""
        held = before(self.held()) + self.of_fills(lambda f: (f["reason"] == "action") * f["units"])
        return np.where(abs(held) < 1e-9, 0.0, held)[:, : len(self.raw.coins)]

    def funding(self) -> np.ndarray:
        """(T, M) in what the venue settles in."""
        raw, held = self.raw, self.settled_on()
        return -held * raw.oracle * raw.rate

    def funds(self) -> np.ndarray:
        """(T, 2) cash of the wallet, cash and open profit of the venue; in their currencies."""
        raw, perps = self.raw, len(self.raw.coins)
        flow = self.of_fills(lambda f: -f["units"] * f["px"] - self.fee(f))
        flow[:, :perps] += self.funding()
        wallet = (CAPITAL - MARGIN) / raw.cash[0, 0]
        wallet += np.cumsum(flow[:, perps:].sum(axis=1) / raw.cash[:, 0])
        paid = flow[:, :perps].sum(axis=1) + self.bad_debt()
        venue = MARGIN / raw.cash[0, 1] + np.cumsum(paid)
        return np.column_stack([wallet, venue + (self.held()[:, :perps] * raw.mark).sum(axis=1)])

    def bad_debt(self) -> np.ndarray:
        """(T,) what isolated positions ended below zero by, in what the venue settles in."""
        return np.sum([walk.debt for walk in isolated(self).values()], axis=0)

    def column(self, frame: str, name: str) -> np.ndarray:
        return self.frames[frame][name].to_numpy()


def close(a: Any, b: Any, scale: Any = CAPITAL, fraction: float = TOLERANCE) -> None:
    error = np.max(np.abs(np.asarray(a) - np.asarray(b)) / scale, initial=0.0)
    assert error <= fraction, f"off by {error:.3g} of the scale"


def check_payments(case: Case) -> None:
    """Every settlement with a position before it, no more and no fewer, at the published rate."""
    raw, perps = case.raw, case.settled_on()
    frame = case.frames["funding"]
    rows = np.array([raw.row[h] for h in frame["time"]], dtype=int)
    coins = np.array([raw.column[c] for c in frame["coin"]], dtype=int)
    assert not np.isnan(raw.rate).any()  # the record of settlements has no gap
    expected = {(int(t), int(m)) for t, m in np.argwhere(perps != 0)}
    got = list(zip(rows.tolist(), coins.tolist(), strict=True))
    assert len(got) == len(set(got))
    assert set(got) == expected
    assert frame["account"].to_list() == [place(coin) for coin in frame["coin"]]
    payment = -perps[rows, coins] * raw.oracle[rows, coins] * raw.rate[rows, coins]
    payment *= raw.unit[rows, coins]
    paid = frame["payment_usd"].to_numpy()
    assert (abs(paid - payment) <= 1e-12 * abs(payment)).all()
    close(frame["position"].to_numpy(), perps[rows, coins], 1.0)
    assert (frame["oracle_px"].to_numpy() == raw.oracle[rows, coins]).all()
    assert (frame["funding"].to_numpy() == raw.rate[rows, coins]).all()


def check_causes(case: Case) -> None:
    """Every cause, by hour and by instrument, and their sum."""
    raw, made = case.raw, case.causes()
    equity = case.column("equity", "equity_usd")
    got = {name: np.zeros_like(x) for name, x in made.items()}
    accounts = {"wallet": len(raw.names), "xyz": len(raw.names) + 1}
    rows = case.frames["attribution"].iter_rows(named=True)
    for row in rows:
        assert row["usd"] != 0.0
        venue = row["account"].partition("/")[0]
        n = raw.column.get(row["instrument"], accounts[venue])
        if row["instrument"]:
            assert row["account"] == place(row["instrument"])
        got[row["cause"]][raw.row[row["time"]], n] += row["usd"]
    for name in CAUSES:
        close(got[name], made[name], equity[:, None])
        close(case.column("equity", f"{name}_usd"), made[name].sum(axis=1), equity)
    change = np.diff(equity, prepend=CAPITAL)
    close(sum(case.column("equity", f"{name}_usd") for name in CAUSES), change, equity)


def check_equity(case: Case) -> None:
    """Capital, the cash flows of fills, funding and fees, and holdings at their value."""
    raw, units = case.raw, case.held()[:, len(case.raw.coins) :]
    worth = np.where(units == 0, 0.0, units * raw.fair)
    total = (case.funds() * raw.cash).sum(axis=1) + worth.sum(axis=1)
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
        close(row["value_usd"], row["position"] * row["px"] * raw.unit[t, n])
    close(got, held, 1.0)


def check_fills(case: Case) -> None:
    """Later than decided, on the first row that can trade, at the recorded price and its cost."""
    raw, perps = case.raw, len(case.raw.coins)
    tradable = case.tradable()
    free = tradable.copy()
    if case.together:  # a perp waits for its token
        for n, m in raw.partner.items():
            free[:, m] &= tradable[:, n]
    for fill in case.trades():
        t, n, way = fill["t"], fill["n"], np.sign(fill["units"])
        assert fill["account"] == place(fill["instrument"])
        close(fill["fee_usd"], case.fee(fill) * raw.unit[t, n], 1.0)
        if fill["reason"] == "shock":  # moved away by the issuer
            assert (fill["px"], fill["side"], fill["way"]) == (0.0, "sell", "issuer")
            assert fill["decided_at"] == fill["time"]
            continue
        if fill["reason"] == "liquidation":
            px = worst(raw, t, n, -way) * (1 + way * PERP_COST)
            close(fill["px"], px, px)
            assert fill["decided_at"] == fill["time"]
            continue
        if fill["reason"] == "action":  # of a split, at the last mark in old units
            assert t == raw.splits[raw.perps[fill["instrument"]]["underlying"]][1]
            assert fill["decided_at"] == fill["time"]
            assert fill["px"] == raw.mark[t - 1, n]
            continue
        assert fill["decided_at"] in raw.row
        first = raw.row[fill["decided_at"]] + 1
        assert fill["time"] - fill["decided_at"] >= HOUR
        assert tradable[t, n]
        assert not free[first:t, n].any()
        if n < perps:
            px = raw.mark[t, n] * (1 + way * PERP_COST)
            lots = fill["size"] * 10 ** raw.perps[fill["instrument"]]["sz_decimals"]
            assert abs(lots - round(lots)) < 1e-6
        else:
            quote = (raw.ask if way > 0 else raw.bid)[t, n - perps]
            a_mid = raw.bid[t, n - perps] == raw.ask[t, n - perps]  # no spread was recorded
            px = quote * (1 + way * case.token_half_spread * a_mid)
            if fill["instrument"] in case.pools:
                px = from_pool(quote, raw.liquidity[t, n - perps], fill["units"])
            assert quoted(fill["time"]) or fill["instrument"] in ("NVDAB", "AAPLB")
        close(fill["px"], px, px)


def from_pool(mid: float, liquidity: float, units: float) -> float:
    """Average price of units that a pool gives, or takes, with both its sides' product kept."""
    coins, dollars = liquidity / 2 / mid, liquidity / 2
    return (coins * dollars / (coins - units) - dollars) / units


def check_accounts(case: Case) -> None:
    """Cash, margin and exposure from raw marks and cumulated fills, account by account."""
    raw, perps, held = case.raw, len(case.raw.coins), case.held()
    share = np.array([raw.perps[c]["max_leverage"] for c in raw.coins])
    pos, units, unit = held[:, :perps], held[:, perps:], raw.cash[:, 1]
    wallet, venue = case.funds().T
    open_usd, apart = pos * (raw.mark - entries(case)), isolated(case)
    maintenance = abs(pos) * raw.mark / (2 * share)
    own = {name: [m for m, c in enumerate(raw.coins) if place(c) == name] for name in PLACES}
    assert case.frames["accounts"]["account"].unique(maintain_order=True).to_list() == list(PLACES)
    cash = {place(raw.coins[m]): walk.cash for m, walk in apart.items()}
    cash["xyz"] = venue - open_usd.sum(axis=1) - sum(cash.values())
    ratios = []
    for name in PLACES[1:]:
        got = case.frames["accounts"].filter(pl.col("account") == name)
        value = cash[name] + open_usd[:, own[name]].sum(axis=1)
        need = maintenance[:, own[name]].sum(axis=1)
        for column, made in {
            "cash_usd": cash[name],
            "margin_value_usd": value,
            "initial_usd": 2 * need,
            "maintenance_usd": need,
        }.items():
            close(got[column].to_numpy(), made * unit)
        ratios.append(need / np.where(need == 0, 1.0, value))
        close(got["margin_ratio"].to_numpy(), ratios[-1], 1.0)
    got = case.frames["accounts"].filter(pl.col("account") == "wallet")
    close(got["cash_usd"].to_numpy(), wallet * raw.cash[:, 0])
    in_all = sum(cash.values()) * unit + wallet * raw.cash[:, 0]
    close(case.column("equity", "cash_usd"), in_all)
    close(case.column("equity", "margin_ratio"), np.max(ratios, axis=0), 1.0)
    fair = np.where(units == 0, 0.0, raw.fair)
    gross = (abs(pos) * raw.mark).sum(axis=1) * unit + (units * fair).sum(axis=1)
    close(case.column("equity", "gross_usd"), gross)
    net = pos.copy()  # shares held in tokens less shares short
    for n, m in raw.partner.items():
        net[:, m] += held[:, n] * raw.shares[:, n - perps]
    close(case.column("equity", "net_delta_usd"), (net * raw.mark).sum(axis=1) * unit)


def check_liquidations(case: Case) -> None:
    """An isolated position is closed in the hour whose extreme leaves less than maintenance."""
    forced = {(f["t"], f["n"]) for f in case.trades() if f["reason"] == "liquidation"}
    short = {(t, m) for m, walk in isolated(case).items() for t in np.flatnonzero(walk.slack < 0)}
    assert forced == short
    told = case.frames["events"]
    assert (told["kind"] == "liquidation").sum() == len(forced)
    debts = sum(int((walk.debt > 0).sum()) for walk in isolated(case).values())
    assert (told["kind"] == "bad_debt").sum() == debts


class Walk(NamedTuple):
    """An isolated position, hour by hour, (T,) each, in what the venue settles in."""

    cash: np.ndarray  # what it got, earned and has not given back
    slack: np.ndarray  # value less maintenance at the hour's extreme; inf without a position
    debt: np.ndarray  # what it ended below zero by


def worst(raw: Raw, t: int, m: int, side: float) -> float:
    """The hour's extreme against a position: of its marks and the recorded high or low."""
    marks = raw.mark[max(t - 1, 0) : t + 1, m]
    if side < 0:
        return float(np.fmax(marks.max(), raw.high[t, m]))
    return float(np.fmin(marks.min(), raw.low[t, m]))


def isolated(case: Case) -> dict[int, Walk]:
    """The walk of each isolated position, by column."""
    fills: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for fill in case.trades():
        fills.setdefault((fill["t"], fill["n"]), []).append(fill)
    columns = [m for m, coin in enumerate(case.raw.coins) if coin in ISOLATED]
    return {m: _walk(case, m, fills) for m in columns}


def _walk(case: Case, m: int, fills: dict[tuple[int, int], list[dict[str, Any]]]) -> Walk:
    raw, entry, funding = case.raw, entries(case)[:, m], case.funding()[:, m]
    leverage = raw.perps[raw.coins[m]]["max_leverage"]
    hours = len(raw.hours)
    cash, slack, debt = np.zeros(hours), np.full(hours, np.inf), np.zeros(hours)
    left = pos = opened = 0.0
    for t in range(hours):
        left, mark = left + funding[t], raw.mark[t, m]
        if pos:
            px = worst(raw, t, m, pos)
            slack[t] = left + pos * (px - opened) - abs(pos) * px / (2 * leverage)
        for fill in fills.get((t, m), []):
            units, px, fee = fill["units"], fill["px"], case.fee(fill)
            if pos * units < 0:  # a reduction keeps its share of what the position was worth
                kept = (left + pos * (mark - opened)) * (1 - abs(units / pos))
                left -= units * (px - opened) + fee
                pos = 0.0 if abs(pos + units) < 1e-9 else pos + units
                left -= max(left + pos * (mark - opened) - max(kept, 0.0), 0.0)
            else:  # initial margin, and what the fill's price loses at once, come from the venue
                against = max(np.sign(units) * (px - mark), 0.0)
                left += abs(units) * (mark / leverage + against)
                pos, opened = pos + units, entry[t]
        if not pos and left < 0.0:
            debt[t], left = -left, 0.0
        cash[t] = left
    return Walk(cash, slack, debt)


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
    *(check_positions, check_fills, check_accounts, check_liquidations),
)
