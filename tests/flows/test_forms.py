"""What the Prefect UI asks of a person who runs a flow by hand."""

import importlib
import re
from pathlib import Path
from typing import Annotated

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import Field, create_model

from deployments.programme import wanted
from flows._form import titled

FLOWS = sorted(each["name"] for each in wanted())
ROOT = Path(__file__).parents[2]


def _flow(name: str) -> "Flow[..., object]":
    found = getattr(importlib.import_module(f"flows.{name}"), name)
    assert isinstance(found, Flow)
    return found


@pytest.mark.parametrize("name", FLOWS)
def test_every_field_of_a_form_explains_itself(name: str) -> None:
    """Law: a flow has its module's name, a description; each parameter a title in words, and a sentence or more."""
    flow = _flow(name)
    fields = parameter_schema(flow).properties

    assert flow.name == name
    assert flow.description
    assert [field for field, schema in fields.items() if not schema.get("description", "").endswith(".")] == []
    assert [field for field, schema in fields.items() if not re.fullmatch(r"[A-Z][^_]*", schema["title"])] == []


def test_a_title_of_ones_own_goes_before() -> None:
    """Law: a parameter's name in words is its title, unless the flow gives it another; its bounds stay."""

    def work(
        decided_by: str, number: Annotated[int, Field(ge=1, json_schema_extra={"title": "How many"})] = 2
    ) -> None: ...

    fields = {name: each.annotation for name, each in titled(work).parameters.items()}
    schema = create_model("Form", **fields).model_json_schema()["properties"]

    assert {name: each["title"] for name, each in schema.items()} == {"decided_by": "Decided by", "number": "How many"}
    assert schema["number"]["minimum"] == 1


def test_the_monthly_form_is_bounded() -> None:
    """Law: the form refuses what is no month and more batches than are of use; every field may be left as it is."""
    schema = parameter_schema(_flow("monthly_loyalty"))
    period, batches = schema.properties["period"], schema.properties["batches"]

    assert period["anyOf"][0] == {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}
    assert (batches["minimum"], batches["maximum"], batches["default"]) == (1, 6, 2)
    assert not schema.required
