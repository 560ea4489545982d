"""The outbox delivered: to whom, when, once."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db.engine import transaction
from loyalty.errors import LoyaltyError, Unavailable, WrongUse
from loyalty.messages.delivery import Delivered, deliver
from loyalty.messages.preview import SAMPLES
from tests.messages.conftest import Shop

NOON = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
NIGHT = datetime.fromisoformat("2018-01-15T23:00:00-05:00")
MORNING = datetime.fromisoformat("2018-01-16T08:00:00-05:00")
CODE = str(SAMPLES["voucher_issued"]["code"])
SPRING = "2018-04-01T04:00:00Z"
DOWN = SAMPLES["tier_changed_down"]
ALERT = SAMPLES["points_credited"]
AT_THE_GATE = "select pid from pg_locks where locktype = 'advisory' and not granted"
DELIVER = """
import os
from datetime import datetime
from loyalty.messages.delivery import deliver
deliver(datetime.fromisoformat(os.environ["AS_OF"]))
"""
SENT = ("sent", None, None, 1, NOON)


def test_each_kind_arrives(shop: Shop) -> None:
    """Every kind of message is delivered as one file, named by its number and kind, in the folder of its day."""
    member = shop.member(tier="Gold", held_until="2018-02-01")
    shop.voucher(member, CODE, expires_at=SPRING)
    holder = shop.member("C2", tier="Silver")
    for kind, facts in SAMPLES.items():
        shop.queue(
            holder if facts.get("tier") == "Silver" else member,
            kind,
            facts,
            channel="sms" if kind == "points_credited" else "email",
        )

    assert deliver(NOON) == Delivered(sent=13)
    assert shop.outbox() == [SENT] * 13
    assert shop.files() == [
        "2018-01-01/00000001-points_credited.txt",
        "2018-01-01/00000002-tier_upgrade.eml",
        "2018-01-01/00000003-tier_at_risk.eml",
        "2018-01-01/00000004-tier_changed_down.eml",
        "2018-01-01/00000005-voucher_issued.eml",
        "2018-01-01/00000006-voucher_expiring.eml",
        "2018-01-01/00000007-points_expiring.eml",
        "2018-01-01/00000008-welcome.eml",
        "2018-01-01/00000009-birthday.eml",
        "2018-01-01/00000010-bonus_credited.eml",
        "2018-01-01/00000011-personal_offer.eml",
        "2018-01-01/00000012-redemption_receipt.eml",
        "2018-01-01/00000013-refund_taken_back.eml",
    ]
    assert (shop.folder / shop.files()[0]).read_text(encoding="utf-8") == (
        "To: +12125550100\n\nLoyalty: you earned 12 points in December 2017. Your balance is 1,120 points.\n"
    )
    assert deliver(NOON) == Delivered()


def test_email_is_the_members_own(shop: Shop) -> None:
    """Address, name, language and the voucher's worth are those at sending; the programme's name is the rules'."""
    shop.rules(name="Bell & Sons", languages=("en", "es"))
    member = shop.member(tier="Gold", language="es-MX", first_name="Íñigo")
    shop.voucher(member, CODE, expires_at=SPRING)
    shop.queue(member, "tier_upgrade", SAMPLES["tier_upgrade"])
    shop.execute("update loyalty.members set email = 'new@example.test'")
    deliver(NOON)

    [name] = shop.files()
    parsed = message_from_bytes((shop.folder / name).read_bytes(), policy=policy.default)
    plain, html = (part.get_content() for part in parsed.iter_parts())

    assert (parsed["To"], parsed["Subject"]) == ("new@example.test", "Ahora tu nivel es Gold")
    assert (parsed["From"], parsed["Message-ID"]) == ("Bell & Sons <no-reply@loyalty.invalid>", "<1@loyalty.invalid>")
    assert parsed["Date"].datetime == NOON
    for said in ("Hola, Íñigo:", "1.25 puntos en cada compra", "USD10.00", "7CFH-2K9M-RT4X-C"):
        assert said in plain
    assert "Bell &amp; Sons" in html


def test_only_the_owner_reads_the_files(shop: Shop) -> None:
    """Files hold addresses, so nobody else may enter their folders or open them."""
    shop.queue(shop.member(tier="Silver"), "tier_changed_down", DOWN)
    deliver(NOON)
    paths = [shop.folder, shop.folder / "2018-01-01", shop.folder / shop.files()[0]]

    assert [oct(stat.S_IMODE(path.stat().st_mode)) for path in paths] == ["0o700", "0o700", "0o600"]


