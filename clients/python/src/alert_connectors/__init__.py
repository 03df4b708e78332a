"""Sends alerts to Slack and Microsoft Teams through an Alert Connectors server."""

from ._alert import Action, Alert, Field, Severity, Status
from ._client import AlertConnectors, AsyncAlertConnectors, NotSentError, Sent
from ._logging import AlertHandler

__all__ = [
    "Action",
    "Alert",
    "AlertConnectors",
    "AlertHandler",
    "AsyncAlertConnectors",
    "Field",
    "NotSentError",
    "Sent",
    "Severity",
    "Status",
]
