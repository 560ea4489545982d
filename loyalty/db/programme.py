"""The programme as a whole: set up by the first migrate, and found ready by whoever works with it."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from loyalty.db import migrations
from loyalty.db.engine import connect
from loyalty.db.migrations import Migration
from loyalty.db.rules_versions import history, install_first
from loyalty.db.statements import run
from loyalty.errors import ConfigurationError, NotMigrated
from loyalty.rules.toml import DEFAULT_FILE, read
from loyalty.settings import settings

_SETTING = "LOYALTY_TIME_ZONE"


@dataclass(frozen=True, slots=True)
class SetUp:
    """What a migrate did: the migrations it applied, the zone, and the first rules' version if it installed them."""

    migrations: tuple[Migration, ...]
    zone: ZoneInfo
    first_version: int | None


def set_up(connection: Connection, *, at: datetime) -> SetUp:
    """Migrate the database, fix the programme's zone and install the first rules, as far as that is not done yet.

    `connection` must not be in a transaction. Raises ConfigurationError for another zone than the one fixed, BadInput
    for a rules file that is wrong, and what `migrations.migrate` raises.
    """
    applied = migrations.migrate(connection, at=at)
    with connection.begin():
        run(connection, "programme/fix_time_zone", time_zone=settings().time_zone)
        found = zone(connection)
        first = None
        if not history(connection):
            first = install_first(connection, read(settings().rules or DEFAULT_FILE), at=at)
    return SetUp(tuple(applied), found, first)


def check_ready() -> ZoneInfo:
    """Give the programme's zone once the database is seen to be set up, by this release.

    Raises NotMigrated for a database that needs a migrate, ConfigurationError for a setting that contradicts it.
    """
    with connect() as connection:
        if connection.scalar(text("select to_regclass('loyalty.migrations')")) is None:
            raise NotMigrated("the database is not set up yet: run `loyalty migrate`")
        connection.rollback()
        missing = migrations.pending(connection)
        if missing:
            raise NotMigrated(f"the database lacks migration {missing[0]}: run `loyalty migrate`")
        return zone(connection)


def zone(connection: Connection) -> ZoneInfo:
    """Give the zone in which the programme's months begin.

    Raises NotMigrated before the first migrate, ConfigurationError if LOYALTY_TIME_ZONE names another one.
    """
    fixed = run(connection, "reads/programme_zone").scalar_one_or_none()
    if fixed is None:
        raise NotMigrated("the programme is not set up yet: run `loyalty migrate`")
    given = settings()
    if "time_zone" in given.model_fields_set and given.time_zone != fixed:
        raise ConfigurationError(
            _SETTING, f"is {given.time_zone}, but this programme began in {fixed} and its months can't move: unset it"
        )
    return ZoneInfo(fixed)
