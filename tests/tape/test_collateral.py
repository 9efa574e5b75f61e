"""Collateral of a run: NAV from a rate, issuers' hours, paydays, what is pledged and refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from perpkit.assumptions import assumptions
from perpkit.config import check_config
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, RequestError
from perpkit.play import set_up
from perpkit.rulebook.venue import Value
from perpkit.tape import cut_before, form
from perpkit.tape.collateral import _haircut
from perpkit.told import Pledge
from perpkit.units import instant

# Thursday 30 July 2026, 00:00Z, for three weeks.
START = datetime(2026, 7, 30, tzinfo=UTC)
HOURS = 21 * 24
TERMS = {"collateral": "USDC, USTB, BUIDL, BENJI, OUSG, SUSDE, BTC, NVDAon"}
TOML = """\
schema = 1
name = "flat"
source = "made up by the tests"
licence = "MIT"
prices = "onchain"

[perps."xyz:NVDA"]
venue = "xyz"
underlying = "NVDA"

[tokens.NVDAon]
underlying = "NVDA"
kind = "equity"
issuer = "ondo"
multiplier = 1.0
"""


@pytest.fixture
def flat(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPKIT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "flat"
    folder.mkdir()
    (folder / "dataset.toml").write_text(TOML, encoding="utf-8")
    times = [START + timedelta(hours=n) for n in range(HOURS)]
    time = pl.Series("time", times).cast(pl.Datetime("ms", "UTC"))
    pl.DataFrame({"time": time}).with_columns(
        coin=pl.lit("xyz:NVDA"),
        oracle_px=pl.lit(200.0),
        mark_px=pl.lit(200.0),
        mid_px=pl.lit(200.0),
        funding=pl.lit(0.0000125),
    ).write_parquet(folder / "perps.parquet")
    pl.DataFrame({"time": time}).with_columns(
        token=pl.lit("NVDAon"), bid_px=pl.lit(199.9), ask_px=pl.lit(200.1)
    ).write_parquet(folder / "tokens.parquet")
    return folder


def market_of(folder, collateral=None, terms=TERMS, **settings):
    config = check_config({"collateral": collateral or {}, "terms": terms, **settings})
    return form(read_dataset(folder), config, pure_python=True), config


def staged(folder, collateral, **settings):
    market, config = market_of(folder, collateral, **settings)
    book = set_up(market, config, np.zeros(0, np.uint8), np.dtype([("x", "f8")])).book
    return market, book


def column(market, name, token):
    return getattr(market.tape, name)[:, market.names.tokens.index(token)]


def days(market, flags):
    """Weekdays, in New York, of the hours that a flag is up."""
    times = market.tape.time_ns[flags]
    return {(instant(int(ns)) - timedelta(hours=4)).strftime("%a") for ns in times}


# --------------------------------------------------------------------------- NAV from a rate


def test_a_price_type_nav_grows_by_the_second_and_simply(flat):
    market, _ = market_of(flat, {"USTB": {"share": 0.5, "apr": 0.0375}})
    expected = 1.0 + 0.0375 * np.arange(HOURS) / 8_760
    for name in ("nav_px", "bid_px", "ask_px", "fair_px"):
        assert column(market, name, "USTB") == pytest.approx(expected, abs=1e-15)
    # No market is known but its issuer: traded in the hours of a market day.
    live = column(market, "live", "USTB")
    assert live.any()
    assert not live.all()
    assert not column(market, "apr", "USTB").any()
    assert market.names.kinds[market.names.tokens.index("USTB")] == "treasury"


def test_a_nav_of_market_days_stands_still_over_the_weekend(flat):
    market, _ = market_of(flat, {"OUSG": {"share": 0.5, "apr": 0.0876}})
    nav = column(market, "nav_px", "OUSG")
    moved = np.flatnonzero(np.diff(nav)) + 1
    hours = [instant(int(ns)) for ns in market.tape.time_ns[moved]]
    # At 16:00 New York time, which is 20:00Z in summer.
    assert {at.hour for at in hours} == {20}
    assert {at.strftime("%a") for at in hours} == {"Mon", "Tue", "Wed", "Thu", "Fri"}
    # Thursday 20:00Z is 20 hours of 0.0876 / 8,760; from Friday to Monday 72 more at once.
    assert nav[20] == pytest.approx(1.0 + 20e-5)
    friday = 44
    assert nav[friday + 71] == nav[friday]
    assert nav[friday + 72] - nav[friday] == pytest.approx(72e-5)


def test_units_are_paid_at_one_usd_in_the_months_first_market_day(flat):
    market, _ = market_of(flat, {"BUIDL": {"share": 0.5, "apr": 0.04}})
    assert (column(market, "nav_px", "BUIDL") == 1.0).all()
    assert (column(market, "fair_px", "BUIDL") == 1.0).all()
    assert (column(market, "apr", "BUIDL") == 0.04).all()
    (row,) = np.flatnonzero(column(market, "payday", "BUIDL"))
    # 1 and 2 August 2026 are a weekend.
    assert instant(int(market.tape.time_ns[row])) == datetime(2026, 8, 3, 20, tzinfo=UTC)
    assert market.tokens.accrues[market.names.tokens.index("BUIDL")]


def test_daily_units_are_paid_on_market_days(flat):
    market, _ = market_of(flat, {"BENJI": {"share": 0.5, "apr": 0.04}})
    paid = column(market, "payday", "BENJI")
    assert paid.sum() == 15
    assert days(market, paid) == {"Mon", "Tue", "Wed", "Thu", "Fri"}


def test_a_stablecoin_needs_no_rate_and_takes_none(flat):
    market, _ = market_of(flat, {"USDC": {"share": 0.5}})
    assert (column(market, "fair_px", "USDC") == 1.0).all()
    assert not market.tokens.accrues.any()
    with pytest.raises(RequestError, match=r"collateral.USDC.apr: USDC stays at one USD"):
        market_of(flat, {"USDC": {"share": 0.5, "apr": 0.04}})


@pytest.fixture
def shocked(flat):
    """A function that writes incidents (hour, kind, name, value) into the dataset."""

    def shock(*rows):
        pl.DataFrame(
            {
                "time": [START + timedelta(hours=hour) for hour, *_ in rows],
                "kind": [kind for _, kind, _, _ in rows],
                "instrument": [name for *_, name, _ in rows],
                "value": [float(value) for *_, value in rows],
            },
            schema_overrides={"time": pl.Datetime("ms", "UTC")},
        ).write_parquet(flat / "shocks.parquet")
        toml = (flat / "dataset.toml").read_text(encoding="utf-8")
        quoted = toml.replace('venue = "xyz"', 'venue = "xyz"\nquote = "USDC"')
        (flat / "dataset.toml").write_text(quoted, encoding="utf-8")
        return flat

    return shock


def test_a_depeg_moves_a_pledged_stablecoin_as_it_does_cash(shocked):
    market, _ = market_of(shocked((40, "depeg", "USDC", 0.9)), {"USDC": {"share": 0.5}})
    fair = column(market, "fair_px", "USDC")
    assert fair[[39, 40, -1]].tolist() == [1.0, 0.9, 0.9]
    assert market.tape.cash_px[[39, 40, -1], 1].tolist() == [1.0, 0.9, 0.9]
    assert (column(market, "nav_px", "USDC") == 1.0).all()


# --------------------------------------------------------------------------- redemption


def test_requests_are_taken_on_market_days_alone(flat):
    treasury = {"USTB": {"wallet_share": 0.5, "apr": 0.04}, "OUSG": {"share": 0.1, "apr": 0.04}}
    path = flat.parent / "mine.toml"
    path.write_text(
        'schema = 1\ncollateral = "USTB"\n[sources]\nME = "my fund"\n'
        "[[blocks]]\nfrom = 2026-01-01\n"
        'redeem_min_usd = { value = 1000, source = "ME", confidence = "reported" }\n',
        encoding="utf-8",
    )
    market, _ = market_of(flat, treasury, redeem=True, topup_at_ratio=0.5, rulebook=path)
    open_now = column(market, "redeemable", "USTB")
    assert days(market, open_now) == {"Mon", "Tue", "Wed", "Thu", "Fri"}
    # Thursday from 09:00 to midnight in New York: 13:00Z to 03:00Z of Friday.
    assert np.flatnonzero(open_now[:36]).tolist() == [*range(4), *range(13, 28)]
    k = market.names.tokens.index("USTB")
    assert market.tokens.redeem_hours[k] == 24
    assert market.tokens.redeem_min_usd[k] == 1_000
    # OUSG's terms are not all known, and the wallet holds none of it.
    assert market.tokens.redeem_hours[market.names.tokens.index("OUSG")] == -1


def test_a_halt_told_by_the_data_closes_the_hours(flat):
    toml = (flat / "dataset.toml").read_text(encoding="utf-8")
    bill = '\n[tokens.OUSG]\nunderlying = "OUSG"\nkind = "treasury"\nissuer = "ondo"\n'
    (flat / "dataset.toml").write_text(f"{toml}{bill}multiplier = 1.0\n", encoding="utf-8")
    held = pl.read_parquet(flat / "tokens.parquet").with_columns(nav_px=pl.lit(None, pl.Float64))
    bills = held.with_columns(
        token=pl.lit("OUSG"), bid_px=pl.lit(0.999), ask_px=pl.lit(1.001), nav_px=pl.lit(1.0)
    )
    pl.concat([held, bills]).write_parquet(flat / "tokens.parquet")
    shocks = {
        "time": [START + timedelta(hours=15), START + timedelta(hours=17)],
        "kind": ["redemption_halt"] * 2,
        "instrument": ["OUSG"] * 2,
        "value": [1.0, 0.0],
    }
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(shocks, schema_overrides=types).write_parquet(flat / "shocks.parquet")
    market, _ = market_of(flat, sweep_token="OUSG")
    open_now = column(market, "redeemable", "OUSG")
    assert np.flatnonzero(open_now[:24]).tolist() == [13, 14, 17, 18, 19]


def test_a_cutoff_ends_the_day(flat):
    market, _ = market_of(flat, {"OUSG": {"apr": 0.04}}, sweep_token="OUSG")
    open_now = column(market, "redeemable", "OUSG")
    # 09:00 to 16:00 in New York; at 16:00 it is too late.
    assert np.flatnonzero(open_now[:24]).tolist() == list(range(13, 20))


def test_an_unknown_term_is_refused_where_it_is_needed(flat):
    words = r"redeem_min_usd of USTB is unknown, and redeem or sweep_token needs it; .*rulebook"
    with pytest.raises(DataError, match=words):
        market_of(
            flat,
            {"USTB": {"wallet_share": 0.5, "apr": 0.04}},
            redeem=True,
            topup_at_ratio=0.5,
        )


def test_nothing_is_laid_where_nothing_is_held(flat):
    market, _ = market_of(flat)
    assert market.tape.redeemable.shape == (HOURS, 0)
    assert market.tape.payday.shape == (HOURS, 0)
    assert market.pledges is None
    assert market.tokens.redeem_hours.tolist() == [-1]


# --------------------------------------------------------------------------- what is pledged


def test_what_is_pledged_is_bought_of_the_accounts_cash(flat):
    told = {"USTB": {"share": 0.6, "apr": 0.04}, "USDC": {"share": 0.1, "wallet_share": 0.25}}
    market, book = staged(flat, told, capital=90_000.0, margin_share=1 / 3)
    ustb, usdc = (market.names.tokens.index(x) for x in ("USTB", "USDC"))
    assert book.accounts.cash_usd[:2] == pytest.approx([45_000.0, 9_000.0])
    assert book.collateral.units[1, [ustb, usdc]] == pytest.approx([18_000.0, 3_000.0])
    assert book.tokens.units[[ustb, usdc]] == pytest.approx([18_000.0, 18_000.0])
    assert book.collateral.units[0].tolist() == [0.0, 0.0, 0.0]
    assert book.collateral.haircut_frac[1, [ustb, usdc]].tolist() == [0.05, 0.01]
    total = book.accounts.cash_usd.sum() + book.tokens.units @ market.tape.fair_px[0]
    assert total == pytest.approx(90_000.0, abs=1e-9)


def test_a_haircut_of_the_run_wins_and_may_be_of_initial_margin_alone(flat):
    told = {"share": 0.5, "apr": 0.04, "haircut_frac": 0.2, "haircut_on": "initial"}
    market, book = staged(flat, {"USTB": {**told, "mirrored": True}})
    k = market.names.tokens.index("USTB")
    assert book.collateral.haircut_frac[1, k] == 0.0
    assert book.collateral.initial_haircut_frac[1, k] == 0.2
    assert book.collateral.mirrored[1, k]


def test_the_largest_haircut_of_the_run_and_of_its_venues_holds():
    told = {"haircut_frac": (0.05, 0.1, 0.02), "haircut_on": ("both", "initial")}

    def over(key, _span, _venue):
        return [Value(x, "made up", "assumed", 0, "here") for x in told[key]]

    asset = SimpleNamespace(over=over)
    assert _haircut("USTB", Pledge(), asset, ("xyz", "okx"), (0, 1)) == (0.1, True)
    told["haircut_on"] = ("initial",)
    assert _haircut("USTB", Pledge(), asset, ("xyz",), (0, 1)) == (0.1, False)


def test_a_token_of_the_data_may_be_pledged(flat):
    market, book = staged(flat, {"NVDAon": {"share": 0.5}}, capital=60_000.0, margin_share=0.5)
    assert market.names.tokens == ("NVDAon",)
    assert book.collateral.units[1].tolist() == [75.0]
    assert book.collateral.haircut_frac[1].tolist() == [0.4]


def test_a_wallet_alone_needs_no_venue(flat):
    market, book = staged(flat, {"USTB": {"wallet_share": 0.5, "apr": 0.04}}, terms={})
    assert book.collateral.units.shape[0] == 0
    assert book.tokens.units[market.names.tokens.index("USTB")] > 0.0


@pytest.mark.parametrize(
    ("collateral", "words"),
    [
        ({"USTB": {"share": 0.5}}, r"no prices of USTB, and no rate; .*collateral.USTB.apr"),
        ({"BTC": {"share": 0.5}}, r"no prices of BTC, and no rate forms them"),
        ({"NVDAon": {"share": 0.5, "apr": 0.1}}, "collateral.NVDAon.apr: .* leave the rate out"),
        ({"USTX": {"share": 0.5, "apr": 0.1}}, "the rulebook says nothing of USTX, .*USTB"),
        ({"USDY": {"share": 0.5, "apr": 0.1}}, r"xyz takes USDC.* and not USDY.*terms.collateral"),
        (
            {"USTB": {"share": 0.5, "apr": 0.1, "accounts": ["kraken"]}},
            "collateral.USTB.accounts: kraken is no venue of this run",
        ),
        ({"USTB": {"share": 0.5, "apr": 0.1, "haircut_frac": 1.0}}, "collateral.USTB.haircut_frac"),
        ({"USTB": {"share": 0.5, "hair": 1.0}}, "no setting collateral.USTB.hair"),
        (
            {"USTB": {"share": 0.6, "apr": 0.1}, "USDC": {"share": 0.6}},
            "share of the collateral USTB, USDC is 1.2 in all",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(flat, collateral, words):
    with pytest.raises(RequestError, match=words):
        market_of(flat, collateral)


def test_a_venue_that_does_not_take_it_is_no_matter_without_a_share(flat):
    market, _ = market_of(flat, {"USDY": {"share": 0.0, "apr": 0.04}}, terms={})
    assert "USDY" in market.names.tokens


def test_a_sweep_token_must_be_there(flat):
    with pytest.raises(RequestError, match="sweep_token: USTB is not in flat"):
        market_of(flat, sweep_token="USTB")


def test_the_result_says_what_is_assumed(flat):
    told = {"USTB": {"share": 0.5, "apr": 0.04, "mirrored": True}}
    market, config = market_of(flat, told)
    made = {a.name: a for a in assumptions(market, config)}
    assert "without cost" in made["collateral"].why
    assert made["USTB haircut_frac"].value == "0.05"
    assert made["USTB apr"].value == "0.04"
    assert made["borrow_apr"].value == "0.05"
    assert made["mirror_hours"].value == "24"
    plain, config = market_of(flat)
    unsaid = {"collateral", "borrow_apr", "sweep_min_usd"}
    assert not unsaid & {a.name for a in assumptions(plain, config)}
    plain, config = market_of(flat, sweep_at_ratio=0.1)
    made = {a.name: a for a in assumptions(plain, config)}
    assert made["sweep_min_usd"].value == "100"


MINE = """\
schema = 1
collateral = "USTB"
[sources]
ME = "my fund"
[[blocks]]
from = 2026-01-01
redeem_min_usd = { value = 1000, source = "ME", confidence = "reported" }
"""


def redeemed_in_the_wallet(flat, **settings):
    path = flat.parent / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    told = {"redeem": True, "topup_at_ratio": 0.5, "rulebook": path, **settings}
    market, _ = market_of(flat, {"USTB": {"wallet_share": 0.5, "apr": 0.04}}, **told)
    return market


def test_a_request_of_friday_is_paid_on_monday(flat):
    rows = column(redeemed_in_the_wallet(flat), "redeem_rows", "USTB")
    asked = START + timedelta(hours=38)  # Friday 10:00 in New York
    assert asked + timedelta(hours=int(rows[38])) == datetime(2026, 8, 3, 13, tzinfo=UTC)
    assert rows[14] == 24  # Thursday's on Friday, a day later to the hour
    # What comes after the run's last hour is beyond its rows.
    assert HOURS - 2 + rows[-2] >= HOURS


def test_nothing_is_traded_or_redeemed_of_a_frozen_token(flat):
    shocks = {
        "time": [START + timedelta(hours=15)],
        "kind": ["freeze"],
        "instrument": ["USTB"],
        "value": [1.0],
    }
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(shocks, schema_overrides=types).write_parquet(flat / "shocks.parquet")
    market = redeemed_in_the_wallet(flat)
    for name in ("live", "redeemable"):
        flags = column(market, name, "USTB")
        assert flags[13:15].all()
        assert not flags[15:].any()


@pytest.mark.parametrize(("after", "redeemed"), [("locked", False), ("redeem", True)])
def test_of_a_revoked_holder_the_issuer_takes_back_what_the_setting_says(flat, after, redeemed):
    shocks = {
        "time": [START + timedelta(hours=15)],
        "kind": ["revoke"],
        "instrument": ["USTB"],
        "value": [1.0],
    }
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(shocks, schema_overrides=types).write_parquet(flat / "shocks.parquet")
    market = redeemed_in_the_wallet(flat, after_revoke=after)
    assert column(market, "redeemable", "USTB")[13:15].all()
    assert column(market, "redeemable", "USTB")[15:].any() == redeemed
    assert column(market, "live", "USTB")[15:].any(), "others trade on"


def test_collateral_cannot_be_bought_that_is_locked_at_the_start(flat):
    shocks = {
        "time": [START - timedelta(hours=15)],
        "kind": ["freeze"],
        "instrument": ["USTB"],
        "value": [1.0],
    }
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(shocks, schema_overrides=types).write_parquet(flat / "shocks.parquet")
    market = redeemed_in_the_wallet(flat)
    with pytest.raises(
        DataError, match=r"collateral.USTB: shocks.parquet has it frozen, paused or"
    ):
        set_up(market, check_config({}), np.zeros(0, np.uint8), np.dtype("u1"))


def test_a_depeg_of_a_nav_that_rises_is_a_share_of_it(flat):
    hour = START + timedelta(hours=24)
    shocks = {
        "time": [hour, hour + timedelta(hours=24)],
        "kind": ["depeg"] * 2,
        "instrument": ["USTB"] * 2,
        "value": [0.9, 1.0],
    }
    types = {"time": pl.Datetime("ms", "UTC")}
    pl.DataFrame(shocks, schema_overrides=types).write_parquet(flat / "shocks.parquet")
    market = redeemed_in_the_wallet(flat)
    nav, fair = column(market, "nav_px", "USTB"), column(market, "fair_px", "USTB")
    assert fair[30] == pytest.approx(0.9 * nav[30])
    assert fair[-1] == nav[-1] > 1.0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"collateral": {"USTB": {"share": 1.0, "apr": 0.04}}}, "collateral.USTB.share was 1.0"),
        ({"collateral": {"USTB": {"wallet_share": 1.0}}}, "collateral.USTB.wallet_share was 1.0"),
        ({"portfolio_margin": True}, "nothing is pledged in every margin account"),
    ],
)
def test_an_account_without_cash_or_a_pledge_is_refused(flat, settings, says):
    with pytest.raises(RequestError, match=says.replace(".", r"\.")):
        market_of(flat, **settings)


def test_no_accounts_are_not_all(flat):
    with pytest.raises(RequestError, match="accounts is empty"):
        market_of(flat, {"USTB": {"share": 0.1, "apr": 0.04, "accounts": []}})


def test_portfolio_margin_counts_half_the_haircut_against_liquidation(flat):
    terms = {"collateral": "USDC, BENJI"}
    pledge = {"BENJI": {"share": 0.5, "haircut_frac": 0.5, "apr": 0.04}}
    market, _ = market_of(flat, pledge, terms=terms, portfolio_margin=True)
    k = market.names.tokens.index("BENJI")
    assert market.pledges.initial_haircut_frac[1, k] == 0.5
    assert market.pledges.haircut_frac[1, k] == 0.25


# --------------------------------------------------------------------------- settled on a path


LATE = {"mode": "coordinated", "release_fail_prob": 1.0, "release_retries": 0, "manual_hours": 50.0}


def mine(flat):
    """The minimum of a redemption, which nobody publishes."""
    path = flat.parent / "mine.toml"
    path.write_text(
        'schema = 1\ncollateral = "USTB"\n[sources]\nME = "my fund"\n'
        "[[blocks]]\nfrom = 2026-01-01\n"
        'redeem_min_usd = { value = 1000, source = "ME", confidence = "reported" }\n',
        encoding="utf-8",
    )
    return path


def test_a_redemption_takes_the_path_told_of_its_token(flat):
    held = {"USTB": {"wallet_share": 0.5, "apr": 0.04}}
    told = {"redeem": True, "topup_at_ratio": 0.5, "rulebook": mine(flat)}
    plain, _ = market_of(flat, held, **told)
    days = {"mode": "sequential", "fail_prob": 0.0}
    for settings in ({}, {"settlement": days}):
        market, _ = market_of(flat, held, **told, **settings)
        assert (market.tape.redeem_rows == plain.tape.redeem_rows).all()
    market, config = market_of(flat, held, **told, token_settlement={"USTB": days})
    before, after = (column(m, "redeem_rows", "USTB") for m in (plain, market))
    opened = column(plain, "redeemable", "USTB")
    paid = np.flatnonzero(opened)[0] + before[opened][0]
    # Asked for on Thursday, paid by the issuer on Friday at 13:00, due at Monday's close.
    assert instant(int(market.tape.time_ns[paid])) == datetime(2026, 7, 31, 13, tzinfo=UTC)
    due = np.flatnonzero(opened)[0] + after[opened][0]
    assert instant(int(market.tape.time_ns[due])) == datetime(2026, 8, 3, 20, tzinfo=UTC)
    named = next(a for a in assumptions(market, config) if a.name == "settlement of USTB")
    assert named.value == "sequential"
    assert named.why.startswith("drawn with seed 0, by capital_apr 0.05, fee_frac 0, ")


def test_a_stuck_redemption_waits_and_is_asked_for_again(flat):
    held = {"USTB": {"wallet_share": 0.5, "apr": 0.04}}
    told = {"redeem": True, "topup_at_ratio": 0.5, "rulebook": mine(flat)}
    odds = dict.fromkeys(("lock_fail_prob", "attest_fail_prob", "pay_unknown_prob"), 0.0)
    stuck, _ = market_of(flat, held, **told, token_settlement={"USTB": {**LATE, **odds}})
    # Released never: unwound every time, and over the tape's end at last.
    rows = column(stuck, "redeem_rows", "USTB")
    assert (np.arange(HOURS) + rows >= HOURS).all()
    half, _ = market_of(
        flat, held, **told, token_settlement={"USTB": {**LATE, **odds, "release_fail_prob": 0.5}}
    )
    plain, _ = market_of(flat, held, **told)
    waits = column(half, "redeem_rows", "USTB") - column(plain, "redeem_rows", "USTB")
    inside = np.arange(HOURS) + column(half, "redeem_rows", "USTB") < HOURS
    # 0.02 + 0.23 + 0.01 h, a release waited for an hour, and 50 h until it is refunded.
    opened = column(plain, "redeemable", "USTB")
    delay = column(plain, "redeem_rows", "USTB")
    late = np.flatnonzero(inside & opened & (waits > 0))
    assert late.size
    assert (waits[inside & opened] == 0).any()
    for row in late.tolist():  # undone once or more, and each time asked for in an hour of requests
        at = row + delay[row]
        while at < row + delay[row] + waits[row]:
            again = np.flatnonzero(opened[at + 52 :])[0] + at + 52
            at = again + delay[again]
        assert at == row + delay[row] + waits[row]


def test_what_was_drawn_before_the_start_is_cut_with_it(flat):
    market, _ = market_of(flat, settlement={"mode": "sequential"})
    later = cut_before(market, int(market.tape.time_ns[100]))
    for name in (
        "settle_rows",
        "settle_end",
        "settle_cost_frac",
        "redeem_cost_frac",
        "settle_state",
    ):
        assert (getattr(later.tape, name) == getattr(market.tape, name)[100:]).all()
        assert getattr(later.tape, name).shape == (HOURS - 100, 1)
