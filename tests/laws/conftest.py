"""For laws that need more than one database: as many as they ask for, each migrated and gone when its part is over."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import URL, create_engine, text

from loyalty.db import engine

Databases = Callable[[], AbstractContextManager[pytest.MonkeyPatch]]


@pytest.fixture(scope="session")
def databases(server: URL, template: str) -> Databases:
    """Makes a database that LOYALTY_DATABASE_URL names for as long as it lives."""
    administration = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")

    @contextmanager
    def database() -> Iterator[pytest.MonkeyPatch]:
        name = f"loyalty_law_{uuid.uuid4().hex}"
        with administration.connect() as connection:
            connection.execute(text(f"create database {name} template {template}"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOYALTY_DATABASE_URL", server.set(database=name).render_as_string(hide_password=False))
            try:
                yield patch
            finally:
                engine.dispose()
                with administration.connect() as connection:
                    connection.execute(text(f"drop database {name} with (force)"))

    return database
