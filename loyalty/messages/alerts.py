"""Word to staff about a run that went wrong, at once and without the database, which may be what went wrong.

It is always left as a file, which says that staff were told already, and goes out by LOYALTY_STAFF_CHANNEL as well. The
words are the caller's; what stands around them is in their language.
"""

import hashlib
import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from zoneinfo import ZoneInfo

from loyalty import clock
from loyalty.errors import ConfigurationError, Unavailable
from loyalty.messages.brand import brand
from loyalty.messages.channels.channel import Accepted, Letter
from loyalty.messages.channels.chosen import chosen_channels
from loyalty.messages.files import file_channel
from loyalty.messages.mail import Email, mailbox
from loyalty.messages.staff_look import RUN_FAILED, fill, staff_voice
from loyalty.messages.voice import Voice
from loyalty.messages.wording import LAST_RESORT
from loyalty.settings import settings

SENDER = "Loyalty Flows"
LONGEST_LINE = 998  # of RFC 5322: no line is folded


def alert(subject: str, text: str, language: str = LAST_RESORT) -> None:
    """Leave a message where the file channel leaves all of them, and send it by the staff's channel if that is another.

    It is to LOYALTY_OPS_EMAIL or, without it, LOYALTY_STAFF_EMAIL. `language` is that of its words.

    The same one again on the same day is the same file, and is not sent again. Raises Unavailable if the disk won't, or
    if the provider did not take it or did not say; ConfigurationError if a setting of the channel is wrong.
    """
    now = clock.now()
    speaker = staff_voice(RUN_FAILED, (language,), SENDER, ZoneInfo("UTC"))
    email = _email(subject, text, speaker, now)
    words = "-".join(re.findall(r"[\w.]+", subject))[:80]
    mark = hashlib.sha256(f"{subject}\n{text}".encode()).hexdigest()[:8]
    name = f"{now:%Y-%m-%d}/staff-{words}-{mark}.eml"
    if file_channel().has(name):
        return
    file_channel().write(name, email.as_bytes())
    if settings().staff_channel != "file":
        _send(email, text, speaker, now)


def _send(email: EmailMessage, text: str, speaker: Voice, now: datetime) -> None:
    page = email.get_body(("html",))
    with chosen_channels() as channels:
        channel = channels.staff
        if channel is None:  # e-mails are files as well
            return
        to = _ops() or ""
        if channel.provider != "slack" and not to:
            raise ConfigurationError("LOYALTY_STAFF_EMAIL", "is missing: staff are told by e-mail")
        letter = Letter(
            message_no=0,
            kind="staff",
            to=to,
            content=Email(email["Subject"], page.get_content() if page else "", f"{text.strip()}\n", speaker.language),
            programme=SENDER,
            language=speaker.language,
            sent_at=now,
            sender=settings().brand_sender,
            raw=email.as_bytes(),
            to_staff=True,
        )
        sent = channel.send(letter)
        if not isinstance(sent, Accepted):
            raise Unavailable(f"staff may not have been told: {sent.reason}")


def _email(subject: str, text: str, speaker: Voice, now: datetime) -> EmailMessage:
    email = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    email["From"] = formataddr((SENDER, brand().sender))
    email["To"] = _ops() or "staff:;"
    email["Subject"] = " ".join(subject.split())
    email["Date"] = format_datetime(now)
    email["Auto-Submitted"] = "auto-generated"
    fill(email, email["Subject"], text, speaker)
    return email


def _ops() -> str | None:
    return mailbox(settings().ops_email or settings().staff_email or "")
