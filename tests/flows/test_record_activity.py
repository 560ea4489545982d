"""Shares, check-ins and referrals recorded from the Prefect UI's form."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import URL, text

from flows.record_activity import check_fields
from loyalty import clock
from loyalty.db import check_ins, triggers
from loyalty.db.engine import connect, transaction
from loyalty.errors import WrongUse
from tests.flows.conftest import Command, Prefect
from tests.identity.conftest import put
from tests.model import DEFAULT
from tests.till.till_product import install_keys

GIVEN = {"share_points": 3, "check_in_points": 4, "referral_points": 30, "referred_points": 10}
BRINGS = "30 points to who referred and 10 to who came, once the latter has bought"


def activities() -> list[tuple[str, int, int]]:
    """What was given, and the referrals: kind, member and points."""
    query = (
        "select kind::text, member_no, points from loyalty.grants"
        " union all select 'referred', referred_no, referred_points from loyalty.referrals order by 1, 2"
    )
    with connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_what_members_do_is_recorded_from_the_form(
    shop: URL, prefect_server: Prefect, run_flow: Command, run_again: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law (13): each gives what the rules give, by member numbers; a refusal is the run's message.

    The same run begun again, even on the next day, tells what it told and changes nothing.
    """
    install_keys(DEFAULT, GIVEN)
    came, now = put("C9"), clock.now()
    with transaction() as connection:
        location = check_ins.add_location(connection, "Soho", now)
        code = check_ins.code(connection, location, triggers.today(connection, now), now)
    asked = [
        {"what": "share", "member": 1, "channel": "instagram"},
        {"what": "check_in", "member": 2, "code": code},
        {"what": "referral", "member": came, "referrer": 1},
        {"what": "share", "member": 1, "channel": "instagram"},
    ]
    notes = [uuid.uuid4().hex for _ in asked]
    codes = [run_flow("record_activity", note, **told).returncode for note, told in zip(notes, asked, strict=True)]
    runs = [prefect_server.runs(note)[0] for note in notes]

    assert codes == [0, 0, 0, 1]
    assert [(run["name"], run["state"]["message"]) for run in runs] == [
        ("share of M1", "3 points, balance 3"),
        ("check_in of M2", "checked in at Soho on 2026-04-02: 4 points, balance 4"),
        (f"referral of M{came}", f"referral 1: {BRINGS}"),
        ("share of M1", "points for sharing on this channel were given today already"),
    ]
    recorded = [("check_in", 2, 4), ("referred", came, 10), ("share", 1, 3)]
    assert activities() == recorded

    monkeypatch.setenv("LOYALTY_CLOCK", (now + timedelta(days=1)).isoformat())
    again = run_again("record_activity", runs[0]["id"])
    assert again.returncode == 0, again.stderr
    [told] = prefect_server.runs(notes[0])
    assert (told["run_count"], told["state"]["message"]) == (2, "3 points, balance 3")
    assert activities() == recorded


def test_a_form_takes_the_one_field_that_the_activity_needs() -> None:
    """Law: what is missing is asked for by its name, and what doesn't belong there isn't passed over."""
    check_fields("referral", {"channel": "", "code": "", "referrer": 7})
    with pytest.raises(WrongUse, match="code must be given for a check-in"):
        check_fields("check_in", {"channel": "", "code": "", "referrer": None})
    with pytest.raises(WrongUse, match="channel must be left empty for a check-in"):
        check_fields("check_in", {"channel": "x", "code": "LOYALTY:1", "referrer": None})
