"""Tills over HTTP against the model: late, in any order, several times, over lines that break."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loyalty.db import closing
from tests.api.http_till import HttpTill, Line, serving
from tests.api.inbox_model import InboxProgramme
from tests.laws.conftest import Databases, databases
from tests.laws.scenarios import HISTORIES
from tests.laws.test_against_model import books
from tests.till.till_scenarios import TILL_SCENARIOS, Event, TillScenario, closed_by, play, scenario

__all__ = ["databases"]

LATE = [0, 0, 0, 0, 1, 2, 5, 12]  # how many other things happen before it is told
AGAIN = [0, 0, 0, 1, 1, 2]  # how often it is told once more, later


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line to a server that all histories share."""
    with serving() as made:
        yield made


def disordered(scenario: TillScenario, chance: random.Random) -> TillScenario:
    """The same happens, but tills tell of some sales and refunds late, and of some again."""
    told: list[tuple[int, Event]] = []
    last = len(scenario.events) - 1
    for place, event in enumerate(scenario.events):
        tellable = event.kind in {"buy", "refund", "again"}
        times = 1 + (chance.choice(AGAIN) if tellable else 0)
        told += [(min(place + (chance.choice(LATE) if tellable else 0), last), event) for _ in range(times)]
    told.sort(key=lambda each: each[0])
    return replace(scenario, events=[replace(event, at=scenario.events[place].at) for place, event in told])


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES // 2)
@given(told=TILL_SCENARIOS, seed=st.integers(0, 2**32))
@example(told=scenario(2_326_453_125_445, 4), seed=1)  # refunded before it was sold, by a month whose points still wait
def test_what_tills_tell_ends_in_the_models_books(
    line: Line, databases: Databases, told: TillScenario, seed: int
) -> None:
    """Law: however late, often and brokenly tills tell, answers and books are the model's; every check holds."""
    chance = random.Random(seed)
    history = disordered(told, chance)
    expected = InboxProgramme(history.zone, history.rules)
    answers = list(play(expected, history))
    months = closed_by(history)
    line.chance = chance
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(closing, "RANGE", history.range_members)
        actual = HttpTill(patch, Path(folder), history.zone, history.rules, batches=history.batches, line=line)

        assert list(play(actual, history)) == answers
        assert books(actual, months) == books(expected, months)
        assert actual.wrong() == {}
