"""`loyalty consents`: what a member agreed to, and what keeps messages from an address."""

from argparse import Namespace

from loyalty import clock
from loyalty.commands.terminal import moment, say, say_json, say_list
from loyalty.db import consents, enrolment
from loyalty.db.consents import Consent, Purpose
from loyalty.db.engine import transaction
from loyalty.db.members import Row
from loyalty.db.programme import check_ready


def show(given: Namespace) -> int:
    """List every consent of a member, oldest first, and what was said against the addresses it has now."""
    check_ready()
    with transaction() as connection:
        member_no = enrolment.number(connection, given.customer_id)
        said = consents.history(connection, member_no)
        against = consents.suppressions(connection, member_no)
    if given.json:
        say_json({"consents": said, "suppressions": against})
        return 0
    say_list("consents", ("when", "channel", "for", "consent", "source", "wording"), map(_consent, said))
    heads = ("suppressed", "channel", "reason", "source", "lifted", "by")
    say_list("suppressions of the member's addresses", heads, map(_suppression, against))
    return 0


def change(given: Namespace) -> int:
    """Note a consent given or withdrawn, or lift what holds against the member's address, in somebody's name."""
    check_ready()
    now = clock.now()
    with transaction() as connection:
        member_no = enrolment.number(connection, given.customer_id)
        if given.action == "lift":
            consents.lift(connection, member_no, given.channel, given.by, now)
            say(f"what was said against the {given.channel} address is lifted")
            return 0
        purpose: Purpose = "marketing" if given.offers else "service"
        source = f"staff {given.by}"[:80]
        said = Consent(member_no, given.channel, purpose, given.action == "give", now, source, given.wording)
        consents.record(connection, [said])
    say(f"the consent to {purpose} by {given.channel} is {'given' if said.given else 'withdrawn'}")
    return 0


def _consent(row: Row) -> list[object]:
    given = "given" if row["given"] else "withdrawn"
    return [moment(row["at"]), row["channel"], row["purpose"], given, row["source"], row["wording"] or "-"]


def _suppression(row: Row) -> list[object]:
    lifted, by = moment(row["lifted_at"]), row["lifted_by"] or "-"
    return [moment(row["since"]), row["channel"], row["reason"], row["source"], lifted, by]
