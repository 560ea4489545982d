"""Word to staff about a run that went wrong, at once and without the database, which may be what went wrong."""

import hashlib
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from loyalty import clock
from loyalty.messages.brand import brand
from loyalty.messages.files import file_channel
from loyalty.messages.mail import mailbox
from loyalty.messages.staff_look import fill
from loyalty.settings import settings

LONGEST_LINE = 998  # of RFC 5322: no line is folded


def alert(subject: str, text: str) -> None:
    """Leave a message where the file channel leaves all of them, to LOYALTY_OPS_EMAIL or LOYALTY_STAFF_EMAIL, if known.

    The same one again on the same day is the same file. Raises Unavailable if the disk won't.
    """
    now = clock.now()
    email = EmailMessage(policy=SMTP.clone(max_line_length=LONGEST_LINE))
    email["From"] = formataddr(("Loyalty Flows", brand().sender))
    email["To"] = mailbox(settings().ops_email or settings().staff_email or "") or "staff:;"
    email["Subject"] = " ".join(subject.split())
    email["Date"] = format_datetime(now)
    email["Auto-Submitted"] = "auto-generated"
    fill(email, email["Subject"], text, "Loyalty Flows")
    words = "-".join(re.findall(r"[\w.]+", subject))[:80]
    mark = hashlib.sha256(f"{subject}\n{text}".encode()).hexdigest()[:8]
    file_channel().write(f"{now:%Y-%m-%d}/staff-{words}-{mark}.eml", email.as_bytes())
