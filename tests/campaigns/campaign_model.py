"""A plain reading of which campaign rewards which purchase, with how many points."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from tests.campaigns.conftest import Sold

RATE = Fraction(1, 1000)  # points for a minor unit


@dataclass(frozen=True)
class Offer:
    """A campaign of the model: `weekdays` are 0 to 6, `hours` pairs of minutes of the local day."""

    name: str
    first: date
    last: date
    points: int | None = None
    multiplier: int | None = None
    minimum: int = 0
    cap: int | None = None
    weekdays: frozenset[int] = frozenset()
    hours: tuple[tuple[int, int], ...] = ()
    locations: frozenset[str] = frozenset()

    def fits(self, sold: Sold, zone: ZoneInfo) -> bool:
        """Whether a purchase is one of the campaign's."""
        local = sold.at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        return (
            self.first <= local.date() <= self.last
            and sold.amount >= max(self.minimum, 1)
            and (not self.weekdays or local.weekday() in self.weekdays)
            and (not self.hours or any(_within(minute, span) for span in self.hours))
            and (not self.locations or sold.location in self.locations)
        )

    def worth(self, sold: Sold) -> Fraction:
        """What it would give, without cap and rounding."""
        if self.points is not None:
            return Fraction(self.points)
        return sold.amount * RATE * ((self.multiplier or 1) - 1)


def rewarded(offers: Sequence[Offer], sales: Sequence[Sold], zone: ZoneInfo) -> dict[str, tuple[str, int]]:
    """By purchase: the campaign, and the points.

    Round by round: each purchase that has none goes to the best campaign of which its member can get more; there they
    count in the order of time, as the running floor of the exact sum, up to the cap.
    """
    exact: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    found: dict[str, tuple[str, int]] = {}
    while True:
        chosen = [
            (sold, best) for sold in sales if sold.number not in found for best in _best(offers, sold, exact, zone)
        ]
        before = len(found)
        for sold, offer in sorted(chosen, key=lambda pair: pair[0].at):
            key = (offer.name, sold.customer)
            had = _capped(offer, exact[key])
            if offer.cap is None or had < offer.cap:
                exact[key] += offer.worth(sold)
                found[sold.number] = (offer.name, _capped(offer, exact[key]) - had)
        if len(found) == before:
            return found


def _best(offers: Sequence[Offer], sold: Sold, exact: dict[tuple[str, str], Fraction], zone: ZoneInfo) -> list[Offer]:
    open_ones = [
        offer
        for offer in offers
        if offer.fits(sold, zone)
        and (offer.cap is None or _capped(offer, exact[offer.name, sold.customer]) < offer.cap)
    ]
    return [max(open_ones, key=lambda offer: offer.worth(sold))] if open_ones else []  # the first of equals


def _capped(offer: Offer, exact: Fraction) -> int:
    return floor(exact) if offer.cap is None else min(offer.cap, floor(exact))


def _within(minute: int, span: tuple[int, int]) -> bool:
    start, end = span
    return start <= minute < end if start < end else minute >= start or minute < end