@pytest.mark.parametrize(
    ("member", "channel", "reason"),
    [
        ({"email_consent": False}, "email", "no consent"),
        ({"sms_consent": False}, "sms", "no consent"),
        ({"email": None}, "email", "no address"),
        ({"phone": None}, "sms", "no address"),
        ({"email": "  "}, "email", "no address"),
        ({"email": "a@b.test\r\nBcc: all@b.test"}, "email", "wrong address"),
        ({"phone": "call me"}, "sms", "wrong address"),
        ({"erased_at": NOON}, "email", "erased"),
        ({"erased_at": NOON, "email": None, "email_consent": False}, "email", "erased"),
    ],
)
def test_withheld_from_whom_it_must_not_reach(shop: Shop, member: dict[str, Any], channel: str, reason: str) -> None:
    """Without consent or a usable address, and to the erased, nothing goes; the reason is kept, and it is final."""
    kind, facts = ("points_credited", ALERT) if channel == "sms" else ("points_expiring", SAMPLES["points_expiring"])
    shop.queue(shop.member(**member), kind, facts, channel=channel)

    assert deliver(NOON) == Delivered(withheld=1)
    assert shop.outbox() == [("withheld", reason, None, 0, NOON)]
    assert deliver(NOON) == Delivered()
    assert shop.files() == []


def test_consent_is_read_when_sent(shop: Shop) -> None:
    """What was agreed to when a message was queued does not count, nor what was not."""
    late, gone = shop.member("C1", email_consent=False, tier="Silver"), shop.member("C2", tier="Silver")
    for member in (late, gone):
        shop.queue(member, "tier_changed_down", DOWN)
    shop.execute("update loyalty.members set email_consent = not email_consent")
    deliver(NOON)

    assert shop.states() == [("sent", None), ("withheld", "no consent")]


@pytest.mark.parametrize("kind", ["tier_upgrade", "tier_changed_down", "tier_at_risk"])
def test_stale_when_the_tier_has_moved_again(shop: Shop, kind: str) -> None:
    """A message about a tier that the member no longer holds is withheld."""
    told = {**SAMPLES[kind], "tier": "Silver"}
    shop.queue(shop.member("C1", tier="Silver"), kind, told)
    shop.queue(shop.member("C2", tier="Platinum"), kind, told)
    deliver(NOON)

    assert shop.states() == [("sent", None), ("withheld", "stale")]


def test_stale_warning_of_a_tier_held_longer(shop: Shop) -> None:
    """A tier whose hold was prolonged since the warning is not at risk any more."""
    for customer, held_until in (("C1", "2018-02-01"), ("C2", "2018-05-01")):
        shop.queue(shop.member(customer, tier="Gold", held_until=held_until), "tier_at_risk", SAMPLES["tier_at_risk"])
    deliver(NOON)

    assert shop.states() == [("sent", None), ("withheld", "stale")]


@pytest.mark.parametrize("kind", ["voucher_issued", "voucher_expiring"])
@pytest.mark.parametrize(
    ("voucher", "becomes"),
    [
        ({"expires_at": SPRING}, ("sent", None)),
        ({"expires_at": SPRING, "state": "redeemed"}, ("withheld", "stale")),
        ({"expires_at": SPRING, "state": "void"}, ("withheld", "stale")),
        ({"expires_at": "2018-01-15T17:00:00Z"}, ("withheld", "stale")),  # noon: nobody has archived it yet
        (None, ("withheld", "stale")),
    ],
)
def test_stale_when_the_voucher_is_gone(
    shop: Shop, kind: str, voucher: dict[str, str] | None, becomes: tuple[str, str | None]
) -> None:
    """A voucher that can no longer be used is not written about."""
    member = shop.member()
    if voucher:
        shop.voucher(member, CODE, **voucher)
    shop.queue(member, kind, SAMPLES[kind])
    deliver(NOON)

    assert shop.states() == [becomes]


def test_upgrade_is_told_without_a_used_voucher(shop: Shop) -> None:
    """The upgrade itself stays news when its voucher is spent; then the e-mail has no word of the voucher."""
    member = shop.member(tier="Gold")
    shop.voucher(member, CODE, expires_at=SPRING, state="redeemed")
    shop.queue(member, "tier_upgrade", SAMPLES["tier_upgrade"])
    deliver(NOON)
    content = (shop.folder / shop.files()[0]).read_text(encoding="utf-8")

    assert shop.states() == [("sent", None)]
    assert "voucher" not in content.lower()


def test_stale_when_the_points_have_expired(shop: Shop) -> None:
    """A warning of points that are gone at the instant of sending is withheld."""
    for customer, expires_at in (("C1", "2018-01-15T17:00:00Z"), ("C2", "2018-01-15T17:00:01Z")):
        shop.queue(shop.member(customer), "points_expiring", {"points": 4, "expires_at": expires_at})
    deliver(NOON)

    assert shop.states() == [("withheld", "stale"), ("sent", None)]


