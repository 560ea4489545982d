"""What the Prefect UI asks of a person who runs a flow by hand."""

import importlib
from pathlib import Path

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema

FLOWS = ("monthly_loyalty", "backfill", "daily_expiry", "daily_notifications", "renew_reports")
ROOT = Path(__file__).parents[2]


def _flow(name: str) -> "Flow[..., object]":
    found = getattr(importlib.import_module(f"flows.{name}"), name)
    assert isinstance(found, Flow)
    return found


@pytest.mark.parametrize("name", FLOWS)
def test_every_field_of_a_form_explains_itself(name: str) -> None:
    """Law: a flow has its module's name, a description, and one sentence or more for each parameter."""
    flow = _flow(name)
    fields = parameter_schema(flow).properties

    assert flow.name == name
    assert flow.description
    assert [field for field, schema in fields.items() if not schema.get("description", "").endswith(".")] == []


def test_the_monthly_form_is_bounded() -> None:
    """Law: the form refuses what is no month and more batches than are of use; every field may be left as it is."""
    schema = parameter_schema(_flow("monthly_loyalty"))
    period, batches = schema.properties["period"], schema.properties["batches"]

    assert period["anyOf"][0] == {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}
    assert (batches["minimum"], batches["maximum"], batches["default"]) == (1, 6, 2)
    assert not schema.required
