"""Every error is a problem (RFC 9457), of a kind that is described."""

import http.client
import json
import re
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from loyalty.api.front import LARGEST_BODY
from loyalty.api.problems import KINDS
from tests.api.conftest import ROOT, Server

JSON = {"Content-Type": "application/json"}


def _problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind, once the answer is seen to be a problem."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["type"].startswith("/problems/")
    kind = told["type"].removeprefix("/problems/")
    assert told["title"] == KINDS[kind].title
    assert len(answer.headers["x-request-id"]) == 32
    return answer.status_code, kind


C = "/v1/members/C"
WRONG: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    ("PUT", C, {"content": b'{"email": ', "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": b"\xff\xfe", "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": b"[" * 50_000, "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": b"{}"}, (415, "unsupported-media-type")),
    ("PUT", C, {"data": {"a": "b"}}, (415, "unsupported-media-type")),
    ("PUT", C, {"json": []}, (422, "invalid")),
    ("PUT", C, {"json": {"e-mail": "x"}}, (422, "invalid")),
    ("PUT", C, {"json": {"first_name": "a\u0000b"}}, (422, "invalid")),
    ("PUT", C, {"content": rb'{"first_name": "\ud800"}', "headers": JSON}, (422, "invalid")),
    ("PUT", C, {"content": b" " * (LARGEST_BODY + 1), "headers": JSON}, (413, "too-large")),
    ("GET", "/v1/members/" + "x" * 5000, {}, (413, "too-large")),
    ("GET", C, {"headers": {"X-Long": "x" * 20_000}}, (413, "too-large")),
    ("GET", "/v1/members/nobody", {}, (404, "not-found")),
    ("GET", "/v1/members/%00", {}, (422, "invalid")),
    ("GET", "/v1/members/%FF%FE", {}, (404, "not-found")),
    ("GET", f"{C}/entries?limit=0", {}, (422, "invalid")),
    ("GET", "/v1/nothing", {}, (404, "not-found")),
    ("GET", "/nothing", {}, (404, "not-found")),
    ("POST", "/v1/webhooks/nobody", {"content": b"x"}, (404, "not-found")),
    ("POST", "/v1/hooks", {"json": {"event": "x", "url": "https://example.com"}}, (404, "not-found")),
]


@pytest.mark.parametrize(("method", "address", "sent", "expected"), WRONG)
def test_what_is_wrong_is_told_by_its_kind(
    till: httpx.Client, method: str, address: str, sent: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Law: each mistake of a caller gets its own status and kind, in the shape of a problem."""
    assert _problem(till.request(method, address, **sent)) == expected


def test_a_body_without_a_length_is_bounded_too(till: httpx.Client) -> None:
    """Law: a body sent in pieces is refused as soon as it is too large, not once it is whole."""
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 1 << 26:
            sent += 1 << 14
            yield b" " * (1 << 14)

    try:
        refused = till.put("/v1/members/C", content=endless(), headers=JSON)
        assert _problem(refused) == (413, "too-large")
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        pass  # the server has answered and closed while we were writing
    assert sent < 1 << 26


def test_a_head_that_never_ends_is_cut_off(api: Server) -> None:
    """Law: headers are bounded before they are whole."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("GET", "/healthz")
    connection.putheader("X-Long", "x" * (1 << 20))
    with closing(connection), pytest.raises((ConnectionError, http.client.HTTPException)):
        _sent(connection)


def _sent(connection: http.client.HTTPConnection) -> None:
    connection.endheaders()
    connection.getresponse()


def test_a_wrong_method_is_told_the_right_ones(till: httpx.Client) -> None:
    """Law: 405 names in Allow the methods that the address has."""
    refused = till.patch("/v1/members/C", json={})
    assert _problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "DELETE, GET, PUT"
    assert till.put("/v1/members/C/entries", json={}).headers["allow"] == "GET"


def test_the_type_of_a_problem_leads_to_what_it_means(till: httpx.Client, api: Server) -> None:
    """Law: every kind is described under its type, and in the integrator's page."""
    told = httpx.get(f"{api.url}/problems").json()
    assert told.keys() == KINDS.keys()
    for kind in KINDS:
        assert httpx.get(f"{api.url}/problems/{kind}").json() == told[kind]
    assert _problem(httpx.get(f"{api.url}/problems/nothing")) == (404, "not-found")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| ([a-z-]+) \| ([0-9]{3}) \|", page, re.MULTILINE)
    assert listed == [(name, str(kind.status)) for name, kind in KINDS.items()]


def test_no_value_is_repeated(till: httpx.Client, api: Server) -> None:
    """Law: neither an answer nor the log repeats what was sent: it may be people's data."""
    secret = "Adalgisa.Lovelacequist"
    answers = [
        till.put(f"/v1/members/{secret}", json={"email": secret, "birthday": secret, "phone": 1, secret[:4]: 1}),
        till.put(f"/v1/members/{secret}", content=f'{{"{secret}'.encode(), headers=JSON),
        till.get(f"/v1/members/{secret}"),
        till.get(f"/v1/{secret}"),
        till.get("/v1/members/x/entries", params={"cursor": secret}),
        till.put("/v1/members/x", json={}, headers={"Idempotency-Key": f"{secret} x"}),
        till.get("/v1/members/x", headers={"X-Request-Id": secret, "traceparent": secret}),
    ]
    assert [answer.status_code for answer in answers] == [422, 400, 404, 404, 422, 422, 404]
    assert [answer.text for answer in answers if secret in answer.text] == []
    assert secret not in api.log.read_text(encoding="utf-8")


def test_each_request_has_a_line_in_the_log(till: httpx.Client, api: Server, customer: str) -> None:
    """Law: a request is logged as one JSON object: its number, the route's template, status, time, the key's number."""
    answer = till.get(f"/v1/members/{customer}")
    number = answer.headers["x-request-id"]
    for _ in range(100):  # the line is written once the answer is sent
        found = [line for line in api.logged() if line.get("request_id") == number]
        if found:
            break
        time.sleep(0.1)
    (line,) = found
    assert json.dumps(sorted(line)) == json.dumps(
        sorted(["time", "level", "event", "request_id", "method", "route", "status", "ms", "key"])
    )
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/members/{customer_id}", 404)
    assert customer not in api.log.read_text(encoding="utf-8")
