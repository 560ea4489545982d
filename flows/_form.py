"""The heads of the fields in the Prefect UI's forms: Prefect itself shows a parameter's name as it is in the code.

What stands below a field is the parameter's line in the docstring.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_origin

from pydantic import Field


def titled(work: Callable[..., Any]) -> inspect.Signature:
    """The signature of a flow's function, each parameter with a title: `decided_by` is "Decided by".

    A parameter gets one of its own by Annotated[…, Field(json_schema_extra={"title": "…"})].
    """
    signature = inspect.signature(work, eval_str=True)
    return signature.replace(parameters=[_titled(each) for each in signature.parameters.values()])


def _titled(parameter: inspect.Parameter) -> inspect.Parameter:
    words = parameter.name.replace("_", " ")
    title = Field(json_schema_extra={"title": words[0].upper() + words[1:]})
    asked, more = parameter.annotation, ()
    if get_origin(asked) is Annotated:
        asked, more = asked.__origin__, asked.__metadata__
    return parameter.replace(annotation=Annotated[asked, title, *more])  # the last title counts
