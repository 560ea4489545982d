"""Many e-mails, by SMTP to a server on loopback: as many as the settings of Hypothesis make them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.messages.conftest import QUEUED_AT, Shop
from tests.messages.mail_server import MailServer, serving

COUNT = 100 * settings().max_examples  # 2,000; 100,000 in the soak
WORKERS = 2
MOST_GROWN_MB = 40  # of a worker, from the first tenth of its time on; 100,000 such e-mails are 0.9 GB
ROOT = Path(__file__).parents[2]
QUEUE = """
with enrolled as (
    insert into loyalty.members (customer_id, email, first_name, language, email_consent, enrolled_at)
    select 'C' || n, 'C' || n || '@example.test', 'Ana', (array['en', 'es', 'ar'])[1 + n % 3], true,
        cast(:at as timestamptz)
    from generate_series(1, :count) as n
    returning member_no
), accounts as (
    insert into loyalty.accounts (member_no, tier_no) select e.member_no, 1 from enrolled as e
)
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select 'points_expiring', '2018-04-01', e.member_no, 'email',
    jsonb_build_object('points', 40 + e.member_no % 100, 'expires_at', '2018-04-01T04:00:00Z'), :at
from enrolled as e
"""
_NUMBER = re.compile(rb"(?m)^Message-ID: <(\d+)@")


class Counting(MailServer):
    """Keeps of each message only its number and its receiver."""

    def __init__(self) -> None:
        super().__init__()
        self.came: Counter[tuple[int, str]] = Counter()

    def keep(self, _sender: str, to: list[str], content: bytes) -> None:
        """Count a message."""
        number = _NUMBER.search(content)
        self.came.update((int(number[1]) if number else 0, address) for address in to)


@pytest.mark.counted
def test_each_email_reaches_the_server_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """Law: of many e-mails two deliveries at once bring each to the server once, and neither's memory grows."""
    record_property("tried", COUNT)
    shop.execute(QUEUE, at=QUEUED_AT, count=COUNT)
    with serving(server := Counting()) as port:
        for name, value in {
            "CLOCK": "2018-01-15T12:00:00-05:00", "EMAIL_CHANNEL": "smtp", "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port), "SMTP_SECURITY": "none", "BRAND_SENDER": "club@shop.example",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"LOYALTY_{name}", value)
        told = _delivered()

    wanted = shop.execute(
        "select o.message_no, m.email from loyalty.outbox as o join loyalty.members as m using (member_no)"
    )
    assert server.came == Counter(map(tuple, wanted))
    assert shop.execute("select state, count(*) from loyalty.outbox group by state") == [("sent", COUNT)]
    assert sum(each["sent"] for each in told) == COUNT
    assert max(each["grown_memory_mb"] for each in told) < MOST_GROWN_MB, told


def _delivered() -> list[dict[str, float]]:
    """What each of the deliveries tells that work at the same time, in processes of their own."""
    command = [sys.executable, "-m", "tests.bench.messages_worker"]
    workers = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    return [json.loads(each.splitlines()[-1]) for each in said]
