"""Messages to staff: what waits for a decision, reminders, one-time codes, gifts to send, limits that were reached.

They go through the file channel like all others, to LOYALTY_STAFF_EMAIL or LOYALTY_WAREHOUSE_EMAIL. A code is
drawn when its message is sent, and only its hash is kept, in the same transaction; a message sent again after a crash
has the only code that counts.
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
from loyalty.messages.brand import brand
from loyalty.messages.facts import read_facts
from loyalty.messages.files import FileChannel
from loyalty.messages.mail import mailbox
from loyalty.messages.staff_look import StaffNews, fill, staff_words
from loyalty.rules.programme import Programme
from loyalty.settings import settings

AT_ONCE = 100
GIFTS_AT_ONCE = 100  # in one message to the warehouse
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
    _tell_warehouse(as_of)
    sender = _Sender(rules, zone, as_of, channel)
    states: Counter[str] = Counter()
    while True:
        with transaction() as connection:
            batch = run(connection, "staff/claim_staff_messages", most=AT_ONCE, codes=rules.review_code).all()
            states.update(_send(connection, sender, row) for row in batch)
        if len(batch) < AT_ONCE:
            return states["sent"], states["withheld"]


def _tell_warehouse(as_of: datetime) -> None:
    """Queue a message about the gifts that nobody has told of, a bounded number of them in each."""
    while True:
        with transaction() as connection:
            if run(connection, "staff/tell_warehouse", most=GIFTS_AT_ONCE, recorded_at=as_of).one_or_none() is None:
                return


def _send(connection: Connection, sender: _Sender, row: Row[Any]) -> str:
    """Write one message's file, or withhold it; what became of it."""
    warehouse = settings().warehouse_email if row.kind == "gift_to_dispatch" else None
    to = mailbox(warehouse or settings().staff_email or "")
    reason = row.withheld or (None if to else "no address: set LOYALTY_STAFF_EMAIL")
    if reason is None and to is not None:
        code = None
        if sender.rules.review_code and row.kind in _CODED:
            code = one_time_codes.draw()
            hashed = one_time_codes.hashed(code, row.salt)
            run(connection, "approvals/keep_code", approval_no=row.approval_no, code_hash=hashed)
        name = f"{row.queued_on}/staff-{row.message_no:08}-{row.kind}.eml"
        approval = None if row.approval_no is None else approvals.read(connection, row.approval_no)
        sender.channel.write(name, _message(sender, row, approval, to, code))
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


def _message(sender: _Sender, row: Row[Any], approval: Approval | None, to: str, code: str | None) -> bytes:
    """The message as the file channel keeps it."""
    subject, text = staff_words(row.kind, sender.rules, sender.zone, _told(row, approval, code))
    email = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    email["From"] = formataddr((sender.rules.name, brand().sender))
    email["To"] = to
    email["Subject"] = subject
    email["Date"] = format_datetime(sender.as_of)
    email["Message-ID"] = f"<staff-{row.message_no}@{brand().domain}>"
    email["Auto-Submitted"] = "auto-generated"
    fill(email, subject, text, sender.rules.name)
    return email.as_bytes()


def _told(row: Row[Any], approval: Approval | None, code: str | None) -> StaffNews:
    ui = settings().prefect_ui_url
    return StaffNews(
        approval=approval,
        facts=None if row.facts is None else read_facts(row.kind, row.facts),
        code=code and one_time_codes.display(code),
        url=f"{ui.rstrip('/')}/v2/runs/flow-run/{row.flow_run_id}" if ui and row.flow_run_id else None,
    )
