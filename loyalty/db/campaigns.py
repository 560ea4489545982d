"""Campaigns: checked, simulated, asked for, started once a second person approves, stopped, measured.

A name is one campaign for good. What it gives is in loyalty/db/campaign_awards.py; docs/campaigns.md tells the rules.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from loyalty.db import approvals, rules_versions, segments
from loyalty.db.campaign_awards import award, begin, draw_members
from loyalty.db.closing import Batch
from loyalty.db.engine import connect, transaction
from loyalty.db.programme import zone
from loyalty.db.statements import run
from loyalty.errors import Refused, WrongUse
from loyalty.rules.campaign import WEEKDAYS, Campaign, check_money, parse, to_toml
from loyalty.rules.money import MINOR_DIGITS, to_minor
from loyalty.rules.periods import months_between, period_of

KIND: Final = "campaign"
_SIMULATED: Final = "(simulated)"  # no name that a campaign can have


@dataclass(frozen=True, slots=True)
class Arm:
    """What members of a campaign spent in a time: sums of spend and of its square, in minor units."""

    members: int = 0
    buyers: int = 0
    spend: int = 0
    squares: int = 0


@dataclass(frozen=True, slots=True)
class Results:
    """What a campaign gave: members with those held out, points, and vouchers, whose amounts are minor units."""

    members: int
    held_out: int
    told: int
    purchases: int
    awarded_members: int
    points: int
    taken_back: int
    vouchers: int
    voucher_amount: int
    redeemed: int
    redeemed_amount: int

    @property
    def reached(self) -> int:
        """The members in it who are not held out."""
        return self.members - self.held_out


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a campaign would have given in the weeks before: days from `first_day` to just before `stop_day`.

    `treated` and `held_out` are what its members spent in that time, without a campaign.
    """

    first_day: date
    stop_day: date
    results: Results
    treated: Arm
    held_out: Arm


@dataclass(frozen=True, slots=True)
class Known:
    """A campaign as it is recorded. `state`: open, rejected or lapsed as it is asked for, then running or stopped.

    `budget` and `spent` are points, of vouchers minor units. `figures` is its simulation, as it was asked for.
    """

    campaign_no: int
    name: str
    document: str
    digest: str
    gives: str
    starts_at: datetime
    ends_at: datetime
    begins_at: datetime | None
    until: datetime
    budget: int
    spent: int
    state: str
    attempt: int
    asked_by: str
    asked_at: datetime
    note: str
    figures: Any
    approval_no: int | None
    stopped_by: str | None
    decided_by: str | None
    decision_note: str | None
    told: str | None

    def state_at(self, now: datetime) -> str:
        """The state as people are told: one that ran is over once its time is."""
        return "over" if self.state == "running" and self.until <= now else self.state

    @property
    def campaign(self) -> Campaign:
        """Its keys."""
        return parse(self.document, self.name)


def standing(wanted: Campaign, *, ask_again: bool = False) -> Known | None:
    """The campaign of that name and content that waits, runs or has run; None if it may be asked for.

    Raises Refused for another campaign of that name, and for one that was rejected unless that is to be asked again.
    """
    with connect() as connection:
        found = _found(connection, name=wanted.name)
    if found is None or found.state == "lapsed" or (found.state == "rejected" and ask_again):
        return None
    if found.state == "rejected" and found.digest == _digest(wanted):
        why = f": {found.decision_note}" if found.decision_note else ""
        raise Refused(
            f"{found.decided_by} rejected this very campaign (approval {found.approval_no}){why}; "
            "change it, or say that it is to be asked again"
        )
    if found.digest == _digest(wanted):
        return found
    if found.state == "rejected":
        return None
    raise Refused(
        f"there is another campaign named {wanted.name}, and it is {_shown(found.state)}: choose another name"
    )


