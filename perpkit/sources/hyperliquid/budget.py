"""What the info API counts: 1,200 weight a rolling minute for an address."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Final

PER_MINUTE: Final = 1_200
_MINUTE_S: Final = 60.0
# A request that lies exactly a minute back may still count on the server's clock.
_MARGIN_S: Final = 0.25

_LIGHT: Final = frozenset(
    {
        *("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState"),
        "exchangeStatus",
    }
)
_ROWS_A_POINT: Final = {"fundingHistory": 20, "candleSnapshot": 60}


def weight(kind: str, rows: int = 0) -> int:
    """Weight of a request of a type whose answer has some rows.

    >>> weight("l2Book"), weight("fundingHistory", 500), weight("candleSnapshot", 5_000)
    (2, 45, 104)
    """
    base = 2 if kind in _LIGHT else 60 if kind == "userRole" else 20
    share = _ROWS_A_POINT.get(kind)
    return base if share is None else base + math.ceil(rows / share)


class Budget:
    """Lets requests through so that no rolling minute holds more weight than allowed.

    Parameters
    ----------
    per_minute : weight that a minute may hold
    clock : seconds that only rise
    sleep : waits for seconds
    """

    def __init__(
        self,
        per_minute: int = PER_MINUTE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._spent: deque[list[float]] = deque()  # [moment, weight], the oldest first

    @property
    def spent(self) -> float:
        """Weight of the last minute."""
        self._forget()
        return sum(weight for _, weight in self._spent)

    def spend(self, weight: int) -> None:
        """Wait until this much more fits into the minute, and count it."""
        # More than a minute holds would wait for ever: such a request goes out alone.
        needed = min(weight, self._per_minute)
        while self.spent > self._per_minute - needed:
            first = self._spent[0][0]
            # At least a moment: the difference of two times may round to nothing.
            self._sleep(max(first + _MINUTE_S + _MARGIN_S - self._clock(), 0.001))
        self._spent.append([self._clock(), weight])

    def correct(self, weight: int) -> None:
        """Say what the last request weighed in truth, once its answer is there."""
        self._spent[-1][1] = weight

    def _forget(self) -> None:
        horizon = self._clock() - _MINUTE_S - _MARGIN_S
        while self._spent and self._spent[0][0] <= horizon:
            self._spent.popleft()
