"""Messages to the programme's managers: what waits for a decision, reminders, what nobody decided, one-time codes.

They go through the file channel like all others, to LOYALTY_STAFF_EMAIL. A code is drawn when its message is sent, and
only its hash is kept, in the same transaction; a message sent again after a crash has the only code that counts.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from loyalty.db import approvals, one_time_codes
from loyalty.db.approvals import Approval
from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.messages.files import FileChannel
from loyalty.messages.mail import DOMAIN, mailbox
from loyalty.messages.rendering import environment
from loyalty.rules.programme import Programme
from loyalty.settings import settings

AT_ONCE = 100
LONGEST_LINE = 998  # of RFC 5322: no line is folded
_CODED = ("review_waiting", "review_code")  # the kinds that bring a code, where the rules ask for one


@dataclass(frozen=True, slots=True)
class _Sender:
    rules: Programme
    zone: ZoneInfo
    as_of: datetime
    channel: FileChannel


def deliver_to_staff(channel: FileChannel, rules: Programme, zone: ZoneInfo, as_of: datetime) -> tuple[int, int]:
    """Deliver every queued message to managers; how many were sent, and how many withheld, each with its reason.

    Any number of deliveries may run at once. Raises Unavailable when the database or the disk fails.
    """
    sender = _Sender(rules, zone, as_of, channel)
    states: Counter[str] = Counter()
    while True:
        with transaction() as connection:
            batch = run(connection, "staff/claim_staff_messages", most=AT_ONCE, codes=rules.review_code).all()
            states.update(_send(connection, sender, row) for row in batch)
        if len(batch) < AT_ONCE:
            return states["sent"], states["withheld"]


def _send(connection: Connection, sender: _Sender, row: Row[Any]) -> str:
    """Write one message's file, or withhold it; what became of it."""
    to = mailbox(settings().staff_email or "")
    reason = row.withheld or (None if to else "no address: set LOYALTY_STAFF_EMAIL")
    if reason is None and to is not None:
        code = None
        if sender.rules.review_code and row.kind in _CODED:
            code = one_time_codes.draw()
            hashed = one_time_codes.hashed(code, row.salt)
            run(connection, "approvals/keep_code", approval_no=row.approval_no, code_hash=hashed)
        name = f"{row.queued_on}/staff-{row.message_no:08}-{row.kind}.eml"
        if row.approval_no is None:
            told = _held(row)
        else:
            told = _asked(sender, approvals.read(connection, row.approval_no), row, code)
        sender.channel.write(name, _message(sender, row, to, told))
    state = "withheld" if reason else "sent"
    run(
        connection,
        "staff/finish_staff_message",
        message_no=row.message_no,
        state=state,
        reason=reason,
        as_of=sender.as_of,
    )
    return state


def _held(row: Row[Any]) -> str:
    """What is said of an event that breaks a limit: never whose it is."""
    template = environment("text").get_template(f"staff/{row.kind}.j2")
    return template.render(number=row.event_no, kind=row.event_kind, reason=row.event_reason)


def _asked(sender: _Sender, approval: Approval, row: Row[Any], code: str | None) -> str:
    """What is said of an approval."""
    ui = settings().prefect_ui_url
    return (
        environment("text")
        .get_template(f"staff/{row.kind}.j2")
        .render(
            what=f"{approval.name[0].upper()}{approval.name[1:]}",
            approval=approval,
            due=f"{approval.due_at.astimezone(sender.zone):%Y-%m-%d %H:%M}",
            lapses=sender.rules.review_overdue == "lapse",
            codes=sender.rules.review_code,
            code=code and one_time_codes.display(code),
            url=f"{ui.rstrip('/')}/v2/runs/flow-run/{row.flow_run_id}" if ui and row.flow_run_id else None,
        )
    )


def _message(sender: _Sender, row: Row[Any], to: str, told: str) -> bytes:
    """The message as the file channel keeps it; the first line told is its subject."""
    subject, _, text = told.lstrip().partition("\n")
    email = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    email["From"] = formataddr((sender.rules.name, f"no-reply@{DOMAIN}"))
    email["To"] = to
    email["Subject"] = " ".join(subject.split())
    email["Date"] = format_datetime(sender.as_of)
    email["Message-ID"] = f"<staff-{row.message_no}@{DOMAIN}>"
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(f"{text.strip()}\n")
    return email.as_bytes()
