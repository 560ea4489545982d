"""Consents that come by file, by the API and by staff: each change is an event, and none is ever changed."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.cli import run
from loyalty.db import consents, enrolment
from loyalty.db.engine import transaction
from loyalty.db.imports import import_members
from loyalty.errors import Refused
from tests.messages.conftest import Shop, shop

__all__ = ["shop"]

NOW = datetime(2018, 1, 15, 17, tzinfo=UTC)
CONSENT = "select email_consent, sms_consent from loyalty.members where customer_id = :customer_id"


def events(customer_id: str = "C1") -> list[tuple[Any, ...]]:
    """Every consent of a member: channel, purpose, given, source, wording."""
    with transaction() as connection:
        rows = consents.history(connection, enrolment.number(connection, customer_id))
    return [tuple(row[name] for name in ("channel", "purpose", "given", "source", "wording")) for row in rows]


def put(minute: int, **given: Any) -> None:
    """Write a member's fields, as the API does, so many minutes from now."""
    with transaction() as connection:
        enrolment.put_member(connection, "C1", given, NOW + timedelta(minutes=minute))


def test_the_api_keeps_what_changes(shop: Shop) -> None:
    """Law: a consent that is given or withdrawn is an event with its words; one that is said again is not."""
    put(0, email_consent=True, consent_wording="Yes, write to me")
    put(1, email_consent=True, first_name="Ana")
    put(2, email_consent=False, sms_consent=True)
    put(3, sms_offers=True, email_offers=False)
    put(4, sms_offers=True)
    put(5, sms_offers=None, first_name="Anna")

    assert events() == [
        ("email", "service", True, "api", "Yes, write to me"),
        ("email", "service", False, "api", None),
        ("sms", "service", True, "api", None),
        ("email", "marketing", False, "api", None),
        ("sms", "marketing", True, "api", None),
    ]
    assert shop.execute(CONSENT, customer_id="C1") == [(False, True)]


def test_a_file_keeps_what_changes(shop: Shop, tmp_path: Path) -> None:
    """Law: a file of members leaves an event for each consent given by new members, or changed of known ones."""
    file = tmp_path / "members.csv"
    file.write_text("customer_id,email_consent,sms_consent\nC1,1,0\nC2,,1\nC3,,\n")
    import_members(file, consent_wording="the form of 2017")
    file.write_text("customer_id,email_consent,sms_consent\nC1,0,\nC2,1,1\nC3,,0\nC3,1,\n")
    import_members(file)
    import_members(file)

    form = "the form of 2017"
    assert [events(each) for each in ("C1", "C2", "C3")] == [
        [("email", "service", True, "import", form), ("email", "service", False, "import", None)],
        [("sms", "service", True, "import", form), ("email", "service", True, "import", None)],
        [("email", "service", True, "import", None)],
    ]


def test_events_are_never_changed(shop: Shop) -> None:
    """Law: the database refuses to change or remove a consent that was kept."""
    put(0, email_consent=True)
    for statement in ("update loyalty.consent_events set given = false", "delete from loyalty.consent_events"):
        with pytest.raises(Refused, match=r"loyalty\.consent_events is append-only"), transaction() as connection:
            connection.execute(text(statement))


def test_staff_note_and_lift(shop: Shop, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: by command a consent is given or withdrawn in somebody's name, and a suppression lifted."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "America/New_York")
    monkeypatch.setenv("LOYALTY_CLOCK", NOW.isoformat())
    shop.member()
    words = ["C1", "email", "--by", "anna"]
    assert run(["consents", "withdraw", *words, "--wording", "on the telephone"]) == 0
    assert run(["consents", "give", *words, "--offers"]) == 0
    assert events() == [
        ("email", "service", False, "staff anna", "on the telephone"),
        ("email", "marketing", True, "staff anna", None),
    ]
    assert run(["consents", "lift", *words]) == 1
    with transaction() as connection:
        bounced = consents.Suppression("c1@example.test", "bounced", NOW)
        consents.suppress(connection, "email", [bounced], "sendgrid")
    assert run(["consents", "lift", *words]) == 0
    assert run(["consents", "show", "C1"]) == 0
    shown = [re.sub(r"2018-01-15 17:..Z", "at", " ".join(line.split())) for line in capfd.readouterr().out.splitlines()]
    assert shown[:3] == [
        "the consent to service by email is withdrawn",
        "the consent to marketing by email is given",
        "what was said against the email address is lifted",
    ]
    assert "at email service withdrawn staff anna on the telephone" in shown
    assert "at email bounced sendgrid at anna" in shown
    assert run(["consents", "show", "nobody"]) == 1
