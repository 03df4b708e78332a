"""The clients, with and without asyncio. What goes wrong is logged, and raised only where that is asked for."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, Unpack, cast

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


@dataclass(frozen=True)
class Attempt:
    """A step: make this request, within so many seconds, and send its outcome back."""

    request: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Wait:
    """A step: wait for so many seconds."""

    seconds: float


Outcome: TypeAlias = httpx.Response | httpx.TransportError
T = TypeVar("T")
#: What a client does one after the other, without doing it: each client carries the steps out in its own way.
Steps: TypeAlias = Generator[Attempt | Wait, Outcome | None, T]


def _thrown(steps: Steps[T], error: Exception) -> T:
    """Lets the steps judge an error that no further attempt would mend, such as an address that is none."""
    try:
        steps.throw(error)
    except StopIteration as end:
        return cast(T, end.value)
    raise error


class _Shared:
    """What both clients have in common: everything but the requests and the waiting."""

    def __init__(self, url: str, token: str, space: str, *, seconds: float, raises: bool) -> None:
        #: What makes every request fail. A pipeline that only begins is not stopped by it.
        self._fault = _fault_of(url, token, space)
        # A token that was read from a file ends with its line.
        secret = token.strip() if isinstance(token, str) else ""
        self._url = f"{str(url).rstrip('/')}/spaces/{space}"
        self._headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
        self._seconds = seconds
        self._raises = raises

    def _request(self, path: str, body: object, key: str | None) -> dict[str, Any]:
        if self._fault is not None:
            raise NotSentError(self._fault)
        # Attempts under one key are stored once.
        headers = self._headers | {"idempotency-key": key or str(uuid.uuid4())}
        # What JSON has no word for, such as a date, becomes its text: no alert is lost for it.
        content = json.dumps(body, default=str).encode()
        return {"method": "POST", "url": f"{self._url}{path}", "content": content, "headers": headers}

    def _failed(self, error: Exception) -> None:
        if self._raises:
            raise NotSentError(_words(error)) from error
        _log.error("an alert was not sent: %s", _words(error))

    def _posting(self, path: str, body: object, key: str | None) -> Steps[Any]:
        """The attempts of one request, and the JSON of its answer."""
        retry, request = Retry(self._seconds), self._request(path, body, key)
        while True:
            outcome = yield Attempt(request, retry.left())
            assert outcome is not None
            wait = retry.wait_after(outcome)
            if wait is None:
                if isinstance(outcome, httpx.TransportError):
                    raise outcome
                return _body(outcome)
            yield Wait(wait)

    def _sending(self, title: str, parts: AlertArguments, key: str | None) -> Steps[Sent | None]:
        try:
            return _sent((yield from self._posting("/alerts", made(title, parts), key)))
        except Exception as error:
            self._failed(error)
            return None

    def _sending_all(self, alerts: Sequence[Alert], key: str | None) -> Steps[list[Sent]]:
        try:
            answer = yield from self._posting("/alerts/batch", list(alerts), key)
            good, bad = _all_sent(answer["results"])
        except Exception as error:
            self._failed(error)
            return []
        if bad:
            self._failed(NotSentError("; ".join(bad)))
        return good

    def _ingesting(self, source: str, body: object, key: str | None) -> Steps[int | None]:
        try:
            return len((yield from self._posting(f"/ingest/{source}", body, key))["alerts"])
        except Exception as error:
            self._failed(error)
            return None


def _fault_of(url: object, token: object, space: object) -> str | None:
    """What is wrong with the arguments of a client; never the token itself. They may come from an environment that lacks them."""
    for name, value in (("url", url), ("token", token), ("space", space)):
        if not isinstance(value, str) or not value.strip():
            return f"{name} is missing"
    if not str(url).startswith(("https://", "http://")):
        return "url must start with https:// or http://"
    if not all("!" <= character <= "~" for character in str(token).strip()):
        return "token has a blank or another character that no token has"
    return None


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
        self._http, self._process = httpx.Client(follow_redirects=False), os.getpid()

    def send(self, title: str, *, idempotency_key: str | None = None, **parts: Unpack[AlertArguments]) -> Sent | None:
        """Sends an alert. Its parts are those of the API: ``alert_type``, ``severity``, ``description`` and the others."""
        return self._run(self._sending(title, parts, idempotency_key))

    def send_all(self, alerts: Sequence[Alert], *, idempotency_key: str | None = None) -> list[Sent]:
        """Sends at most 1,000 alerts at once. Those that the server refuses are logged, and the others are sent."""
        return self._run(self._sending_all(alerts, idempotency_key))

    def ingest(self, source: str, body: object, *, idempotency_key: str | None = None) -> int | None:
        """Posts a producer's own body, such as dbt's ``run_results.json``. Returns how many alerts came of it."""
        return self._run(self._ingesting(source, body, idempotency_key))

    def _run(self, steps: Steps[T]) -> T:
        if self._process != os.getpid():
            # The connections are those of the process that this one was forked from.
            self._http, self._process = httpx.Client(follow_redirects=False), os.getpid()
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(T, end.value)
            outcome = None
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                continue
            try:
                outcome = self._http.request(**step.request, timeout=step.seconds)
            except httpx.TransportError as error:
                outcome = error
            except Exception as error:
                return _thrown(steps, error)

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
        return await self._run(self._sending(title, parts, idempotency_key))

    async def send_all(self, alerts: Sequence[Alert], *, idempotency_key: str | None = None) -> list[Sent]:
        """As :meth:`AlertConnectors.send_all`."""
        return await self._run(self._sending_all(alerts, idempotency_key))

    async def ingest(self, source: str, body: object, *, idempotency_key: str | None = None) -> int | None:
        """As :meth:`AlertConnectors.ingest`."""
        return await self._run(self._ingesting(source, body, idempotency_key))

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(T, end.value)
            outcome = None
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                continue
            try:
                outcome = await self._http.request(**step.request, timeout=step.seconds)
            except httpx.TransportError as error:
                outcome = error
            except Exception as error:
                return _thrown(steps, error)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncAlertConnectors:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
