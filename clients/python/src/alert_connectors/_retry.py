"""When a request is made again, and after how long. It sleeps nowhere, so both clients share it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import httpx

#: The wait before the second attempt, in seconds; it doubles up to the longest.
FIRST_WAIT = 0.25
LONGEST_WAIT = 10.0
#: The server can't answer now, or asks to wait.
AGAIN = frozenset({429, 500, 502, 503, 504})


class Retry:
    """The attempts of one request, until its time is up."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds
        self._wait = FIRST_WAIT

    def left(self) -> float:
        """The seconds that are left, and a little where none are: the first attempt is always made."""
        return max(self._ends_at - self._clock(), 0.001)

    def wait_after(self, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """The seconds to wait before the next attempt; None where there is none."""
        asked = 0.0
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in AGAIN:
                return None
            asked = _seconds(outcome.headers.get("retry-after"))
        wait = max(asked, self._wait * random.uniform(0.5, 1.0))
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return wait if self._clock() + wait < self._ends_at else None


def _seconds(header: str | None) -> float:
    return float(header) if header is not None and header.isascii() and header.isdigit() else 0.0
