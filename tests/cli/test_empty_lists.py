"""Lists in which nothing stands."""

import json

from tests.cli.conftest import Loyalty

EMPTY = {
    "reviews list": "reviews that wait",
    "reviews list --state rejected": "such reviews",
    "approvals list": "approvals that wait",
    "approvals list --state all": "such approvals",
    "adjustments": "adjustments by hand",
    "campaigns list": "campaigns",
    "keys list": "keys",
    "locations list": "locations",
    "members suggestions": "members who share an address or a number",
    "messages unknown list": "such messages",
    "inbox list": "events that wait or are dead",
    "inbox list --state dropped": "events that were dropped",
    "held list": "events that are held",
    "segments list lapsed": "members in lapsed",
}


def test_a_list_of_nothing_says_so(programme: Loyalty) -> None:
    """Law: every list that is empty is one line on stdout that says of what there is none, and empty as JSON."""
    programme("segments", "compute")
    told = {words: programme(*words.split()) for words in EMPTY}
    asked = {words: programme(*words.split(), "--json") for words in EMPTY}

    assert {words: (done.code, done.out, done.err) for words, done in told.items()} == {
        words: (0, f"there are no {what}\n", "") for words, what in EMPTY.items()
    }
    assert {words: json.loads(done.out) for words, done in asked.items()} == {words: [] for words in EMPTY}


def test_a_member_of_whom_nothing_was_said(two_months: Loyalty) -> None:
    """Law: both lists of a member's consents say that they are empty."""
    said = ("there are no consents", "there are no suppressions of the member's addresses")
    assert two_months("consents", "show", "ann").out == "".join(f"{line}\n" for line in said)
