"""Members over HTTP: enrolled, changed, shown, and their entries."""

import uuid
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.api.conftest import Server

FRESH = {
    "tier": "Bronze",
    "balance": 0,
    "available": 0,
    "pending": 0,
    "owed": 0,
    "qualifying_points": 0,
    "tier_since": None,
    "tier_held_until": None,
}


def test_a_put_enrols_and_then_changes(api: Server, till: httpx.Client, customer: str) -> None:
    """Law: the first PUT enrols (201), later ones change the member (200); what is left out stays, null empties."""
    first = till.put(f"/v1/members/{customer}", json={"email": "ada@example.com", "phone": "+1 555 555 0101"})
    again = till.put(f"/v1/members/{customer}", json={"first_name": "Ada", "phone": None, "sms_consent": True})
    assert (first.status_code, again.status_code) == (201, 200)
    enrolled_at = first.json()["enrolled_at"]
    assert first.json() == again.json() == {"customer_id": customer, **FRESH, "enrolled_at": enrolled_at}
    kept = api.execute(
        "select email, phone, first_name, email_consent, sms_consent from loyalty.members where customer_id = :id",
        id=customer,
    )
    assert kept == [("ada@example.com", None, "Ada", False, True)]
    assert till.get(f"/v1/members/{customer}").json() == again.json()


def test_an_empty_put_is_a_member_with_an_account(api: Server, till: httpx.Client, customer: str) -> None:
    """Law: no field is asked for; and a member has an account from its first instant."""
    assert till.put(f"/v1/members/{customer}", json={}).status_code == 201
    assert api.execute(
        "select count(*) from loyalty.accounts join loyalty.members using (member_no) where customer_id = :id",
        id=customer,
    ) == [(1,)]


@pytest.mark.parametrize("name", ["a/b", "Ünï-çødé", "a b", "50%", "x?y#z", "entries", "..x", "1" * 200])
def test_any_id_can_be_addressed(till: httpx.Client, customer: str, name: str) -> None:
    """Law: a customer_id is any line of text up to 200 characters; in an address it is percent-encoded."""
    own = (customer[-6:] + name)[:200]
    address = f"/v1/members/{quote(own, safe='')}"
    assert till.put(address, json={}).json()["customer_id"] == own
    assert till.get(address).json()["customer_id"] == own
    assert till.get(f"{address}/entries").json() == {"entries": [], "next_cursor": None}


def test_fields_that_cant_be_are_named(till: httpx.Client, customer: str) -> None:
    """Law: each wrong field is named by its JSON pointer, with what it must be, all at once; nothing is written."""
    wrong = {
        "email": "ada.example.com",
        "phone": "call me",
        "birthday": "2027-01-01",
        "time_zone": "Mars/Olympus",
        "language": "!",
    }
    refused = till.put(f"/v1/members/{customer}", json=wrong)
    assert refused.status_code == 422
    assert [(error["pointer"], error["detail"]) for error in refused.json()["errors"]] == [
        ("/email", "must be an e-mail address"),
        ("/phone", "must be a telephone number of 5 to 15 digits"),
        ("/birthday", "must not lie ahead"),
        ("/time_zone", "must be a zone of the tz database, such as Europe/London"),
        ("/language", "must be a language tag of BCP 47, such as en or pt-BR"),
    ]
    assert [value for value in wrong.values() if value in refused.text] == []
    assert till.get(f"/v1/members/{customer}").status_code == 404


def test_who_was_erased_stays_away(api: Server, till: httpx.Client, customer: str) -> None:
    """Law: an erased person is not found, and no PUT brings them back."""
    till.put(f"/v1/members/{customer}", json={})
    api.execute("update loyalty.members set erased_at = enrolled_at where customer_id = :id", id=customer)
    assert till.get(f"/v1/members/{customer}").status_code == 404
    assert till.get(f"/v1/members/{customer}/entries").status_code == 404
    refused = till.put(f"/v1/members/{customer}", json={"first_name": "Ada"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "the member is erased")


def test_an_erased_person_is_found_however_json_writes_them(api: Server, till: httpx.Client, customer: str) -> None:
    """Law: what an event said of an erased person is taken, though its sender wrote some letters as escapes."""
    sale = uuid.uuid4().hex
    written = customer.replace("-", r"\u002D")
    body = f'{{"transaction_id": "{sale}", "customer_id": "{written}", "amount": "1.00"}}'
    headers = {"Content-Type": "application/json"}
    assert till.post("/v1/purchases", content=body, headers=headers).status_code == 201
    said = "select body is not null from loyalty.inbox where event_id = :id"
    assert api.execute(said, id=sale) == [(True,)]
    assert till.delete(f"/v1/members/{customer}").status_code == 200
    assert api.execute(said, id=sale) == [(False,)]


def test_entries_come_in_pages(api: Server, till: httpx.Client, customer: str, tmp_path: Path) -> None:
    """Law: pages of any size, one after the other, are the member's entries as they are exported, each once."""
    file = tmp_path / "rows.csv"
    rows = [f"{customer}-{month},{customer},2025-{month:02}-05T10:00:00Z,{month * 10}.00" for month in range(8, 13)]
    file.write_text("\n".join(["transaction_id,customer_id,occurred_at,amount", *rows]))
    assert api.command("import", "transactions", str(file)).returncode == 0
    assert api.command("backfill", "2025-08", "2025-12").returncode == 0

    address = f"/v1/members/{customer}/entries"
    whole = till.get(address).json()
    assert [(entry["kind"], entry["points"], entry["period"]) for entry in whole["entries"]] == [
        ("earn", month, f"2025-{month:02}") for month in range(8, 13)
    ]
    assert whole["next_cursor"] is None
    pages, cursor = [], ""
    while True:
        page = till.get(address, params={"limit": "2"} | ({"cursor": cursor} if cursor else {})).json()
        pages.append(page["entries"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [entry for page in pages for entry in page] == whole["entries"]
    shown = till.get(f"/v1/members/{customer}").json()
    assert (shown["balance"], shown["available"], shown["qualifying_points"]) == (50, 50, 50)
