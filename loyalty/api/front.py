"""What every request passes before and after its endpoint: a number, a size, a key, a line in the log, the metrics.

Plain ASGI, since each layer of a framework's own middleware would cost more than the rest of a request.
"""

import time
import uuid
from collections.abc import Iterable

from anyio import to_thread
from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loyalty.api import callers, logs, metrics
from loyalty.api.problems import Problem, problem_of
from loyalty.api.repeats import BODY
from loyalty.db.api_keys import Key
from loyalty.messages.unsubscribe import PATH

LARGEST_BODY = 64 * 1024
LARGEST_EVENT = 1024 * 1024
"""A platform's webhook may be a whole order."""

_LONGEST_ADDRESS = 4096
_LARGEST_HEAD = 16 * 1024
_CLIENT_GONE = 499
_JSON = b"application/json"
_NOT_UTF_8 = "the body is not JSON in UTF-8, without a byte order mark"
_API, _WEBHOOKS = "/v1/", "/v1/webhooks/"
_NOT_OURS = (_WEBHOOKS, PATH)
"""Where others say what they send: platforms, and mail programs that end messages by a form."""


class Front:
    """The application, with all that is the same for every request around it."""

    def __init__(self, application: ASGIApp) -> None:
        """Stand before an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the start and end of the server."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request = _Request(send)
        try:
            await self._serve(scope, receive, request)
        except ClientDisconnect:
            request.gone()
        except Exception as error:  # noqa: BLE001 - nothing but a problem may reach the caller
            logs.failure(request.request_id, error)
            await request.refuse(scope, receive, Problem("unforeseen"))
        finally:
            request.finish(scope)

    async def _serve(self, scope: Scope, receive: Receive, request: "_Request") -> None:
        try:
            body = await _bounded(scope, receive)
            await _admit(scope)
            _check_json(scope, body)
            scope[BODY] = body
        except Exception as error:
            problem = problem_of(error)
            if problem.kind == "unforeseen":  # Front itself logs it, and answers
                raise
            await request.refuse(scope, receive, problem)
            return
        await self._application(scope, _replay(body, receive), request.send)


class _Request:
    """A request on its way: its number, when it came, and what was answered."""

    def __init__(self, send: Send) -> None:
        self.request_id = uuid.uuid4().hex
        self._started = time.perf_counter()
        self._send = send
        self._status = 0

    async def send(self, message: Message) -> None:
        """Pass an answer on, with the request's number in its header."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun."""
        if self._status:
            return
        response: Response = problem.response()
        await response(scope, receive, self.send)

    def gone(self) -> None:
        """Note that nobody waits for an answer any more."""
        self._status = self._status or _CLIENT_GONE

    def finish(self, scope: Scope) -> None:
        """Log and count."""
        seconds = time.perf_counter() - self._started
        route = getattr(scope.get("route"), "path_format", None) or "none"
        key: Key | None = scope.get(callers.CALLER)
        metrics.request(scope["method"], route, self._status, seconds)
        logs.request(
            self.request_id,
            method=scope["method"],
            route=route,
            status=self._status,
            seconds=seconds,
            key_no=key.key_no if key else None,
        )


async def _admit(scope: Scope) -> None:
    """Find the caller's key, and count the request against its limit. Raises problems."""
    path = scope["path"]
    if not path.startswith(_API) or path.startswith(_WEBHOOKS):
        return  # a platform signs its webhooks; health and metrics tell nothing of people
    digest = callers.bearer(_header(scope["headers"], b"authorization"))
    key = callers.remembered(digest)
    if key is None:
        key = await to_thread.run_sync(callers.looked_up, digest)
    scope[callers.CALLER] = key
    if key.requests_per_minute is not None:
        await to_thread.run_sync(callers.check_rate, key)


def _check_json(scope: Scope, body: bytes) -> None:
    """See that a body says it is JSON, and is in UTF-8, which the inbox keeps. Raises problems."""
    if not body or scope["path"].startswith(_NOT_OURS):
        return
    given = (_header(scope["headers"], b"content-type") or b"").partition(b";")[0].strip().lower()
    if given != _JSON:
        raise Problem("unsupported-media-type")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem("malformed", _NOT_UTF_8) from None
    if text.startswith("\ufeff") or "\0" in text:  # a mark of another encoding, or another encoding
        raise Problem("malformed", _NOT_UTF_8)


async def _bounded(scope: Scope, receive: Receive) -> bytes:
    """Read the body whole. Raises the problem `too-large` before more than is allowed is kept."""
    head = sum(len(name) + len(value) for name, value in scope["headers"])
    if head > _LARGEST_HEAD or len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _LONGEST_ADDRESS:
        raise Problem("too-large")
    most = LARGEST_EVENT if scope["path"].startswith(_WEBHOOKS) else LARGEST_BODY
    announced = _header(scope["headers"], b"content-length")
    if announced is not None and (not announced.isdigit() or int(announced) > most):
        raise _too_large(most)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read, then whatever comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _too_large(most: int) -> Problem:
    return Problem("too-large", f"the body may have {most} bytes", headers={"Connection": "close"})


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)
