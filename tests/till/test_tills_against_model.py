"""The tills against the model: any history of them, and of files and closes between, ends in the same books on both."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from loyalty.db import closing
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES
from tests.laws.test_against_model import books
from tests.till.till_product import TillProduct
from tests.till.till_scenarios import TILL_SCENARIOS, TillScenario, closed_by, play
from tests.till_model import TillProgramme


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES)
@given(scenario=TILL_SCENARIOS)
def test_tills_do_what_the_model_does(databases: Databases, scenario: TillScenario) -> None:
    """Law: each answer and standing, and all that a history leaves in the books, are the model's; every check holds."""
    expected = TillProgramme(scenario.zone, scenario.rules)
    answers = list(play(expected, scenario))
    months = closed_by(scenario)
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(closing, "RANGE", scenario.range_members)
        actual = TillProduct(patch, Path(folder), scenario.zone, scenario.rules, batches=scenario.batches)

        assert list(play(actual, scenario)) == answers
        assert books(actual, months) == books(expected, months)
        assert actual.wrong() == {}
