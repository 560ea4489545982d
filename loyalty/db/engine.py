"""The way into the database: one engine per URL, and the driver's errors turned into ours, here only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import ArgumentError, DBAPIError

from loyalty.db import embedded
from loyalty.errors import BadInput, ConfigurationError, LoyaltyError, NotMigrated, Refused, Unavailable, WorkLost
from loyalty.settings import settings

SCHEMA = "loyalty"
OLDEST_SERVER = 150000  # as the driver counts: 15.0
CONNECT_SECONDS = 10
_SETTING = "LOYALTY_DATABASE_URL"
# whatever we stream is read to its end: planned for its first rows, a check looped over each member
_OPTIONS = f"-c search_path={SCHEMA} -c timezone=UTC -c jit=off -c cursor_tuple_fraction=1"

# Our SQL functions raise LY001 and so on for a refusal, LYB.. for wrong data, LYW.. for lost working tables.
_OWN_STATES: dict[str, type[LoyaltyError]] = {"LYB": BadInput, "LYW": WorkLost}
_CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock: the same again will do
_DRAWN = "voucher_codes_pkey"  # two codes drawn alike, once in a very long while: others are drawn the next time
_NOT_MIGRATED = {"42P01", "3F000"}  # no such table, no such schema
_VALUES = ("22", "23")  # classes whose texts repeat the row's values, so people's data

_POOL: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 16, "max_overflow": 16}

_AUTOCOMMIT: IsolationLevel = "AUTOCOMMIT"  # as the default of an engine it costs nothing; set per use, a round trip

_engines: dict[tuple[str, IsolationLevel], Engine] = {}
_making = threading.Lock()


def engine(isolation_level: IsolationLevel = "READ COMMITTED") -> Engine:
    """The engine of LOYALTY_DATABASE_URL, or of the embedded server, which it starts; one for each isolation level.

    Raises ConfigurationError when the URL is none, Unavailable when the embedded server can't be started.
    """
    given = settings().database_url
    key = (given.get_secret_value() if given else f"embedded:{settings().home_folder}", isolation_level)
    with _making:
        if key not in _engines:
            _engines[key] = _make(_url(), isolation_level)
        return _engines[key]


def connect_arguments() -> dict[str, Any]:
    """What psycopg2 connects with, for a connection that stands in no pool of ours. Raises as `engine` does."""
    url = _url()
    bare = _without_options(url)
    _, given = bare.get_dialect()().create_connect_args(bare)
    return {**given, **_arguments(url)}


def check_version(connection: Any) -> None:
    """See that a new connection of the driver's leads to a server that is new enough. Raises Unavailable."""
    if connection.server_version < OLDEST_SERVER:
        major = connection.server_version // 10000
        raise Unavailable(f"the database server is PostgreSQL {major}; it must be 15 or newer")


@contextmanager
def connect() -> Iterator[Connection]:
    """A connection; what is not committed is rolled back at the end. Raises what `translated` says."""
    with translated(), _open() as connection:
        yield connection


@contextmanager
def autocommit() -> Iterator[Connection]:
    """A connection on which each statement is a transaction of its own: one round trip instead of three."""
    with translated(), _open(_AUTOCOMMIT) as connection:
        yield connection


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection in a transaction, committed at the end, rolled back on any error."""
    with connect() as connection, connection.begin():
        yield connection


def serve_requests(threads: int) -> None:
    """Say that this process serves requests, in so many threads: each has a connection, and none is tried first.

    That saves a round trip; who meets a connection that has died gets Unavailable, and tries again.
    """
    _POOL.update(pool_pre_ping=False, pool_size=threads, max_overflow=0)
    dispose()


def dispose() -> None:
    """Close every pooled connection of this process and forget the engines."""
    with _making:
        for made in _engines.values():
            made.dispose()
        _engines.clear()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises Unavailable for a lost or refused connection, a deadlock or a serialization failure; NotMigrated where a
    table is missing; Refused, BadInput or WorkLost for what our own SQL functions raise; LoyaltyError for the rest.
    """
    try:
        yield
    except DBAPIError as error:
        raise _ours(error.orig or error) from _cause(error.orig, error)
    except psycopg2.Error as error:  # from a bare cursor, as COPY needs one
        raise _ours(error) from _cause(error, error)


