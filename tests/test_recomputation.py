"""Every dollar of a run on real prices, recomputed from the raw files; see recomputation.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import perpkit

from .recomputation import (
    CAPITAL,
    CHECKS,
    HOUR,
    LAST,
    MARGIN,
    NEW_YORK,
    Case,
    Raw,
    before,
    carried,
    check_accounts,
    check_causes,
    check_equity,
    check_fills,
    check_liquidations,
    check_payments,
    check_positions,
    close,
    quoted,
)

pytestmark = pytest.mark.shared

CARRY = {"enter_apr": 0.02, "exit_apr": -1, "lookback_hours": 12, "gate": False}
LATE_FRIDAY = datetime(2026, 8, 14, 22, tzinfo=UTC)  # 18:00 in New York
SATURDAY = datetime(2026, 8, 15, tzinfo=UTC)  # Friday 20:00 in New York, where quotes freeze
SUNDAY_NIGHT = datetime(2026, 8, 17, tzinfo=UTC)  # Sunday 20:00 in New York, where they resume

RESTLESS = '''
"""Trade on a plan, whatever the clock: open, add, cut, flip and close."""
from perpkit.strategy import field


class Params:
    every_hours: int = field(5, ge=1, le=1000, unit="h", help="hours between two plans")
    first_hour: int = field(0, ge=0, le=1000, unit="h", help="hour of the first plan")
    hedged: int = field(0, ge=0, le=1, help="whether to open one hedged pair a perp")


class Memory:
    on: bool


def decide(t, past, book, p, mine, target):
    if t < p.first_hour or (t - p.first_hour) % p.every_hours != 0:
        return
    for m in range(len(book.perps)):
        k = book.perps[m].token
        step = ((t - p.first_hour) // p.every_hours + 2 * m) % 7
        units = (step - 3.0) * 1000.0 / past.mark_px[-1, m]
        held = ((step * 3 + 1) % 5) * 600.0 / past.mark_px[-1, m]
        if p.hedged == 1:
            held = int(500_000.0 / past.mark_px[-1, m]) / 100.0
            units = -held
        target.perps[m] = units
        if k >= 0:
            target.tokens[k] = held
'''


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "xyz-2026-08"


@pytest.fixture(scope="module")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("strategies") / "restless.py"
    file.write_text(RESTLESS, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def depegged(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data with quotes of USDC that wander, and an incident that breaks its peg."""
    made = tmp_path_factory.mktemp("depegged")
    for name in ("perps.parquet", "funding.parquet"):
        (made / name).symlink_to(folder / name)
    toml = (folder / "dataset.toml").read_text(encoding="utf-8")
    about = '\n[tokens.USDC]\nunderlying = "USDC"\nkind = "stable"\nissuer = "ondo"\n'
    (made / "dataset.toml").write_text(toml + about, encoding="utf-8")
    tokens = pl.read_parquet(folder / "tokens.parquet")
    hours = tokens["time"].unique().sort()
    mid = 1.0 + 0.02 * np.sin(np.arange(len(hours)) / 5)
    quotes = pl.DataFrame({"time": hours, "token": "USDC", "bid_px": mid, "ask_px": mid + 0.001})
    pl.concat([tokens, quotes], how="diagonal").write_parquet(made / "tokens.parquet")
    pl.DataFrame(
        {
            "time": [datetime(2026, 8, 20, 3, 30, tzinfo=UTC)],
            "kind": ["depeg"],
            "instrument": ["USDC"],
            "value": [0.87],
        },
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    ).write_parquet(made / "shocks.parquet")
    return made


