"""A handler of Python's logging that sends what is logged as alerts."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from typing import Any

from ._alert import Severity
from ._client import AlertConnectors

#: At most this many records wait to be sent. What comes beyond is dropped: logging never blocks.
WAITING_MAX = 1_000
TITLE_CHARS_MAX = 200

_log = logging.getLogger(__name__)


class AlertHandler(logging.Handler):
    """Sends records of at least ``level``, from a thread of its own.

    The logger's name and the message's template name the problem, so that a message in a loop is one alert that repeats. A process that
    ends waits for what is queued, but no longer than ``closing_seconds`` in all.
    """

    def __init__(
        self,
        client: AlertConnectors,
        *,
        alert_type: str = "python_log",
        level: int = logging.ERROR,
        closing_seconds: float = 10.0,
    ) -> None:
        super().__init__(level)
        self._client = client
        self._alert_type = alert_type
        self._closing_seconds = closing_seconds
        self._is_closed = threading.Event()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._send_all, name="alert-connectors", daemon=True)
        self._thread.start()

    def filter(self, record: logging.LogRecord) -> Any:
        """Leaves the client's own log out, or one failure would follow from another.

        It does so before the handler's lock is taken: ``logging.shutdown()`` holds that lock while it waits for this handler's thread.
        """
        if record.name.startswith(("alert_connectors", "httpx", "httpcore")):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a record."""
        if self._process != os.getpid():
            # A process that was forked has no thread, and what is queued is its parent's.
            self._begin()
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self.handleError(record)

    def close(self) -> None:
        """Sends the records that are queued, as long as there is time, and ends the thread."""
        if self._process == os.getpid() and self._thread.is_alive():
            ends_at = time.monotonic() + self._closing_seconds
            self._is_closed.set()
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=self._closing_seconds)
            self._thread.join(max(ends_at - time.monotonic(), 0))
            if self._thread.is_alive():
                _log.error("about %d records were not sent within %g s", self._waiting.qsize(), self._closing_seconds)
        super().close()

    def _send_all(self) -> None:
        while (record := self._waiting.get()) is not None:
            try:
                self._send(record)
            except Exception:
                self.handleError(record)
            if self._is_closed.is_set() and self._waiting.empty():
                return

    def _send(self, record: logging.LogRecord) -> None:
        first, _, rest = record.getMessage().partition("\n")
        details = [rest] if rest else []
        if record.exc_info:
            details.append((self.formatter or logging.Formatter()).formatException(record.exc_info))
        self._client.send(
            first[:TITLE_CHARS_MAX] or "(empty message)",
            alert_type=self._alert_type,
            severity=severity_of(record.levelno),
            description="\n".join(details) or None,
            fields={"Logger": record.name, "Place": f"{record.filename}:{record.lineno}"},
            dedup_key=f"{record.name}:{record.msg}"[:200],
        )


def severity_of(level: int) -> Severity:
    """The severity of a level of logging."""
    if level >= logging.CRITICAL:
        return "critical"
    if level >= logging.ERROR:
        return "high"
    return "medium" if level >= logging.WARNING else "low"
