"""The run file and its settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perpkit.errors import RequestError, nearest

Frac = Annotated[float, Field(ge=0.0, lt=1.0)]
Hours = Annotated[int, Field(ge=1, le=8_760)]


class RunConfig(BaseModel):
    """Every choice of a run; field descriptions are the documentation of the run file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: Path | None = Field(None, description="dataset folder; none: the shipped demo")
    start: datetime | None = Field(None, description="first hour, UTC")
    end: datetime | None = Field(None, description="last hour, UTC")
    capital: float = Field(100_000.0, gt=0.0, description="USD at the start")
    margin_share: float = Field(
        1 / 3, gt=0.0, lt=1.0, description="share of capital that starts in the margin accounts"
    )
    coins: tuple[str, ...] | None = Field(None, description="perps to trade; none: all")
    pairs: dict[str, str] = Field(
        {}, description="token of each perp; default the first of its underlying in the dataset"
    )
    tokens: tuple[str, ...] = Field((), description="further tokens the strategy may hold")
    fill_delay_hours: Literal[0, 1] = Field(1, description="rows between decision and fill")
    pair: Literal["together", "each"] = Field(
        "together", description="whether both legs of a hedge are cut to the smaller"
    )
    liquidity: Literal["taker", "maker"] = Field("taker", description="fee schedule of perp fills")
    leverage: float | None = Field(
        None, ge=1.0, description="leverage of the initial margin; none: the coin's highest"
    )
    # Two live carry tests of about 2,450 USD a leg lost 4.07 and 2.10 USD to slippage over four
    # fills each (harmonixfi/hip3-agent, 27 to 30 March 2026): 2 to 4 bp a fill.
    half_spread_frac: Frac = Field(0.0002, description="perp half-spread, fraction of the mid")
    slippage_frac: Frac = Field(0.0002, description="perp impact beyond the half-spread")
    token_half_spread_frac: Frac | None = Field(
        None, description="half-spread of tokens quoted as a mid (bid = ask)"
    )
    token_fee_frac: Frac | None = Field(
        None, description="fee of a token trade; none: the issuer's"
    )
    token_min_order_usd: float = Field(
        10.0, ge=0.0, description="smallest token order where the issuer publishes none"
    )
    token_session: dict[str, Literal["24/7", "24/5", "cash"]] = Field(
        {}, description="when a token is quoted; default the issuer's"
    )
    multiplier: dict[str, Annotated[float, Field(gt=0.0)]] = Field(
        {}, description="underlying units a token; wins over what the dataset says"
    )
    trade_frozen_quotes: bool = Field(False, description="trade at quotes that are not live")
    max_quote_spread_frac: Frac = Field(0.005, description="widest spread of a live quote")
    max_frozen_hours: int = Field(2, ge=1, le=168, description="longest a live quote stands still")
    max_stale_hours: int = Field(3, ge=0, le=168, description="longest a price is carried")
    funding: Literal["recorded", "formula", "both"] | None = Field(
        None,
        description="`recorded`: a missing rate is an error; `formula`: fills in what is not "
        "recorded; `both`: as recorded, and says what the formula makes of it; none: recorded, but "
        "formula for external prices without a record",
    )
    margin_paths: Literal["own_worst"] = Field(
        "own_worst", description="cross accounts are tested with every leg at its own extreme"
    )
    liq_fill: Literal["extreme", "trigger"] = Field(
        "extreme", description="price at which a liquidation is done"
    )
    after_liquidation: Literal["stop", "resume"] = Field(
        "stop", description="whether a liquidated coin may be entered again"
    )
    topup_at_ratio: float | None = Field(
        None, gt=0.0, lt=1.0, description="margin ratio at which cash is sent; none: never"
    )
    topup_to_ratio: float = Field(0.25, gt=0.0, lt=1.0, description="ratio a transfer restores")
    transfer_hours: Hours = Field(1, description="hours a transfer between accounts takes")
    transfer_cost_usd: float = Field(1.0, ge=0.0, description="cost of a transfer")
    risk_free_apr: float = Field(0.0375, description="rate of the excess returns, simple")
    terms: dict[str, Any] = Field({}, description="rulebook terms that this run overrides")
    rulebook: Path | None = Field(
        None, description="TOML file, or a folder of them, laid over the rulebook"
    )
    params: dict[str, Any] = Field({}, description="parameters of the strategy")
    chunk_rows: int = Field(32_768, ge=1, description="hours played between two progress reports")


# Assumed, not known: the result names these whenever they are in force.
ASSUMED = (
    "margin_share",
    "half_spread_frac",
    "slippage_frac",
    "risk_free_apr",
    "max_quote_spread_frac",
    "max_frozen_hours",
    "token_min_order_usd",
)


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a run file.

    Raises
    ------
    RequestError
        If the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise RequestError(f"{path}: cannot be read ({e.strerror}); check --config") from e
    except UnicodeDecodeError as e:
        raise RequestError(f"{path}: not UTF-8 text; save it as UTF-8") from e
    except tomllib.TOMLDecodeError as e:
        raise RequestError(f"{path}: not TOML: {e}") from e


