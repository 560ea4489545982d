"""A programme whose messages went out by providers, and what these tell of them."""

from tests.messages.conftest import Shop, shop

__all__ = ["Shop", "shop"]
