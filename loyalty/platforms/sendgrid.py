"""SendGrid: what becomes of e-mails.

Its event webhook posts an array of events, signed as a whole. Marks in comments: V read in SendGrid's own pages or
specification, S second-hand, U from general knowledge.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy import Connection

from loyalty.db import callbacks
from loyalty.db.callbacks import NO_EFFECT, Effect, Kind, Source, Told
from loyalty.db.inbox import Event
from loyalty.errors import BadInput, ConfigurationError, Unverified
from loyalty.platforms.base import LONGEST_ID, Incoming, Platform, Request
from loyalty.settings import Settings

NAME = "sendgrid"
_SOURCE = Source(NAME, "email")
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_PRINTABLE = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}")

# V: the types of events
_KINDS: Mapping[str, Kind] = {
    "processed": "accepted",
    "deferred": "deferred",
    "delivered": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "dropped": "dropped",
    "spamreport": "complained",
    "unsubscribe": "opted_out",
    "group_unsubscribe": "opted_out",
    "group_resubscribe": "accepted",
}
_EFFECTS: Mapping[str, Effect] = {
    "spamreport": Effect(suppressed="spam report"),
    "unsubscribe": Effect(purpose="service"),
    "group_unsubscribe": Effect(purpose="marketing"),  # U: groups are for kinds of offers
    "group_resubscribe": Effect(purpose="marketing", given=True),
}
# S: why SendGrid dropped a message that it had taken; `Expired` says nothing of the address
_DROPPED: Mapping[str, Effect] = {
    "invalid": Effect(suppressed="invalid address"),
    "unsubscribed address": Effect(purpose="service"),
    "bounced address": Effect(suppressed="bounced"),
    "spam reporting address": Effect(suppressed="spam report"),
    "expired": NO_EFFECT,
}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")  # of RFC 3463


def configured(given: Settings) -> bool:
    """Whether its events can be proved."""
    return given.sendgrid_webhook_key is not None


def verify(request: Request, given: Settings) -> tuple[Incoming, ...]:
    """The request as one event, proved by its signature, and not too old. Raises Unverified."""
    timestamp = request.headers.get(_TIMESTAMP, "")
    try:
        signed = base64.b64decode(request.headers.get(_SIGNATURE, ""), validate=True)
        _key(given.sendgrid_webhook_key or "").verify(signed, timestamp.encode() + request.body, ECDSA(SHA256()))
        age = abs(request.unix_time - int(timestamp))
    except (InvalidSignature, ValueError):
        raise Unverified from None
    # No window is documented. It only keeps others from sending an old request again, which would change nothing.
    if age > given.sendgrid_webhook_seconds:
        raise Unverified
    return (Incoming(hashlib.sha256(request.body).hexdigest(), request.body),)


def apply(connection: Connection, event: Event, now: datetime) -> str:
    """Keep each event at its message, and do what it means. Raises BadInput for what is no array of events."""
    try:
        told = json.loads(event.body)
    except ValueError:
        raise BadInput("not JSON") from None
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise BadInput("not an array of events")
    ours = callbacks.take(connection, _SOURCE, _read(told, event.received_at), now)
    return f"{len(told)} events, of {len(ours)} messages"


def _read(told: list[dict[str, Any]], received_at: datetime) -> Iterator[Told]:
    """The events of messages that are known to be ours by their number, of kinds that we know."""
    for each in told:
        name, number = str(each.get("event")), str(each.get("message_no", ""))
        if name not in _KINDS or not re.fullmatch("[0-9]{1,18}", number):
            continue
        kind, reason, effect = _meaning(name, each)
        yield Told(_id(each), int(number), kind, _at(each, received_at), reason, _address(each), effect)


def _meaning(name: str, told: Mapping[str, Any]) -> tuple[Kind, str | None, Effect]:
    """What an event says of its message, why in a word or code, and what that means for the member."""
    kind = _KINDS[name]
    if name == "dropped":
        reason = str(told.get("reason", "")).strip().casefold()
        effect = _DROPPED.get(reason, NO_EFFECT)
        return "opted_out" if effect.purpose else kind, reason if reason in _DROPPED else None, effect
    if name == "bounce":
        status = str(told.get("status", ""))
        blocked = told.get("type") == "blocked"  # V: for now; the address may be good
        effect = NO_EFFECT if blocked else Effect(suppressed="bounced")
        return kind, status if _STATUS.fullmatch(status) else None, effect
    return kind, None, _EFFECTS.get(name, NO_EFFECT)


def _id(told: Mapping[str, Any]) -> str:
    """S: SendGrid's own id of an event, by which a repeated one is known; of one without, a digest."""
    given = str(told.get("sg_event_id", ""))
    if _PRINTABLE.fullmatch(given):
        return given
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _at(told: Mapping[str, Any], received_at: datetime) -> datetime:
    try:
        return min(datetime.fromtimestamp(int(told["timestamp"]), UTC), received_at)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return received_at


def _address(told: Mapping[str, Any]) -> str:
    """Where the message went, with its domain as members write it: we send it in ASCII."""
    name, at, domain = str(told.get("email", "")).replace("\0", "").rpartition("@")
    try:
        return f"{name}{at}{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return f"{name}{at}{domain}"


@lru_cache(maxsize=4)
def _key(given: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(given, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ConfigurationError("LOYALTY_SENDGRID_WEBHOOK_KEY", "is no public key as SendGrid shows it")
    return key


PLATFORM = Platform(NAME, configured, verify, apply)
