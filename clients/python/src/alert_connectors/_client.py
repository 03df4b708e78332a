"""The clients, with and without asyncio. What goes wrong is logged, and raised only where that is asked for."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Unpack

import httpx

from ._alert import Alert
from ._arguments import AlertArguments, made
from ._retry import Retry

_log = logging.getLogger(__name__)


class NotSentError(Exception):
    """An alert was not accepted. The message says why, and never holds the token."""


@dataclass(frozen=True)
class Sent:
    """What the server accepted."""

    id: str
    """The alert. A repeat of a problem has the id of its first alert."""
    connectors: list[str] = field(default_factory=list)
    """The names of the connectors that hear of it."""
    warnings: list[str] = field(default_factory=list)
    """What the server corrected."""


class _Shared:
    """What both clients have in common: everything but the waiting."""

    def __init__(self, url: str, token: str, space: str, *, seconds: float, raises: bool) -> None:
        #: What makes every request fail. A pipeline that only begins is not stopped by it.
        self._fault = None if url.startswith(("https://", "http://")) else "url must start with https:// or http://"
        self._url = f"{url.rstrip('/')}/spaces/{space}"
        self._headers = {"authorization": f"Bearer {token}"}
        self._seconds = seconds
        self._raises = raises

    def _request(self, path: str, body: object, key: str | None) -> dict[str, Any]:
        if self._fault is not None:
            raise NotSentError(self._fault)
        # Attempts under one key are stored once.
        headers = self._headers | {"idempotency-key": key or str(uuid.uuid4())}
        return {"method": "POST", "url": f"{self._url}{path}", "json": body, "headers": headers}

    def _failed(self, error: Exception) -> None:
        if self._raises:
            raise NotSentError(_words(error)) from error
        _log.error("an alert was not sent: %s", _words(error))


def _words(error: Exception) -> str:
    if isinstance(error, httpx.TransportError):
        return f"the server can't be reached: {error}"
    return str(error)


def _body(response: httpx.Response) -> Any:
    """The JSON of an answer, or why the server refused the request."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    detail = body.get("detail") if isinstance(body, dict) else None
    errors = body.get("errors", []) if isinstance(body, dict) else []
    more = [error["msg"] for error in errors if error.get("msg") != detail]
    raise NotSentError("; ".join([f"the server answered {response.status_code}: {detail or 'no JSON'}", *more]))


def _sent(alert: dict[str, Any]) -> Sent:
    names = [delivery["connector_name"] for delivery in alert.get("deliveries", [])]
    return Sent(alert["id"], names, [warning["msg"] for warning in alert.get("warnings", [])])


def _all_sent(results: list[dict[str, Any]]) -> tuple[list[Sent], list[str]]:
    good = [_sent(result["alert"]) for result in results if "alert" in result]
    bad = [result["problem"]["detail"] for result in results if "problem" in result]
    return good, bad


class AlertConnectors(_Shared):
    """Sends alerts to a space. It is safe to share between threads.

    Nothing raises, unless ``raises`` is set: what goes wrong is logged by the logger ``alert_connectors``, and the result is ``None``.
    A server that can't answer is asked again for ``seconds``, under one idempotency key.
    """

    def __init__(self, url: str, token: str, space: str, *, seconds: float = 30.0, raises: bool = False) -> None:
        super().__init__(url, token, space, seconds=seconds, raises=raises)
        self._http = httpx.Client(follow_redirects=False)

    def send(self, title: str, *, idempotency_key: str | None = None, **parts: Unpack[AlertArguments]) -> Sent | None:
        """Sends an alert. Its parts are those of the API: ``alert_type``, ``severity``, ``description`` and the others."""
        try:
            return _sent(self._post("/alerts", made(title, parts), idempotency_key))
        except Exception as error:
            self._failed(error)
            return None

    def send_all(self, alerts: Sequence[Alert], *, idempotency_key: str | None = None) -> list[Sent]:
        """Sends at most 1,000 alerts at once. Those that the server refuses are logged, and the others are sent."""
        try:
            good, bad = _all_sent(self._post("/alerts/batch", list(alerts), idempotency_key)["results"])
        except Exception as error:
            self._failed(error)
            return []
        if bad:
            self._failed(NotSentError("; ".join(bad)))
        return good

    def ingest(self, source: str, body: object, *, idempotency_key: str | None = None) -> int | None:
        """Posts a producer's own body, such as dbt's ``run_results.json``. Returns how many alerts came of it."""
        try:
            return len(self._post(f"/ingest/{source}", body, idempotency_key)["alerts"])
        except Exception as error:
            self._failed(error)
            return None

    def _post(self, path: str, body: object, key: str | None) -> Any:
        retry, request = Retry(self._seconds), self._request(path, body, key)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.request(**request, timeout=retry.left())
            except httpx.TransportError as error:
                outcome = error
            wait = retry.wait_after(outcome)
            if wait is None:
                if isinstance(outcome, httpx.TransportError):
                    raise outcome
                return _body(outcome)
            time.sleep(wait)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> AlertConnectors:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncAlertConnectors(_Shared):
    """As :class:`AlertConnectors`, for asyncio."""

    def __init__(self, url: str, token: str, space: str, *, seconds: float = 30.0, raises: bool = False) -> None:
        super().__init__(url, token, space, seconds=seconds, raises=raises)
        self._http = httpx.AsyncClient(follow_redirects=False)

    async def send(self, title: str, *, idempotency_key: str | None = None, **parts: Unpack[AlertArguments]) -> Sent | None:
        """As :meth:`AlertConnectors.send`."""
        try:
            return _sent(await self._post("/alerts", made(title, parts), idempotency_key))
        except Exception as error:
            self._failed(error)
            return None

    async def send_all(self, alerts: Sequence[Alert], *, idempotency_key: str | None = None) -> list[Sent]:
        """As :meth:`AlertConnectors.send_all`."""
        try:
            good, bad = _all_sent((await self._post("/alerts/batch", list(alerts), idempotency_key))["results"])
        except Exception as error:
            self._failed(error)
            return []
        if bad:
            self._failed(NotSentError("; ".join(bad)))
        return good

    async def ingest(self, source: str, body: object, *, idempotency_key: str | None = None) -> int | None:
        """As :meth:`AlertConnectors.ingest`."""
        try:
            return len((await self._post(f"/ingest/{source}", body, idempotency_key))["alerts"])
        except Exception as error:
            self._failed(error)
            return None

    async def _post(self, path: str, body: object, key: str | None) -> Any:
        retry, request = Retry(self._seconds), self._request(path, body, key)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.request(**request, timeout=retry.left())
            except httpx.TransportError as error:
                outcome = error
            wait = retry.wait_after(outcome)
            if wait is None:
                if isinstance(outcome, httpx.TransportError):
                    raise outcome
                return _body(outcome)
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncAlertConnectors:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
