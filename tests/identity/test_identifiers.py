"""By what members are known, and that it is kept in step however members come and change."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db.engine import transaction
from loyalty.db.identity import PlatformId, Suggestion, find_member, know_by, suggestions
from loyalty.db.imports import import_members
from loyalty.errors import Refused
from tests.identity.conftest import put
from tests.till.conftest import Shop


def find(**by: Any) -> int | None:
    """The member found."""
    with transaction() as connection:
        return find_member(connection, **by)


def known() -> list[tuple[str, str, int]]:
    """All e-mail addresses and telephone numbers that members are known by."""
    with transaction() as connection:
        rows = connection.execute(text("select kind, value, member_no from loyalty.identifiers order by 1, 2, 3"))
        return [(row.kind, row.value, row.member_no) for row in rows]


def test_the_strongest_identifier_wins(shop: Shop) -> None:
    """Law: customer_id, platform's id, e-mail address, telephone number: the first that is known says who it is."""
    shop()
    ada = put("ada", email="Ada@Example.com", phone="+44 20 7946 0001")
    bob = put("bob", email="bob@example.com", phone="+442079460002")
    with transaction() as connection:
        know_by(connection, bob, PlatformId("shop", "7"))
        know_by(connection, bob, PlatformId("shop", "7"))

    assert find(customer_id="ada", platform_id=PlatformId("shop", "7"), email="bob@example.com") == ada
    assert find(customer_id="nobody", platform_id=PlatformId("shop", "7"), email="ada@example.com") == bob
    assert find(platform_id=PlatformId("shop", "8"), email="ADA@example.COM", phone="+442079460002") == ada
    assert find(email="eve@example.com", phone="+44 (0)20 7946 0002") == bob
    assert find(email="eve@example.com", phone="no number") is None
    with transaction() as connection, pytest.raises(Refused, match="another member's"):
        know_by(connection, ada, PlatformId("shop", "7"))


def test_an_address_is_only_folded(shop: Shop) -> None:
    """Law: dots and plus signs are part of an address; only its case is not."""
    shop()
    put("ada", email="a.b+c@example.com")
    assert (find(email="ab@example.com"), find(email="a.b@example.com")) == (None, None)


def test_a_number_without_a_country_needs_the_setting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: 020 7946 0001 is nobody's number until LOYALTY_PHONE_REGION says where."""
    shop()
    put("ada", phone="020 7946 0001")
    assert find(phone="+442079460001") is None
    monkeypatch.setenv("LOYALTY_PHONE_REGION", "GB")
    ada = put("ada", phone="020 7946 0001")
    assert (find(phone="+442079460001"), find(phone="(020) 79460001")) == (ada, ada)


def test_a_shared_address_identifies_nobody(shop: Shop) -> None:
    """Law: two members of one address are suggested, never merged; the next identifier decides, or nobody does."""
    shop()
    ada = put("ada", email="home@example.com", phone="+442079460001")
    bob = put("bob", email="HOME@example.com")
    with transaction() as connection:
        assert suggestions(connection) == [Suggestion(ada, bob, ("email",))]
    assert find(email="home@example.com", phone="+442079460001") == ada
    with pytest.raises(Refused, match="identifies none of them"):
        find(email="home@example.com")

    put("bob", email="bob@example.com")
    assert find(email="home@example.com") == ada


def test_files_and_puts_keep_the_same_identifiers(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: however an address or number comes, and is replaced, the same identifiers stand."""
    shop()
    monkeypatch.setenv("LOYALTY_PHONE_REGION", "GB")
    first = ("Ada@Example.com", "+442079460001"), ("x@example.com", "020 7946 0002"), (None, "+44 (0) 2079460003")
    then = ("ada@new.example.com", None), (None, "+441632960001"), ("c@example.com", "12345")
    for given in (first, then):
        for number, (email, phone) in enumerate(given):
            put(f"P{number}", **{k: v for k, v in {"email": email, "phone": phone}.items() if v})
    by_put = known()
    file = tmp_path / "members.csv"
    for given in (first, then, then):
        lines = [f"F{number},{email or ''},{phone or ''}" for number, (email, phone) in enumerate(given)]
        file.write_text("\n".join(["customer_id,email,phone", *lines, ""]))
        assert import_members(file).rejected == 0
    with transaction() as connection:
        rows = connection.execute(text("select member_no, customer_id from loyalty.members"))
        numbers: dict[int, str] = {row.member_no: row.customer_id for row in rows}

    by_file = [row for row in known() if row not in by_put]
    assert [(kind, value, numbers[member][1]) for kind, value, member in by_put] == [
        ("email", "ada@new.example.com", "0"),
        ("email", "c@example.com", "2"),
        ("email", "x@example.com", "1"),
        ("phone", "+441632960001", "1"),
        ("phone", "+442079460001", "0"),
    ]
    assert [(k, v, numbers[m][1]) for k, v, m in by_file] == [(k, v, numbers[m][1]) for k, v, m in by_put]
