"""A campaign's file: what is wrong is told with its line, and what is right reads back."""

import pytest
from pydantic import BaseModel

from loyalty.errors import BadInput, WrongUse
from loyalty.rules.campaign import CampaignForm, of_form, parse, to_toml
from loyalty.rules.changes import RuleChanges, TierChange

GOOD = """\
name = "winter-double"
starts_on = "2017-12-01"
ends_on = "2017-12-31"
gives = "multiplier"
multiplier = 2
budget = 20000
member_cap = 100
weekdays = ["monday", "friday"]
hours = ["22:00-02:00"]
"""
VOUCHER = GOOD.partition("gives")[0] + 'gives = "voucher"\nvoucher = 5.00\nbudget = 4\nminimum = 10\n'
LINES = "left out: purchases come without product lines; go by locations, channels or a minimum"
SHORT = 'a short name of small letters, digits and hyphens, such as "winter-double", in quotes'
WRONG = {
    GOOD.replace("budget", "budgte"): [
        "c.toml: budget: must be given: a number from 0 to 1000000000000 with at most 3 decimals",
        "c.toml: line 6: budgte: no key has this name; did you mean budget?",
    ],
    GOOD + 'product_groups = ["wine"]\n': [f"c.toml: line 10: product_groups: must be {LINES}, not a list"],
    GOOD.replace("2017-12-31", "2017-11-30"): [
        'c.toml: line 3: ends_on: must not be before starts_on, which is "2017-12-01", not "2017-11-30"'
    ],
    GOOD.replace("multiplier = 2", "multiplier = 1\npoints = 5").replace("20000", "0.5"): [
        'c.toml: line 6: points: must be left out of a campaign that gives "multiplier"',
        "c.toml: line 5: multiplier: must be above 1, not 1",
        "c.toml: line 7: budget: must be whole points, not 0.5",
    ],
    VOUCHER: [
        "c.toml: line 7: minimum: must be left out: a voucher is given as the campaign begins, not for a purchase",
        "c.toml: line 6: budget: must pay for one voucher of 5.00 at least, not 4",
    ],
    GOOD.replace("22:00-02:00", "8-9"): [
        'c.toml: line 9: hours: must be a list of 0 to 12 different spans of the day such as "17:00-20:00", not a list'
    ],
    GOOD.replace("winter-double", "Winter!"): [f'c.toml: line 1: name: must be {SHORT}, not "Winter!"'],
}


def test_a_campaign_reads_back() -> None:
    """Law: what is written of a campaign is the same campaign."""
    campaign = parse(GOOD)

    assert parse(to_toml(campaign)) == campaign
    assert campaign.minutes == [1320, 120]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_with_its_line(text: str) -> None:
    """Law: each mistake is a line that names file, line and key, and what is allowed."""
    with pytest.raises(BadInput) as refused:
        parse(text, "c.toml")
    assert sorted(refused.value.mistakes) == sorted(WRONG[text])


def test_a_form_asks_for_what_a_file_does() -> None:
    """Law: the fields of the form are the keys of the file; both, or nothing, make no sense."""
    form = CampaignForm(
        name="winter-double",
        starts_on="2017-12-01",
        ends_on="2017-12-31",
        gives="multiplier",
        multiplier="2",
        budget="20000",
        member_cap="100",
        weekdays=("monday", "friday"),
        hours=("22:00-02:00",),
    )

    assert of_form(form) == of_form(CampaignForm(), GOOD) == parse(GOOD)
    for twice_or_not in ((form, GOOD), (CampaignForm(), "")):
        with pytest.raises(WrongUse):
            of_form(*twice_or_not)
    with pytest.raises(BadInput, match="campaign: multiplier: must be a number"):
        of_form(form.model_copy(update={"multiplier": "two"}))


@pytest.mark.parametrize("form", [CampaignForm, RuleChanges, TierChange])
def test_a_forms_fields_are_numbered(form: type[BaseModel]) -> None:
    """Law: a form's fields can be shown in their order by whoever stored its schema without one."""
    places = {key: field["position"] for key, field in form.model_json_schema()["properties"].items()}
    assert sorted(places, key=places.__getitem__) == list(form.model_fields)


def test_a_form_says_what_must_be_given() -> None:
    """Law: of each field of text a form says what is allowed; of what a file can't leave out, that it must be given."""
    fields = CampaignForm.model_json_schema()["properties"]
    told = {key: field["description"] for key, field in fields.items()}
    assert {key for key, text in told.items() if text.endswith("It must be given.")} == {
        "name",
        "starts_on",
        "ends_on",
        "budget",
    }
    assert told["holdout"].endswith("Allowed: a number from 0 to 1 with at most 4 decimals. Empty: 0.1.")
    assert "in quotes" not in " ".join(told.values())


def test_a_forms_mistakes_ask_for_no_quotes() -> None:
    """Law: what is wrong in a form is told in its own terms: a name is written without quotes there."""
    form = CampaignForm(name="Winter", starts_on="2017-12-01", ends_on="2017-12-31", points="5", budget="10")
    with pytest.raises(BadInput) as told:
        of_form(form)
    named = 'a short name of small letters, digits and hyphens, such as "winter-double", not "Winter"'
    assert told.value.mistakes == (f"campaign: name: must be {named}",)
