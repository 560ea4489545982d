"""`loyalty migrate`, `rules`, `settings` and `stop`: the programme and its surroundings."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from loyalty import clock
from loyalty.commands.terminal import remark, say, say_json, table
from loyalty.db import embedded, rules_versions
from loyalty.db.engine import connect, dispose, transaction
from loyalty.db.programme import check_ready, set_up
from loyalty.rules.periods import display_period, period_of
from loyalty.rules.toml import read, to_toml
from loyalty.settings import PREFIX, Settings, settings


def migrate() -> int:
    """Make or upgrade the database, fix the zone, install the first rules; say what was done, or that nothing was."""
    with connect() as connection:
        done = set_up(connection, at=clock.now())
    say(*(f"applied migration {migration}" for migration in done.migrations))
    if done.first_version is not None:
        say(f"rules version {done.first_version} is in force since the beginning, months begin in {done.zone.key}")
    elif not done.migrations:
        say("the database is up to date: unchanged")
    return 0


def show_rules(given: Namespace) -> int:
    """Print the rules in force as TOML; --json adds the version and since when."""
    zone = check_ready()
    with connect() as connection:
        period = given.period or period_of(clock.now(), zone)
        number, programme = rules_versions.in_force(connection, period)
        version = next(found for found in rules_versions.history(connection) if found.version == number)
    if given.json:
        say_json({"version": number, "from_period": version.from_period, "rules": programme.model_dump(mode="json")})
        return 0
    say(to_toml(programme).rstrip("\n"))
    since = display_period(version.from_period) if version.from_period else "the beginning"
    if sys.stderr.isatty():
        remark(f"rules version {number}, in force since {since}")
    return 0


def check_rules(given: Namespace) -> int:
    """Read a rules file; its mistakes, each in a line, are the failure."""
    read(Path(given.file))
    say(f"{given.file}: the rules are valid")
    return 0


def apply_rules(given: Namespace) -> int:
    """Put the rules of a file in force from a month on."""
    programme = read(Path(given.file))
    check_ready()
    month = display_period(given.from_period)
    with transaction() as connection:
        before = {version.version for version in rules_versions.history(connection)}
        number = rules_versions.install(
            connection, programme, from_period=given.from_period, by=given.by, at=clock.now()
        )
    say(
        f"rules version {number} is in force from {month} already: unchanged"
        if number in before
        else f"rules version {number} is in force from {month}"
    )
    return 0


def stop() -> int:
    """Stop the embedded database of this LOYALTY_HOME."""
    dispose()
    home = settings().home_folder
    say(f"the embedded database of {home} {'is stopped' if embedded.stop() else 'was not running: unchanged'}")
    return 0


def show_settings(given: Namespace) -> int:
    """List every setting: its value, whether it was given, what it is for. Secrets are not shown."""
    values = settings()
    rows: list[dict[str, Any]] = [
        {
            "name": f"{PREFIX}{name.upper()}",
            "value": _shown(getattr(values, name)),
            "given": f"{PREFIX}{name.upper()}" in os.environ,
            "about": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if given.json:
        say_json(rows)
    else:
        say(*table(("setting", "value", "about"), [(row["name"], row["value"], row["about"]) for row in rows]))
    return 0


def _shown(value: object) -> str | None:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value())
    return None if value is None else str(value)


def _without_password(url: str) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - a third of a second that only a given URL costs
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        return make_url(url).set(query={}).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "(given, but not a URL)"
