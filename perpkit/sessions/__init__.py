"""When an underlying has an external price, and when its cash market trades.

Every session includes its first instant and not its last, so the state at an instant is the state
after every turn up to it. Sessions of external pricing (the rulebook's ``external_session``):

- "us_24_5": Sunday 20:00 to Friday 20:00 New York, without the days on which NYSE and Nasdaq rest
  and the overnight sessions before them; on early closes until 13:00.
- "us_index_futures": CME's equity-index futures, Sunday 18:00 to Friday 17:00 New York, with the
  daily break from 17:00 to 18:00 and their own holiday hours.
- "us_cash": NYSE and Nasdaq, 09:30 to 16:00 or 13:00 New York.
- "korea": the windows in which a Korean stock is priced from Korea.
- "24/7": always; "none": never, as for a company that is not listed.

The days come from tables in ``data/``, with their sources; ``python -m perpkit.sessions`` writes
them anew with exchange_calendars. Outside the tables nothing is guessed: such hours are refused.
"""

from perpkit.sessions.hours import (
    EXTERNAL_SESSIONS,
    SESSIONS,
    Hours,
    Switches,
    external_switches,
    open_at,
    session_hours,
    us_equity_hours,
)

__all__ = [
    "EXTERNAL_SESSIONS",
    "SESSIONS",
    "Hours",
    "Switches",
    "external_switches",
    "open_at",
    "session_hours",
    "us_equity_hours",
]
