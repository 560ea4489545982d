"""The outbox delivered: each queued message sent, withheld with the reason, or told to wait (semantics 12).

A batch of the file channel is one transaction: rows claimed under lock, files written, the outcome recorded. Whoever is
killed in between leaves rows queued and files that the next delivery writes again under the same names. What goes
through a provider can't be done over, and takes the way of `lane.py`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from loyalty.db import deliveries
from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotMigrated, WrongUse
from loyalty.messages import permission, unsubscribe
from loyalty.messages.channels.channel import Channel, Letter, telephone
from loyalty.messages.channels.chosen import Chosen, chosen_channels
from loyalty.messages.courier import Ready
from loyalty.messages.facts import Facts, Notice, Voucher, VoucherFacts, read_facts
from loyalty.messages.files import FileChannel, file_channel, file_name
from loyalty.messages.lane import Lane, Taken
from loyalty.messages.mail import mailbox
from loyalty.messages.permission import Policy, Verdict
from loyalty.messages.rendering import render_email, render_sms
from loyalty.messages.staff import deliver_to_staff
from loyalty.messages.unsubscribe import Unsubscribing
from loyalty.messages.voice import voice
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse
from loyalty.settings import settings

BATCH = 500
AFTER_A_CLOSE = 5_000
"""As many messages as a close delivers itself: seconds. More are left to a delivery of their own."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many messages a delivery sent, withheld, put off to the morning, or that failed for good.

    `later` are to be tried again, as a provider did not take them; of `unknown` nobody knows whether they went out.
    """

    sent: int = 0
    withheld: int = 0
    delayed: int = 0
    failed: int = 0
    later: int = 0
    unknown: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(
            self.sent + other.sent,
            self.withheld + other.withheld,
            self.delayed + other.delayed,
            self.failed + other.failed,
            self.later + other.later,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the programme by the rules of a version, in its zone."""

    version: int
    programme: str
    languages: tuple[str, ...]
    zone: ZoneInfo
    policy: Policy
    unsubscribing: Unsubscribing | None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A queued message under lock, with all that sending it takes: the columns of outbox/claim_messages."""

    message_no: int
    kind: str
    member_no: int
    channel: Literal["email", "sms"]
    facts: dict[str, Any]
    tries: int
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
    purpose: Literal["service", "marketing"]
    erased: bool
    consents: bool
    consents_to_offers: bool | None
    suppressed: str | None
    stale: bool

    @property
    def file_name(self) -> str:
        """Where the file channel puts it, the same at every try."""
        return file_name(self.queued_on, self.message_no, self.kind, self.channel)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to claim: messages of these channels after a number, so many at most."""

    channels: Sequence[str]
    after: int
    most: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message; still queued means that it waits for `not_before`."""

    message_no: int
    state: Literal["sent", "withheld", "failed", "queued"]
    reason: str | None = None
    not_before: datetime | None = None


def deliver(as_of: datetime, *, limit_per_batch: int = BATCH) -> Delivered:
    """Deliver every queued message that is due at `as_of`, an aware instant, by the channels of the settings.

    Any number of deliveries may run at once: each message is sent by one of them. Raises Unavailable when the
    database or the disk fails; what was delivered until then stays so, and the next delivery does the rest.
    Raises NotMigrated before the first rules are installed, WrongUse for an empty batch, ConfigurationError when a
    channel lacks a setting or its provider refuses one; the other channels' messages are delivered nevertheless.
    """
    if limit_per_batch < 1:
        raise WrongUse(f"a batch has at least one message, not {limit_per_batch}")
    with transaction() as connection:
        sender, rules = _sender(connection, as_of)
        lapsed = Delivered(unknown=deliveries.mark_unknown(connection))
    with chosen_channels() as channels:
        stopped, lanes = threading.Event(), list[Lane]()
        ways = [_by_files(sender, files, as_of, limit_per_batch, stopped) for files in _filed(channels)]
        for name, channel, per_second in _provided(channels):
            lanes.append(
                Lane(channel, at_once=settings().send_at_once, per_second=per_second or channel.pace, as_of=as_of)
            )
            ways.append(_by_provider(sender, lanes[-1], name, as_of, limit_per_batch))
        ways.insert(0, lambda: _in_states(deliver_to_staff(channels.staff, rules, sender.zone, as_of)))
        return lapsed + _together(ways, [stopped.set, *(lane.stop for lane in lanes)])


def more_due(most: int, as_of: datetime) -> bool:
    """Whether more messages than that are due at `as_of`, an aware instant."""
    with transaction() as connection:
        due: int = run(connection, "outbox/count_due", as_of=as_of, most=most + 1).scalar_one()
        return due > most


Way = Callable[[], Delivered]


def _in_states(states: Counter[str]) -> Delivered:
    """What went through a provider; what is queued again was not taken."""
    return Delivered(
        sent=states["sent"],
        withheld=states["withheld"],
        failed=states["failed"],
        later=states["queued"],
        unknown=states["unknown"],
    )


def _filed(channels: Chosen) -> list[list[str]]:
    """The channels of the outbox that go into files, if there are any: they share their batches."""
    files = [name for name, channel in (("email", channels.email), ("sms", channels.sms)) if channel is None]
    return [files] if files else []


def _provided(channels: Chosen) -> list[tuple[str, Channel, float | None]]:
    """Those that go through a provider: name, channel, and how many a second."""
    pace = settings()
    every = (("email", channels.email, pace.email_per_second), ("sms", channels.sms, pace.sms_per_second))
    return [(name, channel, per_second) for name, channel, per_second in every if channel is not None]


def _together(ways: Sequence[Way], stops: Sequence[Callable[[], None]]) -> Delivered:
    """Go all ways at the same time, each to its end; then raise what the first of them failed with."""
    with ThreadPoolExecutor(len(ways), "loyalty-delivery") as threads:
        going = [threads.submit(way) for way in ways]
        try:
            wait(going)
        except BaseException:  # told to end: what is under way is recorded still
            for stop in stops:
                stop()
            raise
        return sum((each.result() for each in going), Delivered())


def _by_files(sender: Sender, channels: Sequence[str], as_of: datetime, batch: int, stopped: threading.Event) -> Way:
    channel = file_channel()

    def way() -> Delivered:
        total, after = Delivered(), 0
        while not stopped.is_set():
            with transaction() as connection:
                claimed = _claim(connection, sender, Wanted(channels, after, batch), as_of)
                judged = permission.verdicts(connection, claimed, sender.policy, as_of)
                outcomes = [_file(channel, sender, each, judged[each.message_no], as_of) for each in claimed]
                _finish(connection, outcomes, as_of)
            total += _counted(outcomes)
            if len(claimed) < batch:
                return total
            after = claimed[-1].message_no
        return total

    return way


def _by_provider(sender: Sender, lane: Lane, channel: str, as_of: datetime, batch: int) -> Way:
    withheld = Delivered()

    def claim(connection: Connection, after: int, most: int) -> Taken:
        nonlocal withheld
        claimed = _claim(connection, sender, Wanted([channel], after, most), as_of)
        judged = permission.verdicts(connection, claimed, sender.policy, lane.now())  # evening may come meanwhile
        decided = [(each, *_decided(sender, each, judged[each.message_no], as_of)) for each in claimed]
        here = [outcome for _, outcome, letter in decided if letter is None]
        _finish(connection, here, as_of)
        withheld += _counted(here)
        ready = [Ready(letter, each.tries) for each, _, letter in decided if letter is not None]
        return Taken(len(claimed), claimed[-1].message_no if claimed else after, ready)

    def way() -> Delivered:
        carried = _in_states(lane.run(claim, batch))
        return withheld + carried

    return way


def _sender(connection: Connection, as_of: datetime) -> tuple[Sender, Programme]:
    found = run(connection, "reads/message_programme", as_of=as_of).one_or_none()
    if found is None:
        raise NotMigrated("no rules are installed: run `loyalty migrate`")
    rules = parse(found.document, f"version {found.version}")
    zone = ZoneInfo(found.time_zone)
    kept, links = permission.policy(rules, zone), unsubscribe.unsubscribing(connection, as_of)
    return Sender(found.version, rules.name, rules.languages, zone, kept, links, settings().brand_sender), rules


def _claim(connection: Connection, sender: Sender, wanted: Wanted, as_of: datetime) -> list[Claimed]:
    rows = run(
        connection,
        "outbox/claim_messages",
        channels=list(wanted.channels),
        after=wanted.after,
        batch=wanted.most,
        as_of=as_of,
        version=sender.version,
    )
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


def _file(channel: FileChannel, sender: Sender, claimed: Claimed, judged: Verdict, as_of: datetime) -> Outcome:
    """Write one message's file, unless it must not go (now); then a file that a crashed try left goes away."""
    outcome, letter = _decided(sender, claimed, judged, as_of)
    if letter is None:
        channel.remove(claimed.file_name)
    else:
        channel.write(claimed.file_name, letter.as_file())
    return outcome


