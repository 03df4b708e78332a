"""What stands between a pipeline and the client: dbt, Airflow and logging."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alert_connectors import AlertConnectors, AlertHandler
from alert_connectors.airflow import on_failure, on_success
from alert_connectors.dbt import send_run_results
from conftest import World

SAMPLE = Path(__file__).parents[3] / "crates/ingest/samples/dbt-1.11.16-run_results-v6.json"


@pytest.fixture
def client(world: World) -> AlertConnectors:
    return AlertConnectors(world.url, world.key, "data", raises=True)


def of_type(world: World, alert_type: str) -> list[dict[str, Any]]:
    return [alert for alert in world.alerts() if alert["alert_type"] == alert_type]


def test_the_results_of_dbt_become_alerts(world: World, client: AlertConnectors, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert send_run_results(client, tmp_path) is None
    assert "can't be read" in caplog.text
    recorded = json.loads(SAMPLE.read_text())
    (tmp_path / "run_results.json").write_text(json.dumps(recorded.get("run_results", recorded)))
    count = send_run_results(client, tmp_path)
    assert count is not None and count > 0
    assert len([alert for alert in world.alerts() if alert["alert_type"].startswith("dbt")]) == count


def test_a_task_of_airflow_that_fails_is_an_alert_and_its_success_ends_it(world: World, client: AlertConnectors) -> None:
    instance = SimpleNamespace(dag_id="load", task_id="extract", try_number=2, map_index=-1, log_url="https://airflow.example.com/log")
    context = {"task_instance": instance, "ti": instance, "run_id": "manual__1", "exception": TimeoutError("no answer")}
    on_failure(client)(context)
    [failed] = of_type(world, "airflow_task_failed")
    assert (failed["title"], failed["status"], failed["description"]) == ("load.extract failed", "active", "TimeoutError: no answer")
    assert [field["name"] for field in failed["fields"]] == ["DAG", "Task", "Run", "Try"]
    on_success(client)(context)
    [ended] = of_type(world, "airflow_task_failed")
    assert ended["status"] == "resolved"


def test_no_context_of_airflow_makes_a_task_fail(caplog: pytest.LogCaptureFixture) -> None:
    gone = AlertConnectors("http://127.0.0.1:1", "ack_1", "data", seconds=0.1, raises=True)
    for context in ({}, {"ti": None}, {"dag": SimpleNamespace(dag_id="d")}):
        on_failure(gone)(context)
    assert caplog.text.count("an alert of Airflow was not sent") == 3


def test_what_is_logged_as_an_error_is_sent_once_for_each_message(world: World, client: AlertConnectors) -> None:
    logger = logging.getLogger("pipeline")
    handler = AlertHandler(client, alert_type="python_log")
    logger.addHandler(handler)
    for number in range(3):
        logger.error("row %d is broken", number)
    logger.warning("not sent")
    try:
        raise ValueError("boom")
    except ValueError:
        logger.critical("the load ended", exc_info=True)
    handler.close()
    logger.removeHandler(handler)
    broken, ended = of_type(world, "python_log")
    assert (broken["title"], broken["occurrences"], broken["severity"]) == ("row 2 is broken", 3, "high")
    assert ended["severity"] == "critical" and "ValueError: boom" in ended["description"]


def test_the_clients_own_log_sends_nothing() -> None:
    gone = AlertConnectors("http://127.0.0.1:1", "ack_1", "data", seconds=0.1)
    handler = AlertHandler(gone)
    logger = logging.getLogger("alert_connectors._client")
    logger.addHandler(handler)
    gone.send("x", alert_type="t", severity="low")
    assert handler._waiting.empty()
    logger.removeHandler(handler)
    handler.close()
