"""The monthly run: the fifteen steps in order, over batches of members, for one period."""

from datetime import date
from typing import Annotated

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from flows._flow import Progress, programme_flow
from flows.delivery import deliver_close
from flows.manager_review import ask_managers
from flows.simulation import publish_simulation
from loyalty.db.closing import Reviews
from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.monthly import MOST_BATCHES, STEPS, Step, Terms, Told, chosen_period, closed, run_month, unchanged
from loyalty.rules.periods import display_period
from loyalty.rules.toml import parse
from tasks._step import written
from tasks.aggregate_program_roi import aggregate_program_roi
from tasks.assign_loyalty_manager_review import assign_loyalty_manager_review
from tasks.calculate_loyalty_points_earned import calculate_loyalty_points_earned
from tasks.calculate_total_monthly_spend import calculate_total_monthly_spend
from tasks.create_reward_voucher import create_reward_voucher
from tasks.determine_tier_eligibility import determine_tier_eligibility
from tasks.generate_monthly_loyalty_health_report import generate_monthly_loyalty_health_report
from tasks.get_recent_transactions import get_recent_transactions
from tasks.remove_expired_vouchers import remove_expired_vouchers
from tasks.retrieve_customer_profile import retrieve_customer_profile
from tasks.send_instant_points_alert import send_instant_points_alert
from tasks.send_tier_upgrade_notification import send_tier_upgrade_notification
from tasks.update_customer_points_balance import update_customer_points_balance
from tasks.update_loyalty_tier import update_loyalty_tier
from tasks.verify_physical_gift_dispatch import verify_physical_gift_dispatch

TASKS = {
    task.name: task
    for task in (
        retrieve_customer_profile,
        get_recent_transactions,
        calculate_total_monthly_spend,
        calculate_loyalty_points_earned,
        determine_tier_eligibility,
        update_customer_points_balance,
        update_loyalty_tier,
        create_reward_voucher,
        assign_loyalty_manager_review,
        verify_physical_gift_dispatch,
        send_tier_upgrade_notification,
        send_instant_points_alert,
        generate_monthly_loyalty_health_report,
        remove_expired_vouchers,
        aggregate_program_roi,
    )
}

Period = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


def _run_name() -> str:
    """2017-12, or "2017-12 simulated"."""
    given = flow_run.parameters
    name = given["period"] or display_period(chosen_period(None))
    return f"{name} simulated" if given["simulate"] else name


@programme_flow(run_name=_run_name, in_batches=True)
def monthly_loyalty(
    period: Period | None = None,
    *,
    batches: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 2,
    notify: bool = True,
    simulate: bool = False,
    reviews: Reviews = "hold",
    decided_by: str | None = None,
    rules: str | None = None,
) -> str:
    """Close a month of the loyalty programme: points, tiers, rewards, reviews, messages, reports.

    A month that is closed already stays as it is; one that a crash interrupted is gone on with.

    Args:
        period: The month to close, as YYYY-MM. Empty: the last whole month by the programme's clock.
        batches: Into how many parts the members are cut; parts are worked on at the same time.
        notify: Whether members get their e-mails and SMS about this month.
        simulate: Only compute what would happen, report it, and leave nothing behind; open months too.
        reviews: What happens to upgrades that need a manager: hold them until one decides, or approve them at once.
        decided_by: In whose name upgrades are approved: a handle, not an e-mail address. Needed to approve.
        rules: Only to simulate: the text of a rules file to try instead of the rules in force.
    """
    chosen = chosen_period(period)
    terms = Terms(batches=batches, notify=notify, reviews=reviews, decided_by=decided_by)
    if simulate:
        candidate = parse(rules, "rules") if rules else None
        return publish_simulation(chosen, TASKS, batches=batches, rules=candidate)
    done = run_month(
        chosen,
        terms,
        start=lambda step, close, part, before: TASKS[step.name].submit(
            close, part, return_state=False, wait_for=before
        ),
        told=_telling(chosen),
    )
    if done is None:
        return unchanged(chosen)
    if notify and flow_run.parent_flow_run_id is None:  # a backfill's months wait for the last one
        _deliver(chosen)
    return closed(chosen)


def _deliver(period: date) -> None:
    """Deliver the month's messages. The month is closed whatever becomes of them: the next delivery does the rest."""
    try:
        get_run_logger().info("messages: %s", deliver_close(period))
    except (LoyaltyError, ConfigurationError) as error:
        get_run_logger().error("messages wait for the next delivery: %s", error)


def _telling(period: date) -> Told:
    """What hears of each finished step of a month: its rows go to the log, how far the run is to its progress."""
    progress = Progress(f"Close of {display_period(period)}")

    def told(step: Step, rows: int) -> None:
        get_run_logger().info("step %s %s: %s", step.number, step.name, written(step.name, rows))
        progress.show(step.number / len(STEPS))
        if step.name == "assign_loyalty_manager_review":
            ask_managers(period)

    return told
