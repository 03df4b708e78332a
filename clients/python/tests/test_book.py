"""The Python in the book does what its pages say."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import World

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs/book/src"
SAMPLES = ROOT / "crates/ingest/samples"


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


WITH_PYTHON = sorted(str(page.relative_to(PAGES)) for page in PAGES.rglob("*.md") if _blocks(page))


def _checkpoint() -> SimpleNamespace:
    """What Great Expectations gives, with a result that was recorded from it."""
    recorded = json.loads((SAMPLES / "great-expectations-1.24-failed.json").read_text())
    result = SimpleNamespace(to_json_dict=lambda: recorded)
    return SimpleNamespace(run=lambda: SimpleNamespace(run_results={"orders": result}))


def _task() -> dict[str, Any]:
    """What Airflow gives to a callback."""
    instance = SimpleNamespace(dag_id="load", task_id="extract", try_number=1, log_url="https://airflow.example.com/log")
    return {"task_instance": instance, "run_id": "manual__1", "exception": TimeoutError("no answer")}


def test_some_pages_show_python() -> None:
    assert len(WITH_PYTHON) >= 4


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_a_page_sends_what_it_says(
    name: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target").mkdir()
    recorded = json.loads((SAMPLES / "dbt-1.11.16-run_results-v6.json").read_text())
    (tmp_path / "target/run_results.json").write_text(json.dumps(recorded.get("run_results", recorded)))
    posted = sum(alert["occurrences"] for alert in world.alerts())
    for block in _blocks(PAGES / name):
        code = block.replace("https://alerts.example.com", world.url).replace("ack_xxx", world.key)
        names: dict[str, Any] = {"checkpoint": _checkpoint()}
        exec(compile(code, name, "exec"), names)
        if "default_args" in names:
            names["default_args"]["on_failure_callback"](_task())
    assert sum(alert["occurrences"] for alert in world.alerts()) > posted
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING], caplog.text
