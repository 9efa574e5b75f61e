"""Instruments and their links, and what a token must have to be in a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from perpkit.config import RunConfig
from perpkit.dataset import read_dataset
from perpkit.errors import DataError, RequestError
from perpkit.rulebook import Rulebook
from perpkit.rulebook.reader import read_issuer
from perpkit.tape import Instruments, Market, form
from perpkit.tape.instruments import choose

START = datetime(2026, 8, 12, 5, tzinfo=UTC)


@pytest.fixture
def tiny(tiny_dataset: Path) -> Path:
    """Six hours: xyz:NVDA with NVDAon, xyz:AAPL without a token, USDY without a perp."""
    return tiny_dataset


def rewrite(folder: Path, table: str, *columns: pl.Expr) -> None:
    path = folder / f"{table}.parquet"
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def retell(folder: Path, **words: str) -> None:
    """Replace words of dataset.toml: ``ondo="robinhood"``."""
    path = folder / "dataset.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def no_actions(folder: Path) -> Path:
    (folder / "actions.parquet").unlink()
    return folder


def chosen(folder: Path, **config: object) -> Instruments:
    return choose(read_dataset(folder), RunConfig.model_validate(config))


# ------------------------------------------------------------------- who is in the run


def test_by_default_every_coin_with_the_token_of_its_underlying(tiny: Path) -> None:
    names = chosen(tiny)
    assert names.coins == ("xyz:NVDA", "xyz:AAPL")
    assert names.tokens == ("NVDAon",)
    assert names.accounts == ("wallet", "xyz")
    assert names.underlyings == ("AAPL", "NVDA")
    assert names.kinds == ("equity",)
    assert names.perp_account.tolist() == [1, 1]
    assert names.perp_token.tolist() == [0, -1]
    assert names.perp_underlying.tolist() == [1, 0]
    assert names.token_perp.tolist() == [0]
    assert names.token_underlying.tolist() == [1]
    assert [names.name(n) for n in (-1, 0, 1, 2)] == ["", "xyz:NVDA", "xyz:AAPL", "NVDAon"]


def test_further_tokens_and_fewer_coins(tiny: Path) -> None:
    names = chosen(tiny, tokens=("USDY", "NVDAon"))
    assert names.tokens == ("NVDAon", "USDY"), "each once, paired ones first"
    assert names.token_perp.tolist() == [0, -1]
    assert names.kinds == ("equity", "treasury")
    names = chosen(tiny, coins=("xyz:AAPL",), tokens=("NVDAon",))
    assert (names.coins, names.tokens) == (("xyz:AAPL",), ("NVDAon",))
    assert names.token_perp.tolist() == [-1], "NVDA is not traded"


def test_venues_are_accounts_in_the_order_of_their_coins(tiny: Path) -> None:
    path = tiny / "dataset.toml"
    before, after = path.read_text(encoding="utf-8").split('[perps."xyz:AAPL"]')
    path.write_text(
        before + '[perps."xyz:AAPL"]' + after.replace('"xyz"', '"baseline"', 1), encoding="utf-8"
    )
    names = chosen(tiny)
    assert names.accounts == ("wallet", "xyz", "baseline")
    assert names.perp_account.tolist() == [1, 2]
    assert chosen(tiny, coins=("xyz:AAPL", "xyz:NVDA")).accounts == ("wallet", "baseline", "xyz")


def test_unpaired_token_follows_the_perp_with_the_larger_open_interest(tiny: Path) -> None:
    retell(tiny, USDY="NVDAx", AAPL="NVDA2")
    retell(tiny, **{'underlying = "NVDA2"': 'underlying = "NVDA"'})
    retell(tiny, **{'underlying = "NVDAx"': 'underlying = "NVDA"'})
    second = pl.col("coin").str.replace("AAPL", "NVDA2")
    interest = pl.when(second == "xyz:NVDA2").then(2e5).otherwise(1e5).alias("open_interest")
    rewrite(tiny, "perps", second.alias("coin"), interest)
    rewrite(tiny, "funding", second.alias("coin"))
    rewrite(tiny, "tokens", pl.col("token").str.replace("USDY", "NVDAx"))
    names = chosen(tiny, tokens=("NVDAx",))
    assert names.perp_token.tolist() == [0, 1], "a token hedges one perp: each its own, in order"
    other = chosen(tiny, pairs={"xyz:NVDA": "NVDAx"})
    assert [other.tokens[k] for k in other.perp_token] == ["NVDAx", "NVDAon"]
    with pytest.raises(RequestError, match="NVDAx is paired with two perps"):
        chosen(tiny, pairs={"xyz:NVDA": "NVDAx", "xyz:NVDA2": "NVDAx"})
    with (tiny / "dataset.toml").open("a", encoding="utf-8") as toml:
        toml.write('[tokens.NVDAz]\nunderlying = "NVDA"\nkind = "equity"\nissuer = "ondo"\n')
    rows = pl.read_parquet(tiny / "tokens.parquet")
    third = rows.filter(pl.col("token") == "NVDAx").with_columns(token=pl.lit("NVDAz"))
    pl.concat([rows, third]).write_parquet(tiny / "tokens.parquet")
    assert chosen(tiny, tokens=("NVDAz",)).token_perp.tolist() == [0, 1, 1], "the larger interest"
    rewrite(tiny, "perps", pl.lit(1e5).alias("open_interest"))
    assert chosen(tiny, tokens=("NVDAz",)).token_perp.tolist() == [0, 1, 0], "the first of equals"


def test_coin_that_is_not_traded_does_not_hide_the_open_interest(tiny: Path) -> None:
    path = tiny / "dataset.toml"
    text = path.read_text(encoding="utf-8").replace("USDY", "NVDAx").replace("AAPL", "NVDA2")
    for name in ("NVDA2", "NVDAx"):
        text = text.replace(f'underlying = "{name}"', 'underlying = "NVDA"')
    text += '[perps."xyz:MSFT"]\nvenue = "xyz"\nunderlying = "MSFT"\n'
    path.write_text(text, encoding="utf-8")
    for table, key in (("perps", "coin"), ("funding", "coin"), ("tokens", "token")):
        renamed = pl.col(key).str.replace("AAPL", "NVDA2").str.replace("USDY", "NVDAx")
        rewrite(tiny, table, renamed.alias(key))
    rows = pl.read_parquet(tiny / "perps.parquet")
    second = pl.col("coin") == "xyz:NVDA2"
    interest = pl.when(second).then(2e5).otherwise(1e5).alias("open_interest")
    # Another coin's data start an hour earlier.
    earlier = rows.filter(pl.col("coin") == "xyz:NVDA").with_columns(
        pl.lit("xyz:MSFT").alias("coin"), pl.col("time").dt.offset_by("-1h")
    )
    pl.concat([rows, earlier]).with_columns(interest).write_parquet(tiny / "perps.parquet")
    names = chosen(tiny, coins=("xyz:NVDA", "xyz:NVDA2"), tokens=("NVDAx",))
    assert names.token_perp.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"coins": ()}, "coins is empty: name at least one perp"),
        ({"coins": ("xyz:NVDIA",)}, "coins: xyz:NVDIA is not in .*did you mean xyz:NVDA?"),
        ({"tokens": ("NVDAonn",)}, "tokens: NVDAonn is not in .*did you mean NVDAon?"),
        ({"pairs": {"xyz:NVDA": "NVDAo"}}, "pairs: NVDAo is not in .*did you mean NVDAon?"),
        (
            {"coins": ("xyz:AAPL",), "pairs": {"xyz:NVDA": "NVDAon"}},
            "pairs: xyz:NVDA is not traded in this run",
        ),
        (
            {"pairs": {"xyz:AAPL": "NVDAon"}},
            "xyz:AAPL is a perp on AAPL and NVDAon a token on NVDA; pair a perp with a token of",
        ),
    ],
)
def test_wrong_choice_is_answered_with_the_right_one(
    tiny: Path, config: dict[str, object], says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        chosen(tiny, **config)


# ------------------------------------------------------------------- what a token must have


def test_mid_without_a_spread_is_refused_until_told(tiny: Path) -> None:
    no_actions(tiny)
    mid = pl.col("time") == START + timedelta(hours=2)
    ask = pl.when(mid).then(pl.col("bid_px")).otherwise(pl.col("ask_px")).alias("ask_px")
    rewrite(tiny, "tokens", ask)
    says = "NVDAon is quoted with bid = ask, .*; set token_half_spread_frac"
    with pytest.raises(DataError, match=says):
        form(read_dataset(tiny), RunConfig())
    market = form(read_dataset(tiny), RunConfig(token_half_spread_frac=0.002))
    assert market.tokens.half_spread_frac.tolist() == [0.002]
    assert market.tape.bid_px[2, 0] == market.tape.ask_px[2, 0]


@pytest.mark.shared
def test_real_pool_mids_are_refused_until_told(shared_data: Path) -> None:
    august = read_dataset(shared_data / "xyz-2026-08")
    pairs = {"xyz:NVDA": "NVDAB"}
    with pytest.raises(DataError, match=r"NVDAB is quoted with bid = ask.*token_half_spread_frac"):
        form(august, RunConfig(pairs=pairs))
    with pytest.raises(DataError, match=r"fee_frac of NVDAB is unknown.*token_fee_frac=VALUE"):
        form(august, RunConfig(pairs=pairs, token_half_spread_frac=0.002))
    told = RunConfig(pairs=pairs, token_half_spread_frac=0.002, token_fee_frac=0.003)
    market = form(august, told)
    k = market.names.tokens.index("NVDAB")
    assert (market.tokens.half_spread_frac[k], market.tokens.fee_frac[k]) == (0.002, 0.003)
    assert market.tape.quoted[:, k].all(), "pools trade 24/7"


def test_multiplier_that_nobody_knows_is_refused_until_told(tiny: Path) -> None:
    no_actions(tiny)
    retell(tiny, **{"multiplier = 1\n": ""})
    says = "the multiplier of NVDAon .* is not known; .*--set multiplier.NVDAon=VALUE"
    with pytest.raises(DataError, match=says):
        form(read_dataset(tiny), RunConfig())
    told = form(read_dataset(tiny), RunConfig(multiplier={"NVDAon": 0.1}))
    assert told.tape.multiplier[:, 0].tolist() == [0.1] * 6


def recorded_multiplier(folder: Path, values: list[float | None]) -> None:
    path = folder / "tokens.parquet"
    rows = pl.read_parquet(path)
    series = pl.Series("multiplier", [*values, *[1.0] * (rows.height - len(values))], pl.Float64)
    rows.with_columns(series).write_parquet(path)


def test_recorded_multiplier_is_carried_and_filled_by_the_dataset(tiny: Path) -> None:
    no_actions(tiny)
    recorded_multiplier(tiny, [None, 1.01, None, None, 1.02, None])
    made = form(read_dataset(tiny), RunConfig()).tape.multiplier[:, 0]
    assert made.tolist() == [1.0, 1.01, 1.01, 1.01, 1.02, 1.02]
    told = form(read_dataset(tiny), RunConfig(multiplier={"NVDAon": 0.5})).tape.multiplier[:, 0]
    assert told.tolist() == [0.5] * 6, "the run's word wins"


def test_token_listed_later_with_its_multiplier_recorded(tiny: Path) -> None:
    no_actions(tiny)
    retell(tiny, **{"multiplier = 1\n": ""})
    recorded_multiplier(tiny, [1.5] * 6)
    path = tiny / "tokens.parquet"
    early = (pl.col("token") == "NVDAon") & (pl.col("time") < START + timedelta(hours=2))
    pl.read_parquet(path).filter(~early).write_parquet(path)
    tape = form(read_dataset(tiny), RunConfig()).tape
    assert tape.multiplier[2:, 0].tolist() == [1.5] * 4


ISSUER = """\
schema = 1
issuer = "made"
title = "made up by the tests"
[sources]
TEST = "a test"
[[blocks]]
from = 2025-01-01
quote_session = {{ value = "{session}", source = "TEST", confidence = "assumed" }}
trade_fee_frac = {{ value = {fee}, source = "TEST", confidence = "assumed" }}
min_order_usd = {{ value = "unknown", source = "TEST", confidence = "assumed" }}
dividends = {{ value = "cash", source = "TEST", confidence = "assumed" }}
withholding_frac = {{ value = 0.15, source = "TEST", confidence = "assumed" }}
"""


def issue(
    monkeypatch: pytest.MonkeyPatch, folder: Path, session: str, fee: str, more: str = ""
) -> None:
    """Let every token be of an issuer with this session and fee."""
    path = folder.parent / "made.toml"
    path.write_text(ISSUER.format(session=session, fee=fee) + more, encoding="utf-8")
    made = read_issuer(path)

    monkeypatch.setattr(Rulebook, "issuer", lambda *_: made)


def test_unknown_session_is_refused_until_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_actions(tiny)
    issue(monkeypatch, tiny, "unknown", "0.001")
    says = (
        r"when NVDAon is quoted is unknown from 2026-08-12 05:00Z; "
        r"set it with --set token_session\.NVDAon=24/5"
    )
    with pytest.raises(DataError, match=says):
        form(read_dataset(tiny), RunConfig())
    # 05:00Z to 10:00Z on a Wednesday: before the cash session, within the pricing week.
    cash = form(read_dataset(tiny), RunConfig(token_session={"NVDAon": "cash"}))
    assert not cash.tape.quoted.any()
    week = form(read_dataset(tiny), RunConfig(token_session={"NVDAon": "24/5"}))
    assert week.tape.quoted.all()
    assert week.tokens.fee_frac.tolist() == [0.001]


def test_unknown_fee_is_refused_until_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_actions(tiny)
    issue(monkeypatch, tiny, "24/7", '"unknown"')
    with pytest.raises(DataError, match="trade_fee_frac of NVDAon is unknown; set it with --set"):
        form(read_dataset(tiny), RunConfig())
    market = form(read_dataset(tiny), RunConfig(token_fee_frac=0.003, token_min_order_usd=25.0))
    assert market.tokens.fee_frac.tolist() == [0.003]
    assert market.tokens.min_order_usd.tolist() == [25.0]


CASH_FROM_8 = """\
[[blocks]]
from = 2026-08-12T08:00:00Z
quote_session = { value = "cash", source = "TEST", confidence = "assumed" }
"""


def test_session_is_the_one_in_force_at_the_hour(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_actions(tiny)
    issue(monkeypatch, tiny, "24/7", "0.001", CASH_FROM_8)
    quoted = form(read_dataset(tiny), RunConfig()).tape.quoted[:, 0]
    assert quoted.tolist() == [True] * 3 + [False] * 3


def test_halted_token_is_not_quoted(tiny: Path) -> None:
    no_actions(tiny)
    rewrite(tiny, "tokens", (pl.col("time").dt.hour() == 7).alias("halted"))
    tape = form(read_dataset(tiny), RunConfig()).tape
    assert tape.quoted[:, 0].tolist() == [True, True, False, True, True, True]
    assert tape.halted[:, 0].tolist() == [False, False, True, False, False, False]


# ------------------------------------------------------------------- dividends


def cash(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: object) -> Market:
    """Form with an issuer that pays in cash; the dividend's row changed as told."""
    issue(monkeypatch, folder, "24/7", "0.0")
    columns = [pl.lit(value).alias(name) for name, value in values.items() if name != "time"]
    if "time" in values:
        columns.append(pl.lit(values["time"], pl.Datetime("ms", "UTC")).alias("time"))
    rewrite(folder, "actions", *columns)
    return form(read_dataset(folder), RunConfig())


