"""What several laws share: databases, as many as one asks for, and the small shop of tests/laws/shop.py."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from loyalty.db import engine
from tests.laws import shop
from tests.laws.product import Product

LAST_BUT_ONE_OF_A_PART = """
select
    loyalty.ensure_member_parts(loyalty.members_per_part() + 1),
    setval('loyalty.members_member_no_seq', loyalty.members_per_part() - 1, false)
"""


class Databases(Protocol):
    """Makes a database that LOYALTY_DATABASE_URL names for as long as it lives."""

    def __call__(self, *, like: str | None = None, astride: bool = False) -> AbstractContextManager[pytest.MonkeyPatch]:
        """A copy of a database that nobody is connected to; of the empty, migrated one if none is named.

        astride: the third member begins another part of the books.
        """


@pytest.fixture(scope="session")
def databases(server: URL, template: str) -> Iterator[Databases]:
    """As many databases as a test asks for."""
    administration = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")

    @contextmanager
    def database(*, like: str | None = None, astride: bool = False) -> Iterator[pytest.MonkeyPatch]:
        with (
            _copy(administration, like or (empty if astride else template)) as name,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("LOYALTY_DATABASE_URL", server.set(database=name).render_as_string(hide_password=False))
            try:
                yield patch
            finally:
                engine.dispose()

    with _copy(administration, template) as empty:
        own = create_engine(server.set(drivername="postgresql+psycopg2", database=empty))
        with own.begin() as connection:
            connection.execute(text(LAST_BUT_ONE_OF_A_PART))
        own.dispose()
        yield database
    administration.dispose()


@contextmanager
def _copy(administration: Engine, like: str) -> Iterator[str]:
    """The name of a copy of a database, there for a while."""
    name = f"loyalty_law_{uuid.uuid4().hex}"
    with administration.connect() as connection:
        connection.execute(text(f"create database {name} template {like}"))
    try:
        yield name
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def shop_database(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database in which the shop's January is closed and its February imported, to be copied."""
    with databases() as patch:
        shop.opened(patch, tmp_path_factory.mktemp("shop"))
        name = str(engine.engine().url.database)
        engine.dispose()
        patch.undo()  # the database lives on, but the environment and the clock are everybody's
        yield name


@pytest.fixture(scope="session")
def undisturbed(databases: Databases, shop_database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The shop's books after a close of February that nothing interrupted or met."""
    with databases(like=shop_database) as patch:
        quiet = shop.reopened(patch, tmp_path_factory.mktemp("quiet"))
        quiet.close("2026-02", now=shop.FEBRUARY_CLOSED_AT)
        return shop.books(quiet)


@pytest.fixture
def small_shop(databases: Databases, shop_database: str, tmp_path: Path) -> Iterator[Product]:
    """A shop of the test's own."""
    with databases(like=shop_database) as patch:
        yield shop.reopened(patch, tmp_path)
