"""Hour by hour: whether there is an external price, and how far its next turns are."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from perpkit.arrays import B8, F64, I8, I64, Phase
from perpkit.errors import RequestError, nearest
from perpkit.sessions.spans import Spans, spans
from perpkit.units import HOUR_NS

SESSIONS: Final = ("24/7", "24/5", "cash")
EXTERNAL_SESSIONS: Final = ("24/7", "us_24_5", "us_index_futures", "korea", "us_cash", "none")

_ISSUER: Final = {"24/5": "us_24_5", "cash": "us_cash"}
_CASH: Final = {
    "us_24_5": "us_cash",
    "us_index_futures": "us_cash",
    "us_cash": "us_cash",
    "korea": "korea_cash",
}


class Hours(NamedTuple):
    """The market of an underlying, hour by hour; a turn that never comes is inf hours away."""

    phase: I8  # (T,) codes of arrays.Phase
    hours_to_close: F64  # (T,) to the end of external pricing, 0 outside it
    hours_to_reopen: F64  # (T,) to the next external price, 0 while there is one
    hours_to_cash_open: F64  # (T,) to the next cash open, 0 in the cash session


class Switches(NamedTuple):
    """Where within the hour ``(t-1, t]`` pricing turns from external to internal or back.

    A turn on the hour is none: it shows in ``open_at_start`` of the hour that begins with it.
    """

    open_at_start: B8  # (T,) external just after t-1
    first_frac: F64  # (T,) share of the hour gone at its first turn; NaN for none
    second_frac: F64  # (T,) at its second


def session_hours(time_ns: I64, session: str) -> Hours:
    """Phase of an underlying's market at each instant, and the hours to its next turns.

    Parameters
    ----------
    time_ns : (T,) instants, in any order
    session : one of ``EXTERNAL_SESSIONS``

    Returns
    -------
    Hours of shape (T,). "24/7" is priced from outside at all times and "none" at none; neither
    has a cash session.

    Raises
    ------
    RequestError
        If the session is none of these.
    DataError
        If an instant is outside the tables of days.

    Examples
    --------
    >>> friday_8pm = np.array([1_786_147_200_000_000_000])  # 8 August 2026 00:00Z
    >>> session_hours(friday_8pm, "us_24_5")
    Hours(phase=array([0], dtype=int8), hours_to_close=array([0.]),
          hours_to_reopen=array([48.]), hours_to_cash_open=array([61.5]))
    """
    _known(session, EXTERNAL_SESSIONS)
    never, now = np.full(len(time_ns), np.inf), np.zeros(len(time_ns))
    if session not in _CASH or not len(time_ns):
        always = session == "24/7"
        phase = np.full(len(time_ns), Phase.EXTENDED if always else Phase.CLOSED, np.int8)
        return Hours(phase, never if always else now, now if always else never, never)
    priced_in, cash_in = spans(session, time_ns), spans(_CASH[session], time_ns)
    priced, trading = _within(time_ns, priced_in), _within(time_ns, cash_in)
    phase = np.where(trading, Phase.CASH, np.where(priced, Phase.EXTENDED, Phase.CLOSED))
    return Hours(
        phase.astype(np.int8),
        np.where(priced, _hours_to(time_ns, priced_in.closes_ns), 0.0),
        np.where(priced, 0.0, _hours_to(time_ns, priced_in.opens_ns)),
        np.where(trading, 0.0, _hours_to(time_ns, cash_in.opens_ns)),
    )


def us_equity_hours(time_ns: I64) -> Hours:
    """:func:`session_hours` of "us_24_5", the pricing week of US equity perps."""
    return session_hours(time_ns, "us_24_5")


def external_switches(time_ns: I64, session: str) -> Switches:
    """Turns between external and internal pricing within the hour before each instant.

    Parameters
    ----------
    time_ns : (T,) ends of the hours, in any order
    session : one of ``EXTERNAL_SESSIONS``

    Returns
    -------
    Switches of shape (T,); no session of the tables turns more than twice in an hour

    Raises
    ------
    RequestError, DataError
        As :func:`session_hours`.

    Examples
    --------
    >>> seoul_9am = np.array([1_786_320_000_000_000_000])  # 10 August 2026 00:00Z
    >>> external_switches(seoul_9am, "korea").second_frac.round(4)  # to 08:50
    array([0.8333])
    """
    _known(session, EXTERNAL_SESSIONS)
    none = np.full(len(time_ns), np.nan)
    if session not in _CASH or not len(time_ns):
        return Switches(np.full(len(time_ns), session == "24/7"), none, none)
    begin_ns = time_ns - HOUR_NS
    priced_in = spans(session, np.array([begin_ns.min(), time_ns.max()]))
    turns = np.stack([priced_in.opens_ns, priced_in.closes_ns], axis=1).ravel()
    beyond = np.append(turns, [turns[-1] + 2 * HOUR_NS] * 2)
    after = np.searchsorted(turns, begin_ns, side="right")
    first, second = (
        np.where(beyond[at] < time_ns, (beyond[at] - begin_ns) / HOUR_NS, np.nan)
        for at in (after, after + 1)
    )
    return Switches(_within(begin_ns, priced_in), first, second)


def open_at(time_ns: I64, session: str) -> B8:
    """Whether a token issuer's session is open at each instant.

    Parameters
    ----------
    time_ns : (T,) instants, in any order
    session : "24/7" always; "24/5" the US pricing week; "cash" the regular session. The last two
        rest on US holidays and end with an early close.

    Returns
    -------
    (T,) bool

    Raises
    ------
    RequestError, DataError
        As :func:`session_hours`.
    """
    _known(session, SESSIONS)
    if session == "24/7" or not len(time_ns):
        return np.ones(len(time_ns), np.bool_)
    return _within(time_ns, spans(_ISSUER[session], time_ns))


def _known(session: str, known: tuple[str, ...]) -> None:
    if session not in known:
        raise RequestError(f'session "{session}" is unknown; {nearest(session, known)}')


def _within(time_ns: I64, sessions: Spans) -> B8:
    opened = np.searchsorted(sessions.opens_ns, time_ns, side="right")
    closed = np.searchsorted(sessions.closes_ns, time_ns, side="right")
    inside: B8 = opened > closed
    return inside


def _hours_to(time_ns: I64, turns_ns: I64) -> F64:
    """Hours to the next turn at or after each instant, for instants that have one."""
    upcoming = np.searchsorted(turns_ns, time_ns, side="left")
    hours: F64 = (turns_ns[np.minimum(upcoming, len(turns_ns) - 1)] - time_ns) / HOUR_NS
    return hours
