"""Decisions that a person makes on what is frozen in the database: a batch of held upgrades, new rules, a recompute.

One transaction holds the decision and all that follows from it. A form in Prefect, the command line and the deadline
may meet: the first to lock the approval decides, and the others are told who did. What follows is each kind's own;
`_EFFECTS` names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import Connection, Row

from loyalty import clock
from loyalty.db.engine import connect, transaction
from loyalty.db.one_time_codes import matches
from loyalty.db.rules_versions import read_version
from loyalty.db.statements import run
from loyalty.errors import BadInput, LoyaltyError, Refused, WrongUse
from loyalty.rules.programme import Programme

T = TypeVar("T")
Kind = Literal["tier_upgrades", "rules", "recompute", "adjustment", "campaign"]
State = Literal["open", "approved", "rejected", "lapsed"]

LONGEST_NAME, LONGEST_NOTE = 80, 500
CODE_TRIES = 5  # wrong codes until one is worth nothing; the next daily flow sends another
LATE = "not decided in time"

_EFFECTS: dict[Kind, str] = {
    "tier_upgrades": "loyalty.db.reviews:decide_batch",
    "rules": "loyalty.db.rules_changes:apply_change",
    "recompute": "loyalty.db.recompute:post",
    "adjustment": "loyalty.db.adjustments:post_approved",
    "campaign": "loyalty.db.campaigns:begin_approved",
}
"""What follows from a decision. That of upgrades is `(connection, approval_no, decision) -> Effect` and hears of a
rejection too; the others are `(connection, approval_no, by, now) -> str`, called when one is approved; they say in
a line what was done, or give an Effect where facts have changed and it lapses. Each is part of the decision's
transaction: what it raises undoes the decision."""

_NAMES: dict[Kind, str] = {
    "tier_upgrades": "review",
    "rules": "rules",
    "recompute": "recompute",
    "adjustment": "adjustment",
    "campaign": "campaign",
}
_ABOUT: dict[Kind, str] = {
    "rules": "New rules wait: {occasion}.",
    "recompute": "Corrections of closed months wait to be posted: {occasion}.",
    "adjustment": "A manual adjustment waits: {occasion}.",
    "campaign": "A campaign waits to be started: {occasion}.",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """What waits for a decision, or was decided. `told` is what came of it.

    `due_on` is the day of the deadline in the programme's zone, `members` how many reviews it holds.
    """

    approval_no: int
    kind: Kind
    occasion: str
    period: date | None
    asked_by: str
    asked_at: datetime
    due_at: datetime
    due_on: str
    state: State
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    told: str | None
    answers_refused: int
    last_refusal: str | None
    members: int

    @property
    def name(self) -> str:
        """What its run in Prefect is called."""
        return run_name(self.kind, self.occasion)

    @property
    def tier(self) -> str:
        """The tier that a batch of upgrades leads to: of "2017-12 Gold 1" the middle."""
        return self.occasion.partition(" ")[2].rpartition(" ")[0]

    @property
    def about(self) -> str:
        """What is asked, in a sentence."""
        if self.kind == "tier_upgrades":
            period = self.occasion.partition(" ")[0]
            which = f"{self.members:,} upgrades into" if self.members != 1 else "One upgrade into"
            return f"{which} {self.tier} of {period} {'wait' if self.members != 1 else 'waits'}."
        return _ABOUT[self.kind].format(occasion=self.occasion)


@dataclass(frozen=True, slots=True)
class Decision:
    """A manager's answer. `leave_out` are member numbers that count as rejected; `version` that of the rules of now."""

    approve: bool
    by: str
    note: str | None
    leave_out: tuple[int, ...]
    at: datetime
    version: int
    members: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a decision: the state, a line, and the periods whose reports must be made again."""

    state: State
    told: str
    periods: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision as it stands: `told` is one line such as "38 approved, 2 rejected, 0 lapsed"."""

    approval_no: int
    state: State
    told: str
    periods: tuple[date, ...]


class WrongCode(Refused):
    """The one-time code is missing or wrong."""


def run_name(kind: Kind, occasion: str) -> str:
    """What the run in Prefect that asks is called, and what managers look for: "review 2017-12 Gold 1"."""
    return f"{_NAMES[kind]} {occasion}"


