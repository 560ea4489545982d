"""A month simulated: its effects in an artifact, and nothing changed."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from prefect import Task
from prefect.artifacts import create_markdown_artifact

from loyalty.db.closing import Batch, Close
from loyalty.db.simulation import simulate
from loyalty.monthly import all_ended
from loyalty.reports import simulation
from loyalty.rules.periods import display_period
from loyalty.rules.toml import parse


def simulate_month(period: date, tasks: Mapping[str, Task[Any, int]], *, batches: int, rules: str | None) -> str:
    """Run the first five steps on working rows of their own, and publish what the month would bring."""

    def do(name: str, close: Close, parts: list[Batch]) -> None:
        all_ended([tasks[name].submit(close, part) for part in parts])

    effects = simulate(period, parse(rules, "rules") if rules else None, batches=batches, do=do)
    create_markdown_artifact(
        simulation.markdown(effects),
        key=simulation.artifact_key(period),
        description=f"What {display_period(period)} would bring",
    )
    moves = effects.moves_up + effects.moves_down
    return (
        f"{display_period(period)} simulated: {effects.points:,} points, {moves:,} moves, {effects.reviews:,} reviews"
    )
