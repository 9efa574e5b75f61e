"""Incidents of a dataset, laid on the clock: what the book is struck by, and what stops.

A shock belongs to the first row at or after its time. What starts or ends a state - a freeze, a
halt of redemptions, a depeg - holds from that row on, also where it was told before the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I64, Closed, Lock, Records, Session, Shock, Tape
from perpkit.config import RunConfig
from perpkit.dataset import Dataset
from perpkit.errors import DataError, nearest
from perpkit.rulebook import collateral_names
from perpkit.tape.grid import rows_since
from perpkit.tape.instruments import Instruments
from perpkit.tape.prices import Prices
from perpkit.tape.switches import sessions_with_turns
from perpkit.units import HOUR_NS, stamp, to_ns


class _Kind(NamedTuple):
    """What a shock of a kind says."""

    strikes: str  # in words
    default: float | None  # of its value; None: it has to be told
    legal: str


KINDS: Final = {
    Shock.ADL: _Kind("a coin", 1.0, "the share of the position that is closed, above 0 to 1"),
    Shock.VENUE_FAILURE: _Kind("a venue", 1.0, "the share that is lost, 0 to 1"),
    Shock.REDEMPTION_HALT: _Kind("a token or its issuer", 1.0, "1, or 0 where it ends"),
    Shock.FREEZE: _Kind("a token or its issuer", 1.0, "1, or 0 where it ends"),
    Shock.DEPEG: _Kind("a currency", None, "USD a unit, above 0, and 1 where it ends"),
    Shock.ORACLE_STOP: _Kind("a coin or a venue", None, "whole hours, at least 1"),
    Shock.PAUSE: _Kind("a token or its issuer", 1.0, "1, or 0 where it ends"),
    Shock.REVOKE: _Kind("a token or its issuer", 1.0, "1, or 0 where it ends"),
    Shock.FORCED_TRANSFER: _Kind(
        "a token or its issuer", 1.0, "the share of the units that is moved away, above 0 to 1"
    ),
}
# What a state keeps the holder from, and what a revoked holder is left with, by the setting.
_LOCKING: Final = (Shock.FREEZE, Shock.PAUSE)
_AFTER_REVOKE: Final = {"locked": Lock.ISSUER, "redeem": Lock.SELL, "sell": Lock.RECEIVE}
_LASTING: Final = (*_LOCKING, Shock.REVOKE, Shock.REDEMPTION_HALT)
_BY_ITSELF: Final = (Closed.EWMA, Closed.BLEND, Closed.OWN_MARK)
NAMES: Final = tuple(kind.name.lower() for kind in Shock)


class Incident(NamedTuple):
    """One shock, checked."""

    at_ns: int
    kind: Shock
    name: str
    value: float


class Struck(NamedTuple):
    """What happens to the book by row, each (J,); names are the tape's fields."""

    shock_row: I64
    shock_kind: I64
    shock_instrument: I64
    shock_account: I64
    shock_value: F64


def incidents(dataset: Dataset, config: RunConfig) -> list[Incident]:
    """Every shock of a dataset by time; none where the run leaves them out.

    Raises
    ------
    DataError
        If a kind is not known, or does not go with its instrument or value.
    """
    if config.shocks == "ignore":
        return []
    rows = dataset.shocks.sort("time", "instrument", "kind")
    return [_checked(dataset, row) for row in rows.iter_rows(named=True)]


def _checked(dataset: Dataset, row: dict[str, Any]) -> Incident:
    at_ns, word, name = to_ns(row["time"]), str(row["kind"]), row["instrument"]
    where = f"shocks.parquet: the {word} of {name or 'nothing'} at {stamp(at_ns)}"
    if word not in NAMES:
        raise DataError(
            f"{where} is of no kind that is played: {nearest(word, NAMES)}; correct it, or set "
            'shocks = "ignore"'
        )
    kind = Shock[word.upper()]
    about = KINDS[kind]
    if name is None or not _strikes(dataset, kind, str(name)):
        raise DataError(f"{where} strikes no such thing; name {about.strikes} in instrument")
    told = about.default if row["value"] is None else float(row["value"])
    if told is None or not _legal(kind, told):
        said = "no value" if told is None else f"the value {told:g}"
        raise DataError(f"{where} has {said}; write {about.legal}")
    return Incident(at_ns, kind, str(name), told)


def _strikes(dataset: Dataset, kind: Shock, name: str) -> bool:
    """Whether a kind of shock can strike what has this name; names are of the dataset."""
    coins, venues = set(dataset.perps_meta), {x.venue for x in dataset.perps_meta.values()}
    tokens, issuers = set(dataset.tokens_meta), {x.issuer for x in dataset.tokens_meta.values()}
    if kind is Shock.DEPEG:
        # A currency may have the name of a token, but none has that of a coin, venue or issuer.
        return name in tokens or name not in coins | venues | issuers
    struck: dict[Shock, set[str]] = {
        Shock.ADL: coins,
        Shock.VENUE_FAILURE: venues,
        Shock.ORACLE_STOP: coins | venues,
    }
    # A token of the rulebook may be in another run of the dataset, without any data.
    return name in struck.get(kind, tokens | issuers | set(collateral_names()))


