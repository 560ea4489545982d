"""The outbox delivered: each queued message sent, withheld with the reason, or told to wait (semantics 12).

A batch is one transaction: rows claimed under lock, files written, the outcome recorded. Whoever is killed in between
leaves rows queued and files that the next delivery writes again under the same names.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.errors import BadInput, Refused, WrongUse
from loyalty.messages.facts import Facts, Notice, Voucher, VoucherFacts, read_facts
from loyalty.messages.files import FileChannel, file_channel, file_name
from loyalty.messages.mail import mailbox, message
from loyalty.messages.quiet_hours import SendingHours, zone_of
from loyalty.messages.rendering import render_email, render_sms
from loyalty.messages.staff import deliver_to_staff
from loyalty.messages.voice import voice
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse

BATCH = 500
_NUMBER = re.compile(r"\+?[0-9]{5,20}")
_NUMBER_FILLERS = re.compile(r"[\s().\-/]+")


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many messages a delivery sent, withheld, put off to the morning, or could not put into words."""

    sent: int = 0
    withheld: int = 0
    delayed: int = 0
    failed: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(
            self.sent + other.sent,
            self.withheld + other.withheld,
            self.delayed + other.delayed,
            self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the programme by the rules of a version, in its zone."""

    version: int
    programme: str
    languages: tuple[str, ...]
    zone: ZoneInfo
    sms_hours: SendingHours


@dataclass(frozen=True, slots=True)
class Claimed:
    """A queued message under lock, with all that sending it takes: the columns of outbox/claim_messages."""

    message_no: int
    kind: str
    channel: Literal["email", "sms"]
    facts: dict[str, Any]
    queued_on: str
    address: str | None
    first_name: str
    language: str | None
    time_zone: str | None
    multiplier: Decimal | None
    voucher_code: str | None
    voucher_amount: int
    voucher_currency: str
    voucher_expires_at: datetime
    withheld: str | None

    @property
    def file_name(self) -> str:
        """Where the file channel puts it, the same at every try."""
        return file_name(self.queued_on, self.message_no, self.kind, self.channel)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message; still queued means that it waits for `not_before`."""

    message_no: int
    state: Literal["sent", "withheld", "failed", "queued"]
    reason: str | None = None
    not_before: datetime | None = None


def deliver(as_of: datetime, *, limit_per_batch: int = BATCH) -> Delivered:
    """Deliver every queued message that is due at `as_of`, an aware instant, to the file channel: managers' first.

    Any number of deliveries may run at once: each message is sent by one of them. Raises Unavailable when the
    database or the disk fails; what was delivered until then stays so, and the next delivery does the rest.
    Raises Refused before the first rules are installed, WrongUse for an empty batch.
    """
    if limit_per_batch < 1:
        raise WrongUse(f"a batch has at least one message, not {limit_per_batch}")
    channel, total, after = file_channel(), Delivered(), 0
    with transaction() as connection:
        sender, rules = _sender(connection, as_of)
    sent, withheld = deliver_to_staff(channel, rules, sender.zone, as_of)
    total += Delivered(sent=sent, withheld=withheld)
    while True:
        with transaction() as connection:
            batch = _claim(connection, sender, after, limit_per_batch, as_of)
            outcomes = [_send(channel, sender, claimed, as_of) for claimed in batch]
            _finish(connection, outcomes, as_of)
        total += _counted(outcomes)
        if len(batch) < limit_per_batch:
            return total
        after = batch[-1].message_no


def _sender(connection: Connection, as_of: datetime) -> tuple[Sender, Programme]:
    found = run(connection, "reads/message_programme", as_of=as_of).one_or_none()
    if found is None:
        raise Refused("no rules are installed: run `loyalty migrate`")
    rules = parse(found.document, f"version {found.version}")
    hours = SendingHours(rules.sms_from, rules.sms_until)
    return Sender(found.version, rules.name, rules.languages, ZoneInfo(found.time_zone), hours), rules


def _claim(connection: Connection, sender: Sender, after: int, batch: int, as_of: datetime) -> list[Claimed]:
    rows = run(connection, "outbox/claim_messages", after=after, batch=batch, as_of=as_of, version=sender.version)
    return [Claimed(**row) for row in rows.mappings()]


def _counted(outcomes: Iterable[Outcome]) -> Delivered:
    counts = Counter(outcome.state for outcome in outcomes)
    return Delivered(counts["sent"], counts["withheld"], counts["queued"], counts["failed"])


def _finish(connection: Connection, outcomes: Sequence[Outcome], as_of: datetime) -> None:
    """Record all outcomes of a batch, in order of their messages, at once."""
    if not outcomes:
        return
    columns = zip(*((each.message_no, each.state, each.reason, each.not_before) for each in outcomes), strict=True)
    messages, states, reasons, not_before = map(list, columns)
    run(
        connection,
        "outbox/finish_messages",
        first_message=outcomes[0].message_no,
        last_message=outcomes[-1].message_no,
        messages=messages,
        states=states,
        reasons=reasons,
        not_before=not_before,
        as_of=as_of,
    )


def _send(channel: FileChannel, sender: Sender, claimed: Claimed, as_of: datetime) -> Outcome:
    """Write one message's file, unless it must not go (now); then a file that a crashed try left goes away."""
    outcome, content = _decided(sender, claimed, as_of)
    if content is None:
        channel.remove(claimed.file_name)
    else:
        channel.write(claimed.file_name, content)
    return outcome


def _decided(sender: Sender, claimed: Claimed, as_of: datetime) -> tuple[Outcome, bytes | None]:
    """What is to become of a message, and its content if it is to be sent."""
    number = claimed.message_no
    if claimed.withheld:
        return Outcome(number, "withheld", claimed.withheld), None
    address = _address(claimed)
    if address is None:
        return Outcome(number, "withheld", "wrong address"), None
    try:
        facts = read_facts(claimed.kind, claimed.facts)
        if facts.over_at is not None and facts.over_at <= as_of:
            return Outcome(number, "withheld", "stale"), None
        if wait := _wait(sender, claimed, as_of):
            return Outcome(number, "queued", not_before=wait), None
        return Outcome(number, "sent"), _content(sender, claimed, facts, address, as_of)
    except BadInput as error:
        return Outcome(number, "failed", str(error)), None


def _wait(sender: Sender, claimed: Claimed, as_of: datetime) -> datetime | None:
    """The instant to wait for, if the member should not be reached at this hour. An e-mail waits to be read anyway."""
    if claimed.channel == "email":
        return None
    return sender.sms_hours.wait(as_of, zone_of(claimed.time_zone, sender.zone))


def _content(sender: Sender, claimed: Claimed, facts: Facts, address: str, as_of: datetime) -> bytes:
    """The message as the file channel keeps it. Raises BadInput when the facts lack what the template tells."""
    notice = Notice(claimed.kind, facts, claimed.first_name, _voucher(claimed, facts), claimed.multiplier)
    speaker = voice(claimed.language, sender.languages, sender.programme, sender.zone)
    if claimed.channel == "sms":
        return f"To: {address}\n\n{render_sms(notice, speaker)}\n".encode()
    return message(
        render_email(notice, speaker),
        to=address,
        programme=speaker.programme,
        language=speaker.language,
        message_no=claimed.message_no,
        sent_at=as_of,
    )


def _voucher(claimed: Claimed, facts: Facts) -> Voucher | None:
    """The voucher that the message tells of, if it can still be used."""
    if isinstance(facts, VoucherFacts):
        return facts.voucher()
    if claimed.voucher_code is None:
        return None
    return Voucher(claimed.voucher_code, claimed.voucher_amount, claimed.voucher_currency, claimed.voucher_expires_at)


def _address(claimed: Claimed) -> str | None:
    """The address fit for the channel: a mailbox, or a telephone number in digits."""
    if claimed.channel == "email":
        return mailbox(claimed.address or "")
    number = _NUMBER_FILLERS.sub("", claimed.address or "")
    return number if _NUMBER.fullmatch(number) else None
