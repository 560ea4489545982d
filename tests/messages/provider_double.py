"""A server in the place of SendGrid, Twilio and Slack, which holds requests against the providers' OpenAPI documents.

It keeps what it accepted, and breaks down as a test tells it: `faults` are taken one for each request that would send.
"""

import base64
import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

import jsonschema

DOCUMENTS = Path(__file__).parent / "openapi"
API_KEY, TOKEN = "SG.secret", "twilio-secret"
ACCOUNT, SENDER, SERVICE = f"AC{'0' * 32}", "+15005550006", f"MG{'a' * 32}"
SLACK_PATH = "/services/T0/B0/hidden-of-slack"
# By SendGrid's reference of the headers object; not in the OpenAPI document.
RESERVED = {"to", "from", "subject", "cc", "bcc", "reply-to", "content-type", "content-transfer-encoding", "received"}


@dataclass(frozen=True)
class Fault:
    """How one request breaks: another answer, a cut, or silence; `after` the message was accepted."""

    what: Literal["answer", "cut", "silence"]
    after: bool = False
    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(status: int, body: Any = None, **headers: str) -> Fault:
    """The provider says something else."""
    return Fault("answer", status=status, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


CUT, CUT_AFTER = Fault("cut"), Fault("cut", after=True)
SILENCE, SILENCE_AFTER = Fault("silence"), Fault("silence", after=True)


@dataclass
class Accepted:
    """A message that the provider has: by which key it knows it, to whom, and what it says."""

    provider: str
    provider_id: str
    to: str
    text: str
    request: dict[str, Any]
    at: datetime


class ProviderDouble:
    """The server, on a port of 127.0.0.1."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.requests = self.told = 0
        self.violations: list[str] = []
        self.faults: deque[Fault | None] = deque()
        self.every_tenth: Fault | None = None
        self.keeps_texts = True
        self.held, self.release = threading.Event(), threading.Event()
        self.hold_after: int | None = None
        self._lock = threading.Lock()
        double = self

        class Handler(_Handler):
            pass

        Handler.double = double
        self._handler, self._port = Handler, 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def unmet(self) -> list[Fault]:
        """The faults that no request has met: a test that leaves one has not seen what it is about."""
        return [each for each in self.faults if each is not None]

    def start(self) -> None:
        """Listen, at the port of before if there was one."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Let nobody in any more."""
        self.release.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def times(self) -> Counter[str]:
        """How often each message was accepted, by its number where it has one, else by its text."""
        return Counter(_key(each) for each in self.accepted)

    def await_requests(self, count: int) -> None:
        """Wait until so many have come and, where they are to be, are accepted."""
        for _ in range(600):
            with self._lock:
                if self.told >= count:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{self.told} requests came, not {count}")

    def fault(self) -> Fault | None:
        """What is to happen to the request that now came."""
        with self._lock:
            self.requests += 1
            if self.faults:
                return self.faults.popleft()
            return self.every_tenth if self.requests % 10 == 0 else None

    def count(self) -> None:
        """Note that a request has come this far, whatever its threads do."""
        with self._lock:
            self.told += 1

    def accept(self, accepted: Accepted) -> None:
        """Keep a message; wait at the gate, if a test has put one there."""
        with self._lock:
            self.accepted.append(accepted)
            number = len(self.accepted)
        if self.hold_after is not None and number > self.hold_after:
            self.held.set()
            self.release.wait(60)


def _key(each: Accepted) -> str:
    callback = parse_qs(urlsplit(each.request.get("StatusCallback", "")).query)
    personalized = each.request.get("personalizations", [{}])[0]
    return callback.get("message_no", [personalized.get("custom_args", {}).get("message_no", each.text)])[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: ProviderDouble

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        try:
            accepted, reply = self._taken(path, body)
        except (jsonschema.ValidationError, AssertionError) as wrong:
            self.double.violations.append(str(getattr(wrong, "message", wrong)))
            self._say(400, {"errors": [{"message": "the document says otherwise"}]})
            return
        fault = self.double.fault()
        if fault is None or fault.after:
            self.double.accept(accepted)
        self.double.count()
        if fault is None:
            self._say(*reply)
        elif fault.what == "answer":
            self._say(fault.status, fault.body, fault.headers)
        else:
            if fault.what == "silence":
                self.double.release.wait(60)
            self.close_connection = True

    def do_GET(self) -> None:
        """Twilio's list of messages, the newest first."""
        url = urlsplit(self.path)
        try:
            given = dict(parse_qsl(url.query))
            self._check_parameters("get", url.path, given)
            self._check_login()
        except (jsonschema.ValidationError, AssertionError) as wrong:
            self.double.violations.append(str(getattr(wrong, "message", wrong)))
            self._say(400, {"code": 20001, "message": "the document says otherwise", "status": 400})
            return
        found = [each for each in reversed(self.double.accepted) if each.to == given.get("To", each.to)]
        page, size = int(given.get("Page", 0)), int(given.get("PageSize", 50))
        shown = found[page * size : (page + 1) * size]
        more = f"{url.path}?To={given['To'].replace('+', '%2B')}&PageSize={size}&Page={page + 1}"
        listed = {
            "messages": [_resource(each, keeps_texts=self.double.keeps_texts) for each in shown],
            "page": page,
            "page_size": size,
            "next_page_uri": more if len(found) > (page + 1) * size else None,
            "uri": self.path,
        }
        self._say(200, _honest("twilio", TWILIO_PATH, "get", "200", listed))

    def _taken(self, path: str, body: bytes) -> tuple[Accepted, tuple[Any, ...]]:
        """What a request sends, and the reply to it. Raises what is wrong with it."""
        if path == SLACK_PATH:
            return self._slack(body)
        if path == "/v3/mail/send":
            return self._sendgrid(body)
        return self._twilio(path, body)

    def _sendgrid(self, body: bytes) -> tuple[Accepted, tuple[Any, ...]]:
        assert self.headers["Authorization"] == f"Bearer {API_KEY}", "no key"
        given = json.loads(body)
        content = document("sendgrid")["paths"]["/v3/mail/send"]["post"]["requestBody"]["content"]
        jsonschema.validate(given, content[self.headers["Content-Type"]]["schema"])
        assert not RESERVED & {name.lower() for name in given.get("headers", {})}, "a reserved header"
        assert [part["type"] for part in given["content"]] == sorted(
            (part["type"] for part in given["content"]), reverse=True
        ), "plain text comes first"
        [personalization] = given["personalizations"]
        [to] = personalization["to"]
        number = uuid4().hex
        accepted = Accepted("sendgrid", number, to["email"], given["subject"], given, datetime.now(UTC))
        return accepted, (202, None, {"X-Message-Id": number})

    def _twilio(self, path: str, body: bytes) -> tuple[Accepted, tuple[Any, ...]]:
        self._check_login()
        self._check_parameters("post", path, {})
        given = dict(parse_qsl(body.decode(), strict_parsing=True))
        content = document("twilio")["paths"][TWILIO_PATH]["post"]["requestBody"]["content"]
        jsonschema.validate(given, content[self.headers["Content-Type"]]["schema"])
        assert ("From" in given) != ("MessagingServiceSid" in given), "one sender"
        assert 0 < len(given["Body"]) <= 1600, "a body of 1 to 1,600 characters"
        assert re.fullmatch(r"\+[1-9]\d{6,14}", given["To"]), "no number"
        number = f"SM{uuid4().hex}"
        accepted = Accepted("twilio", number, given["To"], given["Body"], given, datetime.now(UTC))
        made = _honest("twilio", TWILIO_PATH, "post", "201", _resource(accepted, keeps_texts=True))
        return accepted, (201, made)

    def _slack(self, body: bytes) -> tuple[Accepted, tuple[Any, ...]]:
        given = json.loads(body)
        assert self.headers["Content-Type"] == "application/json", "no JSON"
        assert set(given) <= {"text", "blocks", "attachments", "metadata", "unfurl_links"}, "unknown fields"
        assert 0 < len(given["text"]) <= 40_000, "no_text"
        return Accepted("slack", "", "", given["text"], given, datetime.now(UTC)), (200, "ok")

    def _check_login(self) -> None:
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        assert self.headers["Authorization"] == f"Basic {expected}", "no login"

    def _check_parameters(self, method: str, path: str, query: Mapping[str, str]) -> None:
        found = re.fullmatch(TWILIO_PATH.replace("{AccountSid}", "(?P<AccountSid>[^/]+)"), path)
        assert found, f"no such path: {path}"
        declared = {each["name"]: each for each in document("twilio")["paths"][TWILIO_PATH][method]["parameters"]}
        assert set(query) <= set(declared), f"unknown parameters: {sorted(query)}"
        given: dict[str, Any] = {**query, **found.groupdict()}
        for name, value in given.items():
            schema = declared[name]["schema"]
            jsonschema.validate(int(value) if schema["type"] == "integer" else value, schema)

    def _say(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        said = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)


TWILIO_PATH = "/2010-04-01/Accounts/{AccountSid}/Messages.json"


def _resource(each: Accepted, *, keeps_texts: bool) -> dict[str, Any]:
    """A message as Twilio shows it."""
    at = format_datetime(each.at)
    return {
        "sid": each.provider_id,
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "to": each.to,
        "from": each.request.get("From"),
        "messaging_service_sid": each.request.get("MessagingServiceSid"),
        "body": each.text if keeps_texts else "",
        "status": "queued" if "From" in each.request else "accepted",
        "direction": "outbound-api",
        "date_created": at,
        "date_updated": at,
        "date_sent": None,
        "error_code": None,
        "error_message": None,
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{each.provider_id}.json",
    }


def _honest(provider: str, path: str, method: str, status: str, reply: Any) -> Any:
    """A reply of ours, which must be one of the provider's."""
    said = document(provider)["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    jsonschema.validate(reply, said)
    return reply


@cache
def document(provider: str) -> dict[str, Any]:
    """The provider's document, with its references followed; what an object does not name, it must not have."""
    whole = json.loads((DOCUMENTS / f"{provider}.json").read_text(encoding="utf-8"))

    def followed(part: Any) -> Any:
        if isinstance(part, list):
            return [followed(each) for each in part]
        if not isinstance(part, dict):
            return part
        if isinstance(part.get("$ref"), str):
            _, *names = part["$ref"].split("/")
            target = whole
            for name in names:
                target = target[name]
            return followed(target)
        made = {name: followed(each) for name, each in part.items()}
        if isinstance(made.get("properties"), dict) and made.get("type") == "object":
            made.setdefault("additionalProperties", False)
        if made.get("nullable") is True:  # OpenAPI 3.0's way to say it
            made["type"] = [made["type"], "null"]
            if "enum" in made:
                made["enum"] = [*made["enum"], None]
        return made

    return dict(followed(whole))