def _legal(kind: Shock, value: float) -> bool:
    if kind in (Shock.ADL, Shock.FORCED_TRANSFER):
        return 0.0 < value <= 1.0
    if kind is Shock.VENUE_FAILURE:
        return 0.0 <= value <= 1.0
    if kind is Shock.DEPEG:
        return value > 0.0
    if kind is Shock.ORACLE_STOP:
        return value >= 1.0 and value.is_integer()
    return value in (0.0, 1.0)


def row_of(at_ns: int, time_ns: I64) -> int:
    """First row at or after an instant; the number of rows where there is none."""
    return int(np.searchsorted(time_ns, at_ns, side="left"))


def _within(at_ns: int, time_ns: I64) -> bool:
    """Whether an instant belongs to a row of the run, whose first ends an hour."""
    return int(time_ns[0]) - HOUR_NS < at_ns <= int(time_ns[-1])


# --------------------------------------------------------------------------- the book


def _struck(dataset: Dataset, told: Iterable[Incident], names: Instruments, time_ns: I64) -> Struck:
    """What strikes positions, venues and units by row; what is outside the run is left out."""
    made: dict[tuple[int, int, int, int], float] = {}
    for one in told:
        if not _within(one.at_ns, time_ns):
            continue
        row, hit = row_of(one.at_ns, time_ns), []
        if one.kind is Shock.ADL and one.name in names.coins:
            m = names.coins.index(one.name)
            hit = [(m, int(names.perp_account[m]))]
        if one.kind is Shock.VENUE_FAILURE:
            hit = [(-1, a) for a in _accounts(names, one.name)]
        if one.kind is Shock.FORCED_TRANSFER:
            own = enumerate(names.tokens, len(names.coins))
            hit = [(n, -1) for n, k in own if one.name in (k, dataset.tokens_meta[k].issuer)]
        for m, a in hit:
            # Of what one leaves another of the same hour takes its share: one fill for both.
            key = (row, int(one.kind), m, a)
            made[key] = 1.0 - (1.0 - made.get(key, 0.0)) * (1.0 - one.value)
    keys = sorted(made)
    rows, kinds, coins, accounts = np.array(keys, np.int64).reshape(-1, 4).T.copy()
    return Struck(rows, kinds, coins, accounts, np.array([made[k] for k in keys], np.float64))


def _accounts(names: Instruments, venue: str) -> list[int]:
    """The margin account of a venue, also one that it shares; none where it is not in the run."""
    return [a for a, name in enumerate(names.accounts) if a > 0 and venue in name.split("+")][:1]


# --------------------------------------------------------------------------- what stops


def _is_on(told: Iterable[Incident], time_ns: I64) -> B8:
    """(T,) whether a state is on that the value 1 starts and 0 ends."""
    on: B8 = np.zeros(len(time_ns), np.bool_)
    for one in sorted(told):
        on[row_of(one.at_ns, time_ns) :] = one.value == 1.0
    return on


def _of_token(
    dataset: Dataset, told: Iterable[Incident], kind: Shock, token: str
) -> list[Incident]:
    issuer = dataset.tokens_meta[token].issuer
    return [one for one in told if one.kind is kind and one.name in (token, issuer)]


def _is_stopped(
    dataset: Dataset, told: Sequence[Incident], kind: Shock, token: str, time_ns: I64
) -> B8:
    """(T,) whether a token, or its issuer, is in a state; each starts and ends its own."""
    own = _of_token(dataset, told, kind, token)
    states = [_is_on((x for x in own if x.name == name), time_ns) for name in {x.name for x in own}]
    on: B8 = np.any([np.zeros(len(time_ns), np.bool_), *states], axis=0)
    return on


def frozen(
    dataset: Dataset,
    told: Sequence[Incident],
    names: Instruments,
    time_ns: I64,
    kinds: Sequence[Shock] = _LOCKING,
) -> B8:
    """(T, K) hours in which a token is frozen or paused: neither traded nor a live price."""
    made: B8 = np.zeros((len(time_ns), len(names.tokens)), np.bool_)
    for k, token in enumerate(names.tokens):
        for kind in kinds:
            made[:, k] |= _is_stopped(dataset, told, kind, token, time_ns)
    return made


def redemptions_halted(dataset: Dataset, config: RunConfig, token: str, time_ns: I64) -> B8:
    """(T,) hours in which an incident keeps the issuer from taking a token back."""
    told = incidents(dataset, config)
    return _is_stopped(dataset, told, Shock.REDEMPTION_HALT, token, time_ns)


def depegs(dataset: Dataset, config: RunConfig, currency: str) -> list[tuple[int, float]]:
    """Instants, ascending, from which a currency is worth so many USD a unit."""
    told = incidents(dataset, config)
    return [(x.at_ns, x.value) for x in told if x.kind is Shock.DEPEG and x.name == currency]


