"""The clocks of tokens: NAV formed from a rate, hours of redemption, paydays."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from perpkit.arrays import B8, F64, I64, Lock, Tape, Tokens
from perpkit.config import RunConfig, collateral_tokens
from perpkit.dataset import Dataset
from perpkit.errors import DataError
from perpkit.rulebook import Asset, Rulebook
from perpkit.rulebook.legal import NONE
from perpkit.sessions import open_at
from perpkit.sessions.spans import Spans, spans
from perpkit.tape.collateral import FORMED, asset_name, asset_of
from perpkit.tape.instruments import Instruments
from perpkit.tape.shocks import depegs, redemptions_halted
from perpkit.units import HOUR_NS, instant, to_ns

_NEW_YORK: Final = ZoneInfo("America/New_York")
_YEAR_NS: Final = 8_760 * HOUR_NS
_OPENS_HOUR: Final = 9  # of a market day's requests, New York time (docs.superstate.co)
_USUAL_CLOSE_MINUTES: Final = 16 * 60
_UNIT_FORMS: Final = ("unit_daily", "unit_monthly")
_REDEEMED_KINDS: Final = ("treasury", "stable")
_REDEMPTION: Final = ("redeem_session", "redeem_delay_hours", "redeem_min_usd", "redeem_fee_frac")


# --------------------------------------------------------------------------- NAV from a rate


def lay_formed(
    tape: Tape, dataset: Dataset, config: RunConfig, names: Instruments, book: Rulebook
) -> None:
    """NAV, quotes and rate of the tokens that the dataset does not have.

    A price-type NAV starts at 1 and grows in a straight line, so that the rate is simple; what is
    paid in new units stays at 1 and carries the rate. A depeg told by the dataset moves the quotes
    and not the NAV. It is traded in the hours the issuer takes requests in, where they are known:
    nobody else is known to make it a price.
    """
    for k, token in enumerate(names.tokens):
        if dataset.tokens_meta[token].issuer != FORMED:
            continue
        asset = asset_of(token, names.kinds[k], book)
        form = asset.at("form", int(tape.time_ns[0])).value
        apr = config.collateral[token].apr or 0.0
        nav = np.ones(len(tape.time_ns))
        if form == "price":
            clock = asset.at("nav_clock", int(tape.time_ns[0])).value
            nav += apr * _years(tape.time_ns, str(clock))
        for name in ("nav_px", "bid_px", "ask_px"):
            getattr(tape, name)[:, k] = nav
        for at_ns, value in depegs(dataset, config, token):
            from_row = int(np.searchsorted(tape.time_ns, at_ns, side="left"))
            tape.bid_px[from_row:, k] = nav[from_row:] * value
            tape.ask_px[from_row:, k] = nav[from_row:] * value
        tape.apr[:, k] = apr if form in _UNIT_FORMS else 0.0
        tape.token_stale[:, k] = False
        known = asset.at("redeem_session", int(tape.time_ns[0])).known
        tape.quoted[:, k] = _open(asset, tape.time_ns) if known else False


def value_formed(tape: Tape, dataset: Dataset, names: Instruments) -> None:
    """Their fair price is their quote, at all hours; traded while the issuer takes requests."""
    for k, token in enumerate(names.tokens):
        if dataset.tokens_meta[token].issuer == FORMED:
            tape.fair_px[:, k] = tape.bid_px[:, k]
            tape.live[:, k] = tape.quoted[:, k] & ~tape.halted[:, k]


def _years(time_ns: I64, clock: str) -> F64:
    """Years of yield in a NAV since the first hour; once a market day it catches up."""
    reached = time_ns
    if clock == "market_day":
        closes = spans("us_cash", time_ns).closes_ns
        reached = closes[np.maximum(np.searchsorted(closes, time_ns, side="right") - 1, 0)]
    years: F64 = np.maximum(reached - time_ns[0], 0) / _YEAR_NS
    return years


# --------------------------------------------------------------------------- clocks


def lay_clocks(
    laid: tuple[Tape, Tokens],
    dataset: Dataset,
    config: RunConfig,
    names: Instruments,
    book: Rulebook,
) -> Tape:
    """The tape with redemption hours and paydays, and the tokens' terms of redemption filled in.

    Parameters
    ----------
    laid : tape, and tokens, which are written to

    Raises
    ------
    DataError
        If a term that the run needs is unknown, or a NAV is not in the data.
    """
    tape, tokens = laid
    tokens.redeem_hours[:] = -1
    ruled = [k for k in range(len(names.tokens)) if _is_ruled(k, dataset, config, names)]
    if not ruled:
        return tape
    shape = (len(tape.time_ns), len(names.tokens))
    redeemable, payday = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    rows = np.zeros(shape, np.int64)
    for k in ruled:
        token, kind = names.tokens[k], names.kinds[k]
        if asset_name(token, kind, book) is None and not must_redeem(token, config):
            continue
        asset = asset_of(token, kind, book)
        form = str(asset.at("form", int(tape.time_ns[0])).value)
        tokens.accrues[k] = form in _UNIT_FORMS
        if tokens.accrues[k]:
            payday[:, k] = _paydays(tape.time_ns, form)
        terms = _redemption(token, kind, asset, tape.time_ns, config)
        if terms is None:
            continue
        halted = redemptions_halted(dataset, config, token, tape.time_ns)
        redeemable[:, k] = _open(asset, tape.time_ns) & ~halted & ~tape.halted[:, k]
        if tape.lock.shape[1]:
            redeemable[:, k] &= tape.lock[:, k] < Lock.ISSUER
        if config.redeem:
            tokens.redeem_hours[k] = math.ceil(terms["redeem_delay_hours"])
            rows[:, k] = _rows_to_cash(asset, tape.time_ns, int(tokens.redeem_hours[k]))
            tokens.redeem_min_usd[k] = terms["redeem_min_usd"]
            tokens.redeem_fee_frac[k] = terms["redeem_fee_frac"]
        _lay_nav(tape, k, token, form, dataset)
    return tape._replace(redeemable=redeemable, redeem_rows=rows, payday=payday)


def _is_ruled(k: int, dataset: Dataset, config: RunConfig, names: Instruments) -> bool:
    """Whether the rulebook of collateral has a say on a token of the run."""
    named = names.tokens[k] in collateral_tokens(config)
    return named or (config.redeem and names.kinds[k] in _REDEEMED_KINDS)


def must_redeem(token: str, config: RunConfig) -> bool:
    """Whether the run was asked for what redemption of this token takes part in."""
    pledge = config.collateral.get(token)
    held = token in config.tokens or (pledge is not None and pledge.wallet_share > 0.0)
    return token == config.sweep_token or (config.redeem and held)


def _redemption(
    token: str, kind: str, asset: Asset, time_ns: I64, config: RunConfig
) -> dict[str, Any] | None:
    """Delay, minimum and fee of a redemption, each at its harshest in the run; None for none."""
    if kind not in _REDEEMED_KINDS or not (config.redeem or token == config.sweep_token):
        return None
    span = int(time_ns[0]), int(time_ns[-1])
    made: dict[str, Any] = {}
    for key in _REDEMPTION if config.redeem else _REDEMPTION[:1]:
        told = asset.over(key, span)
        if not all(value.known for value in told):
            if not must_redeem(token, config):
                return None
            raise DataError(
                f"{asset.place}: {key} of {token} is unknown, and redeem or sweep_token needs it; "
                f'state it in a file of your own with collateral = "{asset.name}" and name it with '
                "rulebook = FILE"
            )
        if any(value.value == NONE for value in told):
            return None
        made[key] = told[-1].value if key == "redeem_session" else max(v.value for v in told)
    return made


def _lay_nav(tape: Tape, k: int, token: str, form: str, dataset: Dataset) -> None:
    """What is redeemed needs a NAV: one USD by the token's form, else of the data."""
    if form != "price":
        tape.nav_px[:, k] = np.where(np.isnan(tape.nav_px[:, k]), 1.0, tape.nav_px[:, k])
    elif np.isnan(tape.nav_px[:, k]).all():
        raise DataError(
            f"{dataset.folder.name}/tokens.parquet: {token} is redeemed at its NAV and has none; "
            "add the column nav_px, or leave out redeem and sweep_token"
        )


