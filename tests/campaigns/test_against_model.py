"""Campaigns against the model: any purchases, hours and days over clock changes, caps, several campaigns at once."""

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.rules.campaign import WEEKDAYS
from tests.campaigns.campaign_model import Offer, rewarded
from tests.campaigns.conftest import CampaignShop, Sold, databases
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES

__all__ = ["databases"]

ZONE = ZoneInfo("America/New_York")
ASKED, RUN = datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
FIRST = datetime(2026, 10, 30, 3, 30, tzinfo=UTC)  # the clocks go back on 1 November at two
DAYS = st.dates(date(2026, 10, 30), date(2026, 11, 6))
EDGES = st.sampled_from([0, 60, 90, 120, 1320, 1439])
SPANS = st.tuples(EDGES, EDGES).filter(lambda span: span[0] != span[1])


@st.composite
def offers(draw: st.DrawFn, *, plain: bool = False) -> list[Offer]:
    """One to three campaigns; plain ones give points, without a cap."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(DAYS), draw(DAYS)))
        points = draw(st.integers(1, 40)) if plain or draw(st.booleans()) else None
        made.append(
            Offer(
                name=f"c{number}",
                first=first,
                last=last,
                points=points,
                multiplier=None if points else draw(st.integers(2, 4)),
                minimum=draw(st.sampled_from([0, 0, 5_000])),
                cap=None if plain else draw(st.sampled_from([None, None, 7, 60])),
                weekdays=draw(st.frozensets(st.integers(0, 6), max_size=4)),
                hours=tuple(draw(st.lists(SPANS, max_size=2, unique=True))),
                locations=draw(st.frozensets(st.sampled_from(["north", "south"]), max_size=1)),
            )
        )
    return made


@st.composite
def sales(draw: st.DrawFn) -> list[tuple[Sold, int]]:
    """Purchases at the edges of hours, in any order, each with the part that comes back of it."""
    moments = draw(st.lists(st.integers(0, 8 * 48), min_size=1, max_size=14, unique=True))
    return [
        (
            Sold(
                f"T{number}",
                f"C{draw(st.integers(1, 3))}",
                FIRST + timedelta(minutes=30 * moment, seconds=-draw(st.integers(0, 1))),
                draw(st.integers(1, 60_000)),
                location=draw(st.sampled_from(["north", "south", ""])),
            ),
            draw(st.sampled_from([0, 0, 33, 100])),
        )
        for number, moment in enumerate(moments)
    ]


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES * 2 // 5)
@given(running=offers(), bought=sales())
def test_campaigns_give_what_the_model_gives(
    databases: Databases, running: list[Offer], bought: list[tuple[Sold, int]]
) -> None:
    """Law: campaign and points of every purchase are the model's, less what came back; again changes nothing."""
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        shop = _opened(patch, folder, running)
        shop.sell([*(sold for sold, _ in bought), *_returned(bought)], RUN)
        shop.award(RUN)
        first = shop.awards()
        again = shop.award(RUN)

        assert first == _kept(rewarded(running, [sold for sold, _ in bought], ZONE), bought)
        assert (again.purchases, again.taken_back) == (0, 0)
        assert shop.wrong() == {}


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES // 5)
@given(running=offers(plain=True), bought=sales(), parts=st.integers(2, 4))
def test_how_purchases_come_in_changes_nothing(
    databases: Databases, running: list[Offer], bought: list[tuple[Sold, int]], parts: int
) -> None:
    """Law: late, out of order, refunds in a later file, a run after each file: the points are the model's."""
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        shop = _opened(patch, folder, running)
        rows = [*(sold for sold, _ in bought), *_returned(bought)]
        for part in range(parts):
            chunk = rows[len(rows) * part // parts : len(rows) * (part + 1) // parts]
            if chunk:
                shop.sell(chunk, RUN)
            shop.award(RUN)

        assert shop.awards() == _kept(rewarded(running, [sold for sold, _ in bought], ZONE), bought)
        assert shop.wrong() == {}


def _opened(patch: Any, folder: str, running: list[Offer]) -> CampaignShop:
    shop = CampaignShop(patch, Path(folder), ZONE.key)
    for offer in running:
        shop.start(ASKED, **_keys(offer))
    return shop


def _keys(offer: Offer) -> dict[str, Any]:
    given: dict[str, Any] = {"gives": "points", "points": offer.points}
    if offer.multiplier:
        given = {"gives": "multiplier", "multiplier": offer.multiplier}
    return given | {
        "name": offer.name,
        "starts_on": offer.first,
        "ends_on": offer.last,
        "minimum": offer.minimum // 100,
        "member_cap": offer.cap,
        "weekdays": [WEEKDAYS[day] for day in sorted(offer.weekdays)],
        "hours": ["-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span) for span in offer.hours],
        "locations": sorted(offer.locations),
    }


def _back(sold: Sold, share: int) -> int:
    return sold.amount * share // 100


def _returned(bought: list[tuple[Sold, int]]) -> list[Sold]:
    return [
        Sold(f"{sold.number}-R", sold.customer, sold.at + timedelta(hours=1), _back(sold, share), of=sold.number)
        for sold, share in bought
        if _back(sold, share)
    ]


def _kept(found: dict[str, tuple[str, int]], bought: list[tuple[Sold, int]]) -> dict[str, tuple[str, int]]:
    shares = {sold.number: (_back(sold, share), sold.amount) for sold, share in bought}
    return {
        number: (name, points - points * shares[number][0] // shares[number][1])
        for number, (name, points) in found.items()
    }
