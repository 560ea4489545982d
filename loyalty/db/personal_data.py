"""All that is held on a person, in one document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from loyalty.db.identity import find_member
from loyalty.db.scrubbing import events_about, words_of
from loyalty.db.statements import run
from loyalty.errors import NotFound


def export(connection: Connection, customer_id: str, now: datetime) -> Mapping[str, Any]:
    """Read all that is held on a person, of every member merged into it too; lists are empty where nothing is.

    Raises NotFound for nobody, Refused for who is erased.
    """
    member_no = find_member(connection, customer_id=customer_id)
    if member_no is None:
        raise NotFound("there is no member with this customer_id")
    found = run(connection, "identity/export_member", member_no=member_no, at=now).scalar_one()
    members = [member["member_no"] for member in found["members"]]
    document = {name: found[name] or [] for name in found}
    document["events"] = [
        {"source": event.source, "event_id": event.event_id, "said": bytes(event.body).decode("utf-8", "replace")}
        for event in events_about(connection, words_of(connection, members))
        if event.body is not None
    ]
    return {"customer_id": customer_id, "member_no": member_no, **document}
