"""A person erased, with the files that hold messages to them."""

from datetime import datetime

from loyalty.db import erasure
from loyalty.db.engine import transaction
from loyalty.db.erasure import Erased
from loyalty.messages.files import file_channel, file_name


def erase(customer_id: str, by: str, now: datetime) -> Erased:
    """Erase a person: identity, points, vouchers, and the files of the messages that were delivered.

    Raises what `loyalty.db.erasure.erase` does, and Unavailable if a file can't be removed: then nothing is done.
    """
    channel = file_channel()
    with transaction() as connection:
        done = erasure.erase(connection, customer_id, by, now)
        for each in done.files:  # before the commit: a file that stays would outlive all memory of whose it is
            channel.remove(file_name(each.queued_on, each.message_no, each.kind, each.channel))
    return done