@pytest.fixture(scope="module")
def struck(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data with what issuers may do to three of the tokens."""
    made = tmp_path_factory.mktemp("struck")
    for name in ("perps.parquet", "funding.parquet", "tokens.parquet", "dataset.toml"):
        (made / name).symlink_to(folder / name)
    noon = datetime(2026, 8, 19, 11, 30, tzinfo=UTC)
    rows = [
        (noon, "forced_transfer", "NVDA.RH", 0.3),
        (noon, "freeze", "MSFT.RH", 1.0),
        (noon + 20 * HOUR, "freeze", "MSFT.RH", 0.0),
        (noon + 4 * HOUR, "revoke", "AAPL.RH", 1.0),
        (noon + 30 * HOUR, "revoke", "AAPL.RH", 0.0),
        (noon + 40 * HOUR, "forced_transfer", "AAPL.RH", 1.0),
    ]
    columns = ("time", "kind", "instrument", "value")
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(rows, schema=columns, orient="row", schema_overrides=types).write_parquet(
        made / "shocks.parquet"
    )
    return made


@pytest.fixture(scope="module")
def split(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data with a split of NVDA, four for one, active at 02:00Z and printed at 06:00Z."""
    made = tmp_path_factory.mktemp("split")
    for name in ("dataset.toml", "funding.parquet", "tokens.parquet"):
        (made / name).symlink_to(folder / name)
    perps = pl.read_parquet(folder / "perps.parquet")
    new = (pl.col("coin") == "xyz:NVDA") & (pl.col("time") >= datetime(2026, 8, 18, 6, tzinfo=UTC))
    px = [name for name in perps.columns if name.endswith("_px")]
    perps = perps.with_columns(
        pl.when(new).then(pl.col(name) / 4).otherwise(pl.col(name)).alias(name) for name in px
    )
    perps.write_parquet(made / "perps.parquet")
    action = {"time": [datetime(2026, 8, 18, 2, tzinfo=UTC)], "underlying": "NVDA"}
    pl.DataFrame(
        action | {"kind": "split", "amount": 4.0},
        schema_overrides={"time": pl.Datetime("ms", "UTC")},
    ).write_parquet(made / "actions.parquet")
    return made


@pytest.fixture(scope="module")
def cases(
    folder: Path, depegged: Path, split: Path, struck: Path, restless: Path
) -> dict[str, Case]:
    """A carry that stays in, one that goes in and out, and plans that also add, cut and flip."""
    busy = {"enter_apr": 0.055, "exit_apr": 0.05, "lookback_hours": 4, "notional_usd": 7000}
    pools = {"xyz:NVDA": "NVDAB", "xyz:AAPL": "AAPLB"}
    cost = {"token_half_spread_frac": 0.002, "token_fee_frac": 0.001}
    run, raw = perpkit.backtest, Raw(folder)

    def case(raw: Raw, result: perpkit.Result, **more: Any) -> Case:
        return Case(raw, result, result.frames, **more)

    return {
        "split": case(
            Raw(split),
            run(restless, data=split, config={"pair": "each"}, pure_python=True),
            together=False,
        ),
        "carry": case(raw, run("funding_carry", data=folder, params=CARRY)),
        "busy": case(raw, run("funding_carry", data=folder, params=busy)),
        "each": case(
            raw,
            run(restless, data=folder, config={"pair": "each"}, pure_python=True),
            together=False,
        ),
        "pool": case(
            Raw(folder, pairs=pools),
            run(restless, data=folder, config={"pairs": pools, **cost}, pure_python=True),
            token_half_spread=0.002,
            token_fee=0.001,
        ),
        "struck": case(
            Raw(struck),
            run(restless, data=struck, config={"pair": "each"}, pure_python=True),
            together=False,
        ),
        "dex": case(
            Raw(folder, pairs=pools),
            run(
                restless,
                data=folder,
                config={
                    "pairs": pools,
                    "token_way": dict.fromkeys(pools.values(), "dex"),
                    "token_fee_frac": 0.001,
                },
                pure_python=True,
            ),
            token_fee=0.001,
            pools=tuple(pools.values()),
        ),
        "depeg": case(
            Raw(depegged),
            run(
                restless,
                data=depegged,
                config={"pair": "each", "wallet_currency": "USDT"},
                pure_python=True,
            ),
            together=False,
        ),
    }


@pytest.fixture(params=["carry", "busy", "each", "pool", "struck", "depeg", "split"])
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_recomputed(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_recomputed_against_pools(cases: dict[str, Case], check: Callable[[Case], None]) -> None:
    case = cases["dex"]
    check(case)
    # At weekends too, and while the mid stands still.
    sizes = case.of_fills(lambda f: (f["way"] == "dex") * f["size"])
    weekend = [hour.astimezone(NEW_YORK).weekday() == 5 for hour in case.raw.hours]
    assert sizes[weekend].any()


def test_the_carry_is_paid_in_the_hours_that_were_not_polled(cases: dict[str, Case]) -> None:
    case = cases["carry"]
    paid = case.frames["funding"]
    gaps = [case.raw.hours[t] for t in np.flatnonzero(~case.raw.recorded[:, 0])]
    # Six pairs from 12 August 18:00 on; 17 hours were not polled, 16 of them after it.
    assert len(case.frames["fills"]) == 12
    assert len(paid) == 6 * 241 == 1446
    assert paid["time"].is_in(gaps).sum() == 6 * 16 == 96
    assert (paid.filter(pl.col("time").is_in(gaps))["payment_usd"] != 0).all()


def test_counts_of_the_market(case: Case) -> None:
    raw, facts = case.raw, case.result.facts
    tokens = [n - len(raw.coins) for n in raw.partner]
    assert facts["stale_perp_hours"] == (~raw.recorded).sum() == 17 * 9
    assert facts["stale_token_hours"] == np.isnan(raw.bid[:, tokens]).sum() == 17 * 8
    assert facts["token_hours_not_live"] == (~raw.live[:, tokens]).sum()
    assert facts["rates_recorded"] == raw.rate.size


def test_no_token_trades_at_a_quote_that_stands(case: Case) -> None:
    raw, seen = case.raw, 0
    bid, ask = carried(raw.bid), carried(raw.ask)
    for fill in case.trades():
        t, k = fill["t"], fill["n"] - len(raw.coins)
        if k >= 0 and fill["reason"] != "shock":
            quotes = {(bid[i, k], ask[i, k]) for i in (t - 2, t - 1, t) if i >= 0}
            assert len(quotes) > 1
            local = fill["time"].astimezone(NEW_YORK)
            weekend = local.weekday() == 5 or not quoted(fill["time"])
            assert not weekend or fill["instrument"] in ("NVDAB", "AAPLB")
            seen += 1
    assert seen


def test_what_issuers_move_away_is_lost_and_what_they_lock_stands(cases: dict[str, Case]) -> None:
    case = cases["struck"]
    moved = [f for f in case.trades() if f["reason"] == "shock"]
    assert {f["instrument"] for f in moved} <= {"NVDA.RH", "AAPL.RH"}
    lost = sum(case.raw.price[f["t"], f["n"]] * f["size"] for f in moved)
    assert lost > 1_000.0
    close(case.column("equity", "settlement_usd").sum(), -lost)
    locked = np.hstack([np.zeros_like(case.raw.recorded), case.raw.frozen | case.raw.revoked])
    assert locked.any(axis=0).sum() == 2
    assert not [f for f in case.trades() if locked[f["t"], f["n"]] and f["reason"] != "shock"]
    events = case.frames["events"].filter(pl.col("kind").is_in(["locked", "unlocked"]))
    assert set(events["instrument"]) <= {"MSFT.RH", "AAPL.RH"}
    assert events.height >= 2


def plan_of_friday_night(folder: Path, restless: Path, **config: Any) -> perpkit.Result:
    """One plan, at Friday 21:00 in New York: a hedged pair of every perp."""
    return perpkit.backtest(
        restless,
        data=folder,
        params={"first_hour": 3, "every_hours": 1000, "hedged": 1},
        config={"start": LATE_FRIDAY, **config},
        pure_python=True,
    )


def hours_of(frames: dict[str, pl.DataFrame], instrument: str) -> list[datetime]:
    return frames["fills"].filter(pl.col("instrument") == instrument)["time"].to_list()


def test_microsoft_narrow_and_frozen_does_not_trade_on_saturday(
    folder: Path, restless: Path, cases: dict[str, Case]
) -> None:
    day = pl.col("time").is_between(SATURDAY, SATURDAY + 23 * HOUR)
    microsoft = pl.col("instrument") == "MSFT.RH"
    quotes = pl.read_parquet(folder / "tokens.parquet").filter(
        day & (pl.col("token") == "MSFT.RH") & (pl.col("time") > SATURDAY)
    )
    assert ((quotes["ask_px"] - quotes["bid_px"]) / quotes["bid_px"]).max() < 1.3e-4
    assert not quotes["halted"].any()
    for case in cases.values():
        assert case.frames["fills"].filter(day & microsoft).is_empty()
    # Two rules hold it back, each alone as well as both; without them it does trade.
    awake, patient = {"token_session": {"MSFT.RH": "24/7"}}, {"max_frozen_hours": 168}
    for config in ({}, awake, patient):
        held = plan_of_friday_night(folder, restless, **config)
        assert min(hours_of(held.frames, "MSFT.RH")) >= SUNDAY_NIGHT
    careless = plan_of_friday_night(folder, restless, **awake, **patient)
    assert hours_of(careless.frames, "MSFT.RH") == [SATURDAY + 3 * HOUR]
    assert ("max_frozen_hours", "168") in {(a.name, a.value) for a in careless.assumptions}


def test_frozen_quotes_are_traded_when_told_to(folder: Path, restless: Path) -> None:
    result = plan_of_friday_night(folder, restless, trade_frozen_quotes=True)
    assert hours_of(result.frames, "MSFT.RH") == [SATURDAY + 3 * HOUR]


@pytest.mark.parametrize("pair", ["together", "each"])
def test_a_plan_of_the_weekend_waits_for_live_quotes(
    folder: Path, restless: Path, pair: str
) -> None:
    result = plan_of_friday_night(folder, restless, pair=pair)
    raw = Raw(folder, LATE_FRIDAY)
    case = Case(raw, result, result.frames, together=pair == "together")
    for check in CHECKS:
        check(case)
    decided = LATE_FRIDAY + 3 * HOUR
    wanted = [f for f in case.trades() if f["reason"] == "target"]
    fills = {f["instrument"]: f["time"] for f in wanted}
    assert {f["decided_at"] for f in wanted} == {decided}
    poll = decided + 2 * HOUR  # the hour after the decision was not polled
    reopened = SUNDAY_NIGHT + HOUR  # at 20:00 the quote is still Friday's
    for n, m in raw.partner.items():
        live = raw.hours[4 + int(np.argmax(raw.live[4:, n - len(raw.coins)]))]
        assert fills[raw.names[n]] == live == reopened
        assert fills[raw.names[m]] == (reopened if pair == "together" else poll)
    assert fills["xyz:HOOD"] == poll  # without a token it waits for the next poll alone


def test_a_carry_that_would_enter_at_the_weekend_waits(folder: Path) -> None:
    result = perpkit.backtest(
        "funding_carry",
        data=folder,
        params={**CARRY, "lookback_hours": 3},
        config={"start": LATE_FRIDAY},
    )
    raw = Raw(folder, LATE_FRIDAY)
    case = Case(raw, result, result.frames)
    for check in CHECKS:
        check(case)
    apr = (raw.rate[1:4].mean(axis=0)) * 8760
    wanted = [n for n, m in raw.partner.items() if apr[m] > CARRY["enter_apr"]]
    assert len(wanted) >= 6  # at 01:00Z of Saturday funding says enter
    entered = case.frames["fills"]["time"]
    assert len(entered) == 12
    assert entered.min() > SUNDAY_NIGHT


def test_no_cliff_at_the_weekend(cases: dict[str, Case]) -> None:
    case = cases["carry"]
    raw, perps = case.raw, len(case.raw.coins)
    friday, sunday = raw.row[SATURDAY], raw.row[SUNDAY_NIGHT]
    monday = raw.row[datetime(2026, 8, 17, 2, tzinfo=NEW_YORK).astimezone(UTC)]
    held, after = before(case.held()), case.held()[:, perps:]
    assert not case.of_fills(lambda f: f["size"])[friday : monday + 1].any()
    basis = raw.mark - raw.oracle
    explained = (held[:, :perps] * (basis - before(basis))).sum(axis=1)
    equity = case.column("equity", "equity_usd")
    change = np.diff(equity, prepend=CAPITAL)
    # Off hours a hedged pair moves by its basis, funding, and what the token's price is off its
    # oracle at the last live quote: at most half a cent in any hour here.
    rest = change - explained - case.causes()["funding"].sum(axis=1)
    assert abs(rest[friday : sunday + 1]).max() < 0.005
    largest = abs(explained[friday : monday + 1]).max()
    assert largest == pytest.approx(25.487, abs=0.001)
    assert abs(change[friday : monday + 1]).max() < 1.05 * largest

    # What this would not have let pass: the frozen quotes' mids, and the last live mid left alone.
    mid = (raw.bid + raw.ask) / 2
    for price, cliff in ((mid, 450), (np.where(raw.live, mid, np.nan), 200)):
        wrong = equity + (after * np.nan_to_num(carried(price) - raw.fair)).sum(axis=1)
        assert abs(np.diff(wrong)[friday - 1 : monday]).max() > cliff


def test_the_run_ends_with_the_record_of_funding(folder: Path, case: Case) -> None:
    perps = pl.read_parquet(folder / "perps.parquet")
    assert perps["time"].max() == LAST + HOUR
    assert pl.read_parquet(folder / "funding.parquet")["time"].max() == LAST
    for name in ("equity", "accounts", "funding", "positions"):
        assert case.frames[name]["time"].max() == LAST
    said = [w for w in case.result.warnings if "the run ends at 2026-08-22 19:00Z" in w]
    assert len(said) == 1
    assert "funding" in said[0]
    assert "1 h cut" in said[0]


def test_twice_the_same(folder: Path, cases: dict[str, Case]) -> None:
    frames = cases["carry"].frames
    for pure in (False, True):
        again = perpkit.backtest("funding_carry", data=folder, params=CARRY, pure_python=pure)
        assert again.frames.keys() == frames.keys()
        for name, frame in again.frames.items():
            assert frame.equals(frames[name]), (name, pure)


def test_fills_without_delay_differ_and_are_named(folder: Path, cases: dict[str, Case]) -> None:
    late = cases["carry"]
    result = perpkit.backtest(
        "funding_carry", data=folder, params=CARRY, config={"fill_delay_hours": 0}
    )
    case = replace(late, result=result, frames=result.frames)
    for check in CHECKS:
        if check is not check_fills:
            check(case)
    fills = result.frames["fills"]
    assert (fills["time"] == fills["decided_at"]).all()
    assert fills["decided_at"].equals(late.frames["fills"]["decided_at"])
    assert fills["size"].equals(late.frames["fills"]["size"])
    assert not fills["px"].equals(late.frames["fills"]["px"])
    named = [a.value for a in result.assumptions if a.name == "fill_delay_hours"]
    assert named == ["0"]
    assert ("fill_delay_hours", "1") in {(a.name, a.value) for a in late.result.assumptions}


def edited(frame: str, **columns: pl.Expr) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        made = case.frames[frame].with_columns(**columns)
        return replace(case, frames={**case.frames, frame: made})

    return change


def without(frame: str, row: int) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        made = case.frames[frame].with_row_index("i").filter(pl.col("i") != row).drop("i")
        return replace(case, frames={**case.frames, frame: made})

    return change


def other_rule(name: str, of: Callable[[Raw], np.ndarray]) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        raw = copy.copy(case.raw)
        setattr(raw, name, of(raw))
        return replace(case, raw=raw)

    return change


def frozen_mids(raw: Raw) -> np.ndarray:
    return np.hstack([raw.mark, carried((raw.bid + raw.ask) / 2)])


col = pl.col
WRONG = {
    "a payment the other way": (check_payments, edited("funding", payment_usd=-col("payment_usd"))),
    "a payment missing": (check_payments, without("funding", 100)),
    "payments an hour early": (check_payments, edited("funding", time=col("time") - HOUR)),
    "at the oracle before": (check_payments, other_rule("oracle", lambda r: before(r.oracle))),
    "at the mark": (check_payments, other_rule("oracle", lambda r: r.mark)),
    "at the rate before": (check_payments, other_rule("rate", lambda r: before(r.rate))),
    "weekend at frozen mids": (check_causes, other_rule("price", frozen_mids)),
    "funding at the mark": (check_causes, other_rule("oracle", lambda r: r.mark)),
    "a cause missing": (check_causes, without("attribution", 1000)),
    "a cause misnamed": (
        check_causes,
        edited("attribution", cause=col("cause").replace({"fees": "slippage"})),
    ),
    "a thousandth of a dollar": (check_causes, edited("equity", fees_usd=col("fees_usd") - 0.001)),
    "equity of the hour before": (
        check_equity,
        edited("equity", equity_usd=col("equity_usd").shift(1, fill_value=CAPITAL)),
    ),
    "fees ten times": (check_fills, edited("fills", fee_usd=col("fee_usd") * 10)),
    "fills at the mark before": (
        check_fills,
        other_rule("mark", lambda r: before(r.mark)),
    ),
    "fills before they were decided": (check_fills, edited("fills", decided_at=col("time"))),
    "fills in hours not polled": (check_fills, edited("fills", time=col("time") + HOUR)),
    "decided long before": (
        check_fills,
        edited(
            "fills",
            decided_at=pl.max_horizontal(col("decided_at") - HOUR, col("decided_at").min()),
        ),
    ),
    "a position missing": (check_positions, without("positions", 50)),
    "positions the other way": (check_positions, edited("positions", position=-col("position"))),
    "a fill missing": (check_positions, without("fills", 30)),
    "liquidation taken for slippage": (
        check_causes,
        edited("attribution", cause=col("cause").replace({"liquidation": "slippage"})),
    ),
    "liquidated at the mark": (check_fills, other_rule("high", lambda r: r.mark)),
    "a liquidation nobody was told of": (check_liquidations, without("events", 0)),
    "isolated margin in the venue's account": (
        check_accounts,
        edited(
            "accounts", cash_usd=pl.when(col("account") == "xyz").then(0.0).otherwise("cash_usd")
        ),
    ),
    "margin without open profit": (
        check_accounts,
        edited("accounts", margin_value_usd=col("cash_usd")),
    ),
    "maintenance of another leverage": (
        check_accounts,
        edited("accounts", maintenance_usd=col("initial_usd")),
    ),
    "net exposure off by a millionth of the gross": (
        check_accounts,
        edited("equity", net_delta_usd=col("net_delta_usd") - col("gross_usd") / 1e6),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_book_is_caught(cases: dict[str, Case], name: str) -> None:
    check, change = WRONG[name]
    with pytest.raises(AssertionError):
        check(change(cases["pool"]))


@pytest.mark.parametrize("check", [check_causes, check_equity, check_accounts])
@pytest.mark.parametrize("row", [0, -1])
def test_a_price_of_the_currency_that_is_off_is_caught(
    cases: dict[str, Case], check: Callable[[Case], None], row: int
) -> None:
    def off(raw: Raw) -> np.ndarray:
        made = raw.cash.copy()
        made[row:, 1] *= 1.0001
        return made

    with pytest.raises(AssertionError):
        check(other_rule("cash", off)(cases["depeg"]))


def test_a_depeg_is_told(cases: dict[str, Case]) -> None:
    case = cases["depeg"]
    told = case.frames["attribution"].filter(pl.col("instrument") == "")
    assert "wallet" not in told["account"]  # the wallet is in USDT, which has no price here
    assert set(told["cause"]) == {"token_price"}
    struck = told.filter(pl.col("time") == datetime(2026, 8, 20, 4, tzinfo=UTC))["usd"].sum()
    assert struck < -0.1 * MARGIN
    (said,) = [a for a in case.result.assumptions if a.name == "settle currencies"]
    assert said.value.startswith("wallet USDT, xyz USDC, xyz/xyz:AVGO USDC")


def test_collateral_earns_where_it_lies_whatever_the_currency_does(depegged: Path) -> None:
    result = perpkit.backtest(
        "funding_carry",
        data=depegged,
        params={"enter_apr": 9.0},  # never
        config={
            "collateral": {"USTB": {"share": 0.8, "wallet_share": 0.3, "apr": 0.04}},
            "terms": {"collateral": "USDC, USTB"},
            "wallet_currency": "USDT",
        },
        pure_python=True,
    )
    raw, frames = Raw(depegged), result.frames
    spent = np.array([0.3 * (CAPITAL - MARGIN), 0.8 * MARGIN])  # of the wallet, of the venue
    rate = np.arange(len(raw.hours)) * 0.04 / 8760  # a NAV that grows by a simple rate
    held = frames["positions"].filter(pl.col("instrument") == "USTB")
    for a, name in enumerate(("wallet", "xyz")):
        own = held.filter(pl.col("account") == name)
        close(own["value_usd"].to_numpy(), spent[a] * (1 + rate))
        earned = frames["attribution"].filter(
            (pl.col("account") == name) & (pl.col("cause") == "yield")
        )
        assert set(earned["instrument"]) == {"USTB"}
        close(earned["usd"].to_numpy(), spent[a] * 0.04 / 8760)
    cash = np.array([CAPITAL - MARGIN, MARGIN]) - spent
    total = (cash / raw.cash[0] * raw.cash).sum(axis=1) + spent.sum() * (1 + rate)
    close(frames["equity"]["equity_usd"].to_numpy(), total)
    moved = cash[1] / raw.cash[0, 1] * np.diff(raw.cash[:, 1], prepend=raw.cash[0, 1])
    close(frames["equity"]["token_price_usd"].to_numpy(), moved)
    account = frames["accounts"].filter(pl.col("account") == "xyz")
    value = cash[1] / raw.cash[0, 1] * raw.cash[:, 1] + spent[1] * (1 + rate) * 0.95
    close(account["margin_value_usd"].to_numpy(), value)
    assert result.summary["pledged_yield_usd"] == pytest.approx(spent[1] * rate[-1])
