"""Twilio: what becomes of SMS, and what members answer to them.

Each callback is a form, signed over the address that Twilio called and all its parameters. Marks in comments: V read
in Twilio's own pages, specification or package, U from general knowledge.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

from sqlalchemy import Connection

from loyalty.db import callbacks, consents
from loyalty.db.callbacks import NO_EFFECT, Effect, Kind, Source, Told
from loyalty.db.consents import Consent
from loyalty.db.inbox import Event
from loyalty.errors import BadInput, Unverified
from loyalty.platforms.base import Incoming, Platform, Request
from loyalty.settings import Settings, settings

NAME = "twilio"
_SOURCE = Source(NAME, "sms")
_SIGNATURE = "x-twilio-signature"
_ALGORITHM = "x-twilio-webhooks-signature-settings"  # V: with a shared key; absent, the auth token and SHA-1
_PORTS = {"https": 443, "http": 80}
_SID = re.compile(r"[A-Za-z0-9]{1,64}")
_LONGEST_WORD = 20

# V: the values of MessageStatus; that they come in any order is U
_KINDS: Mapping[str, Kind] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "sent",
    "sent": "sent",
    "partially_delivered": "delivered",  # U: some of its parts
    "delivered": "delivered",
    "read": "opened",
    "undelivered": "bounced",
    "failed": "failed",
    "canceled": "failed",
}
_OPTED_OUT = "21610"  # V: the recipient replied STOP; open again only on START

# U: the words after which Twilio itself stops or goes on, and the same in the languages of our templates. YES, which
# opens again there, is no consent here: it may answer anything.
_STOP = frozenset(
    "stop stopall unsubscribe cancel end quit optout revoke alto baja cancelar إيقاف ايقاف الغاء إلغاء".split()
)
_START = frozenset("start unstop alta ابدأ".split())


def configured(given: Settings) -> bool:
    """Whether its callbacks can be proved."""
    return given.public_url is not None and given.twilio_auth_token is not None


def verify(request: Request, given: Settings) -> tuple[Incoming, ...]:
    """The event of a callback, proved by its signature. Raises Unverified."""
    params = _form(request.body)
    secret, algorithm = _secret(request, given)
    signature = request.headers.get(_SIGNATURE, "").encode()
    address = f"{(given.public_url or '').rstrip('/')}{request.target}"
    wanted = [_signed(secret, each, params, algorithm) for each in _addresses(address)]
    if not any([hmac.compare_digest(each, signature) for each in wanted]):  # noqa: C419  (all, whichever fits)
        raise Unverified
    said = {name: values[-1] for name, values in params.items()}
    status = said.get("MessageStatus") or said.get("SmsStatus") or ""
    query = urlsplit(request.target).query.encode()
    return (Incoming(f"{_sid(said)} {status[:40]}", query + b"\n" + request.body),)


def apply(connection: Connection, event: Event, now: datetime) -> str:
    """Keep a status at its message; do what a member's word says. Raises BadInput for what is no callback."""
    query, _, body = event.body.partition(b"\n")
    said = {name: values[-1] for name, values in _form(body).items()}
    if "MessageStatus" in said:
        numbers = parse_qs(query.decode("ascii", "replace")).get("message_no", [])
        callbacks.take(connection, _SOURCE, _status(said, numbers, event), now)
        return said["MessageStatus"][:40]
    if "Body" in said and "From" in said:
        return _answered(connection, said, event)
    raise BadInput("neither a status nor an SMS")


def signature(secret: str, address: str, params: Mapping[str, list[str]], algorithm: str = "sha1") -> str:
    """V: Twilio's signature: of the address, then each name and value in the order of names, in base64."""
    said = address + "".join(name + value for name in sorted(params) for value in sorted(set(params[name])))
    return base64.b64encode(hmac.new(secret.encode(), said.encode(), algorithm).digest()).decode()


def _signed(secret: str, address: str, params: Mapping[str, list[str]], algorithm: str) -> bytes:
    return signature(secret, address, params, algorithm).encode()


def _secret(request: Request, given: Settings) -> tuple[str, str]:
    """What the request must be signed with, and how. Raises Unverified for a way that is not set up here."""
    asked = request.headers.get(_ALGORITHM, "")
    pairs = (part.partition("=") for part in asked.split(","))
    algorithm = {name.strip(): value.strip().upper() for name, _, value in pairs}.get("algorithm", "HMAC_SHA1")
    if algorithm == "HMAC_SHA1" and given.twilio_auth_token is not None:
        return given.twilio_auth_token.get_secret_value(), "sha1"
    if algorithm == "HMAC_SHA256" and given.twilio_shared_key is not None:
        return given.twilio_shared_key.get_secret_value(), "sha256"
    raise Unverified


def _addresses(address: str) -> Iterator[str]:
    """V: the address with its port and without, since Twilio signs one or the other."""
    parts = urlsplit(address)
    host = parts.netloc.partition(":")[0]
    yield parts._replace(netloc=host).geturl()
    yield parts._replace(netloc=f"{host}:{parts.port or _PORTS.get(parts.scheme, 80)}").geturl()


def _form(body: bytes) -> dict[str, list[str]]:
    """The parameters of a form; of a body that is none, what can be read of it, which no signature fits."""
    params: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        params.setdefault(name, []).append(value)
    return params


def _sid(said: Mapping[str, str]) -> str:
    """What Twilio calls the message; of one without, a digest."""
    sid = said.get("MessageSid") or said.get("SmsSid") or ""
    return sid if _SID.fullmatch(sid) else hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()


def _status(said: Mapping[str, str], numbers: list[str], event: Event) -> list[Told]:
    """The event of a status; none where it is no message of ours, or a status that we don't know."""
    kind = _KINDS.get(said["MessageStatus"])
    if kind is None or not numbers or not re.fullmatch("[0-9]{1,18}", numbers[0]):
        return []
    code = said.get("ErrorCode", "")
    code = code if re.fullmatch("[0-9]{1,6}", code) and code != "0" else ""
    effect = NO_EFFECT
    if code == _OPTED_OUT:
        kind, effect = "opted_out", Effect(purpose="service")
    elif code in settings().twilio_dead_numbers.split():
        effect = Effect(suppressed="invalid address")
    to = said.get("To", "").replace("\0", "")
    return [Told(event.event_id, int(numbers[0]), kind, event.received_at, code or None, to, effect)]


def _answered(connection: Connection, said: Mapping[str, str], event: Event) -> str:
    """What a member answered: the consent of who has this number ends, or begins again. HELP is Twilio's to answer."""
    word = said.get("OptOutType") or said["Body"]  # U: OptOutType, where the account's own list of words found one
    word = word.strip().strip(".!¡\"'").strip().casefold()
    if word not in _STOP | _START:
        return "no word that we act on"
    given = word in _START
    members = consents.members_of_phone(connection, said["From"].replace("\0", ""))
    source, wording = f"sms {'START' if given else 'STOP'}", word[:_LONGEST_WORD]
    consents.record(
        connection,
        [Consent(each, "sms", "service", given, event.received_at, source, wording) for each in members],
    )
    return source


PLATFORM = Platform(NAME, configured, verify, apply)
