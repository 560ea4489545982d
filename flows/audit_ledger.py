"""The ledger proved, every night: what must not be is looked for, and staff are told if it is found."""

from collections.abc import Iterator

from prefect import Task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows._flow import Progress, programme_flow
from loyalty import clock
from loyalty.db.engine import transaction
from loyalty.db.programme import check_ready
from loyalty.db.rules_versions import in_force
from loyalty.db.verify import Check, names, verify
from loyalty.errors import LoyaltyError
from loyalty.reports import audit
from loyalty.rules.periods import period_of


def _run_name() -> str:
    return f"audit {clock.now():%Y-%m-%d}"


@programme_flow(run_name=_run_name)
def audit_ledger() -> str:
    """Run every check of the ledger on one and the same state of the database, and change nothing.

    The artifact audit-ledger lists the checks and the rows that must not be. The run fails if there is one.
    """
    zone, now = check_ready(), clock.now()
    checks = list(_checked())
    with transaction() as connection:
        programme = in_force(connection, period_of(now, zone))[1].name
    told = audit.summary(checks)
    create_markdown_artifact(
        audit.markdown(checks, programme, now), key=audit.ARTIFACT_KEY, description=told.partition(":")[0]
    )
    if not all(check.holds for check in checks):
        raise LoyaltyError(told)
    return told


def _checked() -> Iterator[Check]:
    """Each check as a task run of its own name, which fails if it finds a row; then the next."""
    running, wanted = verify(), names()
    progress = Progress(f"Audit of {len(wanted)} checks")
    progress.show(0)
    for number, name in enumerate(wanted, start=1):
        found: list[Check] = []
        state = _task(number, name, running, found)(return_state=True)
        if not found:
            state.result()  # raises what kept the check from its end
        yield found[0]
        progress.show(number / len(wanted))


def _task(number: int, name: str, running: Iterator[Check], found: list[Check]) -> Task[[], State[None]]:
    """The next check as a task. Its outcome goes to `found`: Prefect keeps the line, and no row."""

    def check() -> State[None]:
        outcome = next(running)
        found.append(outcome)
        get_run_logger().info("%02d %s: %s", number, name, audit.rows(outcome.found))
        return Completed(message="no row") if outcome.holds else Failed(message=audit.rows(outcome.found))

    return Task(fn=check, name=name, task_run_name=f"{number:02} {name}", cache_policy=NO_CACHE, persist_result=False)
