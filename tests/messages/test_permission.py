"""Who may be sent what, and when: consent, addresses given up, offers, hours; each reason is kept and counted."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.db import consents
from loyalty.db.consents import Consent, Suppression
from loyalty.db.engine import connect, transaction
from loyalty.messages.delivery import Delivered, deliver
from loyalty.messages.permission import MAY_GO, Policy, Verdict, verdict, verdicts
from loyalty.messages.preview import SAMPLES
from loyalty.messages.quiet_hours import SendingHours
from loyalty.reports import health
from tests.messages.conftest import QUEUED_AT, Shop

NOON = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
NIGHT = datetime.fromisoformat("2018-01-15T23:00:00-05:00")
MORNING = datetime.fromisoformat("2018-01-16T08:00:00-05:00")
DAY = timedelta(days=1)
DOWN = SAMPLES["tier_changed_down"]
LOCKED = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
RULES = Policy(SendingHours(time(8), time(21)), False, "included", 2, ZoneInfo("America/New_York"))


@dataclass(frozen=True)
class Asked:
    """A message that may go, but for what a test changes."""

    message_no: int = 1
    member_no: int = 1
    channel: Literal["email", "sms"] = "email"
    purpose: Literal["service", "marketing"] = "marketing"
    facts: dict[str, Any] = field(default_factory=dict)
    address: str | None = "a@example.test"
    time_zone: str | None = None
    erased: bool = False
    consents: bool = True
    consents_to_offers: bool | None = None
    suppressed: str | None = None
    stale: bool = False


REASONS: list[tuple[dict[str, Any], str]] = [
    ({"erased": True}, "erased"),
    ({"consents": False}, "no consent"),
    ({"consents_to_offers": False}, "no consent to offers"),
    ({"address": " "}, "no address"),
    ({"suppressed": "bounced"}, "suppressed: bounced"),
    ({"stale": True}, "stale"),
    ({"facts": {"expires_at": NOON.isoformat()}}, "stale"),
]


def test_what_forbids_nothing_goes() -> None:
    """Law: a message that nothing speaks against may go, and what does is named."""
    assert verdict(Asked(), RULES, NOON) == MAY_GO
    for changed, reason in REASONS:
        assert verdict(replace(Asked(), **changed), RULES, NOON) == Verdict(withheld=reason)
    assert verdict(Asked(), RULES, NOON, offers=2) == Verdict(withheld="too many offers in a week")
    assert verdict(replace(Asked(), facts={"expires_at": "soon"}), RULES, NOON) == MAY_GO


@given(st.sets(st.integers(0, len(REASONS) - 1)), st.integers(0, 4), st.sampled_from([NOON, NIGHT]))
def test_the_first_of_several_reasons_is_told(wrong: set[int], offers: int, as_of: datetime) -> None:
    """Law: whoever is gone or agrees no more is told before addresses and content; a wait comes after every reason."""
    changed = {name: value for index in sorted(wrong) for name, value in REASONS[index][0].items()}
    found = verdict(replace(Asked(channel="sms"), **changed), RULES, as_of, offers)

    reasons = [REASONS[index][1] for index in sorted(wrong)] + ["too many offers in a week"] * (offers >= 2)
    waits = MORNING.astimezone(UTC) if as_of == NIGHT else None
    assert found == (Verdict(withheld=reasons[0]) if reasons else Verdict(not_before=waits))


def test_a_service_is_no_offer() -> None:
    """Law: what was said of offers, and how many there were, speaks against no other message."""
    service = Asked(purpose="service", consents_to_offers=False)

    assert verdict(service, RULES, NOON, offers=9) == MAY_GO
    assert verdict(service, replace(RULES, offers_consent="separate"), NOON) == MAY_GO


def test_offers_need_a_consent_of_their_own_where_the_rules_say_so() -> None:
    """Law: with `separate` only who agreed to offers gets them; with `included` all but who took that back."""
    said = (None, True, False)
    for kept, may in ((RULES, [True, True, False]), (replace(RULES, offers_consent="separate"), [False, True, False])):
        assert [verdict(replace(Asked(), consents_to_offers=each), kept, NOON).may_go for each in said] == may


def test_email_keeps_hours_where_the_rules_say_so(shop: Shop) -> None:
    """Law: an e-mail goes at night unless the rules have it wait for the member's morning."""
    shop.rules(quiet_email=True)
    shop.queue(shop.member(tier="Silver"), "tier_changed_down", DOWN)
    assert deliver(NIGHT) == Delivered(delayed=1)
    assert shop.outbox() == [("queued", None, MORNING, 0, None)]
    shop.rules(quiet_email=False)
    shop.queue(shop.member("C2", tier="Silver"), "tier_changed_down", DOWN)
    assert deliver(NIGHT) == Delivered(sent=1)
    assert deliver(MORNING) == Delivered(sent=1)


