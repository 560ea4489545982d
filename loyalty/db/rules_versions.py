"""The versions of the rules: what was applied, from which month on, and what is in force when."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, text

from loyalty.db import velocity
from loyalty.db.statements import parameters, run
from loyalty.errors import NotMigrated, Refused
from loyalty.rules.money import to_minor
from loyalty.rules.periods import display_period, following
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse, to_toml

FIRST_APPLIED_BY = "system"
_KEYS = {"spend_window": "window"}  # `window` is a word of SQL; other columns are named as their keys


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the rules that was applied. `from_period` is None since the beginning.

    `overruled` says that a later version took its place from its first month on, so that it rules no month.
    """

    version: int
    from_period: date | None
    applied_at: datetime
    applied_by: str
    overruled: bool


def install(
    connection: Connection,
    programme: Programme,
    *,
    from_period: date | None,
    by: str,
    at: datetime,
    candidate: bool = False,
) -> int:
    """Put rules in force from a month on, or with None since the beginning, and give their version's number.

    The same rules from the same month again are the same version. A candidate is seen only by simulations that
    name it, and may begin in a closed month; the caller discards it. Raises Refused if the month or a later one is
    closed or closing or has lent its rate to one, if members hold a tier that is left out, or if recorded
    transactions fix another currency.
    """
    document = to_toml(programme)
    if not candidate:
        hold(connection)
        same = run(connection, "rules/find_same", from_period=from_period, document=document).scalar()
        if same is not None:
            return int(same)
    check_limits(connection, programme, from_period, candidate=candidate)
    wanted = parameters("rules/add_version").keys()
    given = {
        "from_period": from_period,
        "candidate": candidate,
        "applied_at": at,
        "applied_by": by,
        "document": document,
    }
    columns = {name: _value(programme, name) for name in wanted - given.keys()}
    version: int = run(connection, "rules/add_version", **given, **columns).scalar_one()
    _add_ladder(connection, version, programme)
    velocity.add_limits(connection, version, programme)
    return version


def install_first(connection: Connection, programme: Programme, *, at: datetime) -> int | None:
    """Install the first rules, in force since the beginning; None, and nothing is done, if there are any."""
    if history(connection):
        return None
    return install(connection, programme, from_period=None, by=FIRST_APPLIED_BY, at=at)


def hold(connection: Connection) -> None:
    """Let no month begin to close, and no other rules come, between what is read next and the commit."""
    connection.execute(text("lock table loyalty.periods in share row exclusive mode"))


def check_limits(
    connection: Connection, programme: Programme, from_period: date | None, *, candidate: bool = False
) -> None:
    """Raise Refused if these rules can't begin in that month, as `install` says; a candidate may in a closed one."""
    names = [tier.name for tier in programme.tiers]
    found = run(connection, "rules/find_limits", from_period=from_period, names=names).one()
    if found.newest_closed and not candidate and (from_period or date.min) <= found.newest_closed:
        first_open = display_period(following(found.newest_closed))
        raise Refused(
            f"{display_period(found.newest_closed)} is closed and keeps its rules: "
            f"new rules can begin with {first_open}, the first open month"
        )
    if found.rated_ahead and not candidate and (from_period or date.min) <= found.rated_ahead:
        raise Refused(
            f"a refund in a closed month was rated by the rules of {display_period(found.rated_ahead)}: "
            f"new rules can begin with {display_period(following(found.rated_ahead))}"
        )
    if found.held_tiers:
        raise Refused(
            f"members hold or are proposed for {', '.join(found.held_tiers)}: such a tier can't be left out or renamed"
        )
    if found.fixed_currency not in {None, programme.currency}:
        raise Refused(
            f"transactions are recorded in a programme in {found.fixed_currency}: "
            f"the currency can't become {programme.currency}"
        )


def discard(connection: Connection, version: int) -> None:
    """Remove a candidate version and the tiers that it alone had; a version that was ever in force stays."""
    run(connection, "rules/discard_candidate", version=version)
    run(connection, "rules/discard_tiers")


def discard_orphans(connection: Connection) -> None:
    """Remove candidate versions that no run has. The caller keeps other simulations from beginning."""
    run(connection, "rules/discard_orphans")
    run(connection, "rules/discard_tiers")


def in_force(connection: Connection, period: date) -> tuple[int, Programme]:
    """Give the version in force in a period, and its rules. Raises NotMigrated if no rules ever were."""
    found = run(connection, "reads/rules_in_force", period=period).one_or_none()
    if found is None:
        raise NotMigrated("no rules are installed: run `loyalty migrate`")
    return found.version, parse(found.document, f"version {found.version}")


def read_version(connection: Connection, version: int) -> Programme:
    """Give the rules of a version, a candidate too. Raises Refused if there is none of that number."""
    document = run(connection, "reads/rules_of_version", version=version).scalar()
    if document is None:
        raise Refused(f"there is no version {version} of the rules")
    return parse(document, f"version {version}")


def history(connection: Connection) -> list[Version]:
    """List every version that was applied, oldest first."""
    return [Version(**row) for row in run(connection, "reads/rules_history").mappings()]


def _value(programme: Programme, column: str) -> object:
    value = getattr(programme, _KEYS.get(column, column))
    return list(value) if isinstance(value, tuple) else value  # the driver makes an array of a list only


def _add_ladder(connection: Connection, version: int, programme: Programme) -> None:
    tiers = programme.tiers
    names = [tier.name for tier in tiers]
    run(connection, "rules/add_tiers", names=names)
    run(
        connection,
        "rules/add_ladder",
        version=version,
        names=names,
        thresholds=[tier.threshold for tier in tiers],
        multipliers=[tier.multiplier for tier in tiers],
        reviews=[tier.review for tier in tiers],
        voucher_amounts=[to_minor(tier.voucher, programme.currency) for tier in tiers],
        gifts=[tier.gift for tier in tiers],
    )
