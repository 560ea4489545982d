"""The small shop of the flows' tests."""

from tests.flows.conftest import shop

__all__ = ["shop"]
