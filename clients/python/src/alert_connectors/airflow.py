"""Callbacks for Airflow: a task that fails is an alert, and its next success ends the problem.

    client = AlertConnectors(url, token, space)
    default_args = {
        "on_failure_callback": on_failure(client),
        "on_success_callback": on_success(client),
    }

Airflow need not be installed for this module: it reads the documented context
(https://airflow.apache.org/docs/apache-airflow/stable/templates-ref.html).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ._alert import Severity
from ._client import AlertConnectors

_log = logging.getLogger(__name__)

Callback = Callable[[Mapping[str, Any]], None]


def on_failure(client: AlertConnectors, *, severity: Severity = "high", alert_type: str = "airflow_task_failed") -> Callback:
    """A callback for ``on_failure_callback`` of a task or a DAG."""

    def callback(context: Mapping[str, Any]) -> None:
        _guarded(lambda: _send(client, context, severity, alert_type, resolved=False))

    return callback


def on_success(client: AlertConnectors, *, alert_type: str = "airflow_task_failed") -> Callback:
    """A callback for ``on_success_callback``: it ends what a failure began."""

    def callback(context: Mapping[str, Any]) -> None:
        _guarded(lambda: _send(client, context, "high", alert_type, resolved=True))

    return callback


def _guarded(send: Callable[[], None]) -> None:
    """Airflow versions differ in their contexts; a task never fails for its alert."""
    try:
        send()
    except Exception:
        _log.exception("an alert of Airflow was not sent")


def _send(client: AlertConnectors, context: Mapping[str, Any], severity: Severity, alert_type: str, *, resolved: bool) -> None:
    instance = context.get("task_instance") or context.get("ti")
    dag = getattr(instance, "dag_id", None) or getattr(context.get("dag"), "dag_id", "unknown")
    task = getattr(instance, "task_id", None)
    index = _map_index(instance)
    what = f"{dag}.{task}" if task else str(dag)
    if index is not None:
        # Each instance of a mapped task is a problem of its own.
        what = f"{what}[{index}]"
    tries = getattr(instance, "try_number", None)
    run = str(context["run_id"]) if "run_id" in context else None
    values = {"DAG": dag, "Task": task, "Run": run, "Try": tries, "Map index": index}
    error = context.get("exception")
    client.send(
        f"{what} {'works again' if resolved else 'failed'}",
        alert_type=alert_type,
        severity=severity,
        description=f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error,
        fields={name: value for name, value in values.items() if value is not None},
        url=getattr(instance, "log_url", None),
        dedup_key=f"airflow:{what}",
        resolved=resolved,
    )


def _map_index(instance: object) -> int | None:
    """The place of a mapped task; Airflow says -1 of others."""
    index = getattr(instance, "map_index", -1)
    return index if isinstance(index, int) and index >= 0 else None
