"""The engine: how it is configured, and which error each failure becomes."""

import contextlib
import io
import threading
from collections.abc import Callable

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy import URL, text

from loyalty.db import embedded, engine
from loyalty.errors import BadInput, ConfigurationError, LoyaltyError, NotMigrated, Refused, Unavailable, WorkLost

EMAIL = "gold.member@example.com"


def test_a_session_is_ours(database: URL) -> None:
    """Law: names without a schema are found in `loyalty` only, times are UTC, the server sees who connects.

    And what is streamed is planned to be read whole.
    """
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "select current_database(), current_setting('search_path'), current_setting('timezone'),"
                " current_setting('application_name'), current_setting('cursor_tuple_fraction')"
            )
        ).one()
    assert tuple(row) == (database.database, "loyalty", "UTC", "loyalty", "1")


def test_a_url_may_bring_options_of_its_own(database: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: what the URL says is kept beside what the product needs; both spellings of the scheme do."""
    options = {"options": "-c statement_timeout=12345", "application_name": "till"}
    url = database.set(drivername="postgresql").update_query_dict(options)
    monkeypatch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        names = ("search_path", "statement_timeout", "application_name")
        told = [connection.scalar(text("select current_setting(:name)"), {"name": name}) for name in names]
    assert told == ["loyalty", "12345ms", "till"]


def test_a_transaction_is_whole_or_not_at_all(empty_database: URL) -> None:
    """Law: what a transaction did is there after it, and nothing of it after an error."""
    with engine.transaction() as connection:
        connection.execute(text("create table public.kept (n int)"))
    with contextlib.suppress(ZeroDivisionError), engine.transaction() as connection:
        connection.execute(text("insert into public.kept values (1)"))
        raise ZeroDivisionError
    with engine.connect() as connection:
        connection.execute(text("insert into public.kept values (2)"))
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from public.kept")) == 0


@pytest.mark.parametrize(
    ("state", "wanted"), [("LY001", Refused), ("LY999", Refused), ("LYB01", BadInput), ("LYW01", WorkLost)]
)
def test_our_own_states_become_our_errors(empty_database: URL, state: str, wanted: type[LoyaltyError]) -> None:
    """Law: an error that our SQL raises is told in its own words, by the class that its state names."""
    raising = f"do $$ begin raise exception 'the month is closed' using errcode = '{state}', detail = 'x'; end $$"
    with pytest.raises(wanted) as caught, engine.connect() as connection:
        connection.exec_driver_sql(raising)
    assert type(caught.value) is wanted
    assert str(caught.value) == "the month is closed"
    assert not engine.is_retryable(caught.value)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("insert into public.people values (:email)", "SQLSTATE 23505, constraint people_pkey, table people"),
        ("insert into public.people values (null)", "SQLSTATE 23502, table people, column email"),
        ("select cast(:email as int)", "SQLSTATE 22P02"),
    ],
)
def test_a_refused_row_is_told_without_its_values(empty_database: URL, statement: str, told: str) -> None:
    """Law: an error text, and the errors behind it, never repeat people's data."""
    with engine.transaction() as connection:
        connection.execute(text("create table public.people (email text primary key)"))
        connection.execute(text("insert into public.people values (:email)"), {"email": EMAIL})
    with pytest.raises(LoyaltyError) as caught, engine.connect() as connection:
        connection.execute(text(statement), {"email": EMAIL})
    assert str(caught.value) == f"the database refused a row: {told}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_refused_line_of_a_copy_is_told_without_it(empty_database: URL) -> None:
    """Law: the driver's bare cursor gives the same errors: its context, which repeats the line, is left out."""
    with engine.transaction() as connection:
        connection.execute(text("create table public.people (email text, born date)"))
    line = io.StringIO(f"{EMAIL}\tyesteryear\n")
    with pytest.raises(LoyaltyError) as caught, engine.connect() as connection:
        connection.connection.cursor().copy_expert("copy public.people from stdin", line)
    assert str(caught.value) == "the database refused a row: SQLSTATE 22007"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_wrong_statement_is_told_with_its_cause(empty_database: URL) -> None:
    """Law: a mistake in a statement is a LoyaltyError with the driver's error behind it, without parameters."""
    with pytest.raises(LoyaltyError) as caught, engine.connect() as connection:
        connection.execute(text("selec :email"), {"email": 1})
    assert str(caught.value) == 'the database refused a statement: syntax error at or near "selec"'
    assert isinstance(caught.value.__cause__, sqlalchemy.exc.ProgrammingError)
    assert not engine.is_retryable(caught.value)


def test_a_database_that_was_not_migrated_is_told_what_to_do(empty_database: URL) -> None:
    """Law: who forgot `loyalty migrate` is told so."""
    with pytest.raises(NotMigrated) as caught, engine.connect() as connection:
        connection.execute(text("select * from loyalty.members"))
    assert str(caught.value) == (
        'the database lacks something (relation "loyalty.members" does not exist): run `loyalty migrate`'
    )


def test_a_connection_lost_in_the_middle_is_unavailable(empty_database: URL) -> None:
    """Law: a session ended by the server may be tried again, and the next connection works."""
    with pytest.raises(Unavailable) as caught, engine.connect() as connection:
        connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert str(caught.value).startswith("the database can't be reached, or ended the work: ")
    assert engine.is_retryable(caught.value)
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1


def test_a_deadlock_is_worth_another_try(empty_database: URL) -> None:
    """Law: of two that wait for each other one gets an error that may be tried again, the other goes on."""
    with engine.transaction() as connection:
        connection.execute(text("create table public.rows as select n from generate_series(1, 2) as n"))
    both, failures = threading.Barrier(2), []

    def meet(first: int, second: int) -> None:
        try:
            with engine.transaction() as connection:
                connection.execute(text("set local deadlock_timeout = '10ms'"))
                connection.execute(text("select from public.rows where n = :n for update"), {"n": first})
                both.wait(timeout=30)
                connection.execute(text("select from public.rows where n = :n for update"), {"n": second})
        except LoyaltyError as error:
            failures.append(error)

    threads = [threading.Thread(target=meet, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in failures] == [Unavailable]
    assert engine.is_retryable(failures[0])


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (lambda url: url.set(port=1), Unavailable, "the database can't be reached, or ended the work: connection to"),
        (lambda url: url.set(database="none_such"), Unavailable, "the database can't be reached, or ended the work: "),
        (lambda url: url.set(query={"sslmod": "x"}), ConfigurationError, "LOYALTY_DATABASE_URL can't be used: "),
    ],
    ids=["nobody there", "no such database", "unknown option"],
)
def test_a_server_out_of_reach_is_told_without_the_password(
    server: URL, monkeypatch: pytest.MonkeyPatch, change: Callable[[URL], URL], kind: type[Exception], told: str
) -> None:
    """Law: one line says what is wrong with the connection, and no text has the password."""
    url = change(server.set(password="open sesame")) if kind is ConfigurationError else change(server)
    monkeypatch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
    with pytest.raises(kind) as caught, engine.connect():
        pass
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert str(url.password or "open sesame") not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_url_that_is_none_is_told_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a URL that can't be read is not repeated: a password may stand in it."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://me:secret@[::1/db")
    with pytest.raises(ConfigurationError) as caught, engine.connect():
        pass
    assert str(caught.value) == ("LOYALTY_DATABASE_URL is not a URL such as postgresql://user:password@host:5432/name")
    assert caught.value.__suppress_context__


def test_without_a_url_the_embedded_server_is_used_and_started_again() -> None:
    """Law: no setting, no server needed; one that somebody stopped meanwhile is started again."""
    try:
        for _ in range(2):
            with engine.connect() as connection:
                assert connection.scalar(text("select current_database()")) == "loyalty"
            assert embedded.stop()
    finally:
        engine.dispose()
        embedded.stop()


def test_what_may_be_tried_again() -> None:
    """Law: operational errors may, wrong data and refusals may not, whether raw or ours."""
    again = [Unavailable("x"), psycopg2.OperationalError("x"), psycopg2.InterfaceError("x")]
    never = [Refused("x"), BadInput("x"), WorkLost("x"), ValueError("x"), psycopg2.IntegrityError("x")]
    assert [engine.is_retryable(error) for error in again] == [True] * len(again)
    assert [engine.is_retryable(error) for error in never] == [False] * len(never)
