"""Alerts, as the server's API takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NotRequired, TypeAlias, TypedDict

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
Status: TypeAlias = Literal["active", "resolved"]
Value: TypeAlias = str | int | float | bool | Decimal | date | None


class Field(TypedDict):
    """A fact about an alert."""

    name: str
    value: Value


class Action(TypedDict):
    """A link of an alert."""

    label: str
    url: str


class Alert(TypedDict):
    """An alert. The server's API documentation describes each part."""

    alert_type: str
    severity: Severity
    title: str
    status: NotRequired[Status]
    description: NotRequired[str | None]
    description_format: NotRequired[Literal["plain", "markdown"]]
    fields: NotRequired[list[Field]]
    actions: NotRequired[list[Action]]
    url: NotRequired[str | None]
    dedup_key: NotRequired[str | None]
    occurred_at: NotRequired[str]


def alert(
    title: str,
    *,
    alert_type: str,
    severity: Severity,
    description: str | None = None,
    markdown: bool = False,
    fields: Mapping[str, Value] | Sequence[Field] = (),
    actions: Mapping[str, str] | Sequence[Action] = (),
    url: str | None = None,
    dedup_key: str | None = None,
    resolved: bool = False,
    occurred_at: datetime | None = None,
) -> Alert:
    """Makes an alert of its parts. Fields and actions may be mappings of names to values, and of labels to addresses."""
    made: Alert = {
        "alert_type": alert_type,
        "severity": severity,
        "title": title,
        "status": "resolved" if resolved else "active",
    }
    if description is not None:
        made["description"] = description
        made["description_format"] = "markdown" if markdown else "plain"
    if isinstance(fields, Mapping):
        fields = [Field(name=name, value=value) for name, value in fields.items()]
    if isinstance(actions, Mapping):
        actions = [Action(label=label, url=address) for label, address in actions.items()]
    if listed := list(fields):
        made["fields"] = listed
    if links := list(actions):
        made["actions"] = links
    if url is not None:
        made["url"] = url
    if dedup_key is not None:
        made["dedup_key"] = dedup_key
    if occurred_at is not None:
        # A time without a zone is the machine's.
        made["occurred_at"] = occurred_at.astimezone().isoformat()
    return made