def is_retryable(error: BaseException) -> bool:
    """Whether the same call may work in a moment: what the driver calls operational, deadlocks, conflicts."""
    if isinstance(error, Unavailable | psycopg2.OperationalError | psycopg2.InterfaceError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_retryable(error.orig))
    return isinstance(error, psycopg2.Error) and (error.pgcode in _CONFLICTS or error.diag.constraint_name == _DRAWN)


def _open(isolation_level: IsolationLevel = "READ COMMITTED") -> Connection:
    """Connect; an embedded server that somebody stopped meanwhile is started again, once."""
    try:
        return engine(isolation_level).connect()
    except DBAPIError as error:
        if settings().database_url is not None or not isinstance(error.orig, psycopg2.OperationalError):
            raise
    dispose()
    return engine(isolation_level).connect()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            _SETTING, "is not a URL such as postgresql://user:password@host:5432/name"
        ) from None  # the cause repeats the URL, and with it the password
    return parsed


def _url() -> URL:
    """Where the database is; an embedded server that does not run is started."""
    given = settings().database_url
    return _parse(given.get_secret_value()) if given else make_url(embedded.start())


def _make(url: URL, isolation_level: IsolationLevel) -> Engine:
    """An engine on psycopg2. SQLAlchemy's own texts must not show parameters: they may be people's data."""
    made = create_engine(
        _without_options(url),
        connect_args=_arguments(url),
        **_POOL,
        isolation_level=isolation_level,
        hide_parameters=True,
    )
    event.listen(made, "connect", lambda connection, _record: check_version(connection))
    return made


def _without_options(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg2").difference_update_query(["options"])


def _arguments(url: URL) -> dict[str, Any]:
    """What we say of a connection: the options that the URL gives and ours, which come last and so hold."""
    options = " ".join(filter(None, [_first(url.query.get("options")), _OPTIONS]))
    return {"options": options, "connect_timeout": CONNECT_SECONDS, **_defaults(url)}


def _defaults(url: URL) -> dict[str, str]:
    """What we say of ourselves unless the URL does."""
    return {} if "application_name" in url.query else {"application_name": "loyalty"}


def _first(value: str | tuple[str, ...] | None) -> str:
    return " ".join(value) if isinstance(value, tuple) else value or ""


def _ours(error: BaseException) -> Exception:
    """Our error for one of the driver's."""
    state = getattr(error, "pgcode", None) or ""
    said = str(error).strip().partition("\n")[0]
    if isinstance(error, psycopg2.Error) and state.startswith("LY"):
        return _OWN_STATES.get(state[:3], Refused)(error.diag.message_primary or state)
    if isinstance(error, psycopg2.Error) and state.startswith(_VALUES):
        return _refused_row(error)
    if isinstance(error, psycopg2.ProgrammingError) and "dsn" in said:
        return ConfigurationError(_SETTING, f"can't be used: {said}")
    if is_retryable(error):
        return Unavailable(f"the database can't be reached, or ended the work: {said}")
    if state in _NOT_MIGRATED:
        return NotMigrated(f"the database lacks something ({said}): run `loyalty migrate`")
    return LoyaltyError(f"the database refused a statement: {said}")


def _refused_row(error: psycopg2.Error) -> LoyaltyError:
    if error.diag.constraint_name == _DRAWN:
        return Unavailable("two voucher codes were drawn alike: try again")
    return LoyaltyError(f"the database refused a row: {_place(error)}")


def _cause(driver: BaseException | None, error: Exception) -> Exception | None:
    """The foreign error, to be kept, unless its text repeats values."""
    state = getattr(driver, "pgcode", None) or ""
    return None if state.startswith(_VALUES) else error


def _place(error: psycopg2.Error) -> str:
    """Where the row was refused, in names of ours, without a value of it."""
    diag = error.diag
    told = {"constraint": diag.constraint_name, "table": diag.table_name, "column": diag.column_name}
    return ", ".join([f"SQLSTATE {error.pgcode}", *(f"{what} {name}" for what, name in told.items() if name)])
