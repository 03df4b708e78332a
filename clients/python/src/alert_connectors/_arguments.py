"""The arguments of ``send``, which are the parts of an alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NotRequired, Required, TypedDict

from ._alert import Action, Alert, Field, Severity, Value, alert


class AlertArguments(TypedDict, total=False):
    """The parts of an alert besides its title."""

    alert_type: Required[str]
    severity: Required[Severity]
    description: NotRequired[str | None]
    markdown: NotRequired[bool]
    fields: NotRequired[Mapping[str, Value] | Sequence[Field]]
    actions: NotRequired[Mapping[str, str] | Sequence[Action]]
    url: NotRequired[str | None]
    dedup_key: NotRequired[str | None]
    resolved: NotRequired[bool]
    occurred_at: NotRequired[datetime | None]


def made(title: str, parts: AlertArguments) -> Alert:
    """The alert that these arguments describe."""
    return alert(title, **parts)