def parse_setting(text: str) -> tuple[list[str], Any]:
    """One ``--set key=value``: the key's path and the value read as TOML, else as text.

    >>> parse_setting("pairs.xyz:NVDA=NVDAB")
    (['pairs', 'xyz:NVDA'], 'NVDAB')
    >>> parse_setting("enter_apr=0.02")
    (['enter_apr'], 0.02)
    >>> parse_setting("multiplier.NVDA.RH=1.0")
    (['multiplier', 'NVDA.RH'], 1.0)
    >>> parse_setting("terms.xyz:NVDA.clamp_8h=0.0005")
    (['terms', 'xyz:NVDA', 'clamp_8h'], 0.0005)
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RequestError(f"--set {text}: write it as key=value")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    table, dot, rest = key.strip().partition(".")
    if not dot:
        return [table], parsed
    # The names of instruments may hold dots themselves.
    coin, dot, term = rest.rpartition(".") if table == "terms" else ("", "", rest)
    return [table, *([coin] if dot else []), term], parsed


def apply_settings(
    settings: Mapping[str, Any], told: list[str], parameters: list[str]
) -> dict[str, Any]:
    """Run-file settings with ``--set`` choices laid over them.

    A key is a setting of the run, one of its tables (``terms.clamp_8h``), or a parameter of the
    strategy.

    Raises
    ------
    RequestError
        If a key is neither, or a parameter and a setting at once.
    """
    made: dict[str, Any] = dict(settings)
    known = list(RunConfig.model_fields)
    for text in told:
        path, value = parse_setting(text)
        if path[0] in parameters:
            path = ["params", *path]
        if path[0] not in known:
            names = [*parameters, *known]
            raise RequestError(f"--set {text}: no setting {path[0]}: {nearest(path[0], names)}")
        table = made
        for part in path[:-1]:
            inner = table.get(part)
            table[part] = dict(inner) if isinstance(inner, Mapping) else {}
            table = table[part]
        table[path[-1]] = value
    return made


_IN_WORDS = {
    "tuple_type": 'write a list of names, ["xyz:NVDA"]',
    "dict_type": "write a table, as in --set pairs.xyz:NVDA=NVDA.RH",
}


def check_config(settings: Mapping[str, Any], where: str = "the run") -> RunConfig:
    """The settings, checked.

    Raises
    ------
    RequestError
        With the first wrong key and why.
    """
    for name in settings:
        if name not in RunConfig.model_fields:
            raise RequestError(
                f"{where}: no setting {name}: {nearest(name, RunConfig.model_fields)}"
            )
    plain: dict[str, Any] = {
        k: datetime(v.year, v.month, v.day)  # noqa: DTZ001 - a bare date is read as UTC later
        if isinstance(v, date) and not isinstance(v, datetime)
        else v
        for k, v in settings.items()
    }
    try:
        config = RunConfig(**plain)
    except ValidationError as e:
        first = e.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        why = _IN_WORDS.get(first["type"], first["msg"].lower())
        raise RequestError(f"{where}: {name} was {first['input']!r}: {why}") from None
    if config.topup_at_ratio is not None and config.topup_to_ratio >= config.topup_at_ratio:
        raise RequestError(
            f"{where}: topup_to_ratio was {config.topup_to_ratio}, not below topup_at_ratio = "
            f"{config.topup_at_ratio}; a transfer lowers the ratio"
        )
    return config


# --------------------------------------------------------------------------- documentation


def document() -> str:
    """Write the table of settings of docs/run-file.md."""
    schema = RunConfig.model_json_schema()["properties"]
    lines = ["| setting | values | default | meaning |", "|---|---|---|---|"]
    for name, field in RunConfig.model_fields.items():
        cells = (f"`{name}`", _values(schema[name]), _default(field.default), field.description)
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _values(told: Mapping[str, Any]) -> str:
    """What a setting may be, from its JSON schema."""
    if "anyOf" in told:
        return _values(next(one for one in told["anyOf"] if one.get("type") != "null"))
    if "enum" in told or "const" in told:
        return ", ".join(_code(one) for one in told.get("enum", [told.get("const")]))
    if told["type"] == "array":
        return f"list of {_values(told['items'])}"
    if told["type"] == "object":
        inner = told.get("additionalProperties")
        return f"table of {_values(inner)}" if isinstance(inner, Mapping) else "table"
    if told["type"] == "string":
        return {"path": "path", "date-time": "date or time"}.get(str(told.get("format")), "text")
    kind = {"number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    return kind[told["type"]] + _bounds(told)


def _bounds(told: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    made = [f"{sign} {told[key]:,g}" for key, sign in words.items() if key in told]
    return f" {', '.join(made)}" if made else ""


def _default(value: object) -> str:
    """A default as TOML writes it; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"`{value:.6g}`"
    return _code(list(value) if isinstance(value, tuple) else value)


def _code(value: object) -> str:
    return f"`{json.dumps(value)}`"
