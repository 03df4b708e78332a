"""An action for the checkpoints of Great Expectations 1.x: what fails is an alert, and the validation that passes ends the problem.

    os.environ["ALERT_CONNECTORS_TOKEN"] = "ack_…"
    action = SendAlertsAction(url="https://alerts.example.com", space="data")
    gx.Checkpoint(name="nightly", validation_definitions=[...], actions=[action])

The token comes from the environment, since Great Expectations writes the settings of its actions to files.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Literal

from great_expectations.checkpoint.actions import ValidationAction

from ._client import AlertConnectors

_log = logging.getLogger(__name__)


class SendAlertsAction(ValidationAction):
    """Posts each validation result of a checkpoint. It never fails the checkpoint: what can't be sent is logged."""

    type: Literal["alert_connectors"] = "alert_connectors"
    name: str = "alert_connectors"
    url: str
    space: str
    #: The variable of the environment that holds the API key.
    token_variable: str = "ALERT_CONNECTORS_TOKEN"

    def run(self, checkpoint_result: Any, action_context: Any = None) -> dict[str, int]:
        """Returns how many alerts came of it, as Great Expectations keeps it."""
        alerts = 0
        try:
            with AlertConnectors(self.url, os.environ[self.token_variable], self.space) as client:
                for result in checkpoint_result.run_results.values():
                    alerts += client.ingest("great-expectations", result.to_json_dict()) or 0
        except KeyError:
            _log.error("no alert was sent: the environment has no variable %s", self.token_variable)
        except Exception:
            _log.exception("the results of Great Expectations were not sent")
        return {"alerts": alerts}
