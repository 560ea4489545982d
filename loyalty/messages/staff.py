"""Messages to staff: what waits for a decision, reminders, one-time codes, gifts to send, limits that were reached.

They are in the programme's first language, and go by LOYALTY_STAFF_CHANNEL: into files or by e-mail, to
LOYALTY_STAFF_EMAIL or LOYALTY_WAREHOUSE_EMAIL, or to a channel of Slack. A code is drawn when its message is sent, and
only its hash is kept, in the same transaction; of a message sent again the last code is the only one that counts.
"""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from loyalty.db import approvals, deliveries, one_time_codes
from loyalty.db.approvals import Approval
from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.errors import ConfigurationError
from loyalty.messages.brand import brand
from loyalty.messages.channels.channel import Channel, Letter, NotSent
from loyalty.messages.courier import recorded
from loyalty.messages.facts import read_facts
from loyalty.messages.files import file_channel
from loyalty.messages.mail import Email, mailbox
from loyalty.messages.staff_look import StaffNews, fill, staff_html, staff_voice, staff_words
from loyalty.messages.voice import Voice
from loyalty.rules.programme import Programme
from loyalty.settings import settings

AT_ONCE = 100
GIFTS_AT_ONCE = 100  # in one message to the warehouse
LONGEST_PAUSE = 60  # seconds for which a delivery waits for the channel
LONGEST_LINE = 998  # of RFC 5322: no line is folded
_CODED = ("review_waiting", "review_code")  # the kinds that bring a code, where the rules ask for one


@dataclass(frozen=True, slots=True)
class _Sender:
    rules: Programme
    zone: ZoneInfo
    as_of: datetime


def deliver_to_staff(channel: Channel | None, rules: Programme, zone: ZoneInfo, as_of: datetime) -> Counter[str]:
    """Deliver every queued message to managers, through a provider or, without one, by files; how many became what.

    The states are those of the outbox, "queued" for one to be tried again. Any number of deliveries may run at once.
    Raises Unavailable when the database or the disk fails, ConfigurationError when the provider refuses us.
    """
    _tell_warehouse(as_of)
    sender = _Sender(rules, zone, as_of)
    return _by_files(sender) if channel is None else _by_provider(sender, channel)


def _by_files(sender: _Sender) -> Counter[str]:
    """Write each message's file, or withhold it: claimed, written and recorded in one transaction."""
    states: Counter[str] = Counter()
    while True:
        with transaction() as connection:
            batch = _claim(connection, sender, 0, AT_ONCE)
            for row in batch:
                letter, reason = _prepared(connection, sender, row)
                if letter is not None:
                    name = f"{row.queued_on}/staff-{row.message_no:08}-{row.kind}.eml"
                    file_channel().write(name, letter.as_file())
                state = "withheld" if letter is None else "sent"
                _finish(connection, sender, row, state, reason)
                states[state] += 1
        if len(batch) < AT_ONCE:
            return states


def _tell_warehouse(as_of: datetime) -> None:
    """Queue a message about the gifts that nobody has told of, a bounded number of them in each."""
    while True:
        with transaction() as connection:
            if run(connection, "staff/tell_warehouse", most=GIFTS_AT_ONCE, recorded_at=as_of).one_or_none() is None:
                return


def _by_provider(sender: _Sender, channel: Channel) -> Counter[str]:
    """Send one message after the other: taken in hand and committed, sent, recorded. Trouble leaves the rest queued."""
    states: Counter[str] = Counter()
    with transaction() as connection:
        lapsed_before = datetime.now(UTC) - deliveries.GRACE
        states["unknown"] += run(connection, "staff/mark_staff_unknown", lapsed_before=lapsed_before).rowcount
    after = 0
    while _may_go(channel):
        with transaction() as connection:
            rows = _claim(connection, sender, after, 1)
            if not rows:
                break
            [row] = rows
            letter, reason = _prepared(connection, sender, row)
            state = "withheld" if letter is None else "sending"
            _finish(connection, sender, row, state, reason)
        if letter is not None:
            state = _sent(channel, letter, sender, row)
        states[state] += 1
        if state in {"queued", "unknown"}:
            break
        after = row.message_no
    return states


