"""Airflow itself: a DAG whose task fails and then works, and Airflow's own Slack notifications to a hook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import World

DAG = """
import os

from airflow.sdk import DAG, task
from alert_connectors import AlertConnectors
from alert_connectors.airflow import on_failure, on_success

client = AlertConnectors(os.environ["ALERTS_URL"], os.environ["ALERTS_KEY"], "data")
default_args = {"on_failure_callback": on_failure(client), "on_success_callback": on_success(client)}

with DAG("load", schedule=None, default_args=default_args):

    @task
    def extract():
        if "FAILS" in os.environ:
            raise TimeoutError("no answer from the warehouse")

    extract()
"""

SLACK = """
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

SlackWebhookHook(slack_webhook_conn_id="alerts").send(text=":red_circle: Critical: load_orders failed")
"""


@pytest.fixture(scope="module")
def airflow(shared: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an Airflow with one DAG."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags/load.py").write_text(DAG)
    connection = {"conn_type": "slackwebhook", "host": f"{shared.url}/hooks", "password": shared.key}
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_ALERTS": json.dumps(connection),
        "ALERTS_URL": shared.url,
        "ALERTS_KEY": shared.key,
    }
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        run([str(Path(sys.executable).with_name("airflow")), *command], environment)
    yield environment


def run(command: list[str], environment: dict[str, str]) -> None:
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # A DAG run that fails is a failure of its command, too.
    assert ran.returncode == 0 or "FAILS" in environment, ran.stdout + ran.stderr


def test_a_task_that_fails_is_an_alert_and_its_next_success_ends_it(world: World, airflow: dict[str, str]) -> None:
    test = [str(Path(sys.executable).with_name("airflow")), "dags", "test", "load"]
    run(test, airflow | {"FAILS": "1"})
    [failed] = [alert for alert in world.alerts() if alert["alert_type"] == "airflow_task_failed"]
    assert (failed["title"], failed["status"]) == ("load.extract failed", "active")
    assert failed["description"] == "TimeoutError: no answer from the warehouse"
    run(test, airflow)
    [ended] = [alert for alert in world.alerts() if alert["alert_type"] == "airflow_task_failed"]
    assert ended["status"] == "resolved"


def test_airflows_own_slack_provider_posts_to_a_hook(world: World, airflow: dict[str, str]) -> None:
    run([sys.executable, "-c", SLACK], airflow)
    alert = world.alerts()[-1]
    assert (alert["alert_type"], alert["severity"]) == ("webhook", "critical")
    assert alert["title"] == ":red_circle: Critical: load_orders failed"
