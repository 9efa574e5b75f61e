"""Sessions laid on the clock: the phase of each underlying, and the hours to its turns."""

from __future__ import annotations

from typing import Final

import numpy as np

from perpkit.arrays import I64, Tape
from perpkit.rulebook import Resolved
from perpkit.sessions import EXTERNAL_SESSIONS, session_hours
from perpkit.tape.instruments import Instruments

# An underlying whose venues name no calendar, or price it at all times, keeps these hours.
_USUAL: Final = EXTERNAL_SESSIONS.index("us_24_5")
_ALWAYS: Final = EXTERNAL_SESSIONS.index("24/7")
_UNNAMED: Final = -1


def lay_hours(tape: Tape, names: Instruments, resolved: Resolved) -> None:
    """Fill the tape's columns by underlying; its clock is laid already.

    The calendar of an underlying is the first that the venues of its perps name for the hour.

    Raises
    ------
    DataError
        If an hour is outside the tables of sessions.
    """
    told = _codes(tape.time_ns, names, resolved)
    for code in np.unique(told):
        own = told == code
        hours = session_hours(tape.time_ns[own.any(axis=1)], EXTERNAL_SESSIONS[code])
        row = np.cumsum(own.any(axis=1)) - 1
        rows = row[np.nonzero(own)[0]]
        for name, column in hours._asdict().items():
            getattr(tape, name)[own] = column[rows]


def sessions_used(names: Instruments, resolved: Resolved, time_ns: I64) -> tuple[str, ...]:
    """Sessions that the underlyings of a run keep, in the order of ``EXTERNAL_SESSIONS``."""
    return tuple(EXTERNAL_SESSIONS[code] for code in np.unique(_codes(time_ns, names, resolved)))


def sessions_unknown(names: Instruments, resolved: Resolved) -> tuple[str, ...]:
    """Underlyings of whose perps no venue names a session, which keep the usual hours."""
    named = {c for term in resolved.used if term.key == "external_session" for c in term.coins}
    return tuple(
        underlying
        for u, underlying in enumerate(names.underlyings)
        if not any(
            coin in named and names.perp_underlying[m] == u for m, coin in enumerate(names.coins)
        )
    )


def _codes(time_ns: I64, names: Instruments, resolved: Resolved) -> I64:
    """Number of each underlying's session, (T, U)."""
    columns = [_named(time_ns, names, resolved, u) for u in range(len(names.underlyings))]
    return np.stack(columns, axis=1)


def _named(time_ns: I64, names: Instruments, resolved: Resolved, underlying: int) -> I64:
    """Number of the session in each hour, (T,)."""
    made = np.full(len(time_ns), _UNNAMED)
    for m in np.flatnonzero(names.perp_underlying == underlying):
        own = np.full(len(time_ns), _UNNAMED)
        for term in resolved.used:  # ascending in time
            if term.key == "external_session" and names.coins[m] in term.coins:
                code = EXTERNAL_SESSIONS.index(str(term.value))
                own[time_ns >= term.from_ns] = _UNNAMED if code == _ALWAYS else code
        made = np.where(made == _UNNAMED, own, made)
    return np.where(made == _UNNAMED, _USUAL, made)