def stopped(dataset: Dataset, told: Iterable[Incident], names: Instruments, time_ns: I64) -> B8:
    """(T, M) hours in which a coin's oracle stands still: so many from the row of the shock on."""
    made: B8 = np.zeros((len(time_ns), len(names.coins)), np.bool_)
    for one in told:
        if one.kind is not Shock.ORACLE_STOP:
            continue
        first = -(-one.at_ns // HOUR_NS) * HOUR_NS
        inside = (time_ns >= first) & (time_ns < first + int(one.value) * HOUR_NS)
        for m, coin in enumerate(names.coins):
            if one.name in (coin, dataset.perps_meta[coin].venue):
                made[:, m] |= inside
    return made


def hold(px: F64, still: B8) -> F64:
    """Prices as of the last hour that was not still; as they are where there was none.

    >>> hold(np.array([[1.0], [2.0], [3.0]]), np.array([[False], [True], [False]])).tolist()
    [[1.0], [1.0], [3.0]]
    """
    age = rows_since(~still)
    rows = np.arange(px.shape[0])[:, None] - np.maximum(age, 0)
    return np.asarray(np.take_along_axis(px, rows, axis=0))


def stand_still(prices: Prices, still: B8, formed: bool) -> Prices:
    """Prices with the oracle stopped: carried and stale, recorded rates as they are.

    A price that perpkit forms keeps its book, and its external price alone stands.
    """
    if not still.any():
        return prices
    moved = ("oracle_px", "mark_px", "mid_px", "impact_bid_px", "impact_ask_px")
    held = ("external_px",) if formed else moved
    carried: dict[str, Any] = {name: hold(getattr(prices, name), still) for name in held}
    return prices._replace(
        **carried,
        mark_high_px=np.where(still, np.nan, prices.mark_high_px),
        mark_low_px=np.where(still, np.nan, prices.mark_low_px),
        stale=prices.stale | still,
    )


def refuse_inside(tape: Tape, terms: Records, still: B8, names: Instruments) -> None:
    """Refuse a stopped oracle in hours in which perpkit forms it from its own book.

    Raises
    ------
    DataError
        Naming the coin and the first such hour.
    """
    now = terms[tape.era]
    inside: B8 = np.isin(now["oracle_closed"], _BY_ITSELF)
    inside &= now["external_session"] != Session.ALWAYS
    for code in sessions_with_turns(terms):
        told = tape.opened[:, code] & np.isnan(tape.first_frac[:, code])
        inside &= ~((now["external_session"] == code) & told[:, None])
    inside &= still
    if inside.any():
        m = int(np.flatnonzero(inside.any(axis=0))[0])
        when = stamp(int(tape.time_ns[np.argmax(inside[:, m])]))
        raise DataError(
            f"shocks.parquet: the oracle of {names.coins[m]} is stopped at {when}, without an "
            "external price to stand at: perpkit forms it from its own book then; end the "
            'oracle_stop before that hour, or set shocks = "ignore"'
        )


def lay_shocks(
    tape: Tape,
    told: Sequence[Incident],
    dataset: Dataset,
    names: Instruments,
    after_revoke: str = "locked",
) -> Tape:
    """Lay what strikes the book, and the hours in which tokens are frozen or locked."""
    frost = frozen(dataset, told, names, tape.time_ns)
    tape.halted[:] |= frost
    tape.quoted[:] &= ~frost
    lock = np.where(frost, np.int8(Lock.ALL), np.int8(Lock.NONE))
    revoked = frozen(dataset, told, names, tape.time_ns, (Shock.REVOKE,))
    lock[revoked & ~frost] = _AFTER_REVOKE[after_revoke]
    if lock.any():
        tape = tape._replace(lock=lock)
    return tape._replace(**_struck(dataset, told, names, tape.time_ns)._asdict())


# --------------------------------------------------------------------------- what is said


def played(
    dataset: Dataset, config: RunConfig, names: Instruments, time_ns: I64, settle: Iterable[str]
) -> Counter[str]:
    """How many shocks of each kind strike something of the run in its hours, or last into them.

    ``settle`` are the currencies that the run's accounts are in.
    """
    first_ns = int(time_ns[0])
    mine = {*names.coins, *names.tokens, *settle}
    mine |= {dataset.perps_meta[coin].venue for coin in names.coins}
    mine |= {dataset.tokens_meta[token].issuer for token in names.tokens}
    told = [one for one in incidents(dataset, config) if one.name in mine]
    before = {(x.kind, x.name): x for x in told if x.at_ns <= first_ns - HOUR_NS}
    own = [one for one in told if _within(one.at_ns, time_ns)]
    own += [one for one in before.values() if _lasts(one, first_ns)]
    return Counter(one.kind.name.lower() for one in own)


def _lasts(one: Incident, first_ns: int) -> bool:
    """Whether what an earlier incident started is still on at the first hour."""
    if one.kind is Shock.ORACLE_STOP:
        return one.at_ns + one.value * HOUR_NS > first_ns
    if one.kind is Shock.DEPEG:
        return one.value != 1.0
    return one.kind in _LASTING and one.value == 1.0