def ask(
    connection: Connection,
    kind: Kind,
    occasion: str,
    *,
    asked_by: str,
    asked_at: datetime,
    due_at: datetime,
    period: date | None = None,
) -> int:
    """Ask for a decision in the caller's transaction, and queue the message to managers; its number.

    The same kind and occasion again give the same number, and what was asked first stays.

    `asked_by` is a handle, or "system" where no person asked. Raises WrongUse for what is no handle.
    """
    number: int = run(
        connection,
        "approvals/ask",
        kind=kind,
        occasion=occasion,
        period=period,
        asked_by=checked_name(asked_by),
        asked_at=asked_at,
        due_at=due_at,
    ).scalar_one()
    terms = run(connection, "closing/find_terms_now", as_of=asked_at).one()
    tell_managers(connection, asked_at, asked_at, read_version(connection, terms.version))
    return number


def waiting(connection: Connection) -> list[Approval]:
    """The approvals that nobody has decided, the oldest first."""
    return listed(connection, "open")


def listed(connection: Connection, state: State | None) -> list[Approval]:
    """The approvals in a state (None: all), the oldest first."""
    return [
        Approval(**row) for row in run(connection, "approvals/list_approvals", state=state, approval_no=None).mappings()
    ]


def read(connection: Connection, approval_no: int) -> Approval:
    """The approval of that number. Raises BadInput if there is none."""
    found = run(connection, "approvals/list_approvals", state=None, approval_no=approval_no).mappings().one_or_none()
    if found is None:
        raise BadInput(f"there is no approval {approval_no}: see `loyalty approvals list`")
    return Approval(**found)


def decide(
    approval_no: int,
    *,
    approve: bool,
    by: str,
    note: str | None = None,
    leave_out: Sequence[int] = (),
    code: str | None = None,
) -> Outcome:
    """Decide an approval, and do what follows, in one transaction.

    `leave_out` are the member numbers of a batch of upgrades that an approval leaves out: they count as rejected, for
    the reason in `note`. Raises BadInput for a number that is none, WrongUse for an answer that makes no sense, and
    Refused if the approval is decided already, the name may not decide it, or the code is wrong; then nothing changes,
    but that a code is spent.
    """
    now = clock.now()
    with transaction() as connection:
        terms = run(connection, "closing/find_terms_now", as_of=now).one()
        rules = read_version(connection, terms.version)
        [approval] = lock(connection, [approval_no])
        if approval.state != "open":
            raise Refused(f"approval {approval_no} is {approval.state} already, by {approval.decided_by}")
        decision = Decision(
            approve=approve,
            by=checked_name(by),
            note=(note or "").strip() or None,
            leave_out=tuple(sorted(set(leave_out))),
            at=now,
            version=terms.version,
            members=(terms.first_member, terms.stop_member),
        )
        outcome = taken(connection, [approval], code, lambda: _decided(connection, approval, decision, rules, code))
        if not isinstance(outcome, LoyaltyError):
            return outcome
    raise outcome


def taken(
    connection: Connection, approvals: Sequence[Row[Any]], code: str | None, answer: Callable[[], T]
) -> T | LoyaltyError:
    """Take an answer about locked approvals; what it was refused for, if it was: then only its code is spent.

    The caller commits before it raises that. A wrong code is counted, and the right one is worth nothing any more:
    Prefect keeps in plain what was typed.
    """
    try:
        with connection.begin_nested():
            return answer()
    except LoyaltyError as refusal:
        for approval in approvals if code else ():
            wrong = isinstance(refusal, WrongCode)
            run(connection, "approvals/spend_code", approval_no=approval.approval_no, wrong=wrong, most=CODE_TRIES)
        return refusal


def _decided(
    connection: Connection, approval: Row[Any], decision: Decision, rules: Programme, code: str | None
) -> Outcome:
    check_decider([approval], decision.by, rules, code)
    _check_sense(approval, decision)
    if approval.kind != "tier_upgrades" and approval.due_at <= decision.at and rules.review_overdue == "lapse":
        effect = Effect("lapsed", f"lapsed: {LATE}")
    else:
        effect = _effect(connection, approval, decision)
    run(
        connection,
        "approvals/record_decision",
        approval_no=approval.approval_no,
        state=effect.state,
        decided_by=decision.by,
        decided_at=decision.at,
        note=decision.note,
        told=effect.told,
    )
    return Outcome(approval.approval_no, effect.state, effect.told, effect.periods)


def _effect(connection: Connection, approval: Row[Any], decision: Decision) -> Effect:
    if approval.kind == "tier_upgrades":
        return cast("Effect", _named(approval.kind)(connection, approval.approval_no, decision))
    if not decision.approve:
        return Effect("rejected", f"rejected by {decision.by}: {decision.note}")
    done = _named(approval.kind)(connection, approval.approval_no, decision.by, decision.at)
    return done if isinstance(done, Effect) else Effect("approved", str(done))


