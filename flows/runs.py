"""A flow run from a command: as a Prefect run where a Prefect server answers, else the same steps here.

Loading this module loads no Prefect. Each function returns what was done, in a line, and raises the library's errors.
"""

import os
from collections.abc import Callable, Iterable
from datetime import date, datetime
from importlib import import_module
from typing import Any

from flows import approval_runs, prefect_api, wording
from loyalty import clock
from loyalty.errors import ConfigurationError, LoyaltyError, Unavailable
from loyalty.monthly import Terms, chosen_period, chosen_periods, close_month, make_reports, unchanged
from loyalty.rules.periods import display_period

Say = Callable[[str], None]
"""Hears in a line which way is taken, and of a backfill each month."""

DIRECTLY = "no Prefect server answers: the steps run here, without a record in its UI"


def close(period: str | None, terms: Terms, say: Say) -> str:
    """Close a month: the flow monthly_loyalty."""
    chosen = chosen_period(period)
    if _through_prefect(say):
        return _run("monthly_loyalty", period=display_period(chosen), **_parameters(terms))
    if close_month(chosen, terms) == "unchanged":
        return unchanged(chosen)
    if terms.notify:
        _deliver(say)
    return f"{display_period(chosen)} closed"


def _deliver(say: Say) -> None:
    """Deliver a closed month's messages, as the flow does; those that can't go now wait for the next delivery."""
    from loyalty.messages.delivery import AFTER_A_CLOSE, deliver, more_due  # noqa: PLC0415 - loads the templates

    try:
        if more_due(AFTER_A_CLOSE, clock.now()):
            say(f"messages: {wording.left_waiting()}")
            return
        done = deliver(clock.now())
        if done.later or done.unknown:
            say(f"messages: {wording.delivered(done)}")
    except (LoyaltyError, ConfigurationError) as error:
        say(f"messages wait for the next delivery: {error}")


def backfill(first: str, last: str, terms: Terms, say: Say) -> str:
    """Close months in order: the flow backfill."""
    periods = chosen_periods(first, last)
    if _through_prefect(say):
        return _run("backfill", first=first, last=last, **_parameters(terms))
    changed = 0
    for period in periods:
        outcome = close_month(period, terms)
        changed += outcome == "closed"
        say(unchanged(period) if outcome == "unchanged" else f"{display_period(period)} closed")
    return wording.backfilled(first, last, changed, len(periods))


def recompute(first: str, last: str, asked_by: str | None, say: Say) -> str:
    """Compute closed months anew and ask for the difference to be posted: the flow backfill, with recompute."""
    from loyalty.db import recompute as directly  # noqa: PLC0415 - loads what imports and simulations need

    by, periods = asked_by or directly.OPERATOR, chosen_periods(first, last)
    if _through_prefect(say):
        return _run("backfill", first=first, last=last, recompute=True, asked_by=by)
    found = directly.recompute(periods[0], periods[-1], by=by, now=clock.now())
    return "\n".join([*map(wording.recomputed_month, found.months), wording.recomputed(found)])


def expire(as_of: datetime | None, say: Say) -> str:
    """Record what expired: the flow daily_expiry."""
    if _through_prefect(say):
        return _run("daily_expiry", as_of=as_of)
    from loyalty.db.expiry import expire as directly  # noqa: PLC0415

    return wording.expired(directly(as_of or clock.now()))


def notify(say: Say) -> str:
    """Deliver the outbox: the flow daily_notifications."""
    if _through_prefect(say):
        return _run("daily_notifications")
    from loyalty.messages.delivery import deliver  # noqa: PLC0415 - loads the templates

    return wording.delivered(deliver(clock.now()))


def milestones(as_of: datetime | None, say: Say) -> str:
    """Give what a day brings: the flow daily_milestones."""
    if _through_prefect(say):
        return _run("daily_milestones", as_of=as_of)
    from loyalty.db.milestones import run_day  # noqa: PLC0415

    return wording.milestones(run_day(as_of or clock.now(), clock.now()))


def ask_managers(say: Say) -> None:
    """Start the runs that ask managers about what waits; where that can't be done now, the next daily flow does it."""
    address = prefect_api.found()
    if address is None:
        return
    try:
        approval_runs.ask_for_all(address)
    except Unavailable as error:
        say(f"managers are asked by the next daily run: {error}")


def compute_segments(as_of: datetime | None, say: Say) -> str:
    """Compute the segments of members: the flow compute_segments."""
    if _through_prefect(say):
        return _run("compute_segments", as_of=as_of)
    from loyalty.db import segments  # noqa: PLC0415

    now = clock.now()
    return wording.segmented(segments.compute(as_of or now, now))


def run_campaigns(say: Say) -> str:
    """Give what campaigns have to give: the flow run_campaigns."""
    if _through_prefect(say):
        return _run("run_campaigns")
    from loyalty.db import campaigns  # noqa: PLC0415
    from loyalty.db.campaign_awards import run  # noqa: PLC0415
    from loyalty.db.engine import connect  # noqa: PLC0415

    now = clock.now()
    given = run(now)
    with connect() as connection:
        return wording.campaigned(given, len(campaigns.counting(connection, now)))


def start_campaign(file: str, asked_by: str, note: str, say: Say, *, ask_again: bool = False) -> str:
    """Ask for the campaign of a file's text: the flow start_campaign."""
    if _through_prefect(say):
        return _run("start_campaign", file=file, asked_by=asked_by, note=note, ask_again=ask_again)
    from loyalty.db import campaigns  # noqa: PLC0415
    from loyalty.db.engine import connect  # noqa: PLC0415
    from loyalty.reports.campaign import figures  # noqa: PLC0415
    from loyalty.rules.campaign import parse  # noqa: PLC0415

    wanted, now = parse(file), clock.now()
    known = campaigns.standing(wanted, ask_again=ask_again)
    if known is None:
        simulated = campaigns.simulate(wanted, now)
        with connect() as connection:
            found = figures(connection, wanted, simulated, now)
        known = campaigns.ask(wanted, found, asked_by=asked_by, note=note, at=now)
    return wording.campaign_asked(known, now)


def after_decision(periods: Iterable[date], say: Say) -> None:
    """Make both reports of periods whose upgrades were decided again, and end the runs that still ask for them."""
    through_prefect = _through_prefect(say)
    for period in periods:
        if through_prefect:
            _run("renew_reports", period=display_period(period))
        else:
            make_reports(period)
    address = prefect_api.found()
    if address is not None:
        approval_runs.end_decided(address)


def _through_prefect(say: Say) -> bool:
    """Whether a Prefect server answers; Prefect, once loaded, then uses it and keeps its log off the terminal."""
    address = prefect_api.found()
    if address is None:
        say(DIRECTLY)
        return False
    os.environ[prefect_api.VARIABLE] = address
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    say(f"run through Prefect at {address.removesuffix('/api')}")
    return True


def _parameters(terms: Terms) -> dict[str, Any]:
    return {
        "batches": terms.batches,
        "notify": terms.notify,
        "reviews": terms.reviews,
        "decided_by": terms.decided_by,
    }


def _run(name: str, **parameters: Any) -> str:
    """Run a flow in this process; the message of its last state. Raises what it failed with."""
    from flows._flow import ended  # noqa: PLC0415 - loads Prefect

    return ended(getattr(import_module(f"flows.{name}"), name), **parameters)