def _open(asset: Asset, time_ns: I64) -> B8:
    """Whether the issuer takes requests at each hour, by the block in force."""
    made = np.zeros(len(time_ns), np.bool_)
    span = int(time_ns[0]), int(time_ns[-1])
    starts = sorted(
        {
            max(value.since_ns, span[0])
            for key in ("redeem_session", "redeem_cutoff")
            for value in asset.over(key, span)
        }
    )
    for ns in starts:
        session = str(asset.at("redeem_session", ns).value)
        cutoff = str(asset.at("redeem_cutoff", ns).value)
        own = time_ns >= ns
        made[own] = in_session(time_ns[own], session, cutoff)
    return made


def _rows_to_cash(asset: Asset, time_ns: I64, delay_hours: int) -> I64:
    """Rows from a request of each hour to its cash, beyond the last one where it comes later.

    The delay is in hours of the clock, and what is over on a day without a market is paid when the
    next one opens: no issuer pays on a Saturday what the fund settles on business days.
    """
    due = time_ns + delay_hours * HOUR_NS
    if str(asset.at("redeem_session", int(time_ns[0])).value) == "24/7":
        opened = np.ones(len(time_ns), np.bool_)
    else:
        opened = in_session(time_ns, "market_days", "")
    paying = np.flatnonzero(opened)
    first = np.searchsorted(time_ns, due, side="left")
    at = np.searchsorted(paying, first, side="left")
    last = np.append(paying, 2 * len(time_ns))
    rows: I64 = last[at] - np.arange(len(time_ns))
    return rows