def offers(shop: Shop, member: int, *days: int) -> None:
    """Offers that a member was sent, so many days before NOON."""
    for number, day in enumerate(days):
        message = shop.queue(member, "personal_offer", {}, occasion=f"sent {day} {number}")
        shop.execute(
            "update loyalty.outbox set state = 'sent', finished_at = :at where message_no = :n",
            at=NOON - day * DAY,
            n=message,
        )


def asked(shop: Shop, *members: int) -> list[Asked]:
    """New offers, one to each of these members, as a delivery claims them."""
    numbers = [
        shop.queue(member, "personal_offer", {}, occasion=f"new {number}") for number, member in enumerate(members)
    ]
    return [Asked(message_no=number, member_no=member) for number, member in zip(numbers, members, strict=True)]


def test_offers_are_limited_by_the_week(shop: Shop) -> None:
    """Law: in any seven days a member is sent so many offers at most; those on their way count, others' don't."""
    first, second, third = (shop.member(f"C{number}") for number in range(3))
    offers(shop, first, 0, 8)
    offers(shop, second, 6, 7)
    offers(shop, third, 1)
    shop.execute(
        "update loyalty.outbox set state = 'unknown', finished_at = null where member_no = :member", member=third
    )
    batch = asked(shop, first, first, second, second, third, third)
    with transaction() as connection:
        found = verdicts(connection, batch, RULES, NOON)
        assert [found[each.message_no].may_go for each in batch] == [True, False] * 3
        unlimited = verdicts(connection, batch, replace(RULES, offers_week_max=None), NOON)
    assert set(unlimited.values()) == {MAY_GO}


def test_two_deliveries_at_once_keep_the_limit(shop: Shop) -> None:
    """Law: of two deliveries that have offers for one member, the second counts what the first one sends."""
    member = shop.member()
    one, two = asked(shop, member, member)
    limit = replace(RULES, offers_week_max=1)

    def other() -> Verdict:
        with transaction() as connection:
            return verdicts(connection, [two], limit, NOON)[two.message_no]

    with ThreadPoolExecutor(1) as thread, connect() as connection:
        with connection.begin():
            assert verdicts(connection, [one], limit, NOON)[one.message_no] == MAY_GO
            waiting = thread.submit(other)
            while not shop.execute(LOCKED):
                assert not waiting.done(), "the second delivery did not wait for the first"
            connection.exec_driver_sql(
                f"update loyalty.outbox set state = 'sending' where message_no = {one.message_no}"
            )
        assert waiting.result() == Verdict(withheld="too many offers in a week")


def test_an_address_that_a_provider_gave_up_gets_nothing(shop: Shop) -> None:
    """Law: nothing goes to such an address, whoever has it and however it is written; another address is free."""
    for number, email in enumerate(["Ana@example.test", " ana@EXAMPLE.test", "bo@example.test"]):
        shop.queue(shop.member(f"C{number}", tier="Silver", email=email), "tier_changed_down", DOWN)
    with transaction() as connection:
        consents.suppress(connection, "email", [Suppression("ana@example.test", "bounced", NOON)], "sendgrid")
        consents.suppress(connection, "sms", [Suppression("bo@example.test", "bounced", NOON)], "twilio")

    assert deliver(NOON) == Delivered(sent=1, withheld=2)
    assert shop.states() == [("withheld", "suppressed: bounced")] * 2 + [("sent", None)]


