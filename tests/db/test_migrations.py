"""Migrations: each once, in order, and where they lead."""

import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, text

from loyalty.db import embedded, engine, migrations
from loyalty.db.statements import SQL
from loyalty.errors import LoyaltyError, Refused

AT = datetime(2026, 11, 1, 9, tzinfo=UTC)
FIRST = "create schema loyalty; create table loyalty.migrations (number int primary key, name text, sha256 text, "
FIRST += "applied_at timestamptz); create table loyalty.made (n int); comment on table loyalty.made is '100% :n'"
SECOND = "insert into loyalty.made values (1)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two migrations."""
    (tmp_path / "0001_the_beginning.sql").write_text(FIRST)
    (tmp_path / "0002_one_row.sql").write_text(SECOND)
    return tmp_path


def test_the_migrations_lead_to_the_schema(empty_database: URL) -> None:
    """Law: all migrations in order make what the schema files in order make: every object, grant and first row.

    While nothing is released: cat sql/schema/*.sql > sql/migrations/0001_the_schema_as_first_released.sql
    """
    with engine.connect() as connection:
        migrations.migrate(connection, at=AT)
    migrated = _dump(empty_database)
    with engine.transaction() as connection:
        connection.execute(text("drop schema loyalty cascade"))
        for path in sorted((SQL / "schema").glob("*.sql")):
            connection.connection.cursor().execute(path.read_text(encoding="utf-8"))
    assert migrated == _dump(empty_database)


def test_the_shipped_migrations_apply_once(empty_database: URL) -> None:
    """Law: migrating an empty database applies all, in order; migrating again does nothing and says so."""
    with engine.connect() as connection:
        assert migrations.pending(connection) == migrations.shipped()
        assert migrations.migrate(connection, at=AT) == migrations.shipped()
        assert migrations.pending(connection) == []
        assert migrations.migrate(connection, at=AT) == []
        rows = connection.execute(text("select number, name, sha256, applied_at from loyalty.migrations order by 1"))
        assert [tuple(row) for row in rows] == [
            (migration.number, migration.name, migration.sha256, AT) for migration in migrations.shipped()
        ]


def test_only_what_is_missing_is_applied(empty_database: URL, folder: Path) -> None:
    """Law: a new release's migrations follow those that the database has."""
    (folder / "0002_one_row.sql").rename(folder / "later")
    with engine.connect() as connection:
        migrations.migrate(connection, at=AT, folder=folder)
        (folder / "later").rename(folder / "0002_one_row.sql")
        assert [str(each) for each in migrations.migrate(connection, at=AT, folder=folder)] == ["0002 one row"]
        assert connection.scalar(text("select count(*) from loyalty.made")) == 1


def test_a_failing_migration_leaves_nothing_of_itself(empty_database: URL, folder: Path) -> None:
    """Law: a migration is one transaction; those before it stay, and mended it can be applied."""
    (folder / "0003_fails.sql").write_text("insert into loyalty.made values (2); select 1 / 0")
    with engine.connect() as connection:
        with pytest.raises(LoyaltyError) as caught:
            migrations.migrate(connection, at=AT, folder=folder)
        assert str(caught.value) == "the database refused a row: SQLSTATE 22012"
        assert _rows(connection) == [1]
        (folder / "0003_fails.sql").write_text("insert into loyalty.made values (3)")
        migrations.migrate(connection, at=AT, folder=folder)
        assert _rows(connection) == [1, 3]


def test_a_changed_migration_is_refused(empty_database: URL, folder: Path) -> None:
    """Law: a migration whose text differs from the one applied is refused before anything is done."""
    with engine.connect() as connection:
        migrations.migrate(connection, at=AT, folder=folder)
        (folder / "0002_one_row.sql").write_text("insert into loyalty.made values (7)")
        with pytest.raises(Refused) as caught:
            migrations.migrate(connection, at=AT, folder=folder)
        assert str(caught.value) == "migration 0002 one row is not the one that this database was migrated with"
        assert _rows(connection) == [1]


def test_a_newer_releases_database_is_refused(empty_database: URL, folder: Path) -> None:
    """Law: an older release leaves a newer one's database alone and says what to do."""
    with engine.connect() as connection:
        migrations.migrate(connection, at=AT, folder=folder)
        (folder / "0002_one_row.sql").unlink()
        with pytest.raises(Refused) as caught:
            migrations.migrate(connection, at=AT, folder=folder)
    assert str(caught.value) == ("a newer release migrated this database (0002 one row): install that or a later one")


def test_two_that_migrate_at_once_do_it_once(empty_database: URL, folder: Path) -> None:
    """Law: of two processes that migrate at the same moment one does the work, the other finds it done."""
    (folder / "0002_one_row.sql").write_text(f"select pg_sleep(0.3); {SECOND}")
    done: list[list[str]] = []

    def migrate() -> None:
        with engine.connect() as connection:
            done.append([str(each) for each in migrations.migrate(connection, at=AT, folder=folder)])

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], ["0001 the beginning", "0002 one row"]]
    with engine.connect() as connection:
        assert _rows(connection) == [1]


@pytest.mark.parametrize("name", ["0004_gap.sql", "3_short.sql", "0003-hyphen.sql"])
def test_a_file_out_of_line_is_a_mistake(folder: Path, name: str) -> None:
    """Law: migrations are numbered without gaps, four digits and a sentence."""
    (folder / name).write_text("select 1")
    with pytest.raises(ValueError, match=r"^.* should be 000\d_what_it_does\.sql$"):
        migrations.shipped(folder)


def _rows(connection: Connection) -> list[int]:
    rows = list(connection.scalars(text("select n from loyalty.made order by n")))
    connection.rollback()
    return rows


def _dump(url: URL) -> list[str]:
    """The whole schema as pg_dump writes it, with its first rows, without the list of migrations."""
    command = [str(embedded._binary("pg_dump")), "--schema=loyalty", "--inserts", "--restrict-key=same"]
    command += ["--exclude-table-data=loyalty.migrations", f"--dbname={url.render_as_string(hide_password=False)}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "create table loyalty.entries" in done.stdout.lower()
    return done.stdout.splitlines()