def test_sms_waits_for_the_members_morning(shop: Shop) -> None:
    """At night an SMS waits for eight o'clock where the member lives; an unknown zone is the programme's."""
    zones = ["America/New_York", None, "Mars/Olympus", "Asia/Tokyo", "Europe/Madrid", "America/Los_Angeles"]
    for number, zone in enumerate(zones):
        shop.queue(shop.member(f"C{number}", time_zone=zone), "points_credited", ALERT, channel="sms")

    assert deliver(NIGHT) == Delivered(sent=2, delayed=4)
    madrid = datetime.fromisoformat("2018-01-16T08:00:00+01:00")
    waiting, gone = ("queued", None, MORNING, 0, None), ("sent", None, None, 1, NIGHT)
    assert shop.outbox() == [waiting, waiting, waiting, gone, ("queued", None, madrid, 0, None), gone]
    assert deliver(NIGHT) == Delivered()
    assert deliver(MORNING - timedelta(seconds=1)) == Delivered(sent=1)
    assert deliver(MORNING) == Delivered(sent=3)
    assert len(shop.files()) == 6


def test_sms_waits_across_a_change_of_clocks(shop: Shop) -> None:
    """In the night in which clocks go forward, the morning comes an hour sooner."""
    shop.queue(shop.member(), "points_credited", ALERT, channel="sms")
    deliver(datetime.fromisoformat("2018-03-10T21:00:00-05:00"))

    assert shop.outbox() == [("queued", None, datetime.fromisoformat("2018-03-11T08:00:00-04:00"), 0, None)]


def test_quiet_hours_are_the_rules(shop: Shop) -> None:
    """The hours are those of the rules in force at sending."""
    shop.rules(sms_from="10:00", sms_until="12:00")
    shop.queue(shop.member(), "points_credited", ALERT, channel="sms")

    assert deliver(NOON) == Delivered(delayed=1)
    assert shop.outbox() == [("queued", None, datetime.fromisoformat("2018-01-16T10:00:00-05:00"), 0, None)]


def test_what_changes_overnight_counts_in_the_morning(shop: Shop) -> None:
    """An SMS that waited is withheld if consent is gone by the morning; e-mail does not wait."""
    member = shop.member(tier="Silver")
    shop.queue(member, "points_credited", ALERT, channel="sms")
    shop.queue(member, "tier_changed_down", DOWN)
    deliver(NIGHT)
    shop.execute("update loyalty.members set sms_consent = false")
    deliver(MORNING)

    assert shop.states() == [("withheld", "no consent"), ("sent", None)]


def test_a_message_that_cannot_be_told_fails_alone(shop: Shop) -> None:
    """Facts that lack something fail their own message, with the reason, and no other."""
    member = shop.member(tier="Silver")
    shop.queue(member, "points_expiring", {"points": 4})
    shop.queue(member, "tier_changed_down", {"tier": "Silver"}, channel="sms")
    shop.queue(member, "tier_changed_down", DOWN, occasion="2018-01")

    assert deliver(NOON) == Delivered(sent=1, failed=2)
    assert shop.states() == [
        ("failed", "fact expires_at: Field required"),
        ("failed", "fact from: Field required"),
        ("sent", None),
    ]


def test_a_crash_before_the_commit_sends_nothing_twice(shop: Shop) -> None:
    """When the outcome could not be recorded, the next delivery writes the same file again: one file, one message."""
    shop.queue(shop.member(tier="Silver"), "tier_changed_down", DOWN)
    _before_updates(shop, "raise exception 'out of order'")
    with pytest.raises(LoyaltyError):
        deliver(NOON)
    left = shop.files()
    shop.execute("drop trigger before_updates on loyalty.outbox")

    assert (left, shop.states()) == (["2018-01-01/00000001-tier_changed_down.eml"], [("queued", None)])
    assert deliver(NOON + timedelta(days=1)) == Delivered(sent=1)
    assert shop.files() == left


def test_a_crash_leaves_no_file_of_a_message_that_must_not_go(shop: Shop) -> None:
    """A file is there exactly if the message was sent: what a crashed try left of one withheld since is taken back."""
    shop.queue(shop.member(tier="Silver"), "tier_changed_down", DOWN)
    _before_updates(shop, "raise exception 'out of order'")
    with pytest.raises(LoyaltyError):
        deliver(NOON)
    shop.execute("drop trigger before_updates on loyalty.outbox")
    shop.execute("update loyalty.members set email_consent = false")

    assert len(shop.files()) == 1
    assert deliver(NOON) == Delivered(withheld=1)
    assert shop.files() == []