def test_what_is_lifted_holds_again_when_the_provider_says_so_again(shop: Shop) -> None:
    """Law: a person lifts what a provider said until then, and nothing that it says later."""
    member = shop.member(phone="+1 212 555 0100")

    def held() -> list[bool]:
        with transaction() as connection:
            return [row["holds"] for row in consents.suppressions(connection, member)]

    def said(at: datetime) -> None:
        with transaction() as connection:
            number = Suppression("+12125550100", "invalid address", at)
            consents.suppress(connection, "sms", [number], "twilio")

    said(NOON)
    assert held() == [True]
    with transaction() as connection:
        consents.lift(connection, member, "sms", "anna", NOON + DAY)
    assert held() == [False]
    said(NOON)
    assert held() == [False]
    said(NOON + 2 * DAY)
    assert held() == [True]


def test_reasons_are_counted(shop: Shop) -> None:
    """Law: the health report of a month counts what was given up in it, by reason, of whatever kind."""
    shop.queue(shop.member("C1", email_consent=False), "points_expiring", SAMPLES["points_expiring"])
    for number in (2, 3):
        shop.queue(shop.member(f"C{number}", tier="Silver", email=None), "tier_changed_down", DOWN)
    shop.queue(shop.member("C4", tier="Gold"), "tier_changed_down", DOWN)
    shop.queue(shop.member("C5", tier="Silver"), "tier_changed_down", DOWN)
    deliver(NOON)
    shop.execute("update loyalty.outbox set finished_at = '2018-02-01T05:00Z' where reason = 'stale'")
    with transaction() as connection:
        january = health.numbers(connection, QUEUED_AT.date().replace(month=1))
        february = health.numbers(connection, QUEUED_AT.date().replace(month=2))

    assert (january["not_sent"], february["not_sent"]) == ({"no address": 2, "no consent": 1}, {"stale": 1})
    told = [" ".join(line.split()) for line in health.markdown(january).splitlines() if line.startswith("| no ")]
    assert told == ["| no address | 2 |", "| no consent | 1 |"]


def test_an_email_says_how_to_end_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: where the API can be reached from outside, each e-mail has a link of its own, and one click ends it."""
    monkeypatch.setenv("LOYALTY_PUBLIC_URL", "https://loyalty.example.com/")
    shop.queue(shop.member("C1", tier="Silver"), "tier_changed_down", DOWN)
    shop.queue(shop.member("C2"), "points_credited", SAMPLES["points_credited"], channel="sms")
    deliver(NOON)

    email, sms = ((shop.folder / name).read_bytes() for name in shop.files())
    parsed = message_from_bytes(email, policy=policy.default)
    assert parsed["List-Unsubscribe"].startswith("<https://loyalty.example.com/unsubscribe/1-1-s-")
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"unsubscribe" not in sms


def test_without_an_address_of_the_api_there_is_no_link(shop: Shop) -> None:
    """Law: a link that leads nowhere is not sent."""
    shop.queue(shop.member("C1", tier="Silver"), "tier_changed_down", DOWN)
    deliver(NOON)

    assert message_from_bytes((shop.folder / shop.files()[0]).read_bytes())["List-Unsubscribe"] is None


def test_consent_is_what_was_said_last(shop: Shop) -> None:
    """Law: in whatever order consents are kept, the newest holds; at one instant the withdrawal."""
    member = shop.member(sms_consent=False)
    said = st.builds(
        lambda given_, hour, source: Consent(
            member, "sms", "service", given_, NOON + hour * timedelta(hours=1), source
        ),
        st.booleans(),
        st.integers(0, 5),
        st.sampled_from(["api", "sms STOP"]),
    )

    @given(st.lists(said, min_size=1, max_size=8))
    def law(events: list[Consent]) -> None:
        newest = max(each.at for each in events)
        expected = all(each.given for each in events if each.at == newest)
        with transaction() as connection, connection.begin_nested() as savepoint:
            for each in events:
                consents.record(connection, [each])
            assert consents.holds(connection, member, "sms", "service") is expected
            savepoint.rollback()

    law()