def simulate(wanted: Campaign, now: datetime) -> Simulated:
    """What a campaign would have given in as many days before, on the same days of the week, to the members of now.

    Purchases that another campaign rewarded are left out. It changes nothing. Raises BadInput for what does not fit the
    programme, Refused where it goes by segments and none are computed.
    """
    with connect() as connection:  # nothing is committed
        check(connection, wanted, now)
        first, stop = _days_before(wanted, now.astimezone(zone(connection)).date())
        number = _record(connection, wanted, asked_by="simulation", at=now, name=_SIMULATED)
        run(connection, "campaigns/begin_simulated", campaign_no=number, first_day=first, stop_day=stop)
        draw_members(connection, number, now)
        found = _found(connection, name=_SIMULATED)
        assert found is not None and found.begins_at is not None  # noqa: S101, PT018 - written above
        terms = run(connection, "closing/find_terms_now", as_of=now).one()
        everybody = Batch(terms.first_member, terms.stop_member)
        for period in months_between(first.replace(day=1), stop.replace(day=1)) if wanted.gives != "voucher" else ():
            award(connection, period, everybody, None, found.until, only=number)
        given = results(connection, number)
        treated, held_out = arms(connection, number, found.begins_at, found.until)
    if wanted.gives == "voucher":
        amount = to_minor(wanted.voucher, _currency(now))
        vouchers = min(given.reached, found.budget // amount)
        given = Results(**asdict(given) | {"vouchers": vouchers, "voucher_amount": vouchers * amount})
    return Simulated(first, stop, given, treated, held_out)


def ask(wanted: Campaign, figures: Mapping[str, Any], *, asked_by: str, note: str, at: datetime) -> Known:
    """Record a campaign with its figures and ask for its approval. Raises as `simulate` and `standing` do."""
    if asked_by.casefold() == "system":
        raise WrongUse("system is no person: say by their handle who asks")
    with transaction() as connection:
        check(connection, wanted, at)
        attempt = (run(connection, "campaigns/discard_former", name=wanted.name).scalar_one_or_none() or 0) + 1
        if _found(connection, name=wanted.name):
            raise Refused(f"somebody has just asked for a campaign named {wanted.name}")
        rules = rules_versions.in_force(connection, period_of(at, zone(connection)))[1]
        approval = approvals.ask(
            connection,
            KIND,
            f"{wanted.name}, attempt {attempt}" if attempt > 1 else wanted.name,
            asked_by=asked_by,
            asked_at=at,
            due_at=at + timedelta(days=rules.review_days),
        )
        _record(
            connection, wanted, asked_by=asked_by, at=at, note=note, figures=figures, approval=approval, attempt=attempt
        )
        found = _found(connection, name=wanted.name)
    assert found is not None  # noqa: S101 - written above
    return found


def check(connection: Connection, wanted: Campaign, at: datetime) -> None:
    """See that a campaign fits the programme: its amounts, its tiers, segments to go by.

    Raises BadInput or Refused.
    """
    rules = rules_versions.in_force(connection, period_of(at, zone(connection)))[1]
    check_money(wanted, MINOR_DIGITS[rules.currency], rules.currency)
    for tier in wanted.tiers:
        rules.tier(tier)
    if wanted.by_segments:
        segments.standing(connection)


def begin_approved(connection: Connection, approval_no: int, by: str, now: datetime) -> str | approvals.Effect:
    """Let an approved campaign begin, in the decision's transaction: its members are drawn now, for good.

    It lapses where its time is over by now.
    """
    [found] = run(connection, "campaigns/find", name=None, approval_no=approval_no).mappings()
    known = Known(**found)
    if not run(connection, "campaigns/begin", campaign_no=known.campaign_no, at=now).rowcount:
        return approvals.Effect("lapsed", f"lapsed, and nothing was given: the time of {known.name} is over")
    given = begin(connection, known.campaign_no, now, draw=True)
    given_now = f", {given.vouchers:,} vouchers issued" if given.vouchers else ""
    return f"{known.name} runs, approved by {by}: {given.drawn:,} members drawn{given_now}"


def stop(name: str, *, by: str, at: datetime) -> bool:
    """End a campaign that runs: what is bought from now on counts for nothing. False if it was over already.

    Raises Refused if there is none of that name that was approved.
    """
    handle = approvals.checked_name(by)
    with transaction() as connection:
        done = run(connection, "campaigns/stop", name=name, stopped_by=handle, at=at).scalar_one_or_none()
        found = find(connection, name)
    if found.begins_at is None:
        raise not_begun(found)
    return done is not None


def not_begun(known: Known) -> Refused:
    """What is said of a campaign that has not begun, where it must have."""
    when = f"begins at {known.begins_at.isoformat()}" if known.begins_at else f"is {_shown(known.state)}"
    return Refused(f"the campaign {known.name} has not begun: it {when}")


def find(connection: Connection, name: str) -> Known:
    """The campaign of that name. Raises Refused if there is none."""
    found = _found(connection, name=name)
    if found is None:
        raise Refused(f"there is no campaign {name}: see `loyalty campaigns list`")
    return found


def of_approval(connection: Connection, approval_no: int) -> Known:
    """The campaign that an approval is about. Raises Refused if there is none."""
    found = _found(connection, approval_no=approval_no)
    if found is None:
        raise Refused(f"approval {approval_no} is about no campaign that is still asked for")
    return found


def listed(connection: Connection) -> list[Known]:
    """All campaigns, the oldest first."""
    return [Known(**row) for row in run(connection, "campaigns/find", name=None, approval_no=None).mappings()]


def counting(connection: Connection, now: datetime) -> list[str]:
    """The names of the campaigns that have begun and whose purchases may still become known, the oldest first."""
    return [row.name for row in run(connection, "campaigns/find_running", at=now)]


def results(connection: Connection, campaign_no: int) -> Results:
    """What a campaign has given by now."""
    return Results(**run(connection, "campaigns/results", campaign_no=campaign_no).mappings().one())


def arms(connection: Connection, campaign_no: int, from_at: datetime, until_at: datetime) -> tuple[Arm, Arm]:
    """What members spent on purchases of a time, net of what came back of them: those in it, those held out."""
    rows = run(connection, "campaigns/spend_by_arm", campaign_no=campaign_no, from_at=from_at, until_at=until_at)
    found = {row.held_out: Arm(row.members, row.buyers, row.spend, int(row.squares)) for row in rows}
    return found.get(False, Arm()), found.get(True, Arm())


def _found(connection: Connection, **known: Any) -> Known | None:
    asked = dict.fromkeys(("name", "approval_no")) | known
    row = run(connection, "campaigns/find", **asked).mappings().one_or_none()
    return None if row is None else Known(**row)


def _record(
    connection: Connection,
    wanted: Campaign,
    *,
    asked_by: str,
    at: datetime,
    name: str = "",
    note: str = "",
    figures: Mapping[str, Any] | None = None,
    approval: int | None = None,
    attempt: int = 1,
) -> int:
    """Keep a campaign; its number."""
    money = rules_versions.in_force(connection, period_of(at, zone(connection)))[1].currency
    voucher = wanted.gives == "voucher"
    made: int = run(
        connection,
        "campaigns/record",
        campaign_no=0 if name else None,  # a simulation leaves no gap in the numbers
        name=name or wanted.name,
        document=to_toml(wanted),
        digest=_digest(wanted),
        gives=wanted.gives,
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        points=wanted.points,
        multiplier=wanted.multiplier or None,
        voucher_amount=to_minor(wanted.voucher, money) if voucher else None,
        voucher_days=wanted.voucher_days if voucher else None,
        message=wanted.message or None,
        budget=to_minor(wanted.budget, money) if voucher else int(wanted.budget),
        member_cap=wanted.member_cap,
        holdout=wanted.holdout,
        **{key: list(getattr(wanted, key)) or None for key in _LISTS},
        minimum=to_minor(wanted.minimum, money),
        weekdays=[WEEKDAYS.index(day) + 1 for day in wanted.weekdays] or None,
        minutes=wanted.minutes or None,
        attempt=attempt,
        asked_by=asked_by,
        asked_at=at,
        note=note,
        figures=json.dumps(figures or {}, ensure_ascii=False),
        approval_no=approval,
    ).scalar_one()
    return made


_LISTS = ("tiers", "segments", "recency", "frequency", "money", "locations", "channels")


def _days_before(wanted: Campaign, today: date) -> tuple[date, date]:
    """The campaign's days, moved back by whole weeks until they are over; from the first to just before the last."""
    stop = wanted.ends_on + timedelta(days=1)
    weeks = max(0, -(-(stop - today).days // 7))
    return wanted.starts_on - timedelta(weeks=weeks), stop - timedelta(weeks=weeks)


def _digest(wanted: Campaign) -> str:
    return hashlib.sha256(to_toml(wanted).encode()).hexdigest()


def _currency(at: datetime) -> str:
    with connect() as connection:
        return rules_versions.in_force(connection, period_of(at, zone(connection)))[1].currency


def _shown(state: str) -> str:
    return "waiting for a decision" if state == "open" else state
