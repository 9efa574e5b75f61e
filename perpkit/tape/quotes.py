"""Token quotes, multipliers and sessions laid on the clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError
from perpkit.rulebook import UNKNOWN, open_rulebook
from perpkit.sessions import open_at
from perpkit.tape.grid import Placed, carry, lay, place, refuse_gaps, rows_since
from perpkit.tape.instruments import Instruments
from perpkit.tape.ways import at_quote
from perpkit.units import stamp


class Quotes(NamedTuple):
    """Token side of the tape, each (T, K)."""

    bid_px: F64
    ask_px: F64
    nav_px: F64
    multiplier: F64
    apr: F64
    stale: B8
    halted: B8
    quoted: B8
    told: B8  # a multiplier is recorded in the row, and the run has none of its own


def lay_quotes(dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64) -> Quotes:
    """Quotes of the run's tokens, carried over short gaps.

    Raises
    ------
    DataError
        If a gap is too long, a multiplier is not known, or a mid has no spread setting.
    """
    at = place(dataset.tokens, "token", names.tokens, time_ns)
    shape = (len(time_ns), len(names.tokens))

    def column(name: str) -> F64:
        return lay(dataset.tokens, name, at, shape)

    bid, ask = column("bid_px"), column("ask_px")
    age = rows_since(~np.isnan(bid) & ~np.isnan(ask))
    refuse_gaps(age, names.tokens, time_ns, config.max_stale_hours, "tokens.parquet: quote")
    bid, ask = carry(bid, age), carry(ask, age)
    quoted = [at_quote(dataset, config, token) for token in names.tokens]
    _refuse_mids(dataset, config, names, (bid == ask).any(axis=0) & np.array(quoted, np.bool_))
    halted = _halted(dataset, at, shape)
    multiplier = column("multiplier")
    own = np.array([token in config.multiplier for token in names.tokens], np.bool_)
    nav = carry(column("nav_px"), rows_since(~np.isnan(column("nav_px"))))
    return Quotes(
        bid,
        ask,
        nav,
        _multipliers(dataset, config, names, multiplier, age >= 0),
        # A NAV that grows is the yield; a rate beside it would pay it twice.
        np.where(np.isnan(nav), np.nan_to_num(column("apr")), 0.0),
        age != 0,
        halted,
        _sessions(dataset, config, names, time_ns) & ~halted,
        ~np.isnan(multiplier) & ~own,
    )


def _halted(dataset: Dataset, at: Placed, shape: tuple[int, int]) -> B8:
    halted = np.zeros(shape, np.bool_)
    halted[at.row, at.column] = dataset.tokens["halted"].fill_null(value=False).to_numpy()[at.keep]
    return halted


def _refuse_mids(dataset: Dataset, config: RunConfig, names: Instruments, mid: B8) -> None:
    if config.token_half_spread_frac is None and mid.any():
        token = names.tokens[int(np.flatnonzero(mid)[0])]
        raise DataError(
            f"{dataset.folder.name}/tokens.parquet: {token} is quoted with bid = ask, which is a "
            "mid and no price to trade at; set token_half_spread_frac (0.002 for 20 bp), trade "
            f"it against its pool with --set token_way.{token}=dex, or choose another token with "
            "pairs"
        )


def _multipliers(
    dataset: Dataset, config: RunConfig, names: Instruments, recorded: F64, quoted: B8
) -> F64:
    made = carry(recorded, rows_since(~np.isnan(recorded)))
    for k, token in enumerate(names.tokens):
        known = config.multiplier.get(token, dataset.tokens_meta[token].multiplier)
        if token in config.multiplier:
            made[:, k] = config.multiplier[token]
        elif known is not None:
            made[np.isnan(made[:, k]), k] = known
        elif (np.isnan(made[:, k]) & quoted[:, k]).any():
            raise DataError(
                f"{dataset.folder.name}: the multiplier of {token} (underlying units a token) is "
                f"not known; give it in dataset.toml or with --set multiplier.{token}=VALUE"
            )
    return made


def _sessions(dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64) -> B8:
    made = np.zeros((len(time_ns), len(names.tokens)), np.bool_)
    book = open_rulebook(config.rulebook, config.data)
    for k, token in enumerate(names.tokens):
        if token in config.token_session:
            made[:, k] = open_at(time_ns, config.token_session[token])
            continue
        issuer = book.issuer(dataset.tokens_meta[token].issuer)
        issuer.at("quote_session", int(time_ns[0]))  # refuses a run before the issuer's terms
        dates = issuer.dates("quote_session")
        block = np.searchsorted(dates, time_ns, side="right") - 1
        for n in np.unique(block):
            session, own = str(issuer.at("quote_session", dates[n]).value), block == n
            if session == UNKNOWN:
                raise DataError(
                    f"issuer {issuer.name}: when {token} is quoted is unknown from "
                    f"{stamp(int(time_ns[np.argmax(own)]))}; set it with "
                    f"--set token_session.{token}=24/5 (or 24/7, cash)"
                )
            made[own, k] = open_at(time_ns[own], session)
    return made
