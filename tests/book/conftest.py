"""Small made-up markets and scripted runs for the tests of the book.

Instruments are numbered as in the library: perps first, then tokens. Account 0 is the wallet. A
market is made straight from arrays, so every price, rate and flag a test needs is one it has set;
what it has not set is harmless: no cost, no fee, no funding, live quotes, high = low = the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from perpkit.arrays import TERM, Action, Event, Flow, Reason, Shock, Tape, Tokens, Way
from perpkit.codes import State
from perpkit.config import check_config
from perpkit.layout import blank
from perpkit.ledger import CAUSES, frames
from perpkit.play import Played, play
from perpkit.strategy.load import Strategy
from perpkit.strategy.params import memory_dtype
from perpkit.tape import Market
from perpkit.tape.collateral import Pledges
from perpkit.tape.instruments import Instruments
from perpkit.tape.shocks import Struck
from perpkit.units import HOUR_NS

NAN = float("nan")
START_NS = 1_786_500_000_000_000_000 // HOUR_NS * HOUR_NS  # an hour in August 2026

# 20x, maintenance 1 / (2 * 20), backstop at 2/3 of it: Hyperliquid documentation,
# trading/margining and trading/liquidations.
TERMS: dict[str, float] = {
    "interest_8h": 0.0001,
    "clamp_8h": 0.0005,
    "cap_1h": 0.04,
    "funding_multiplier": 1.0,
    "interval_hours": 1.0,
    "updates_per_hour": 1.0,
    "step_frac": 0.01,
    "initial_frac": 0.05,
    "maintenance_frac": 0.025,
    "backstop_frac": 2.0 / 3.0,
    "fee_frac": 0.0,
    "cost_frac": 0.0,
    "lots_per_unit": 1000.0,
    "min_order_usd": 10.0,
}


class Fill(NamedTuple):
    row: int
    instrument: int
    size: float
    px: float
    fee_usd: float
    reason: Reason


class Payment(NamedTuple):
    row: int
    flow: Flow
    instrument: int
    account: int
    quantity: float
    rate: float
    usd: float


class Told(NamedTuple):
    row: int
    kind: Event
    instrument: int
    account: int
    usd: float


@dataclass
class Run:
    """One played market, with its buffers as plain tuples."""

    market: Market
    played: Played
    capital: float

    @property
    def rows(self) -> Any:
        return self.played.rows

    @cached_property
    def fills(self) -> list[Fill]:
        return [
            Fill(
                int(f["row"]),
                int(f["instrument"]),
                float(f["size"]),
                float(f["px"]),
                float(f["fee_usd"]),
                Reason(int(f["reason"])),
            )
            for f in self.played.fills
        ]

    @cached_property
    def payments(self) -> list[Payment]:
        return [
            Payment(
                int(p["row"]),
                Flow(int(p["flow"])),
                int(p["instrument"]),
                int(p["account"]),
                float(p["quantity"]),
                float(p["rate"]),
                float(p["usd"]),
            )
            for p in self.played.payments
        ] + self.settled

    @property
    def settled(self) -> list[Payment]:
        """Funding, which the loop keeps in a column a perp."""
        tape, position = self.market.tape, self.rows.position
        held = np.vstack([np.zeros_like(position[:1]), position[:-1]])
        return [
            Payment(
                int(t),
                Flow.FUNDING,
                int(m),
                int(self.market.names.perp_account[m]),
                float(held[t, m]),
                float(tape.funding[t, m]),
                float(self.rows.funding_usd[t, m]),
            )
            for t, m in np.argwhere((held != 0.0) & tape.due & ~np.isnan(tape.funding))
        ]

    @cached_property
    def events(self) -> list[Told]:
        return [
            Told(
                int(e["row"]),
                Event(int(e["kind"])),
                int(e["instrument"]),
                int(e["account"]),
                float(e["usd"]),
            )
            for e in self.played.events
        ]

    def paid(self, flow: Flow) -> list[Payment]:
        return [p for p in self.payments if p.flow == flow]

    def told(self, kind: Event) -> list[Told]:
        return [e for e in self.events if e.kind == kind]

    @cached_property
    def frames(self) -> dict[str, pl.DataFrame]:
        return frames(self.market, self.played, "plan")

    def cause(self, name: str) -> np.ndarray:
        return self.frames["equity"][f"{name}_usd"].to_numpy()

    @cached_property
    def unexplained(self) -> np.ndarray:
        """Change of equity less the sum of its causes, as a fraction of equity, hour by hour."""
        equity = self.rows.equity_usd
        causes = sum(self.cause(name) for name in CAUSES)
        return (np.diff(equity, prepend=self.capital) - causes) / np.abs(equity)


def grid(value: Any, hours: int, width: int, dtype: Any = np.float64) -> np.ndarray:
    """A scalar, a (T,) column for every instrument, or (T, width), as (T, width)."""
    array = np.asarray(value, dtype=dtype)
    if array.ndim == 1:
        array = array[:, None]
    return np.ascontiguousarray(np.broadcast_to(array, (hours, width)))


def _path(mark: np.ndarray, told: Any, pick: Callable[..., np.ndarray]) -> np.ndarray:
    before = np.vstack([mark[:1], mark[:-1]])
    reach = pick(before, mark)
    return reach if told is None else pick(reach, grid(told, *mark.shape))


def _terms(told: Mapping[str, Any] | Sequence[Mapping[str, Any]], perps: int) -> Any:
    eras = [told] if isinstance(told, Mapping) else list(told)
    made = np.zeros((len(eras), perps), TERM).view(np.recarray)
    for e, era in enumerate(eras):
        for name, value in {**TERMS, **era}.items():
            made[name][e] = value
    return made


def _names(
    perps: int,
    tokens: int,
    account: Sequence[int],
    token: Sequence[int],
    kinds: Sequence[str],
    parent: Mapping[int, int],
    strict: Sequence[int],
) -> Instruments:
    accounts = max(*account, *parent.values(), 0) + 1
    perp_of = [next((m for m, k in enumerate(token) if k == own), -1) for own in range(tokens)]
    return Instruments(
        tuple(f"xyz:{chr(65 + m)}" for m in range(perps)),
        tuple(f"T{k}" for k in range(tokens)),
        ("wallet", *(f"venue{a}" for a in range(1, accounts))),
        ("U",),
        tuple(kinds),
        np.array(account, np.int64),
        np.array(token, np.int64),
        np.zeros(perps, np.int64),
        np.array(perp_of, np.int64),
        np.zeros(tokens, np.int64),
        np.array([parent.get(a, -1) for a in range(accounts)], np.int64),
        np.array([a in strict for a in range(accounts)], np.bool_),
    )


def make_market(
    mark: Any,
    *,
    oracle: Any = None,
    mid: Any = NAN,
    high: Any = None,
    low: Any = None,
    rate: Any = 0.0,
    due: Any = True,
    stale: Any = False,
    terms: Mapping[str, Any] | Sequence[Mapping[str, Any]] = TERMS,
    era: Sequence[int] | None = None,
    account: Sequence[int] | None = None,
    token: Sequence[int] | None = None,
    bid: Any = None,
    ask: Any = None,
    fair: Any = None,
    nav: Any = NAN,
    apr: Any = 0.0,
    live: Any = True,
    halted: Any = False,
    token_stale: Any = False,
    kinds: Sequence[str] | None = None,
    half_spread: Any = 0.0,
    token_fee: Any = 0.0,
    token_min: Any = 1.0,
    dividends: Sequence[tuple[int, int, float]] = (),
    actions: Sequence[tuple[int, int, Action, float]] = (),
    redeemable: Any = None,
    payday: Any = False,
    redeem: Mapping[str, Any] | None = None,
    pledged: Mapping[tuple[int, int], Mapping[str, Any]] | None = None,
    parent: Mapping[int, int] | None = None,
    strict: Sequence[int] = (),
    volume: Any = 0.0,
    capped: Any = None,
    shocks: Sequence[tuple[int, Shock, int, int, float]] = (),
    lock: Any = None,
    take: Sequence[Way] | None = None,
    issuer: Mapping[str, Any] | None = None,
    liquidity: Any = None,
    settle: Mapping[str, Any] | None = None,
    friction: Any = 0.0,
) -> Market:
    """A formed market.

    ``mark`` is (T,) or (T, M), ``bid`` and ``ask`` (T,) or (T, K); anything else broadcasts.
    ``account`` and ``token`` say which account each perp has and which token is its pair;
    ``dividends`` are (row, token, USD a unit), ``actions`` (row, instrument, kind, value), with
    prices as they are recorded before and after. ``redeem`` holds fields of the tokens: ``hours``,
    ``min_usd``, ``fee_frac`` and ``accrues``. ``pledged`` says of (account, token) the share of the
    account's cash that is held in it, its haircut, and whether it is mirrored. ``parent`` names the
    venue account of each isolated one, ``strict`` those whose margin cannot be taken out.
    ``shocks`` are (row, kind, instrument, account, value); ``lock`` holds codes of ``Lock``.
    ``take`` are the ways that every token may take; ``issuer`` holds ``mint_rows`` and
    ``buyback_rows``, and fields of the tokens; ``liquidity`` is of the pools; ``settle`` holds
    ``rows``, ``end`` and ``cost_frac``.
    """
    mark = np.asarray(mark, np.float64)
    mark = mark[:, None] if mark.ndim == 1 else mark
    hours, perps = mark.shape
    quotes = np.zeros((hours, 0)) if bid is None else np.asarray(bid, np.float64)
    tokens = 1 if quotes.ndim == 1 else quotes.shape[1]
    clocks = 0 if redeemable is None else tokens
    tape = blank(
        Tape, T=hours, M=perps, K=tokens, U=1, N=len(dividends) + len(actions), X=0, Y=0, W=clocks
    )
    if clocks:
        tape.redeemable[:] = grid(redeemable, hours, tokens, np.bool_)
        tape.redeem_rows[:] = (redeem or {}).get("hours", 0)
        tape.payday[:] = grid(payday, hours, tokens, np.bool_)
    tape = _with_ways(tape, issuer or {}, liquidity, settle)
    tape.time_ns[:] = START_NS + HOUR_NS * np.arange(hours)
    tape.era[:] = 0 if era is None else era
    tape.hours_to_ex_dividend[:] = tape.hours_to_earnings[:] = np.inf
    tape.mark_px[:] = mark
    tape.oracle_px[:] = mark if oracle is None else grid(oracle, hours, perps)
    tape.mid_px[:] = grid(mid, hours, perps)
    tape.high_px[:] = _path(mark, high, np.fmax)
    tape.low_px[:] = _path(mark, low, np.fmin)
    tape.due[:] = grid(due, hours, perps, np.bool_)
    tape.funding[:] = np.where(tape.due, grid(rate, hours, perps), NAN)
    tape.stale[:] = grid(stale, hours, perps, np.bool_)
    tape.volume_usd[:] = grid(volume, hours, perps)
    if capped is not None:
        tape = tape._replace(capped=grid(capped, hours, perps, np.bool_))
    if tokens:
        tape.bid_px[:] = grid(bid, hours, tokens)
        tape.ask_px[:] = grid(bid if ask is None else ask, hours, tokens)
        tape.fair_px[:] = (
            0.5 * (tape.bid_px + tape.ask_px) if fair is None else grid(fair, hours, tokens)
        )
        tape.nav_px[:] = grid(nav, hours, tokens)
        tape.apr[:] = grid(apr, hours, tokens)
        for name, flag in (("live", live), ("halted", halted), ("token_stale", token_stale)):
            getattr(tape, name)[:] = grid(flag, hours, tokens, np.bool_)
    tape.multiplier[:] = 1.0
    done = [(row, perps + k, Action.CASH, usd) for row, k, usd in dividends]
    for n, one in enumerate(sorted([*done, *actions], key=lambda x: x[0])):
        tape.action_row[n], tape.action_instrument[n] = one[:2]
        tape.action_kind[n], tape.action_value[n] = one[2:]
    tape = _restated(tape, actions)
    if lock is not None:
        tape = tape._replace(lock=grid(lock, hours, tokens, np.int8))
    if shocks:
        columns = zip(*sorted(shocks), strict=True)
        kinds_of = (np.int64, np.int64, np.int64, np.int64, np.float64)
        made = (np.array(x, dtype) for x, dtype in zip(columns, kinds_of, strict=True))
        tape = tape._replace(**dict(zip(Struck._fields, made, strict=True)))
    names = _names(
        perps,
        tokens,
        [1] * perps if account is None else account,
        [-1] * perps if token is None else token,
        ["equity"] * tokens if kinds is None else kinds,
        {} if parent is None else parent,
        strict,
    )
    held = blank(Tokens, K=tokens)
    held.perp[:] = names.token_perp
    held.ways[:] = sum(1 << way for way in take or (Way.QUOTE,))
    held.friction_frac[:] = friction
    held.inventory_usd[:] = np.inf
    held.drawn_day[:] = -1
    held.half_spread_frac[:] = half_spread
    held.fee_frac[:] = token_fee
    held.min_order_usd[:] = token_min
    terms_of = {"hours": -1, "min_usd": 0.0, "fee_frac": 0.0, "accrues": False, **(redeem or {})}
    held.accrues[:] = terms_of.pop("accrues")
    for name, value in terms_of.items():
        getattr(held, f"redeem_{name}")[:] = value
    for name, value in (issuer or {}).items():
        if name in Tokens._fields:
            getattr(held, name)[:] = value
    dataset: Any = SimpleNamespace(folder=Path("made-up"))
    resolved: Any = None
    interest = np.full((hours, perps), NAN)
    made = Market(dataset, names, tape, _terms(terms, perps), held, resolved, "recorded", interest)
    return replace(made, pledges=_pledges(pledged or {}, len(names.accounts), tokens))


def _restated(tape: Tape, actions: Sequence[tuple[int, int, Action, float]]) -> Tape:
    """Last prices and extremes of the hours of splits in the units that the hour ends with."""
    split = [x for x in actions if x[2] is not Action.CASH]
    perps = tape.mark_px.shape[1]
    if not split:
        return tape
    before = np.vstack([tape.mark_px[:1], tape.mark_px[:-1]])
    fair = np.vstack([tape.fair_px[:1], tape.fair_px[:-1]])
    for row, i, _, ratio in split:
        if i >= perps:
            fair[row, i - perps] /= ratio
            continue
        before[row, i] /= ratio
        tape.high_px[row, i] = max(before[row, i], tape.mark_px[row, i])
        tape.low_px[row, i] = min(before[row, i], tape.mark_px[row, i])
    return tape._replace(start_px=before, token_start_px=fair)


def _with_ways(
    tape: Tape, issuer: Mapping[str, Any], liquidity: Any, settle: Mapping[str, Any] | None
) -> Tape:
    """The tape with hours of the issuer, pools and outcomes of settlement, where they are told."""
    shape, made = tape.bid_px.shape, {}
    if issuer:
        for name in ("mint_rows", "buyback_rows"):
            made[name] = grid(issuer.get(name, -1), *shape, np.int64)
    if liquidity is not None:
        made["liquidity_usd"] = grid(liquidity, *shape)
    if settle is not None:
        made["settle_rows"] = grid(settle.get("rows", 0), *shape, np.int64)
        made["settle_end"] = grid(settle.get("end", 0), *shape, np.int8)
        made["settle_cost_frac"] = grid(settle.get("cost_frac", 0.0), *shape)
        made["redeem_cost_frac"] = grid(settle.get("redeem_cost_frac", 0.0), *shape)
        made["settle_state"] = grid(settle.get("state", State.REFUNDED), *shape, np.int8)
    return tape._replace(**made)


def _pledges(
    told: Mapping[tuple[int, int], Mapping[str, Any]], accounts: int, tokens: int
) -> Pledges | None:
    if not told:
        return None
    shape = (accounts, tokens)
    shares = [np.zeros(shape) for _ in range(3)]
    made = Pledges(*shares, np.zeros(shape, np.bool_), np.zeros(tokens))
    for (a, k), one in told.items():
        if a == 0:
            made.wallet_share[k] = one["share"]
            continue
        made.share[a, k] = one["share"]
        made.initial_haircut_frac[a, k] = one.get("haircut", 0.0)
        made.haircut_frac[a, k] = one.get("maintenance_haircut", one.get("haircut", 0.0))
        made.mirrored[a, k] = one.get("mirrored", False)
    return made


def play_plan(
    market: Market,
    plan: Any,
    *,
    wallet: float = 50_000.0,
    margin: float = 50_000.0,
    pure_python: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Run:
    """Play targets, total units: (T, M + K), or ``{row: (one number an instrument)}``.

    ``plan`` may also be a ``decide(t, past, book, p, mine, target)``. ``margin`` is the sum over
    the margin accounts, which share it equally.
    """
    capital = wallet + margin
    told = {"capital": capital, "margin_share": margin / capital, **settings}
    config = check_config(told)
    decide = plan if callable(plan) else None
    whole = np.full((len(market.tape.time_ns), market.tape.mark_px.shape[1]), NAN)
    whole = np.hstack([whole, np.full(market.tape.bid_px.shape, NAN)])
    if isinstance(plan, Mapping):
        for row, units in plan.items():
            whole[row] = units
    elif decide is None:
        whole[:] = plan
    strategy = Strategy(
        "plan",
        Path("plan.py"),
        "",
        (),
        memory_dtype(None, "plan.py"),
        decide,
        None if decide else lambda tape: whole,
        (),
    )
    played = play(market, config, strategy, {}, pure_python=pure_python, progress=progress)
    return Run(market, played, capital)


@dataclass(frozen=True)
class Lab:
    """What the tests of this folder use; one object, as helpers cannot be imported from here."""

    market: Callable[..., Market]
    play: Callable[..., Run]
    random_market: Callable[..., Market]
    random_plan: Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab(make_market, play_plan, random_market, random_plan)


def random_market(seed: int, hours: int = 48, *, calm: bool = False, **settings: Any) -> Market:
    """Two perps and two tokens on random walks with jumps, gaps and frozen quotes.

    The second token is a treasury with a NAV; the first is the pair of the first perp. ``calm``
    leaves out jumps, gaps and spikes, so that nothing but the targets decides what happens.
    """
    rng = np.random.default_rng(seed)
    shape = (hours, 2)
    wild = 0.0 if calm else 1.0
    jumps = wild * (rng.random(shape) < 0.06) * rng.normal(0.0, 0.15, shape)
    stale = (rng.random(shape) < 0.15 * wild) & (np.arange(hours)[:, None] > 0)
    moves = np.where(stale, 0.0, rng.normal(0.0, 0.01, shape) + jumps)
    mark = 100.0 * np.exp(np.cumsum(moves, axis=0))
    spike = wild * (rng.random(shape) < 0.1) * rng.exponential(0.1, shape)
    around = np.exp(np.cumsum(rng.normal(0.0, 0.01, shape) * [1.0, 0.001], axis=0)) * [100.0, 1.0]
    spread = rng.uniform(0.0002, 0.003, shape)
    token_stale = (rng.random(shape) < 0.1 * wild) & (np.arange(hours)[:, None] > 0)
    lived = {
        "oracle": mark * (1.0 + rng.normal(0.0, 0.003, shape)),
        "mid": np.where(rng.random(shape) < 0.3, NAN, mark * (1.0 + rng.normal(0, 0.001, shape))),
        "high": mark * (1.0 + spike),
        "low": mark * (1.0 - np.minimum(spike, 0.9)),
        "rate": rng.normal(0.0, 0.0005, shape),
        "due": rng.random(shape) < 0.8,
        "stale": stale,
        "era": (np.arange(hours) >= hours // 2).astype(np.int64),
        "terms": [
            {"fee_frac": 0.0009, "cost_frac": 0.0004, "backstop_frac": [2.0 / 3.0, NAN]},
            {"fee_frac": 0.0003, "cost_frac": 0.0004, "maintenance_frac": [0.05, 0.025]},
        ],
        "account": [1, 2],
        "token": [0, -1],
        "bid": around * (1.0 - spread),
        "ask": around * (1.0 + spread),
        "fair": around * (1.0 + wild * rng.normal(0.0, 0.002, shape)),
        "nav": np.column_stack([np.full(hours, NAN), 1.0 + 1e-5 * np.arange(hours)]),
        "apr": [[0.05, 0.0]],
        "live": ~token_stale & (rng.random(shape) >= 0.1 * wild),
        "token_stale": token_stale,
        "kinds": ["equity", "treasury"],
        "token_fee": 0.0005,
        "dividends": [(hours // 3, 0, 0.2)],
    }
    return make_market(mark, **{**lived, **settings})


def random_plan(seed: int, hours: int = 48, *, size: float = 100.0) -> np.ndarray:
    """Targets of the four instruments of :func:`random_market`: mostly left, else new or flat."""
    rng = np.random.default_rng(seed + 1)
    perps = np.round(rng.uniform(-size, size, (hours, 2)), 3)
    tokens = np.column_stack([-perps[:, 0], rng.uniform(0.0, 20.0 * size, hours)])
    alone = rng.random(hours) < 0.3
    tokens[:, 0] = np.where(alone, rng.uniform(0.0, size, hours), tokens[:, 0])
    plan = np.hstack([perps, np.maximum(tokens, 0.0)])
    plan[rng.random((hours, 4)) < 0.2] = 0.0
    plan[rng.random(hours) < 0.6] = NAN
    return plan
