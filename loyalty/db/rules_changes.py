"""Changes of the rules: drafted from what a person asks, proposed with what they would bring, applied once approved.

A proposal is known by its content: the same text in place of the same version from the same month is the same proposal
and the same approval, whoever asks and however often. One that lapsed may be asked again, one that was rejected only
by saying so.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from loyalty import clock
from loyalty.db import approvals, rules_versions
from loyalty.db.engine import transaction
from loyalty.db.programme import zone
from loyalty.db.simulation import Comparison, Do, compare
from loyalty.db.statements import run
from loyalty.errors import Refused, WrongUse
from loyalty.rules.changes import RuleChanges, changed
from loyalty.rules.periods import display_period, last_whole_month
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse, to_toml

KIND: Final = "rules"


@dataclass(frozen=True, slots=True)
class Draft:
    """Rules that may be proposed: what rules from that month now, what would, and until which month (None: ever)."""

    from_period: date
    base_version: int
    before: Programme
    after: Programme
    until_period: date | None

    @property
    def document(self) -> str:
        """The proposed rules as the text of a rules file."""
        return to_toml(self.after)

    @property
    def digest(self) -> str:
        """What the proposal is known by, beside its month and the version it replaces."""
        return hashlib.sha256(self.document.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it is recorded; `state` is its approval's, None where no approval was needed.

    `figures` is what a simulated month says of it (loyalty/reports/rules_change.py); `version` is what it became.
    """

    change_no: int
    from_period: date
    base_version: int
    attempt: int
    document: str
    note: str
    asked_by: str
    asked_at: datetime
    figures: Any
    approval_no: int | None
    version: int | None
    state: str | None
    decided_by: str | None
    decision_note: str | None
    told: str | None


def draft(from_period: date, changes: RuleChanges, text: str = "") -> Draft:
    """The rules that a person asks for, from a month on; checked as `loyalty rules check` and `apply` check them.

    Raises BadInput for rules that are wrong, WrongUse for a request that makes no sense, Refused where the rules can't
    begin in that month.
    """
    with transaction() as connection:
        version, before = rules_versions.in_force(connection, from_period)
        after = changed(before, changes, text)
        rules_versions.check_limits(connection, after, from_period)
        later = [v.from_period for v in rules_versions.history(connection) if v.from_period and not v.overruled]
    until = min((period for period in later if period > from_period), default=None)
    return Draft(from_period, version, before, after, until)


def standing(wanted: Draft, *, ask_again: bool = False) -> Proposal | None:
    """The proposal of this content that waits or is decided; None if it may be asked: it never was, or it lapsed.

    Raises Refused if it was rejected, unless that is to be asked again.
    """
    with transaction() as connection:
        found = _newest(connection, wanted)
    if found is None or found.state == "lapsed" or (found.state == "rejected" and ask_again):
        return None
    if found.state == "rejected":
        why = f": {found.decision_note}" if found.decision_note else ""
        raise Refused(
            f"{found.decided_by} rejected this very change (approval {found.approval_no}){why}; "
            "change it, or say that it is to be asked again"
        )
    return found


def compared(wanted: Draft, *, batches: int, do: tuple[Do, Do] | None = None) -> Comparison:
    """The last closed month, or the last whole one if none is, under the rules as they are and as they would be.

    `do` runs the steps of the one and of the other. Raises as the steps do.
    """
    with transaction() as connection:
        closed = run(connection, "closing/find_period", period=wanted.from_period).one().newest_closed
        month = closed or last_whole_month(clock.now(), zone(connection))
        ruled_by, _ = rules_versions.in_force(connection, month)
    before = None if ruled_by == wanted.base_version else wanted.before
    return compare(month, before, wanted.after, batches=batches, do=do)


def propose(wanted: Draft, figures: Mapping[str, Any], *, asked_by: str, note: str, at: datetime) -> Proposal:
    """Record a proposal with its figures and ask for its approval; apply it at once if the rules let one person do so.

    Proposed already, it stays as it is. Raises as `rules_versions.install` does.
    """
    if asked_by.casefold() == rules_versions.FIRST_APPLIED_BY:
        raise WrongUse(f"{asked_by} is no person: say by their handle who asks")
    with transaction() as connection:
        newest = _newest(connection, wanted)
        attempt = 1 if newest is None else newest.attempt + (newest.state in {"lapsed", "rejected"})
        approval_no = version = None
        if wanted.before.change_rules_alone:
            version = rules_versions.install(
                connection, wanted.after, from_period=wanted.from_period, by=asked_by, at=at
            )
        else:
            approval_no = approvals.ask(
                connection,
                KIND,
                _occasion(wanted, attempt),
                asked_by=asked_by,
                asked_at=at,
                due_at=at + timedelta(days=wanted.before.review_days),
                period=wanted.from_period,
            )
        run(
            connection,
            "rules_changes/record",
            from_period=wanted.from_period,
            base_version=wanted.base_version,
            digest=wanted.digest,
            attempt=attempt,
            document=wanted.document,
            note=note,
            asked_by=asked_by,
            asked_at=at,
            figures=json.dumps(figures, ensure_ascii=False),
            approval_no=approval_no,
            version=version,
        )
        recorded = _newest(connection, wanted)
    assert recorded is not None  # noqa: S101 - written above
    return recorded


def of_approval(connection: Connection, approval_no: int) -> Proposal:
    """The proposal that an approval is about. Raises Refused if there is none."""
    found = _found(connection, approval_no=approval_no)
    if found is None:
        raise Refused(f"approval {approval_no} is about no change of the rules")
    return found


def apply_change(connection: Connection, approval_no: int, by: str, now: datetime) -> str | approvals.Effect:
    """Put approved rules in force, in the decision's transaction, and say so.

    The proposal lapses, and nothing is changed, where it can't be done any more: the month or a later one is closed by
    now, other rules came meanwhile, members hold a tier that it leaves out.
    """
    rules_versions.hold(connection)
    change = of_approval(connection, approval_no)
    month = display_period(change.from_period)
    if rules_versions.in_force(connection, change.from_period)[0] != change.base_version:
        return _lapsed(f"other rules were applied from {month} on since it was asked")
    rules = parse(change.document, f"change {change.change_no}")
    try:
        version = rules_versions.install(connection, rules, from_period=change.from_period, by=by, at=now)
    except Refused as reason:
        return _lapsed(str(reason))
    run(connection, "rules_changes/mark_applied", approval_no=approval_no, version=version)
    return f"rules version {version} is in force from {month}"


def _lapsed(why: str) -> approvals.Effect:
    return approvals.Effect("lapsed", f"lapsed, and nothing changed: {why}")


def _occasion(wanted: Draft, attempt: int) -> str:
    """What the approval is known by, and its run called: "from 2018-01 in place of version 1, 3f2a9c81d0aa"."""
    again = f", attempt {attempt}" if attempt > 1 else ""
    month = display_period(wanted.from_period)
    return f"from {month} in place of version {wanted.base_version}, {wanted.digest[:12]}{again}"


def _newest(connection: Connection, wanted: Draft) -> Proposal | None:
    return _found(connection, from_period=wanted.from_period, base_version=wanted.base_version, digest=wanted.digest)


def _found(connection: Connection, **known: Any) -> Proposal | None:
    asked = dict.fromkeys(("approval_no", "from_period", "base_version", "digest")) | known
    row = run(connection, "rules_changes/find", **asked).mappings().one_or_none()
    return None if row is None else Proposal(**row)
