"""The form by which managers decide in Prefect's UI. It explains itself: they may never have seen Prefect before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from prefect.input import RunInput
from pydantic import ConfigDict, Field, create_model

from loyalty.db.approvals import LONGEST_NOTE, Approval
from loyalty.db.reviews import Upgrade
from loyalty.errors import BadInput
from loyalty.rules.money import to_major
from loyalty.rules.programme import Programme

LONGEST_REVIEWER = 40
_REASON_GIVEN: dict[str, Any] = {"properties": {"note": {"type": "string", "minLength": 3}}, "required": ["note"]}
_REJECTED: dict[str, Any] = {"properties": {"decision": {"const": "reject"}}, "required": ["decision"]}
_RULES: list[Any] = [
    {"if": _REJECTED, "then": {"allOf": [_REASON_GIVEN, {"properties": {"leave_out": {"maxItems": 0}}}]}},
    {"if": {"properties": {"leave_out": {"minItems": 1}}, "required": ["leave_out"]}, "then": _REASON_GIVEN},
]  # the server refuses what makes no sense before it takes the answer, so the form stays open


@dataclass(frozen=True, slots=True)
class Answer:
    """What a manager typed into the form."""

    approve: bool
    by: str
    note: str
    leave_out: tuple[int, ...]
    code: str


def answer(typed: Mapping[str, Any]) -> Answer:
    """The answer of a form, whatever the rules asked for when it was shown. Raises BadInput for what is no answer."""
    if not {"decision", "reviewer"} <= typed.keys():
        raise BadInput("the form has changed since it was filled in: fill it in again")
    return Answer(
        approve=typed["decision"] == "approve",
        by=typed["reviewer"],
        note=typed.get("note") or "",
        leave_out=tuple(_member_no(label) for label in typed.get("leave_out") or ()),
        code=typed.get("code") or "",
    )


def form(approval: Approval, upgrades: Sequence[Upgrade], rules: Programme, page: UUID) -> type[RunInput]:
    """The form of an approval, with the upgrades that are still open where it is a batch of them.

    `page` is the artifact that shows all there is to know.
    """

    class Form(RunInput):
        model_config = ConfigDict(extra="forbid", title="Decision", json_schema_extra={"allOf": _RULES})

    labels = tuple(label(upgrade) for upgrade in upgrades if upgrade.state == "open")
    fields: dict[str, Any] = {"decision": (Literal["approve", "reject"], _decision(labels))}
    if labels:
        fields["leave_out"] = (list[Literal[labels]], _LEAVE_OUT)  # type: ignore[valid-type]
    fields |= {"note": (str, _note(labels)), "reviewer": (str, _REVIEWER)}
    if rules.review_code:
        fields["code"] = (str, _CODE)
    made = create_model("Decision", __base__=Form, **fields)
    made._description = _description(approval, page)  # noqa: SLF001 - Prefect has no other way
    return made


def label(upgrade: Upgrade) -> str:
    """A member in the list to leave out: "M123 Silver→Gold 512.30 EUR"."""
    spend = f"{to_major(upgrade.spend, upgrade.currency):,} {upgrade.currency}"
    return f"M{upgrade.member_no} {upgrade.from_tier}→{upgrade.to_tier} {spend}"


def artifact_key(approval_no: int) -> str:
    """The key of the page with everything there is to know: approval-12."""
    return f"approval-{approval_no}"


def _member_no(chosen: str) -> int:
    return int(chosen.partition(" ")[0].removeprefix("M"))


def _description(approval: Approval, page: UUID) -> str:
    link = f"[Look at it first](/v2/artifacts/artifact/{page})"
    lines = [f"**{approval.about}** {link}: what it is about, and what may be doubted."]
    if approval.last_refusal:
        lines.append(f"**The last answer could not be taken:** {approval.last_refusal}.")
    lines.append(f"Please decide by {approval.due_on}: silence approves nothing. The first decision counts.")
    return "\n\n".join(lines)


def _decision(labels: Sequence[str]) -> Any:  # as `Field` itself
    told = "approve: it takes effect at once. reject: nothing happens, for the reason in the note."
    if labels:
        told = (
            "approve: everybody moves up, at once, but for those left out below. "
            "reject: nobody moves, for the reason in the note."
        )
    return Field(title="Decision", description=told)


_LEAVE_OUT: Any = Field(
    default=[],
    title="Leave out",
    description="Only if you approve: who is picked does not move and counts as rejected, for the reason in the note.",
)


def _note(labels: Sequence[str]) -> Any:
    when = "reject, or leave anybody out" if labels else "reject"
    return Field(
        default="",
        title="Note",
        max_length=LONGEST_NOTE,
        description=f"Why. Needed if you {when}. It is kept; write no names and no addresses.",
    )


_REVIEWER = Field(
    title="Reviewer",
    max_length=LONGEST_REVIEWER,
    pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]*$",
    description="You: the short name by which your colleagues know you, such as anna. It is kept with the decision.",
)
_CODE = Field(
    title="One-time code",
    min_length=8,
    max_length=20,
    description="It came with the message to the managers. Once you have typed it, nobody can use it again.",
)
