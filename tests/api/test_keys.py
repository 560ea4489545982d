"""Keys: made, shown once, checked at each request, limited, revoked."""

import hashlib
import re
import time
import uuid

import httpx
import pytest

from loyalty.api.callers import REMEMBERED_SECONDS
from loyalty.db.api_keys import SCOPES
from tests.api.conftest import Server


@pytest.fixture
def name() -> str:
    """A name that no other key has."""
    return f"till-{uuid.uuid4().hex[:8]}"


def _status(api: Server, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.get(f"{api.url}/v1/members/nobody", headers=headers)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == 'Bearer realm="loyalty"'
    return answer.status_code


def test_a_key_is_shown_once_and_kept_as_a_hash(api: Server, name: str) -> None:
    """Law: the key stands alone on the last line, has 256 bits, and nothing that is kept or listed opens the door."""
    made = api.command("keys", "create", name, "--scope", "members:read", "purchases")
    key = made.stdout.splitlines()[-1]
    assert (made.returncode, made.stderr) == (0, "")
    assert re.fullmatch(r"loyalty_[A-Za-z0-9_-]{43}", key)
    (row,) = api.execute(
        "select row_to_json(k)::text, k.digest from loyalty.api_keys as k where name = :name", name=name
    )
    assert bytes(row[1]) == hashlib.sha256(key.encode()).digest()
    assert key not in row[0]
    listed = api.command("keys", "list", "--json")
    assert name in listed.stdout
    assert [word for word in (key, key[8:], bytes(row[1]).hex()) if word in listed.stdout + api.log.read_text()] == []
    assert _status(api, f"Bearer {key}") == 404


def test_only_a_good_key_opens_the_door(api: Server, name: str) -> None:
    """Law: no key, another scheme, a broken or unknown key: 401, before anything else is looked at."""
    key = api.key("all")
    assert _status(api, f"bearer {key}") == 404
    wrong = [
        None,
        "",
        key,
        f"Basic {key}",
        "Bearer",
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        "Bearer key with spaces",
        f"Bearer {'x' * 5000}",
    ]
    assert {_status(api, each) for each in wrong} == {401}
    broken = httpx.put(f"{api.url}/v1/members/x", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 401
    assert httpx.get(f"{api.url}/v1/nothing").status_code == 401


def test_a_key_may_do_what_its_scopes_say(api: Server) -> None:
    """Law: reading needs members:read, writing members:write; `all` has every scope."""
    with api.caller("members:read") as reader, api.caller("members:write") as writer:
        refused = reader.put("/v1/members/scoped", json={})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
        assert refused.json()["detail"] == "the key needs the scope members:write (enrol and change members)"
        assert writer.put("/v1/members/scoped", json={}).status_code == 201
        assert (writer.get("/v1/members/scoped").status_code, reader.get("/v1/members/scoped").status_code) == (
            403,
            200,
        )


def test_a_key_that_is_over_is_forgotten_within_seconds(api: Server, name: str) -> None:
    """Law: a key expires by the programme clock, or is revoked; a server that runs lets it in no longer than it
    remembers keys. A revoked key's name is free again.
    """  # fmt: skip
    names = [name, f"{name}-2"]
    made = [api.command("keys", "create", each, "--scope", "all", "--expires", "2027-01-01") for each in names]
    keys = [f"Bearer {each.stdout.splitlines()[-1]}" for each in made]
    assert [_status(api, key) for key in keys] == [404, 404]
    taken = api.command("keys", "create", name, "--scope", "all")
    assert taken.stderr == "loyalty: a key of this name is in use: revoke it first, or choose another name\n"

    api.execute("update loyalty.api_keys set expires_at = '2026-03-01' where name = :name", name=names[1])
    assert api.command("keys", "revoke", name).returncode == 0
    time.sleep(REMEMBERED_SECONDS)
    assert [_status(api, key) for key in keys] == [401, 401]

    again = api.command("keys", "revoke", name)
    assert (again.returncode, again.stderr) == (1, "loyalty: no key of this name is in use\n")
    assert api.command("keys", "create", name, "--scope", "all").returncode == 0
    late = api.command("keys", "create", f"{name}-3", "--scope", "all", "--expires", "2020-01-01")
    assert (late.returncode, late.stderr) == (1, "loyalty: a key can't expire before it is made\n")


def test_last_use_is_noted(api: Server, name: str) -> None:
    """Law: a key that was used says when; one that was not says nothing."""
    key = api.command("keys", "create", name, "--scope", "all").stdout.splitlines()[-1]
    used = "select last_used_at is not null from loyalty.api_keys where name = :name"
    assert api.execute(used, name=name) == [(False,)]
    assert _status(api, f"Bearer {key}") == 404
    assert api.execute(used, name=name) == [(True,)]


def test_a_key_may_be_limited(api: Server, name: str) -> None:
    """Law: a key with a limit makes that many requests at once, then waits as Retry-After says; others don't."""
    key = api.command("keys", "create", name, "--scope", "all", "--per-minute", "30").stdout.splitlines()[-1]
    with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {key}"}) as client:
        assert [client.get("/v1/members/nobody").status_code for _ in range(30)] == [404] * 30
        while (refused := client.get("/v1/members/nobody")).status_code == 404:
            pass  # a slow machine is given one more every two seconds
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        time.sleep(2.1)
        assert client.get("/v1/members/nobody").status_code == 404
    assert _status(api, f"Bearer {api.key('all')}") == 404


def test_wrong_words_are_refused(api: Server) -> None:
    """Law: an unknown scope is named with those there are."""
    refused = api.command("keys", "create", "x", "--scope", "al")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"loyalty: there is no scope al: choose from {', '.join(SCOPES)}\n",
    )
