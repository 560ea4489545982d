"""`loyalty approvals`, and reviews that are part of one."""

import json

from tests.cli.conftest import Loyalty

EMPTY = "there are no approvals that wait\n"


def test_a_batch_is_listed_and_decided(two_months: Loyalty) -> None:
    """Law: what waits is shown with its number, and decided by it once; members are left out by theirs."""
    listed = json.loads(two_months("approvals", "list", "--json").out)
    member = json.loads(two_months("reviews", "list", "--json").out)[0]["member_no"]
    left = two_months("approvals", "reject", "1", "--by", "anna", "--note", "a reseller", "--leave-out", str(member))
    done = two_months("approvals", "approve", "1", "--by", "anna", "--note", "a reseller", "--leave-out", f"M{member}")
    again = two_months("approvals", "reject", "1", "--by", "bert", "--note", "no")

    assert [(each["approval_no"], each["occasion"], each["members"], each["state"]) for each in listed] == [
        (1, "2026-01 Gold 1", 1, "open")
    ]
    assert (left.code, left.err) == (2, "loyalty: a rejection is of all: leave nobody out of it\n")
    assert (done.code, done.out) == (0, "approval 1 rejected: 0 approved, 1 rejected, 0 lapsed\n")
    assert (again.code, again.err) == (1, "loyalty: approval 1 is rejected already, by anna\n")
    assert two_months("approvals", "list").out == EMPTY
    shown = two_months("approvals", "list", "--state", "all").out.splitlines()[1].split()
    shown.pop(8)  # the time of day: the clock runs on from when this process began
    assert shown == "1 review 2026-01 Gold 1 1 system 2026-03-17 rejected anna 0 approved, 1 rejected, 0 lapsed".split()


def test_reviews_decided_one_by_one_end_their_approval(two_months: Loyalty) -> None:
    """Law: with its last review an approval is at an end, and nobody is asked about it any more."""
    assert two_months("reviews", "approve", "1", "--by", "anna").code == 0

    assert two_months("approvals", "list").out == EMPTY
    assert json.loads(two_months("approvals", "list", "--state", "approved", "--json").out)[0]["decided_by"] == "anna"


def test_wrong_use_is_told_in_a_line(two_months: Loyalty) -> None:
    """Law: a decision needs a number, a name and, for a rejection, a reason."""
    told = [
        two_months("approvals", *arguments)
        for arguments in (
            ["approve"],
            ["approve", "1"],
            ["reject", "1", "--by", "anna"],
            ["approve", "9", "--by", "anna"],
            ["approve", "1", "1x", "--by", "anna"],
        )
    ]

    assert [(done.code, done.err) for done in told] == [
        (2, "loyalty: say which approvals to approve: `loyalty approvals list` shows their numbers\n"),
        (2, "loyalty: an approval is decided in somebody's name: say whose with --by NAME\n"),
        (2, "loyalty: an approval is rejected for a reason: give it with --note TEXT\n"),
        (1, "loyalty: there is no approval 9: see `loyalty approvals list`\n"),
        (2, 'loyalty: a number such as 12 is wanted, not "1x"\n'),
    ]
