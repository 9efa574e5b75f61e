"""When each session of external prices turns within the hours of the run."""

from __future__ import annotations

import numpy as np

from perpkit.arrays import B8, I64, Closed, Records, Session, Tape
from perpkit.sessions import EXTERNAL_SESSIONS, external_switches

_TURNLESS = (Session.ALWAYS, Session.NEVER)


def sessions_with_turns(terms: Records) -> I64:
    """Codes of the sessions that coins of the run have and that turn."""
    told = np.unique(terms["external_session"])
    return np.setdiff1d(told[~np.isnan(told)].astype(np.int64), _TURNLESS)


def lay_switches(tape: Tape, codes: I64) -> None:
    """Fill the columns of these sessions; the tape's clock is laid already.

    Raises
    ------
    DataError
        If an hour is outside the tables of sessions.
    """
    for code in codes:
        turns = external_switches(tape.time_ns, EXTERNAL_SESSIONS[code])
        tape.opened[:, code] = turns.open_at_start
        tape.first_frac[:, code] = turns.first_frac
        tape.second_frac[:, code] = turns.second_frac


def mid_for_impact(tape: Tape, terms: Records) -> B8:
    """(T, X) whether a mid alone drew the internal oracle in some part of a coin's hour."""
    coins = tape.external_px.shape[1]
    now = terms[tape.era, :coins]
    inside: B8 = np.zeros((len(tape.time_ns), coins), np.bool_)
    for code in sessions_with_turns(terms) if coins else ():
        shut = ~tape.opened[:, code] | ~np.isnan(tape.first_frac[:, code])
        inside |= (now["external_session"] == code) & shut[:, None]
    inside &= (now["oracle_closed"] == Closed.EWMA) | (now["oracle_closed"] == Closed.BLEND)
    neither: B8 = np.isnan(tape.impact_bid_px) & np.isnan(tape.impact_ask_px)
    told: B8 = ~np.isnan(tape.mid_px) & ~np.isnan(tape.oracle_px)
    return inside & (neither & told)[:, :coins]


def priced_inside(tape: Tape, terms: Records) -> B8:
    """(T, X) whether the hour of a coin that perpkit prices ends without an external price."""
    coins = tape.external_px.shape[1]
    session = terms["external_session"][tape.era, :coins]
    inside: B8 = session == Session.NEVER
    for code in sessions_with_turns(terms) if coins else ():
        turns = ~np.isnan(tape.first_frac[:, code]) ^ ~np.isnan(tape.second_frac[:, code])
        shut = ~(tape.opened[:, code] ^ turns)
        inside |= (session == code) & shut[:, None]
    return inside & ~np.isnan(tape.oracle_px[:, :coins])
