"""A month simulated: its effects in an artifact, and nothing changed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from prefect import Task
from prefect.artifacts import create_markdown_artifact

from loyalty.db.closing import Batch, Close
from loyalty.db.simulation import Do, simulate
from loyalty.monthly import all_ended
from loyalty.reports import simulation
from loyalty.rules.periods import display_period
from loyalty.rules.programme import Programme

StepTasks = Mapping[str, Task[Any, int]]


def publish_simulation(period: date, tasks: StepTasks, *, batches: int, rules: Programme | None) -> str:
    """Run the first five steps on working rows of their own, and publish what the month would bring."""
    effects = simulate(period, rules, batches=batches, do=through(tasks))
    key = simulation.artifact_key(period)
    create_markdown_artifact(
        simulation.markdown(effects), key=key, description=f"What {display_period(period)} would bring"
    )
    moves = effects.moves_up + effects.moves_down
    return (
        f"{display_period(period)} simulated: {effects.points:,} points, {moves:,} moves, {effects.reviews:,} reviews; "
        f"artifact {key}"
    )


def through(tasks: StepTasks, under: str = "") -> Do:
    """How a simulated step is run: as tasks, whose runs are named for the rules they are `under`."""

    def do(name: str, close: Close, parts: Sequence[Batch]) -> None:
        all_ended([_named(tasks[name], part, under).submit(close, part) for part in parts])

    return do


def _named(task: Task[Any, int], part: Batch, under: str) -> Task[Any, int]:
    """The task as it is, or with the rules in the name of its run: 01 retrieve_customer_profile [1, 20001) as it is."""
    if not under:
        return task
    return task.with_options(task_run_name=f"{under}: {task.name} [{part.first}, {part.stop})")
