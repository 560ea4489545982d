"""What a day brings without anybody doing anything: birthdays, anniversaries, visits; and what came in by files.

Each is granted once by its key, so the run may come again or late: it looks back to the day it last looked at, at most
so many days as the rules say. A day counts by the rules of that day.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from loyalty.db import referrals, triggers
from loyalty.db.closing import Batch
from loyalty.db.engine import transaction
from loyalty.db.grants import GrantKind
from loyalty.db.programme import zone
from loyalty.db.statements import run
from loyalty.db.triggers import Work
from loyalty.rules.periods import following, period_of
from loyalty.rules.programme import Programme

AT_ONCE = 2  # ranges of members, as the daily expiry takes them
FOREVER = date(9999, 12, 1)
BY_DAY: dict[GrantKind, Callable[[Programme], int]] = {
    "registration": lambda rules: rules.registration_points,
    "birthday": lambda rules: rules.birthday_points,
    "anniversary": lambda rules: rules.anniversary_points,
}
"""The triggers that belong to days, and what the rules of a day give for each."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """Rules, and the months that they rule: from_period to before until_period."""

    rules: Programme
    from_period: date
    until_period: date


@dataclass(frozen=True, slots=True)
class Day:
    """What a daily run gave: by kind how many grants. `first_day` to `last_day` are the days it looked at."""

    first_day: date
    last_day: date
    granted: dict[str, int]


def run_day(as_of: datetime, now: datetime) -> Day:
    """Give what is due up to the day of an instant; some members in a transaction, each safe to repeat."""
    with transaction() as connection:
        history = _history(connection, period_of(as_of, zone(connection)))
        days = _days(connection, triggers.today(connection, as_of), history[0].rules.milestone_days)
        terms = run(connection, "closing/find_terms_now", as_of=as_of).one()
        newest_closed = run(connection, "closing/find_period", period=days[-1].replace(day=1)).one().newest_closed
    members = Batch(terms.first_member, terms.stop_member)
    work = _work(history, days)
    granted: dict[str, int] = {each.kind: 0 for each in work}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="milestones") as threads:
        for done in threads.map(lambda part: _give(part, work, now), members.ranges()):
            for kind, grants in done.items():
                granted[kind] += grants
    granted["referral"] = _settle_referrals(now)
    for each in work:
        if each.kind == "visits" and newest_closed is not None and newest_closed >= each.days[0]:
            _fold_visits(each.days[0], newest_closed)
    with transaction() as connection:
        run(connection, "triggers/set_mark", through=days[-1])
    return Day(days[0], days[-1], granted)


def _give(part: Batch, work: list[Work], now: datetime) -> dict[str, int]:
    """Grant what members of a range are due for, with the messages, and post it: one transaction."""
    with transaction() as connection:
        done: dict[str, int] = {
            each.kind: triggers.grant_due(connection, each, (part.first, part.stop), now) for each in work
        }
        if any(done.values()):
            triggers.tell_and_post(connection, part.first, part.stop, now)
    return done


def _settle_referrals(now: datetime) -> int:
    settled, after = 0, 0
    while True:
        with transaction() as connection:
            due = referrals.due(connection, after)
            if not due:
                return settled
            settled += referrals.settle(connection, due, now)
        after = due[-1]


def _fold_visits(since: date, through: date) -> None:
    """Keep the counts of closed months, which no longer change, once their milestones are given."""
    with transaction() as connection:
        run(connection, "triggers/fold_visits", since=since, through=through)
        run(connection, "triggers/forget_visits", since=since)


def _days(connection: Connection, today: date, back: int) -> list[date]:
    """The days to look at: from the last one looked at, which was not over then, but not too far back."""
    mark = run(connection, "triggers/find_mark").scalar_one_or_none()
    earliest = today - timedelta(days=back)
    first = max(earliest, min(mark, today)) if mark else earliest
    return [first + timedelta(days=day) for day in range((today - first).days + 1)]


def _history(connection: Connection, through: date) -> list[Ruled]:
    """All rules in force up to a month, the newest first."""
    return [
        Ruled(triggers.parsed(row.document), row.from_period, row.until_period)
        for row in run(connection, "triggers/versions", through=through)
    ]


def _work(history: list[Ruled], days: list[date]) -> list[Work]:
    """What is to be looked for on these days; a trigger that is off takes no statement."""
    rules = history[0].rules
    found = [_by_day(kind, history, days) for kind in BY_DAY]
    found.append(Work("profile", days[-1:], [rules.profile_points]))
    found.append(Work("visits", [_visits_since(history), FOREVER], [rules.visit_points] * 2, rules.visits_each))
    return [work for work in found if any(work.points)]


def _by_day(kind: GrantKind, history: list[Ruled], days: list[date]) -> Work:
    ruled = [next(one.rules for one in history if one.from_period <= day) for day in days]
    return Work(kind, days, [BY_DAY[kind](rules) for rules in ruled])


def _visits_since(history: list[Ruled]) -> date:
    """The month from which on visits count: that in which the rule began that is in force now."""
    now = history[0].rules
    since = history[0].from_period
    for earlier in history[1:]:
        if not earlier.rules.visit_points or earlier.rules.visits_each != now.visits_each:
            break
        since = earlier.from_period
    return since


def simulated(kind: GrantKind, rules: Programme, period: date) -> Work:
    """What a trigger would look for in a month under these rules."""
    if kind == "visits":
        return Work(kind, [period, following(period)], [rules.visit_points] * 2, rules.visits_each)
    if kind == "profile":
        return Work(kind, [period], [rules.profile_points])
    days = [period + timedelta(days=day) for day in range((following(period) - period).days)]
    return Work(kind, days, [BY_DAY[kind](rules)] * len(days))
