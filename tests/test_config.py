"""The run file, ``--set``, and what is refused in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from perpkit.config import (
    ASSUMED,
    RunConfig,
    check_config,
)
from perpkit.errors import RequestError
from perpkit.runfile import apply_settings, parse_setting, read_config
from perpkit.units import to_ns


def refusal(settings: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as caught:
        check_config(settings, "run.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --------------------------------------------------------------------------- the settings


def test_defaults_stand_for_a_careful_run() -> None:
    plain = check_config({})
    assert plain == RunConfig()
    assert plain.fill_delay_hours == 1
    assert (plain.pair, plain.liq_fill, plain.after_liquidation) == ("together", "extreme", "stop")
    assert plain.margin_share == pytest.approx(1 / 3)
    assert plain.token_half_spread_frac is None
    assert plain.trade_frozen_quotes is False
    assert (plain.max_stale_hours, plain.max_frozen_hours) == (3, 2)


def test_every_setting_says_what_it_is() -> None:
    for name, field in RunConfig.model_fields.items():
        assert field.description, name
        assert "\n" not in field.description, name
    assert set(ASSUMED) <= set(RunConfig.model_fields)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        check_config({}).capital = 5.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"capitol": 3}, "run.toml: no setting capitol: did you mean capital?"),
        ({"capital": 0}, "run.toml: capital was 0: input should be greater than 0"),
        ({"capital": float("inf")}, "capital was inf: input should be a finite number"),
        ({"margin_share": 1.0}, "margin_share was 1.0: input should be less than 1"),
        ({"fill_delay_hours": 2}, "fill_delay_hours was 2: input should be 0 or 1"),
        ({"pair": "both"}, "pair was 'both': input should be 'together' or 'each'"),
        ({"half_spread_frac": -0.1}, "half_spread_frac was -0.1"),
        ({"multiplier": {"NVDAon": 0.0}}, "multiplier.NVDAon was 0.0"),
        ({"token_session": {"NVDAon": "always"}}, "token_session.NVDAon was 'always'"),
        ({"leverage": 0.5}, "leverage was 0.5"),
        ({"coins": "xyz:NVDA"}, "coins was 'xyz:NVDA'"),
        ({"start": "soon"}, "start was 'soon'"),
        ({"margin_paths": "both"}, "margin_paths was 'both'"),
        ({"seed": -1}, "seed was -1"),
        ({"settlement": "sequential"}, "settlement was 'sequential': write a table"),
        ({"settlement": {"mod": 1}}, "no setting settlement.mod: did you mean mode?"),
        ({"settlement": {"mode": "swift"}}, "settlement.mode was 'swift'"),
        ({"token_settlement": {"A.B": {"fail_prob": 2}}}, "token_settlement.A.B.fail_prob was 2"),
        (
            {"token_settlement": {"A": {"mode": "coordinated", "lock_hours": 3}}},
            "token_settlement.A: lock_timeout_hours is shorter than lock_hours, which take 3 h",
        ),
        (
            {"settlement": {"fail_prob": 0.02}},
            'settlement: fail_prob does nothing with mode = "atomic", sequential reads it',
        ),
        (
            {"token_settlement": {"A": {"mode": "sequential", "finality_hours": 1}}},
            'token_settlement.A: finality_hours does nothing with mode = "sequential", atomic or',
        ),
    ],
)
def test_refused(settings: dict[str, Any], says: str) -> None:
    assert says in refusal(settings)


MIRRORED = {"collateral": {"BENJI": {"share": 0.5, "mirrored": True}}}


@pytest.mark.parametrize(
    ("settings", "says", "wakes"),
    [
        (
            {"mirror_hours": 24},
            "mirror_hours was 24 and does nothing without collateral",
            MIRRORED,
        ),
        (
            {"portfolio_cap_usd": 1e6},
            "portfolio_cap_usd was 1e+06 and does nothing without portfolio_margin = true",
            {"portfolio_margin": True},
        ),
        (
            {"sweep_min_usd": 50.0},
            "sweep_min_usd was 50 and does nothing without sweep_at_ratio",
            {"sweep_at_ratio": 0.1},
        ),
        (
            {"wallet_cash_usd": 1e4},
            "wallet_cash_usd was 10000 and does nothing without sweep_token",
            {"sweep_token": "USTB"},
        ),
    ],
)
def test_what_would_do_nothing_is_refused(
    settings: dict[str, Any], says: str, wakes: dict[str, Any]
) -> None:
    # Also where it is told what it would be anyway.
    assert says in refusal(settings)
    check_config({**settings, **wakes})
    assert not set(settings) & check_config(wakes).model_fields_set


@pytest.mark.parametrize("name", ["share", "wallet_share"])
def test_an_account_without_cash_is_refused(name: str) -> None:
    def halves(other: float) -> dict[str, Any]:
        return {"collateral": {"USTB": {name: 0.5}, "BENJI": {name: other}}}

    says = f"{name} of the collateral USTB, BENJI is 1 in all, which leaves no cash"
    assert says in refusal(halves(0.5))
    check_config(halves(0.49))


@pytest.mark.parametrize("idle", [{"mirrored": True}, {"share": 0.5}])
def test_time_for_debts_needs_a_share_that_is_mirrored(idle: dict[str, Any]) -> None:
    assert "mirror_hours" in refusal({"mirror_hours": 8, "collateral": {"BENJI": idle}})


def test_dates_without_a_zone_are_utc(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("start = 2026-01-02\nend = 2026-01-03T04:00:00+02:00\n")
    made = check_config(read_config(file))
    assert made.start is not None
    assert made.end is not None
    assert to_ns(made.start) == to_ns(datetime(2026, 1, 2, tzinfo=UTC))
    assert to_ns(made.end) == to_ns(datetime(2026, 1, 3, 2, tzinfo=UTC))


# --------------------------------------------------------------------------- the file


def test_a_run_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'data = "mine"\ncoins = ["xyz:NVDA"]\n[pairs]\n"xyz:NVDA" = "NVDAon"\n'
        "[params]\nenter_apr = 0.2\n[terms]\nclamp_8h = 0.0003\n"
    )
    made = check_config(read_config(file))
    assert (made.data, made.coins) == (Path("mine"), ("xyz:NVDA",))
    assert made.pairs == {"xyz:NVDA": "NVDAon"}
    assert (made.params, made.terms) == ({"enter_apr": 0.2}, {"clamp_8h": 0.0003})


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(b"\xef\xbb\xbfcapital = 7\n")
    assert read_config(file) == {"capital": 7}


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"capital =\n", "not TOML"), (b"x = '\xff'\n", "not UTF-8"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "run.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RequestError, match=says) as caught:
        read_config(file)
    assert str(file) in str(caught.value)


# --------------------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("enter_apr=0.02", ["enter_apr"], 0.02),
        ("hours=24", ["hours"], 24),
        ("on=true", ["on"], True),
        ("pair=each", ["pair"], "each"),
        ('pair="each"', ["pair"], "each"),
        ("coins=['a', 'b']", ["coins"], ["a", "b"]),
        ("terms.clamp_8h = 0.0003", ["terms", "clamp_8h"], 0.0003),
        ("pairs.xyz:NVDA=NVDAon", ["pairs", "xyz:NVDA"], "NVDAon"),
        ("note=a=b", ["note"], "a=b"),
        ("empty=", ["empty"], ""),
    ],
)
def test_one_setting(text: str, path: list[str], value: object) -> None:
    assert parse_setting(text) == (path, value)


def test_a_table_of_tables_is_reached_though_names_hold_dots() -> None:
    told = RunConfig.model_json_schema()["properties"]
    nested = [
        name
        for name, field in told.items()
        if isinstance(inner := field.get("additionalProperties"), dict) and "$ref" in inner
    ]
    assert {"collateral", "token_settlement", "ways"} <= set(nested)
    for name in nested:
        assert parse_setting(f"{name}.NVDA.RH.key=1")[0] == [name, "NVDA.RH", "key"]


@pytest.mark.parametrize("text", ["capital", "=3", " = 3", ""])
def test_a_setting_without_key_or_value(text: str) -> None:
    with pytest.raises(RequestError, match="write it as key=value"):
        parse_setting(text)


def test_settings_lie_over_the_file_and_leave_it_alone() -> None:
    file = {"capital": 5.0, "params": {"a": 1, "b": 2}, "terms": {"clamp_8h": 0.1}}
    told = ["a=7", "capital=6", "terms.step_frac=0.02", "pairs.x:A=AX", "params.b=8"]
    made = apply_settings(file, told, ["a", "b"])
    assert made == {
        "capital": 6,
        "params": {"a": 7, "b": 8},
        "terms": {"clamp_8h": 0.1, "step_frac": 0.02},
        "pairs": {"x:A": "AX"},
    }
    assert file == {"capital": 5.0, "params": {"a": 1, "b": 2}, "terms": {"clamp_8h": 0.1}}


def test_the_last_word_on_a_key_counts() -> None:
    assert apply_settings({}, ["capital=1", "capital=2"], []) == {"capital": 2}


def test_an_unknown_key_is_answered_with_the_nearest() -> None:
    for told, near in (("enter_arp=1", "enter_apr"), ("captal=1", "capital")):
        with pytest.raises(RequestError, match=f"did you mean {near}"):
            apply_settings({}, [told], ["enter_apr"])


def test_collateral_is_a_table_a_token():
    made = apply_settings({}, ["collateral.USTB.share=0.9", "collateral.USTB.apr=0.04"], [])
    config = check_config(made)
    assert (config.collateral["USTB"].share, config.collateral["USTB"].apr) == (0.9, 0.04)
    assert config.collateral["USTB"].haircut_frac is None
    with pytest.raises(
        RequestError, match=r"no setting collateral.USTB.shares: did you mean share"
    ):
        check_config({"collateral": {"USTB": {"shares": 0.9}}})
    with pytest.raises(RequestError, match=r"collateral.USTB.haircut_frac was 1.0: .*less than 1"):
        check_config({"collateral": {"USTB": {"haircut_frac": 1.0}}})
