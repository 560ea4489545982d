"""The monthly flow, through a real Prefect server and without one."""

import re
import uuid

import pytest
from sqlalchemy import URL, text

from flows.runs import DIRECTLY
from loyalty.db.engine import connect, transaction
from loyalty.monthly import STEPS, Step
from tests.flows.conftest import PERSONAL, Command, Prefect

JANUARY = [("C1", 260, "Bronze", "Gold"), ("C2", 130, "Silver", None), ("C3", 9, "Bronze", None)]


def _january() -> list[tuple[object, ...]]:
    query = (
        "select m.customer_id, s.closing_balance, t.name, p.name from loyalty.statements as s"
        " inner join loyalty.members as m using (member_no)"
        " inner join loyalty.tiers as t on t.tier_no = s.tier_after"
        " left join loyalty.tiers as p on p.tier_no = s.proposed_tier order by m.customer_id"
    )
    with connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def _parts(step: Step) -> tuple[str, ...]:
    """The members that a task run of the step is about: a report's is about all."""
    return ("[1, 5)",) if step.whole else ("[1, 3)", "[3, 5)")


def _counts() -> dict[str, int]:
    """The rows of every table that lasts."""
    query = text(
        "select relname from pg_class where relnamespace = 'loyalty'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition order by relname"
    )
    with connect() as connection:
        tables = connection.execute(query).scalars().all()
        return {
            table: connection.execute(text(f"select count(*) from loyalty.{table}")).scalar_one() for table in tables
        }


def test_a_close_is_a_run_of_fifteen_numbered_tasks(through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: the run tells its period, its task runs the fifteen steps in order, its artifacts the results."""
    note = uuid.uuid4().hex
    done = through_prefect("close", "2026-01", note=note)
    assert (done.returncode, done.stdout) == (0, "2026-01 closed: 3 statements, 1 moves\n"), done.stderr

    [run] = prefect_server.runs(note)
    names = [f"{step.number:02} {step.name} {part}" for step in STEPS for part in _parts(step)]
    tasks = prefect_server.recorded(run["id"], len(names))
    artifacts = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}}, sort="KEY_ASC")

    assert _january() == JANUARY
    assert (run["name"], run["state"]["message"]) == ("2026-01", "2026-01 closed: 3 statements, 1 moves")
    assert [(task["name"], task["state"]["type"]) for task in tasks] == [(name, "COMPLETED") for name in names]
    assert [(artifact["key"], artifact["type"]) for artifact in artifacts if artifact["key"]] == [
        ("loyalty-health-2026-01", "markdown"),
        ("loyalty-roi-2026-01", "markdown"),
        ("reviews-2026-01", "markdown"),
    ]
    assert [artifact["data"] for artifact in artifacts if artifact["type"] == "progress"] == [100.0]


def test_without_a_server_the_same_steps_run_here(directly: Command) -> None:
    """Law: where no Prefect server answers the close is done all the same, and says how; again it is 'unchanged'."""
    done = directly("close", "2026-01")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2026-01 closed\n", f"{DIRECTLY}\n")
    again = directly("close", "2026-01")
    assert (again.returncode, again.stdout) == (0, "2026-01 is closed already: unchanged\n")

    assert _january() == JANUARY


def test_a_server_that_is_gone_is_no_hindrance(directly: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: an address at which nobody answers is as none."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = directly("close", "2026-01")

    assert (done.returncode, done.stderr) == (0, f"{DIRECTLY}\n")


def test_a_run_that_fails_says_why_in_one_line(through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: a refused close is a failed run with the reason as its message; the command shows that line and no more."""
    reason = "2026-01 is still open: close it before 2026-02"
    done = through_prefect("close", "2026-02")
    wanted = {"name": {"any_": ["2026-02"]}, "state": {"type": {"any_": ["FAILED"]}}}
    [run] = prefect_server.filtered("flow_runs", flow_runs=wanted)
    logs = prefect_server.filtered("logs", logs={"flow_run_id": {"any_": [run["id"]]}})

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"loyalty: {reason}\n")
    assert run["state"]["message"] == reason
    assert [log["message"] for log in logs if "Traceback" in log["message"]] == []


def test_a_step_that_fails_is_named(shop: URL, prefect_server: Prefect, through_prefect: Command) -> None:
    """Law: a run that a step fails says in one line what happened and in which step, and its log has no traceback."""
    with transaction() as connection:
        connection.execute(
            text(
                "create function refuse() returns trigger language plpgsql as $$"
                " begin raise 'no voucher today' using errcode = 'LY001'; end $$"
            )
        )
        connection.execute(text("create trigger refuse before insert on vouchers execute function refuse()"))
    note = uuid.uuid4().hex
    done = through_prefect("close", "2026-01", note=note)
    [run] = prefect_server.runs(note)
    logs = prefect_server.filtered("logs", logs={"flow_run_id": {"any_": [run["id"]]}})

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "loyalty: no voucher today")
    assert "Traceback" not in done.stderr
    assert re.fullmatch(r"no voucher today \(step 08 create_reward_voucher \[\d, \d\)\)", run["state"]["message"])
    assert [log["message"] for log in logs if "Traceback" in log["message"]] == []


def test_a_simulation_is_told_in_an_artifact_and_leaves_nothing(
    shop: URL, prefect_server: Prefect, through_prefect: Command, run_flow: Command
) -> None:
    """Law: simulate=True publishes what the month would bring, and no row of any table comes or goes."""
    before, note = _counts(), uuid.uuid4().hex
    done = run_flow("monthly_loyalty", note, period="2026-01", simulate=True)
    assert done.returncode == 0, done.stderr
    [run] = prefect_server.runs(note)
    [page] = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})

    assert _counts() == before
    assert (run["name"], page["key"]) == ("2026-01 simulated", "simulation-2026-01")
    assert "| **399**<br>open month |" in page["data"]
    assert "| **1**<br>for a manager |" in page["data"]


def test_prefects_database_holds_nothing_personal(shop: URL, through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: no address, number or name of a member, and no password, is anywhere in Prefect's records or logs."""
    for arguments in (("close", "2026-01"), ("notify",)):
        through_prefect(*arguments)

    kept = b"".join(path.read_bytes() for path in prefect_server.home.iterdir() if path.is_file())

    assert b"retrieve_customer_profile" in kept
    assert [cell for cell in [*PERSONAL, shop.password or "?password?"] if cell.encode() in kept] == []
