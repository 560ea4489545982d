"""`loyalty members`, `merge`, `unmerge` and `erase`: who is who. What is shown holds member numbers, not data."""

import json
from argparse import Namespace

from loyalty import clock
from loyalty.commands.terminal import say, say_json, say_list
from loyalty.db import identity, merges, personal_data
from loyalty.db.engine import transaction
from loyalty.db.identity import PlatformId
from loyalty.db.merges import Merged
from loyalty.db.programme import check_ready
from loyalty.errors import NotFound
from loyalty.messages import erasure


def find(given: Namespace) -> int:
    """Find a member by the strongest identifier that is known."""
    check_ready()
    platform = PlatformId(given.platform, given.id) if given.platform else None
    with transaction() as connection:
        member_no = identity.find_member(
            connection, customer_id=given.customer_id, platform_id=platform, email=given.email, phone=given.phone
        )
        if member_no is None:
            raise NotFound("nobody is known by this")
        customer_id = identity.customer_id_of(connection, member_no)
    if given.json:
        say_json({"member_no": member_no, "customer_id": customer_id})
    else:
        say(f"{customer_id} (member {member_no})")
    return 0


def suggest(given: Namespace) -> int:
    """List pairs of members who share an address or a number, and so may be one person."""
    check_ready()
    with transaction() as connection:
        pairs = identity.suggestions(connection)
    if given.json:
        say_json(pairs)
    else:
        rows = ((pair.member_no, pair.other_member_no, " ".join(pair.shared)) for pair in pairs)
        heads = ("member", "other", "share")
        say_list("members who share an address or a number", heads, rows, right=heads[:2])
    return 0


def export(given: Namespace) -> int:
    """Print all that is held on a person."""
    check_ready()
    with transaction() as connection:
        document = personal_data.export(connection, given.customer_id, clock.now())
    say(json.dumps(document, ensure_ascii=False, indent=2))
    return 0


def erase(given: Namespace) -> int:
    """Erase a person."""
    check_ready()
    done = erasure.erase(given.customer_id, given.by, clock.now())
    numbers = ", ".join(f"erased-{member}" for member in done.members)
    say(f"erased: {numbers}; {done.points:,} points forfeited, {len(done.files):,} messages stopped or removed")
    return 0


def merge(given: Namespace) -> int:
    """Merge one member into another."""
    check_ready()
    with transaction() as connection:
        done = merges.merge(connection, given.keep, given.lose, given.by, clock.now())
    say(f"merge {done.merge_no}: member {done.lost_no} is merged into member {done.kept_no}", _moved(done))
    return 0


def unmerge(given: Namespace) -> int:
    """Undo a merge."""
    check_ready()
    with transaction() as connection:
        done = merges.unmerge(connection, given.lose, given.by, clock.now())
    say(f"merge {done.merge_no} is undone: member {done.lost_no} is one again", _moved(done))
    return 0


def _moved(done: Merged) -> str:
    beside = f", {done.appeared:+} by adding the exact sums" if done.appeared else ""
    return f"  {done.points:,} points and {done.transactions:,} transactions went over{beside}"