def _named(kind: Kind) -> Callable[..., Any]:
    """The effect of a kind; loaded when it is needed, since those modules ask for approvals themselves."""
    module, _, name = _EFFECTS[kind].partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


def lock(connection: Connection, approval_nos: Sequence[int]) -> list[Row[Any]]:
    """Lock approvals by their numbers, in order. Raises BadInput for a number that is none."""
    wanted = sorted(set(approval_nos))
    found = run(connection, "approvals/lock_approvals", approval_nos=wanted).all()
    missing = sorted(set(wanted) - {row.approval_no for row in found})
    if missing:
        raise BadInput(f"there is no approval {missing[0]}: see `loyalty approvals list`")
    return list(found)


def check_decider(approvals: Sequence[Row[Any]], by: str, rules: Programme, code: str | None) -> None:
    """See that this name, with this code, may decide these (locked) approvals. Raises WrongUse or Refused."""
    name = checked_name(by)
    for approval in approvals:
        if rules.review_code and not matches(code or "", approval.salt, approval.code_hash):
            raise WrongCode(
                "the one-time code is wrong or spent: it came with the message to the managers, "
                "and the next daily run sends a new one where the last is spent"
            )
    if rules.approvers and name not in rules.approvers:
        raise Refused("that name is not among the approvers that the rules list")
    for approval in approvals:
        if name.casefold() == approval.asked_by.casefold() or name == "system":
            raise Refused("who asked may not decide: it takes a second person")


def refuse_answer(approval: Approval, refusal: LoyaltyError) -> None:
    """Take note that a form's answer could not be taken, so that the form asks again and says why."""
    with transaction() as connection:
        run(
            connection,
            "approvals/refuse_answer",
            approval_no=approval.approval_no,
            answers_refused=approval.answers_refused,
            refusal=str(refusal),
        )


def close_decided(connection: Connection, at: datetime) -> int:
    """End the batches of upgrades whose reviews are all decided, one by one or by time; how many."""
    return run(connection, "approvals/close_decided", decided_at=at).rowcount


def checked_name(name: str) -> str:
    """A handle, trimmed. Raises WrongUse for what is none: nothing, too long, an e-mail address."""
    handle = name.strip()
    if not handle or len(handle) > LONGEST_NAME or "@" in handle or not handle.isprintable():
        raise WrongUse(
            f"a decision is made in somebody's name: a handle of 1 to {LONGEST_NAME} letters, no e-mail address"
        )
    return handle


def end_overdue(connection: Connection, as_of: datetime, recorded_at: datetime, rules: Programme) -> int:
    """End or escalate, as the rules say, what nobody decided by `as_of`; how many.

    Upgrades lapse one by one before (reviews/lapse_overdue); here their batches follow.
    """
    lapse = rules.review_overdue == "lapse"
    overdue = run(connection, "approvals/end_overdue", as_of=as_of, recorded_at=recorded_at, lapse=lapse).rowcount
    return overdue + close_decided(connection, recorded_at)


def tell_managers(connection: Connection, as_of: datetime, recorded_at: datetime, rules: Programme) -> int:
    """Queue the messages to managers that are due: of what waits, reminders, what is overdue, new codes; how many."""
    return run(
        connection,
        "approvals/tell_managers",
        as_of=as_of,
        recorded_at=recorded_at,
        reminder_days=rules.review_reminder_days,
        codes=rules.review_code,
    ).rowcount


def find(approval_no: int) -> Approval:
    """The approval of that number, read by itself. Raises BadInput if there is none."""
    with connect() as connection:
        return read(connection, approval_no)


def _check_sense(approval: Row[Any], decision: Decision) -> None:
    """Raise WrongUse for an answer that nobody can mean."""
    if decision.note is not None and len(decision.note) > LONGEST_NOTE:
        raise WrongUse(f"a reason has at most {LONGEST_NOTE} characters")
    if not decision.approve and decision.note is None:
        raise WrongUse("a rejection needs its reason")
    if decision.leave_out and not decision.approve:
        raise WrongUse("a rejection is of all: leave nobody out of it")
    if decision.leave_out and decision.note is None:
        raise WrongUse("leaving members out needs a reason: they count as rejected")
    if decision.leave_out and approval.kind != "tier_upgrades":
        raise WrongUse("members can be left out of a batch of upgrades only")
