"""A change of the rules as a form writes it: text for each field, empty for what stays."""

from decimal import Decimal

import pytest
from hypothesis import given

from loyalty.errors import BadInput, LoyaltyError, WrongUse
from loyalty.rules.changes import Difference, RuleChanges, TierChange, changed, differences
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse, to_toml
from tests.rules.programmes import programmes

RULES = Programme()


@given(before=programmes(), after=programmes())
def test_a_whole_rules_file_is_the_complete_way(before: Programme, after: Programme) -> None:
    """Law: any rules can be asked for by their text, and what differs is told exactly where they differ."""
    assert changed(before, RuleChanges(), to_toml(after)) == after
    assert (differences(before, after) == []) == (before == after)


def test_fields_change_what_they_name_and_nothing_else() -> None:
    """Law: a field is written as in the rules file, words too; an empty one leaves the rule as it is."""
    asked = RuleChanges(
        rate=" 0.12 ",
        expiry_months="never",
        tiers=(TierChange(tier="Gold", threshold="200"), TierChange(tier="Platinum", review="false", gift="none")),
    )
    found = changed(RULES, asked)

    assert differences(RULES, found) == [
        Difference("rate", "0.10", "0.12"),
        Difference("expiry_months", "12", '"never"'),
        Difference("Gold: threshold", "250", "200"),
        Difference("Platinum: review", "true", "false"),
        Difference("Platinum: gift", '"Platinum welcome box"', '""'),
    ]
    assert (found.rate, found.expiry_months) == (Decimal("0.12"), None)


def test_a_tier_that_comes_or_goes_is_told_whole() -> None:
    """Law: what differs on the ladder is told tier by tier, a new one and one that is left out with all their keys."""
    ladder = "\n".join(
        f'[[tiers]]\nname = "{name}"\nthreshold = {points}' for name, points in (("Bronze", 0), ("Ruby", 90))
    )
    gone = [difference for difference in differences(RULES, parse(ladder)) if difference.key.startswith("Silver")]
    new = [difference for difference in differences(RULES, parse(ladder)) if difference.key.startswith("Ruby: t")]

    assert new == [Difference("Ruby: threshold", None, "90")]
    assert {difference.after for difference in gone} == {None}


@pytest.mark.parametrize(
    ("asked", "text", "error", "told"),
    [
        (RuleChanges(), " ", WrongUse, ["nothing is asked for: give a change, or the text of a whole rules file"]),
        (
            RuleChanges(rate="1"),
            "rate = 1",
            WrongUse,
            ["give the changes or the text of a whole rules file, not both"],
        ),
        (
            RuleChanges(rate="ten", expiry_months="0"),
            "",
            BadInput,
            [
                'rules: rate: must be a number from 0 to 1000000 with at most 6 decimals, not "ten"',
                'rules: expiry_months: must be a whole number from 1 to 600 or "never", not 0',
            ],
        ),
        (
            RuleChanges(tiers=(TierChange(tier="Gold", threshold="600"),)),
            "",
            BadInput,
            ["rules: tier 4: threshold: must be above that of the tier before, 600, not 550"],
        ),
        (
            RuleChanges(tiers=(TierChange(tier="Gould", threshold="600"),)),
            "",
            BadInput,
            ["no tier has that name: the tiers are Bronze, Silver, Gold, Platinum"],
        ),
        (RuleChanges(), "rat = 1", BadInput, ["rules: line 1: rat: no rule has this name; did you mean rate?"]),
        (RuleChanges(), "#" * 65_537, BadInput, ["rules: a rules file has at most 65536 bytes"]),
    ],
)
def test_mistakes_are_told_as_for_a_rules_file(
    asked: RuleChanges, text: str, error: type[LoyaltyError], told: list[str]
) -> None:
    """Law: what is wrong is told by the errors of `loyalty rules check`, a line each."""
    with pytest.raises(error) as wrong:
        changed(RULES, asked, text)

    assert str(wrong.value).splitlines() == told
