"""Corporate actions laid on the clock: what instruments are paid, and in what units they are.

A dividend is effective in the first hour from its time on in which the underlying is priced. What
an issuer's recorded multiplier shows is not formed, nor paid, a second time. A split changes the
units of a token where it changes those of the perp that prices it, so that price x multiplier is
never wrong by the split; from its announced time until the issuer resumes the token stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from perpkit.arrays import B8, I64, Action, Phase, Tape
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.dataset.schema import EARNINGS
from perpkit.errors import DataError
from perpkit.rulebook import UNKNOWN, CoinTerms, Issuer, UsedTerm, Value, open_rulebook
from perpkit.rulebook.keys import NONE
from perpkit.rulebook.overrides import stated_terms
from perpkit.rulebook.refusals import remedy
from perpkit.tape.announced import lay_announced
from perpkit.tape.instruments import Instruments
from perpkit.tape.prices import Prices
from perpkit.tape.splits import REACH_HOURS, align, perp_row, priced_from, recorded_px, rows_of
from perpkit.units import HOUR_NS, stamp, to_ns

# Of a dividend, what a short gives: nothing, or as much; a price that does not fall takes it too.
_OWED = {NONE: 0.0, "debit_shorts": 1.0, "total_return": 1.0}
_PLAYED = {"settle": Action.SETTLE, "rescale": Action.SPLIT}


class Corporate(NamedTuple):
    """One action in the run."""

    at_ns: int
    row: int  # of a dividend in which it is effective, of a split at or after its time
    underlying: str
    amount: float  # USD a share, or new shares per old
    withheld: float | None
    split: bool


class Laid(NamedTuple):
    """A tape with its actions, and what had to be known or assumed for them."""

    tape: Tape
    used: tuple[UsedTerm, ...]
    assumed: tuple[tuple[str, str, str], ...]  # name, value, what it means


class _Laying:
    """The actions of a run as they are laid, one after the other."""

    def __init__(
        self,
        tape: Tape,
        prices: Prices,
        recorded: B8,
        chosen: tuple[Dataset, RunConfig, Instruments],
    ) -> None:
        self.tape, self.recorded = tape, recorded
        self.dataset, self.config, self.names = chosen
        self.rows, self.perps = len(tape.time_ns), len(self.names.coins)
        self.book = open_rulebook(self.config.rulebook, self.config.data)
        self.shown_px, self.underlying_px = recorded_px(self.dataset, prices)
        self.made: list[tuple[int, int, Action, float]] = []  # row, instrument, kind, value
        self.used: dict[tuple[str, str, Value], dict[str, None]] = {}
        self.assumed: list[tuple[str, str, str]] = []
        # Shares that value a token between its quotes; the tape's multiplier where they are it.
        self.shares = tape.multiplier.copy()
        self.ratio = np.ones((self.rows, self.perps))

    def perps_on(self, underlying: str) -> I64:
        """Perps on an underlying."""
        return np.flatnonzero(
            self.names.perp_underlying == self.names.underlyings.index(underlying)
        )

    def tokens_on(self, underlying: str) -> I64:
        """Tokens on an underlying."""
        return np.flatnonzero(
            self.names.token_underlying == self.names.underlyings.index(underlying)
        )

    def issuer(self, k: int) -> Issuer:
        """The issuer of a token."""
        return self.book.issuer(self.dataset.tokens_meta[self.names.tokens[k]].issuer)

    def term(self, m: int, key: str, what: Corporate) -> str:
        """A venue's word on actions at their time.

        Raises
        ------
        DataError
            If it is unknown.
        """
        coin, value = self.venue_says(m, key, what.at_ns)
        if not value.known:
            says = "splits" if what.split else "pays a dividend"
            raise DataError(
                f"{coin.venue}: {key} of {coin.coin} is unknown, and {what.underlying} {says} at "
                f"{stamp(what.at_ns)}, inside the run; {remedy(key, coin.coin)}, or end the run "
                "before it"
            )
        self.used.setdefault((coin.venue, key, value), {})[coin.coin] = None
        return str(value.value)

    def venue_says(self, m: int, key: str, at_ns: int) -> tuple[CoinTerms, Value]:
        """A venue's word on actions at a time, known or not."""
        coins = [
            CoinTerms(c, self.dataset.perps_meta[c].venue, self.dataset.perps_meta[c].terms)
            for c in self.names.coins
        ]
        coin, own = coins[m], stated_terms(coins, self.config.terms)[m]
        return coin, own.get(key) or self.book.venue(coin.venue).at(key, at_ns, coin.coin)

    # ------------------------------------------------------------------- dividends

    def pair_usd(self, m: int, row: dict[str, Any]) -> float:
        """What a dividend to come brings a perp's short and its token, USD a share; NaN: unknown.

        The token's holder has it less the tax withheld, its short owes what the venue makes of it.
        """
        at_ns, k = to_ns(row["time"]), int(self.names.perp_token[m])
        told, kept = row["withholding_frac"], 0.0
        if k >= 0 and self.issuer(k).at("dividends", at_ns).value != NONE:
            if told is None:
                told = self.issuer(k).at("withholding_frac", at_ns).value
            known = self.issuer(k).at("dividends", at_ns).known and isinstance(told, (int, float))
            kept = 1.0 - float(told) if known else np.nan
        value = self.venue_says(m, "dividends", at_ns)[1]
        owed = _OWED.get(str(value.value), np.nan) if value.known else np.nan
        return (kept - owed) * float(row["amount"])

    def pay(self, what: Corporate) -> None:
        """Lay a dividend on both legs."""
        for m in self.perps_on(what.underlying).tolist():
            if self.term(m, "dividends", what) == "debit_shorts":
                self.made.append((what.row, m, Action.CASH, what.amount))
        for k in self.tokens_on(what.underlying).tolist():
            way = self.issuer(k).at("dividends", what.at_ns).value
            if way == "multiplier":
                if not self.recorded[what.row :, k].any():
                    self.reinvest(k, what)
            elif way == "cash":
                usd = what.amount * (1.0 - self.withheld(k, what))
                usd *= float(self.tape.multiplier[what.row, k])
                self.made.append((what.row, self.perps + k, Action.CASH, usd))
            else:
                raise DataError(
                    f"actions.parquet: how {self.names.tokens[k]} passes on the dividend of "
                    f"{stamp(what.at_ns)} is unknown; end the run before it or start after it"
                )

    def withheld(self, k: int, what: Corporate) -> float:
        """Share of a dividend kept before a token's holder: told in the row, else the issuer's."""
        told = what.withheld
        if told is None:
            told = self.issuer(k).at("withholding_frac", what.at_ns).value  # type: ignore[assignment]
        if not isinstance(told, (int, float)):
            raise DataError(
                f"actions.parquet: the tax withheld on {self.names.tokens[k]} at "
                f"{stamp(what.at_ns)} is unknown; give withholding_frac in the row"
            )
        return float(told)

    def reinvest(self, k: int, what: Corporate) -> None:
        """Form the multiplier of a token: new = old x (1 + (1 - w) D / P), P of the ex-hour."""
        grown = 1.0 + (1.0 - self.withheld(k, what)) * what.amount / self.price(k, what)
        end = what.row
        if grown - 1.0 > self.limit(k, what):
            end = self.pause(k, what.row, what)
        self.tape.multiplier[end:, k] *= grown
        self.shares[what.row :, k] *= grown

    def price(self, k: int, what: Corporate) -> float:
        """Price of the underlying in the hour in which a dividend is effective."""
        own = int(self.names.token_perp[k])
        px = float(self.underlying_px[what.row, own]) if own >= 0 else np.nan
        if np.isnan(px):
            raise DataError(
                f"actions.parquet: {self.names.tokens[k]} reinvests the dividend of "
                f"{stamp(what.at_ns)} at the price of {what.underlying}, and no perp of the run "
                "has one then; add a perp on it, or record the token's multiplier"
            )
        return px

    def limit(self, k: int, what: Corporate) -> float:
        """Change of the multiplier beyond which a token is paused."""
        told = self.issuer(k).at("premium_pause_frac", what.at_ns).value
        if told == NONE:
            return np.inf
        if isinstance(told, (int, float)):
            return float(told)
        limit = self.config.pause_above_frac
        means = f"{self.names.tokens[k]}: its issuer's limit is unknown"
        self.assumed.append(("pause_above_frac", f"{limit:g}", means))
        return limit

    def pause(self, k: int, row: int, what: Corporate, since: int | None = None) -> int:
        """Halt a token from a row, or from an earlier one, for as long as a pause takes."""
        told = self.issuer(k).at("pause_hours", what.at_ns).value
        least = float(told) if isinstance(told, (int, float)) else 0.0
        end = rows_of(max(self.config.pause_hours, least), row, self.tape.time_ns)
        first = row if since is None else since
        self.tape.halted[first:end, k] = True
        self.tape.quoted[first:end, k] = False
        means = f"{self.names.tokens[k]} stands still from {stamp(int(self.tape.time_ns[first]))}"
        hours = f"{self.config.pause_hours:g}"
        self.assumed.append(("pause_hours", hours, f"{means}; no issuer states a longest pause"))
        return end

    # ------------------------------------------------------------------- splits

    def split(self, what: Corporate) -> None:
        """Lay a split on both legs."""
        rows: dict[int, int] = {}
        for m in self.perps_on(what.underlying).tolist():
            coin = self.names.coins[m]
            way = self.term(m, "splits", what)
            if way not in _PLAYED:
                raise DataError(
                    f"actions.parquet: {what.underlying} splits at {stamp(what.at_ns)}, inside the "
                    f'run, and splits of {coin} is "{way}", which perpkit does not play; end the '
                    f'run before it, or {remedy("splits", coin)} ("settle" or "rescale")'
                )
            row = perp_row(self.shown_px[:, m], what.amount, what.row, self.tape.time_ns, coin)
            rows[m] = row
            if row < self.rows:
                self.made.append((row, m, _PLAYED[way], what.amount))
                self.ratio[row, m] = np.nan if way == "settle" else what.amount
        for k in self.tokens_on(what.underlying).tolist():
            perp = int(self.names.token_perp[k])
            self.split_token(k, rows.get(perp, what.row), what)

    def units_of(self, k: int, what: Corporate) -> str:
        """What a split changes of a token: its multiplier or, with "rebase", its units."""
        kind = self.issuer(k).at("multiplier_kind", what.at_ns).value
        if kind in (NONE, UNKNOWN):
            raise DataError(
                f"actions.parquet: {what.underlying} splits at {stamp(what.at_ns)}, and what "
                f"becomes of {self.names.tokens[k]} is unknown; state multiplier_kind of its "
                "issuer in a rulebook of your own, or end the run before it"
            )
        return str(kind)

    def split_token(self, k: int, row: int, what: Corporate) -> None:
        """Halt a token over a split; its multiplier or its units change with the perp's price."""
        token, ratio = self.names.tokens[k], what.amount
        kind = self.units_of(k, what)
        # A price that no perp moves stays where it is, and is in other units after a rebase alone.
        priced = self.names.token_perp[k] >= 0
        if kind == "rebase":
            if row < self.rows:
                self.made.append((row, self.perps + k, Action.SPLIT, ratio))
            if not priced:
                self.shares[row:, k] /= ratio
        elif self.recorded[row:, k].any():
            align(self.tape.multiplier[:, k], ratio, what.row, row, token)
            self.shares[:, k] = self.tape.multiplier[:, k]
            if not priced:
                self.shares[row:, k] /= ratio
        else:
            self.tape.multiplier[row:, k] *= ratio
            if priced:
                self.shares[row:, k] *= ratio
        self.pause(k, row, what, since=what.row)

    # ------------------------------------------------------------------- before the run

    def bring_forward(self, before: list[Corporate]) -> None:
        """Let ``dataset.toml``'s multipliers, of the data's first hour, hold in the run's.

        Raises
        ------
        DataError
            If a dividend between the two went into a multiplier: its price is not in the run.
        """
        for what in before:
            for k in self.tokens_on(what.underlying).tolist():
                token = self.names.tokens[k]
                formed = int(np.argmax(self.recorded[:, k])) or self.rows
                if self.recorded[0, k] or token in self.config.multiplier:
                    continue
                if what.split:
                    ratio = 1.0 if self.units_of(k, what) == "rebase" else what.amount
                    self.tape.multiplier[:formed, k] *= ratio
                    self.shares[:formed, k] *= ratio
                elif self.issuer(k).at("dividends", what.at_ns).value == "multiplier":
                    first = stamp(int(self.tape.time_ns[0]))
                    raise DataError(
                        f"actions.parquet: {token} put the dividend of {stamp(what.at_ns)} into "
                        f"its multiplier before the first hour, {first}, at a price the run does "
                        f"not have; start before it, or give multiplier.{token} of the first hour"
                    )

    # ------------------------------------------------------------------- together

    def laid(self) -> Laid:
        """The tape with all of it."""
        restated = [one for one in self.made if one[2] is not Action.CASH]
        own = any(i >= self.perps for _, i, _, _ in restated)
        own |= not np.array_equal(self.shares, self.tape.multiplier, equal_nan=True)
        perps = self.perps if any(i < self.perps for _, i, _, _ in restated) else 0
        tokens = self.shares.shape[1] if own else 0
        order = sorted(_merged(self.made), key=lambda one: one[0])
        columns = list(zip(*order, strict=True)) or [()] * 4
        tape = self.tape._replace(
            action_row=np.array(columns[0], np.int64),
            action_instrument=np.array(columns[1], np.int64),
            action_kind=np.array(columns[2], np.int64),
            action_value=np.array(columns[3], np.float64),
            start_px=np.full((self.rows, perps), np.nan),
            token_start_px=np.full((self.rows, tokens), np.nan),
            shares=np.ascontiguousarray(self.shares[:, :tokens]),
            split_ratio=np.ascontiguousarray(self.ratio[:, :perps]),
        )
        return Laid(tape, tuple(_used(self)), tuple(dict.fromkeys(self.assumed)))


