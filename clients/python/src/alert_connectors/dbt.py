"""Posts the results of a dbt run, after the run: tests that failed arrive, and those that pass again end their problems."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from ._client import AlertConnectors

_log = logging.getLogger(__name__)


def send_run_results(client: AlertConnectors, target: str | Path = "target") -> int | None:
    """Posts ``run_results.json`` of the folder, with ``manifest.json`` and ``sources.json`` beside it where they are there.

    Returns how many alerts came of it; None where nothing could be sent, which is logged.
    """
    folder = Path(target)
    body: dict[str, Any] = {}
    try:
        body["run_results"] = json.loads((folder / "run_results.json").read_bytes())
        for name in ("manifest", "sources"):
            artifact = folder / f"{name}.json"
            if artifact.exists():
                body[name] = json.loads(artifact.read_bytes())
    except (OSError, ValueError) as error:
        _log.error("dbt's results can't be read: %s", error)
        return None
    return client.ingest("dbt", body)