def _decided(sender: Sender, claimed: Claimed, judged: Verdict, as_of: datetime) -> tuple[Outcome, Letter | None]:
    """What is to become of a message, and the letter if it is to be sent now."""
    number = claimed.message_no
    if judged.withheld:
        return Outcome(number, "withheld", judged.withheld), None
    address = _address(claimed)
    if address is None:
        return Outcome(number, "withheld", "wrong address"), None
    try:
        facts = read_facts(claimed.kind, claimed.facts)
        if facts.over_at is not None and facts.over_at <= as_of:
            return Outcome(number, "withheld", "stale"), None
        if judged.not_before:
            return Outcome(number, "queued", not_before=judged.not_before), None
        return Outcome(number, "sent"), _letter(sender, claimed, facts, address, as_of)
    except BadInput as error:
        return Outcome(number, "failed", str(error)), None


def _letter(sender: Sender, claimed: Claimed, facts: Facts, address: str, as_of: datetime) -> Letter:
    """The message in the member's words. Raises BadInput when the facts lack what the template tells."""
    link = _unsubscribe_link(sender, claimed)
    notice = Notice(claimed.kind, facts, claimed.first_name, _voucher(claimed, facts), claimed.multiplier, link)
    speaker = voice(claimed.language, sender.languages, sender.programme, sender.zone)
    return Letter(
        message_no=claimed.message_no,
        kind=claimed.kind,
        to=address,
        content=render_sms(notice, speaker) if claimed.channel == "sms" else render_email(notice, speaker),
        programme=speaker.programme,
        language=speaker.language,
        sent_at=as_of,
        sender=sender.address,
        headers=unsubscribe.headers(link),
    )


def _unsubscribe_link(sender: Sender, claimed: Claimed) -> str | None:
    """The link by which the member ends e-mails like this one; None where nobody could follow it."""
    if claimed.channel == "sms" or sender.unsubscribing is None:
        return None
    return sender.unsubscribing.link(unsubscribe.Asked(claimed.member_no, claimed.message_no, claimed.purpose))


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
    return telephone(claimed.address or "")