def _merged(made: list[tuple[int, int, Action, float]]) -> list[tuple[int, int, Action, float]]:
    """The same in the same order, with cash of one row and instrument in one."""
    cash: dict[tuple[int, int], int] = {}
    kept: list[tuple[int, int, Action, float]] = []
    for one in made:
        row, i, kind, usd = one
        if kind is Action.CASH and (row, i) in cash:
            n = cash[row, i]
            kept[n] = (row, i, kind, kept[n][3] + usd)
            continue
        if kind is Action.CASH:
            cash[row, i] = len(kept)
        kept.append(one)
    return kept


def _used(laying: _Laying) -> Iterator[UsedTerm]:
    for (venue, key, value), coins in laying.used.items():
        yield UsedTerm(
            venue=venue,
            coins=tuple(coins),
            scope=", ".join(coins),
            key=key,
            value=value.value,
            source=value.source,
            confidence=value.confidence,
            place=value.place,
            from_ns=value.since_ns,
            needed=True,
        )


def _told(dataset: Dataset, tape: Tape, names: Instruments) -> Iterator[Corporate]:
    """The actions of the run by time, a dividend before the split of its moment."""
    first, last = int(tape.time_ns[0]), int(tape.time_ns[-1])
    rows: list[dict[str, Any]] = dataset.actions.sort("time", "kind").to_dicts()
    for row in rows:
        at, underlying, split = to_ns(row["time"]), str(row["underlying"]), row["kind"] == "split"
        if underlying not in names.underlyings or row["kind"] == EARNINGS:
            continue
        if split and first - REACH_HOURS * HOUR_NS < at <= first:
            raise DataError(
                f"actions.parquet: {underlying} splits at {stamp(at)}, so shortly before the first "
                f"hour, {stamp(first)}, that its prices may still be in old units; start "
                f"{REACH_HOURS} hours after it, or before it"
            )
        if not first < at <= last:
            continue
        here = int(np.searchsorted(tape.time_ns, at, side="left"))
        if not split:
            u = names.underlyings.index(underlying)
            here = priced_from(here, tape.phase[:, u] == Phase.CLOSED)
        if here < len(tape.time_ns):
            yield Corporate(
                at, here, underlying, float(row["amount"]), row["withholding_frac"], split
            )