def _may_go(channel: Channel) -> bool:
    """Whether the next message may go now, after a short wait where the channel has a pace of its own."""
    for _ in range(LONGEST_PAUSE):
        with transaction() as connection:
            share, wait = deliveries.take_share(connection, channel.provider, 1, channel.pace)
        if share:
            return True
        time.sleep(min(wait, 1.0))
    return False


def _sent(channel: Channel, letter: Letter, sender: _Sender, row: Row[Any]) -> str:
    """Try one message once, and record what became of it. Raises ConfigurationError when the provider refuses us."""
    try:
        sent = channel.send(letter)
    except ConfigurationError:  # the message did not go, and waits for better settings
        with transaction() as connection:
            _finish(connection, sender, row, "queued", None)
        raise
    told = recorded(row.message_no, sent, row.tries, sender.as_of)
    with transaction() as connection:
        _finish(connection, sender, row, told.state, told.reason, not_before=told.not_before)
        if isinstance(sent, NotSent) and sent.wait:
            deliveries.rest(connection, channel.provider, sent.wait)
    return told.state


def _claim(connection: Connection, sender: _Sender, after: int, most: int) -> list[Row[Any]]:
    codes = sender.rules.review_code
    rows = run(connection, "staff/claim_staff_messages", after=after, most=most, codes=codes, as_of=sender.as_of)
    return list(rows.all())


def _finish(
    connection: Connection,
    sender: _Sender,
    row: Row[Any],
    state: str,
    reason: str | None,
    *,
    not_before: datetime | None = None,
) -> None:
    run(
        connection,
        "staff/finish_staff_message",
        message_no=row.message_no,
        state=state,
        reason=reason,
        as_of=sender.as_of,
        not_before=not_before,
        claimed_until=datetime.now(UTC) + deliveries.LEASE if state == "sending" else None,
    )


def _prepared(connection: Connection, sender: _Sender, row: Row[Any]) -> tuple[Letter | None, str | None]:
    """The message ready to go, with a new code where it brings one; or None, and the reason to withhold it."""
    warehouse = settings().warehouse_email if row.kind == "gift_to_dispatch" else None
    to = mailbox(warehouse or settings().staff_email or "")
    if settings().staff_channel == "slack":
        to = "staff"  # the webhook fixes who reads it
    if row.withheld or to is None:
        return None, row.withheld or "no address: set LOYALTY_STAFF_EMAIL"
    code = None
    if sender.rules.review_code and row.kind in _CODED:
        code = one_time_codes.draw()
        hashed = one_time_codes.hashed(code, row.salt)
        run(connection, "approvals/keep_code", approval_no=row.approval_no, code_hash=hashed)
    approval = None if row.approval_no is None else approvals.read(connection, row.approval_no)
    return _letter(sender, _told(row, approval, code), row, to), None


def _letter(sender: _Sender, news: StaffNews, row: Row[Any], to: str) -> Letter:
    """The message in words."""
    speaker = staff_voice(row.kind, sender.rules.languages, sender.rules.name, sender.zone)
    subject, text = staff_words(row.kind, sender.rules, speaker, news)
    return Letter(
        message_no=row.message_no,
        kind=row.kind,
        to=to,
        content=Email(subject, html=staff_html(subject, text, speaker), text=text, language=speaker.language),
        programme=speaker.programme,
        language=speaker.language,
        sent_at=sender.as_of,
        sender=settings().brand_sender,
        to_staff=True,
        raw=_raw(sender, speaker, (subject, text), row, to),
    )


def _raw(sender: _Sender, speaker: Voice, words: tuple[str, str], row: Row[Any], to: str) -> bytes:
    """The message as files and mail servers take it."""
    subject, text = words
    email = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    email["From"] = formataddr((speaker.programme, brand().sender))
    email["To"] = to
    email["Subject"] = subject
    email["Date"] = format_datetime(sender.as_of)
    email["Message-ID"] = f"<staff-{row.message_no}@{brand().domain}>"
    email["Auto-Submitted"] = "auto-generated"
    fill(email, subject, text, speaker)
    return email.as_bytes()


def _told(row: Row[Any], approval: Approval | None, code: str | None) -> StaffNews:
    ui = settings().prefect_ui_url
    return StaffNews(
        approval=approval,
        facts=None if row.facts is None else read_facts(row.kind, row.facts),
        code=code and one_time_codes.display(code),
        url=f"{ui.rstrip('/')}/v2/runs/flow-run/{row.flow_run_id}" if ui and row.flow_run_id else None,
    )
