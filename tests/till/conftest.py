"""What the tills' laws share: databases, and a shop whose programme earns on purchase."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.laws.conftest import Databases, databases
from tests.model import DEFAULT
from tests.till.till_product import TillProduct, install_keys

__all__ = ["databases"]

Shop = Callable[..., TillProduct]


@pytest.fixture
def shop(databases: Databases, tmp_path: Path) -> Iterator[Shop]:
    """Makes a shop in a database of its own: the model's rules that it is given, then other keys of the rules file."""
    with ExitStack() as stack:

        def opened(keys: dict[str, Any] | None = None, **rules: Any) -> TillProduct:
            patch = stack.enter_context(databases())
            given = replace(DEFAULT, **{"earning": "on_purchase"} | rules)
            made = TillProduct(patch, tmp_path, rules=given)
            if keys:
                install_keys(given, keys)
            return made

        yield opened
