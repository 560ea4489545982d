"""For laws that need more than one database: as many as they ask for, each migrated and gone when its part is over."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import pytest
from sqlalchemy import URL, create_engine, text

from loyalty.db import engine


class Databases(Protocol):
    """Makes a database that LOYALTY_DATABASE_URL names for as long as it lives."""

    def __call__(self, *, like: str | None = None) -> AbstractContextManager[pytest.MonkeyPatch]:
        """A copy of a database that nobody is connected to; of the empty, migrated one if none is named."""


@pytest.fixture(scope="session")
def databases(server: URL, template: str) -> Iterator[Databases]:
    """As many databases as a test asks for."""
    administration = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")

    @contextmanager
    def database(*, like: str | None = None) -> Iterator[pytest.MonkeyPatch]:
        name = f"loyalty_law_{uuid.uuid4().hex}"
        with administration.connect() as connection:
            connection.execute(text(f"create database {name} template {like or template}"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOYALTY_DATABASE_URL", server.set(database=name).render_as_string(hide_password=False))
            try:
                yield patch
            finally:
                engine.dispose()
                with administration.connect() as connection:
                    connection.execute(text(f"drop database {name} with (force)"))

    yield database
    administration.dispose()