def _earlier(dataset: Dataset, tape: Tape, names: Instruments) -> Iterator[Corporate]:
    """The actions between the first hour of the data and that of the run, by time."""
    for row in dataset.actions.sort("time", "kind").to_dicts():
        at = to_ns(row["time"])
        moves = row["kind"] != EARNINGS and row["underlying"] in names.underlyings
        inside = dataset.begins_ns < at <= int(tape.time_ns[0])
        if inside and moves:
            yield Corporate(
                at,
                0,
                str(row["underlying"]),
                float(row["amount"]),
                row["withholding_frac"],
                row["kind"] == "split",
            )


def lay_actions(
    tape: Tape, prices: Prices, recorded: B8, chosen: tuple[Dataset, RunConfig, Instruments]
) -> Laid:
    """Lay the corporate actions of a run; multipliers and halts of the tape are written to.

    Parameters
    ----------
    tape : with its clock, sessions, quotes and multipliers
    recorded : (T, K) a multiplier is recorded in the row
    chosen : dataset, settings and instruments

    Raises
    ------
    DataError
        If what a venue or an issuer makes of an action is unknown, or the data does not show it.
    """
    laying = _Laying(tape, prices, recorded, chosen)
    laying.bring_forward(list(_earlier(chosen[0], tape, chosen[2])))
    for what in _told(chosen[0], tape, chosen[2]):
        if what.split:
            laying.split(what)
        else:
            laying.pay(what)
    lay_announced(laying.tape, chosen[0], chosen[2], laying.pair_usd)
    return laying.laid()
