"""What stands between a pipeline and the client: dbt, Airflow and logging."""

from __future__ import annotations

import json
import logging
import os
import weakref
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


def test_an_instance_of_a_mapped_task_ends_its_own_problem_alone(world: World, client: AlertConnectors) -> None:
    def context(index: int) -> dict[str, Any]:
        return {"ti": SimpleNamespace(dag_id="load", task_id="part", try_number=1, map_index=index)}

    on_failure(client, alert_type="mapped")(context(0))
    on_success(client, alert_type="mapped")(context(1))
    failed = [alert for alert in of_type(world, "mapped") if alert["title"] == "load.part[0] failed"]
    assert [alert["status"] for alert in failed] == ["active"]


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


def test_closing_ends_in_time_although_nothing_can_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    gone = AlertConnectors("http://127.0.0.1:1", "ack_1", "data", seconds=600)
    handler = AlertHandler(gone, closing_seconds=0.2)
    for number in range(3):
        handler.handle(logging.makeLogRecord({"name": "late", "msg": f"row {number}", "levelno": logging.ERROR}))
    handler.close()
    assert "records were not sent within 0.2 s" in caplog.text


def test_a_process_that_was_forked_sends_what_it_logs(world: World, client: AlertConnectors) -> None:
    handler = AlertHandler(client, alert_type="forked")
    handler.handle(logging.makeLogRecord({"name": "parent", "msg": "parent", "levelno": logging.ERROR}))
    child = os.fork()
    if child == 0:
        handler.handle(logging.makeLogRecord({"name": "child", "msg": "child", "levelno": logging.ERROR}))
        handler.close()
        os._exit(0)
    os.waitpid(child, 0)
    handler.close()
    assert sorted(alert["title"] for alert in of_type(world, "forked")) == ["child", "parent"]


def test_the_end_of_a_process_does_not_wait_for_what_the_client_logs(caplog: pytest.LogCaptureFixture) -> None:
    gone = AlertConnectors("http://127.0.0.1:1", "ack_1", "data", seconds=0.01)
    handler = AlertHandler(gone, closing_seconds=60)
    logging.getLogger().addHandler(handler)
    try:
        for number in range(2):
            logging.getLogger("late").error("row %d", number)
        logging.shutdown([weakref.ref(handler)])
    finally:
        logging.getLogger().removeHandler(handler)
    assert not handler._thread.is_alive() and "records were not sent" not in caplog.text


def test_the_clients_own_log_sends_nothing() -> None:
    gone = AlertConnectors("http://127.0.0.1:1", "ack_1", "data", seconds=0.1)
    handler = AlertHandler(gone)
    logger = logging.getLogger("alert_connectors._client")
    logger.addHandler(handler)
    gone.send("x", alert_type="t", severity="low")
    assert handler._waiting.empty()
    logger.removeHandler(handler)
    handler.close()
