"""A programme with members and an outbox, on a real database."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from loyalty.db import rules_versions
from loyalty.db.engine import transaction
from loyalty.rules.programme import Programme
from loyalty.settings import settings
from tests.messages.provider_double import ACCOUNT, API_KEY, SENDER, SLACK_PATH, TOKEN, ProviderDouble

QUEUED_AT = datetime(2018, 1, 1, 5, tzinfo=UTC)  # midnight of New Year in New York


@dataclass(frozen=True)
class Shop:
    """What a test does to the programme, and what it sees of the outbox."""

    def execute(self, statement: str, **params: Any) -> list[Any]:
        """Run a statement in a transaction of its own, and give its rows."""
        with transaction() as connection:
            result = connection.execute(text(statement), params)
            return list(result) if result.returns_rows else []

    def rules(self, **changed: Any) -> None:
        """Other rules from the month of the tests on."""
        with transaction() as connection:
            rules_versions.install(
                connection, Programme(**changed), from_period=QUEUED_AT.date(), by="test", at=QUEUED_AT
            )

    def member(
        self, customer_id: str = "C1", *, tier: str = "Bronze", held_until: str | None = None, **told: Any
    ) -> int:
        """Enrol a member who agreed to everything, unless told otherwise; the member's number."""
        row = {
            "email": f"{customer_id}@example.test",
            "phone": "+1 (212) 555-0100",
            "first_name": "Ana",
            "language": "en",
            "time_zone": None,
            "email_consent": True,
            "sms_consent": True,
            "erased_at": None,
            **told,
        }
        [(member_no,)] = self.execute(
            "insert into loyalty.members (customer_id, email, phone, first_name, language, time_zone, email_consent,"
            " sms_consent, erased_at, enrolled_at) values (:customer_id, :email, :phone, :first_name, :language,"
            " :time_zone, :email_consent, :sms_consent, :erased_at, :at) returning member_no",
            customer_id=customer_id,
            at=QUEUED_AT,
            **row,
        )
        self.execute(
            "insert into loyalty.accounts (member_no, tier_no, held_until)"
            " select :member_no, tier_no, cast(:held_until as date) from loyalty.tiers where name = :tier",
            member_no=member_no,
            tier=tier,
            held_until=held_until,
        )
        return int(member_no)

    def voucher(self, member_no: int, code: str, *, expires_at: str, state: str = "issued") -> None:
        """Give a member a voucher of 10.00."""
        self.execute(
            "insert into loyalty.vouchers (code, member_no, tier_no, from_tier_no, amount, currency, state, issued_at,"
            " expires_at, period) values (:code, :member_no, 1, 1, 1000, 'USD', :state, :at,"
            " cast(:expires_at as timestamptz), '2017-12-01')",
            code=code,
            member_no=member_no,
            state=state,
            at=QUEUED_AT,
            expires_at=expires_at,
        )

    def queue(
        self, member_no: int, kind: str, facts: Mapping[str, Any], *, channel: str = "email", occasion: str = "2017-12"
    ) -> int:
        """Put a message into the outbox; its number."""
        [(message_no,)] = self.execute(
            "insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at) values (cast(:kind as"
            " loyalty.message_kind), :occasion, :member_no, :channel, cast(:facts as jsonb), :at) returning message_no",
            kind=kind,
            occasion=occasion,
            member_no=member_no,
            channel=channel,
            facts=json.dumps(dict(facts)),
            at=QUEUED_AT,
        )
        return int(message_no)

    def outbox(self) -> list[tuple[Any, ...]]:
        """What became of every message: (state, reason, not_before, tries, finished_at), in order."""
        rows = self.execute(
            "select state, reason, not_before, tries, finished_at from loyalty.outbox order by message_no"
        )
        return [tuple(row) for row in rows]

    def states(self) -> list[tuple[str, str | None]]:
        """What became of every message: (state, reason), in order."""
        return [(state, reason) for state, reason, *_ in self.outbox()]

    @property
    def folder(self) -> Path:
        """The file channel's folder."""
        return settings().home_folder / "outbox"

    def files(self) -> list[str]:
        """Every file of the channel, by path below its folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    """A server in the providers' place; at the end, all requests were of their documents, and met each fault."""
    double = ProviderDouble()
    yield double
    double.stop()
    assert (double.violations, double.unmet) == ([], [])


@pytest.fixture
def by_sendgrid(provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> ProviderDouble:
    """E-mails leave by SendGrid."""
    _set(
        monkeypatch,
        email_channel="sendgrid",
        sendgrid_api_key=API_KEY,
        sendgrid_url=provider.url,
        brand_sender="club@shop.example",
        send_at_once="3",
    )
    return provider


@pytest.fixture
def by_twilio(provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> ProviderDouble:
    """SMS leave by Twilio."""
    _set(
        monkeypatch,
        sms_channel="twilio",
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN,
        twilio_from=SENDER,
        twilio_url=provider.url,
        public_url="https://loyalty.shop.example",
        send_at_once="3",
    )
    return provider


@pytest.fixture
def by_slack(provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> ProviderDouble:
    """Staff are told by Slack."""
    _set(monkeypatch, staff_channel="slack", slack_webhook_url=provider.url + SLACK_PATH)
    return provider


def _set(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"LOYALTY_{name.upper()}", value)


@pytest.fixture
def shop(database: URL) -> Shop:
    """A programme in New York under the default rules."""
    with transaction() as connection:
        connection.execute(text("insert into loyalty.programme (time_zone) values ('America/New_York')"))
        rules_versions.install_first(connection, Programme(), at=QUEUED_AT)
    return Shop()
