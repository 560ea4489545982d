"""`loyalty triggers`: what gives points beside purchases; simulated, run for the day, or told by hand."""

import dataclasses
from argparse import Namespace
from pathlib import Path

from loyalty import clock
from loyalty.commands.terminal import say, say_json, table
from loyalty.db import check_ins, referrals, triggers
from loyalty.db.engine import connect, transaction
from loyalty.db.programme import check_ready
from loyalty.db.trigger_simulation import KINDS, Simulated, simulate
from loyalty.errors import WrongUse
from loyalty.rules.periods import display_period, period_of
from loyalty.rules.programme import Programme
from loyalty.rules.toml import read


def show(given: Namespace) -> int:
    """List the triggers with what the rules of now give for each."""
    check_ready()
    with connect() as connection:
        rules = triggers.rules_at(connection, clock.now())
    rows = [(kind, _points(rules, kind)) for kind in KINDS]
    if given.json:
        say_json([{"trigger": kind, "points": points} for kind, points in rows])
    else:
        say(*table(("trigger", "points"), ((kind, points or "off") for kind, points in rows), right=("points",)))
    return 0


def show_simulation(given: Namespace) -> int:
    """Tell what a trigger would give in a month, under the rules of now or others; nothing is changed."""
    zone = check_ready()
    period = given.period or period_of(clock.now(), zone)
    with connect() as connection:
        rules = read(Path(given.rules)) if given.rules else triggers.rules_at(connection, clock.now())
        if given.points is not None:
            rules = rules.model_copy(update={f"{_field(given.kind)}_points": given.points})
        found = simulate(connection, given.kind, period, rules)
    if given.json:
        say_json(dataclasses.asdict(found))
    else:
        say(*_told(found))
    return 0


def share(given: Namespace) -> int:
    """Give a member points for sharing."""
    check_ready()
    with transaction() as connection:
        done = triggers.share(connection, given.customer_id, given.channel, clock.now())
    say(done.told)
    return 0


def refer(given: Namespace) -> int:
    """Record that one member brought another."""
    check_ready()
    with transaction() as connection:
        made = referrals.refer(connection, given.referrer, given.referred, clock.now())
    say(made.told)
    return 0


def check_in(given: Namespace) -> int:
    """Check a member in with the code of a location."""
    check_ready()
    with transaction() as connection:
        done = check_ins.check_in(connection, given.customer_id, given.code, clock.now())
    say(done.told)
    return 0


def _field(kind: str) -> str:
    """What a kind of entry is called in the rules: the plural of visits is its own."""
    return "visit" if kind == "visits" else kind


def _points(rules: Programme, kind: str) -> int:
    if kind == "referral":
        return rules.referral_points + rules.referred_points
    points: int = getattr(rules, f"{_field(kind)}_points")
    return points


def _told(found: Simulated) -> list[str]:
    if not found.points and found.grants:
        remark = "the rules give no points for it: say how many with --points, or give a file with --rules"
        raise WrongUse(remark)
    return [
        f"{found.kind} in {display_period(found.period)}: {found.members:,} members, {found.points:,} points",
        f"{found.grants:,} times; {found.basis}",
    ]