def test_killed_between_file_and_commit(shop: Shop) -> None:
    """A delivery killed with its files written is done again by the next: each message once, nothing half-written."""
    for number in range(20):
        shop.queue(shop.member(f"C{number}", tier="Silver"), "tier_changed_down", DOWN)
    _before_updates(shop, "perform pg_advisory_xact_lock(77)")
    with transaction() as gate:
        gate.execute(text("select pg_advisory_xact_lock(77)"))
        with subprocess.Popen([sys.executable, "-c", DELIVER], env=os.environ | {"AS_OF": NOON.isoformat()}) as process:
            [[backend]] = _awaited(lambda: shop.execute(AT_THE_GATE))
            process.kill()
        left = shop.files()
        shop.execute("select pg_terminate_backend(:backend)", backend=backend)
        _awaited(lambda: not shop.execute(AT_THE_GATE))

    assert (len(left), set(shop.states())) == (20, {("queued", None)})
    assert deliver(NOON) == Delivered(sent=20)
    assert shop.files() == left
    assert shop.outbox() == [SENT] * 20


def test_two_deliveries_share_the_work(shop: Shop) -> None:
    """Deliveries at the same time send each message once, in one of them."""
    member, count = shop.member(tier="Silver"), 300
    for number in range(count):
        shop.queue(member, "tier_changed_down", DOWN, occasion=f"{number}")
    start = threading.Barrier(3)

    def _deliver(_: int) -> Delivered:
        start.wait()
        return deliver(NOON, limit_per_batch=7)

    with ThreadPoolExecutor(3) as pool:
        shares = list(pool.map(_deliver, range(3)))

    assert sum(shares, Delivered()) == Delivered(sent=count)
    assert shop.outbox() == [SENT] * count
    assert len(shop.files()) == count


def test_locked_messages_are_passed_over(shop: Shop) -> None:
    """A delivery never waits for what another has in hand, and leaves it alone."""
    for number in range(3):
        shop.queue(shop.member(f"C{number}", tier="Silver"), "tier_changed_down", DOWN)
    with transaction() as other:
        other.execute(text("select from loyalty.outbox where message_no <= 2 for update"))

        assert deliver(NOON, limit_per_batch=2) == Delivered(sent=1)
    assert deliver(NOON, limit_per_batch=2) == Delivered(sent=2)


@pytest.mark.parametrize("batch", [1, 2, 5, 6])
def test_any_batch_is_the_same(shop: Shop, batch: int) -> None:
    """Whatever the size of a batch, every message that is due is handled once, and those that wait stay."""
    for number in range(5):
        member = shop.member(f"C{number}", email_consent=number != 1, time_zone="Asia/Tokyo" if number == 3 else None)
        shop.queue(member, "points_expiring", SAMPLES["points_expiring"])
        shop.queue(member, "points_credited", ALERT, channel="sms")

    assert deliver(NIGHT, limit_per_batch=batch) == Delivered(sent=5, withheld=1, delayed=4)


def test_no_message_no_delivery(shop: Shop) -> None:
    """An empty outbox is delivered at once, and an empty batch is refused."""
    assert deliver(NOON) == Delivered()
    with pytest.raises(WrongUse) as refused:
        deliver(NOON, limit_per_batch=0)
    assert str(refused.value) == "a batch has at least one message, not 0"


def test_disk_that_takes_no_file(shop: Shop) -> None:
    """When the folder can't be written the message stays queued, and the error says which folder."""
    shop.queue(shop.member(tier="Silver"), "tier_changed_down", DOWN)
    shop.folder.parent.mkdir(parents=True)
    shop.folder.write_text("a file where the folder should be")
    with pytest.raises(Unavailable) as refused:
        deliver(NOON)

    assert str(refused.value) == f"messages can't be written to {shop.folder}: Not a directory"
    assert shop.states() == [("queued", None)]


def _before_updates(shop: Shop, action: str) -> None:
    """Have the database do something when an outcome is about to be recorded."""
    shop.execute(
        f"create function loyalty.before_updates() returns trigger language plpgsql as"
        f" $$ begin {action}; return null; end $$"
    )
    shop.execute(
        "create trigger before_updates before update on loyalty.outbox"
        " for each statement execute function loyalty.before_updates()"
    )


def _awaited(condition: Callable[[], Any]) -> Any:
    """What a condition gives as soon as it holds; a test that waits in vain fails."""
    for _ in range(1200):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited a minute in vain")
