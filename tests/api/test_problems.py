"""Every error is a problem (RFC 9457), of a kind that is described."""

import http.client
import json
import re
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import URL

from loyalty.api.front import LARGEST_BODY
from loyalty.api.problems import KINDS
from tests.api.conftest import ROOT, Server, started

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
    ("PUT", C, {"content": b'{"email": ' + b"9" * 5_000 + b"}", "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": "{}".encode("utf-16"), "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": "{}".encode("utf-16-le"), "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": "{}".encode("utf-8-sig"), "headers": JSON}, (400, "malformed")),
    ("PUT", C, {"content": b'{"first_name": "\xed\xa0\x80"}', "headers": JSON}, (400, "malformed")),
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


@pytest.mark.parametrize("line", ["BREW /v1/members/C HTTP/1.1", "GET /v1/members/\xff HTTP/1.1", "\x16\x03\x01"])
def test_what_is_no_http_is_told_too(api: Server, line: str) -> None:
    """Law: a method that nobody knows, and what is no HTTP at all, gets a problem, too."""
    at = urlsplit(api.url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        connection.sendall(f"{line}\r\nHost: x\r\n\r\n".encode("latin-1"))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (told["type"], told["status"]) == ("/problems/malformed", 400)


DETAILS: list[tuple[str, Any, str, str]] = [
    ("/v1/purchases", {"amount": "1_000"}, "/amount", 'must be a decimal number as text, such as "99.90"'),
    ("/v1/purchases", {"currency": "usd"}, "/currency", "must be a currency code of ISO 4217, in capitals"),
    (
        "/v1/purchases",
        {"customer_id": " C1"},
        "/customer_id",
        "must be one line of text, without control characters, and without a space at either end",
    ),
    (
        "/v1/purchases",
        {"occurred_at": "1700000000"},
        "/occurred_at",
        'must be a date and time in ISO 8601, such as "2026-11-01T10:00:00Z"',
    ),
    ("/v1/refunds", {"amount": "0.00"}, "/amount", "input should be greater than 0"),
    ("/v1/refunds", None, "", "must be there: a JSON object"),
    ("/v1/refunds", [], "", "must be a JSON object"),
    ("/v1/hooks", {"event": "x", "url": "ftp://x"}, "/url", "URL scheme should be 'http' or 'https'"),
]


@pytest.mark.parametrize(("address", "body", "pointer", "detail"), DETAILS)
def test_a_wrong_value_is_told_in_words(till: httpx.Client, address: str, body: Any, pointer: str, detail: str) -> None:
    """Law: what is wrong of a field is told in words, and not by a regular expression."""
    assert {"pointer": pointer, "detail": detail} in till.post(address, json=body).json()["errors"]


def test_a_failure_is_a_problem_and_is_logged(own_database: URL, tmp_path: Path) -> None:
    """Law: what nobody foresaw is answered as a problem, and the log has its trace under the request's number."""
    with started(own_database, tmp_path) as server, server.caller() as till:
        till.put(C, json={})
        server.execute("alter table loyalty.accounts rename column member_no to renamed")
        refused = till.get(C)
        assert _problem(refused) == (500, "unforeseen")
    (failure,) = [line for line in server.logged() if line["event"] == "failure"]
    assert failure["request_id"] == refused.headers["x-request-id"]


def test_a_database_that_is_not_migrated_is_not_the_callers_mistake(own_database: URL, tmp_path: Path) -> None:
    """Law: while a table is missing a request is 503, to be sent again; the same is done once it is there."""
    sale = {"json": {"transaction_id": "T1", "customer_id": "C1", "amount": "10.00"}}
    spent = {"json": {"customer_id": "C1", "points": 1}, "headers": {"Idempotency-Key": "k"}}
    with started(own_database, tmp_path) as server, server.caller() as till:
        for table, address, sent in (("inbox", "/v1/purchases", sale), ("lots", "/v1/redemptions", spent)):
            server.execute(f"alter table loyalty.{table} rename to renamed")
            refused = till.post(address, **sent)
            assert _problem(refused) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) > 0
            server.execute(f"alter table loyalty.renamed rename to {table}")
            assert till.post(address, **sent).status_code == 201


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