def in_session(time_ns: I64, session: str, cutoff: str) -> B8:
    """Whether an issuer with a session takes requests at each instant, (T,)."""
    if session == NONE:
        return np.zeros(len(time_ns), np.bool_)
    if session != "market_days":
        return open_at(time_ns, "cash" if session == "us_cash" else session)
    days = spans("us_cash", time_ns)
    windows = [_window(int(o), int(c), cutoff) for o, c in zip(*days, strict=True)]
    opens, closes = np.array(windows, np.int64).T
    inside: B8 = np.searchsorted(opens, time_ns, side="right") > np.searchsorted(
        closes, time_ns, side="right"
    )
    return inside


def _window(open_ns: int, close_ns: int, cutoff: str) -> tuple[int, int]:
    """Requests of one market day; an early close of the exchange ends them too."""
    day = instant(open_ns).astimezone(_NEW_YORK).replace(hour=0, minute=0, second=0)
    hours, minutes = (int(part) for part in cutoff.split(":")) if ":" in cutoff else (16, 0)
    # Adding to a local time keeps the wall clock, also where the day has 23 hours.
    ends = to_ns(_wall(day, hours * 60 + minutes))
    if hours * 60 + minutes <= _USUAL_CLOSE_MINUTES:
        ends = min(ends, close_ns)
    return to_ns(_wall(day, _OPENS_HOUR * 60)), ends


def _wall(day: datetime, minutes: int) -> datetime:
    return day + timedelta(minutes=minutes)


def _paydays(time_ns: I64, form: str) -> B8:
    """Hours in which accrued units are paid: after a market day's close, or a month's first."""
    made = np.zeros(len(time_ns), np.bool_)
    closes = _month_firsts(spans("us_cash", time_ns)) if form == "unit_monthly" else None
    closes = spans("us_cash", time_ns).closes_ns if closes is None else closes
    within = closes[(closes > time_ns[0]) & (closes <= time_ns[-1])]
    made[np.searchsorted(time_ns, within, side="left")] = True
    return made


def _month_firsts(days: Spans) -> I64:
    """Closes of the first market day of each month; whether the first listed is one is not told."""
    months = np.array([instant(int(ns)).astimezone(_NEW_YORK).month for ns in days.closes_ns])
    firsts: I64 = days.closes_ns[1:][months[1:] != months[:-1]]
    return firsts
