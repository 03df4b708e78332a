"""A server of the real program with its inbox."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

PROGRAM = os.environ["ALERT_CONNECTORS"]


@dataclass
class World:
    """A space with one connector, and a key that may only send to it."""

    url: str
    key: str
    token: str
    server: subprocess.Popen[str]

    def get(self, path: str) -> Any:
        answer = httpx.get(f"{self.url}/spaces/data{path}", headers={"authorization": f"Bearer {self.token}"})
        answer.raise_for_status()
        return answer.json()

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts, oldest first."""
        items: list[dict[str, Any]] = self.get("/alerts?limit=200")["items"]
        return items[::-1]


def _address(child: subprocess.Popen[str], pattern: str) -> str:
    """The address that a program says it listens on."""
    assert child.stderr is not None
    for line in child.stderr:
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError(f"it ended with {child.wait()}")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    database = ["--database-url", f"sqlite://{folder / 'test.db'}"]

    def run(*arguments: str) -> str:
        return subprocess.run([PROGRAM, *arguments, *database], check=True, capture_output=True, text=True).stdout.strip()

    run("space", "add", "data", "--name", "Data")
    run("user", "add", "alice@example.com", "--name", "Alice")
    run("member", "set", "data", "alice@example.com", "--role", "admin")
    serve = ["serve", "--listen", "127.0.0.1:0", *database]
    with subprocess.Popen([PROGRAM, *serve], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        url = "http://" + _address(server, r'"address":"([^"]+)"')
        token = run("token", "issue", "alice@example.com")
        headers = {"authorization": f"Bearer {token}"}
        connector = {"name": "#data", "connector_type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
        httpx.post(f"{url}/spaces/data/alert-connectors", json=connector, headers=headers).raise_for_status()
        key = httpx.post(f"{url}/api-keys", json={"name": "test", "scope": "send", "space": "data"}, headers=headers).json()["key"]
        yield World(url, key, token, server)
        server.terminate()


@pytest.fixture
def world(shared: World) -> World:
    return shared