def test_cash_dividend_net_of_withholding(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = cash(tiny, monkeypatch).tape
    # 0.01 a share at 08:00Z, 30% withheld, one share a token.
    assert (tape.action_row.tolist(), tape.action_instrument.tolist()) == ([3], [2])
    assert tape.action_value.tolist() == pytest.approx([0.007], abs=1e-15)


def test_dividend_by_multiplier_and_the_issuers_withholding(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded_multiplier(tiny, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5])
    tape = cash(tiny, monkeypatch, amount=2.0, withholding_frac=None).tape
    # 2 * (1 - 0.15) * 0.5, the multiplier in force at its row
    assert tape.action_value.tolist() == pytest.approx([0.85], abs=1e-15)


@pytest.mark.parametrize(
    ("minutes", "row"),
    [(0, None), (1, 1), (60, 1), (119, 2), (120, 2), (121, 3), (300, 5), (301, None)],
)
def test_dividend_belongs_to_the_row_it_is_known_at(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, row: int | None
) -> None:
    tape = cash(tiny, monkeypatch, time=START + timedelta(minutes=minutes)).tape
    assert tape.action_row.tolist() == ([] if row is None else [row])


def test_dividend_milliseconds_after_the_hour(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = START + timedelta(hours=2, milliseconds=500)
    assert cash(tiny, monkeypatch, time=at).tape.action_row.tolist() == [3]


def test_dividend_of_an_unknown_way_or_tax_is_refused(tiny: Path) -> None:
    retell(tiny, ondo="binance")
    config = RunConfig(token_fee_frac=0.0)
    with pytest.raises(DataError, match=r"how NVDAon passes on the dividend .* is unknown"):
        form(read_dataset(tiny), config)
    # Robinhood paid in cash in 2025 and does not say what it withheld.
    retell(tiny, binance="robinhood")
    for table in ("perps", "funding", "tokens", "actions", "shocks"):
        rewrite(tiny, table, pl.col("time").dt.offset_by("-9mo"))
    paid = form(read_dataset(tiny), config).tape
    assert paid.action_value.tolist() == pytest.approx([0.007], abs=1e-15)
    rewrite(tiny, "actions", pl.lit(None, pl.Float64).alias("withholding_frac"))
    with pytest.raises(DataError, match=r"tax withheld on NVDAon .* give withholding_frac"):
        form(read_dataset(tiny), config)
