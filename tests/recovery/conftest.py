"""The small shop of the laws and the Prefect server of the flows, for runs that are killed or spread out."""

from tests.flows.conftest import prefect_server
from tests.laws.conftest import databases, shop_database, small_shop, undisturbed

__all__ = ["databases", "prefect_server", "shop_database", "small_shop", "undisturbed"]
