"""The action in a checkpoint of Great Expectations itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest

from conftest import World

PAGE = Path(__file__).parents[3] / "docs/book/src/guides/great-expectations.md"


@pytest.fixture
def checkpoint(world: World) -> gx.Checkpoint:
    """The book's checkpoint, of a suite with one expectation: every order has an id."""
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("shop").add_dataframe_asset("orders")
    batch = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name="orders"))
    suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column="id"))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="orders", data=batch, suite=suite))
    [code] = re.findall(r"^```python,checkpoint\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"gx": gx, "orders": definition}
    exec(compile(code.replace("https://alerts.example.com", world.url), PAGE.name, "exec"), names)
    made: gx.Checkpoint = context.checkpoints.add(names["checkpoint"])
    return made


def validate(checkpoint: gx.Checkpoint, ids: list[int | None]) -> None:
    checkpoint.run(batch_parameters={"dataframe": pd.DataFrame({"id": ids})})


def test_what_fails_is_an_alert_and_what_passes_ends_it(world: World, checkpoint: gx.Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_CONNECTORS_TOKEN", world.key)
    validate(checkpoint, [1, None])
    [failed] = world.alerts()
    assert (failed["title"], failed["status"]) == ("orders: 1 of 1 expectations failed", "active")
    validate(checkpoint, [1, 2])
    [ended] = world.alerts()
    assert ended["status"] == "resolved"


def test_no_checkpoint_fails_for_its_alert(
    checkpoint: gx.Checkpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ALERT_CONNECTORS_TOKEN", raising=False)
    validate(checkpoint, [None])
    assert "no variable ALERT_CONNECTORS_TOKEN" in caplog.text
