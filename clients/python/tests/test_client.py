"""The clients against the real server, and against servers that can't answer."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from alert_connectors import AlertConnectors, AsyncAlertConnectors, NotSentError, Sent
from alert_connectors._alert import alert
from conftest import World

Answer = tuple[int, dict[str, str], object]


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers in turn, the last answer for ever; with what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked.append({"key": self.headers["idempotency-key"], "body": json.loads(self.rfile.read(length))})
            status, headers, body = answers[min(len(asked), len(answers)) - 1]
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", asked
        finally:
            listening.shutdown()
            thread.join()


ACCEPTED: Answer = (202, {}, {"id": "a", "deliveries": [], "warnings": []})


def test_an_alert_arrives_with_all_its_parts(world: World) -> None:
    with AlertConnectors(world.url, world.key, "data", raises=True) as client:
        sent = client.send(
            "orders is late",
            alert_type="freshness",
            severity="critical",
            description="by **7 h**",
            markdown=True,
            fields={"Table": "orders", "Rows": 0},
            actions={"Runbook": "https://example.com/r"},
            url="https://example.com/a",
            dedup_key="freshness:orders",
            occurred_at=datetime(2026, 11, 28, 12, tzinfo=UTC),
        )
        assert sent is not None and sent.connectors == ["#data"] and sent.warnings == []
        stored = world.get(f"/alerts/{sent.id}")
        assert (stored["severity"], stored["status"], stored["description_format"]) == ("critical", "active", "markdown")
        assert stored["fields"] == [{"name": "Table", "value": "orders"}, {"name": "Rows", "value": 0}]
        assert stored["actions"] == [{"label": "Runbook", "url": "https://example.com/r"}]
        assert stored["occurred_at"] == "2026-11-28T12:00:00.000Z"
        client.send("on time", alert_type="freshness", severity="critical", dedup_key="freshness:orders", resolved=True)
        assert world.get(f"/alerts/{sent.id}")["status"] == "resolved"


def test_many_are_sent_at_once_and_the_bad_ones_named(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = AlertConnectors(world.url, world.key, "data")
    good = alert("good", alert_type="many", severity="low")
    bad = alert("bad", alert_type="many", severity="worst")  # type: ignore[arg-type]
    assert len(client.send_all([good, bad, good])) == 2
    assert "severity must be one of" in caplog.text


def test_asyncio_sends_as_well(world: World) -> None:
    async def send() -> tuple[Sent | None, list[Sent]]:
        async with AsyncAlertConnectors(world.url, world.key, "data", raises=True) as client:
            one = await client.send("async", alert_type="async", severity="low")
            return one, await client.send_all([alert("async", alert_type="async", severity="low")])

    one, many = asyncio.run(send())
    assert one is not None and len(many) == 1


def test_a_server_that_cannot_answer_is_asked_again_under_one_key() -> None:
    unavailable: Answer = (503, {"retry-after": "0"}, {"detail": "later"})
    with server(unavailable, (429, {}, {}), ACCEPTED) as (url, asked):
        sent = AlertConnectors(url, "ack_1", "data", raises=True).send("x", alert_type="t", severity="low")
    assert sent is not None and len(asked) == 3
    assert len({one["key"] for one in asked}) == 1


def test_the_time_for_attempts_is_bounded() -> None:
    with server((503, {"retry-after": "60"}, {"detail": "later"})) as (url, asked):
        client = AlertConnectors(url, "ack_1", "data", seconds=1, raises=True)
        with pytest.raises(NotSentError, match="503: later"):
            client.send("x", alert_type="t", severity="low")
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "alerts.example.com", "http://[", "https://"])
def test_nothing_raises_unless_it_is_asked_to(url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = AlertConnectors(url, "ack_secret", "data", seconds=0.1)
    assert client.send("x", alert_type="t", severity="low") is None
    assert client.send("x", alert_type="t", severity="low", fields={"a": object()}) is None  # type: ignore[dict-item]
    assert client.send_all([]) == [] and client.ingest("dbt", {}) is None
    assert caplog.text.count("was not sent") == 4
    assert "ack_secret" not in caplog.text
    assert asyncio.run(AsyncAlertConnectors(url, "ack_secret", "data", seconds=0.1).send("x", alert_type="t", severity="low")) is None
    with pytest.raises(NotSentError):
        AlertConnectors(url, "ack_secret", "data", seconds=0.1, raises=True).send("x", alert_type="t", severity="low")


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        (None, "ack_secret", "url is missing"),
        ("http://127.0.0.1:1", None, "token is missing"),
        ("http://127.0.0.1:1", "ack_secret\nack_secret", "token has a blank"),
    ],
)
def test_arguments_that_are_missing_or_broken_are_named_and_tokens_are_not(
    url: Any, token: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert AlertConnectors(url, token, "data").send("x", alert_type="t", severity="low") is None
    assert said in caplog.text and "ack_secret" not in caplog.text


def test_a_token_may_end_with_its_line_and_odd_values_become_text(world: World) -> None:
    client = AlertConnectors(world.url, f"{world.key}\n", "data", raises=True)
    fields: dict[str, Any] = {"Day": date(2026, 11, 29), "Sum": Decimal("1.10"), "Share": float("nan")}
    sent = client.send("half a \ud83d letter", alert_type="odd", severity="low", fields=fields)
    assert sent is not None
    stored = world.get(f"/alerts/{sent.id}")["fields"]
    assert [field["value"] for field in stored] == ["2026-11-29", "1.10", "NaN"]


def test_what_the_server_refuses_is_said_with_every_fault(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = AlertConnectors(world.url, world.key, "data")
    assert client.send("x", alert_type="t", severity="worst", url=1) is None  # type: ignore[arg-type]
    assert "severity must be one of" in caplog.text
    wrong = AlertConnectors(world.url, "ack_wrong", "data")
    assert wrong.send("x", alert_type="t", severity="low") is None
    assert "401" in caplog.text and "ack_wrong" not in caplog.text
    assert logging.getLogger("alert_connectors").level == logging.NOTSET
