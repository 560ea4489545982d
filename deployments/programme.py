"""What prefect.yaml is filled in with when it is deployed: the programme's zone, this code's version, the schedules.

`known` is its build step, so that `prefect --no-prompt deploy --all` needs no variable to be set. Loads no Prefect.
"""

import hashlib
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import yaml

from flows import prefect_api
from loyalty import clock
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.db.rules_versions import in_force
from loyalty.errors import NotMigrated, Refused
from loyalty.rules.periods import period_of
from loyalty.rules.programme import Programme
from loyalty.settings import settings

ROOT = Path(__file__).parent.parent
YAML = ROOT / "prefect.yaml"
_CODE = ("flows", "tasks", "blocks", "deployments", "loyalty", "sql")
_WRITTEN = {".py", ".sql", ".j2", ".toml", ".css"}


@cache
def known() -> dict[str, Any]:
    """Give `folder`, `zone`, `version`, and under `active` whether each schedule, by its slug, shall run."""
    return {"folder": str(ROOT), "zone": zone(), "version": version(), "active": _active()}


def zone() -> str:
    """The programme's zone, or the one that it will have."""
    try:
        return check_ready().key
    except NotMigrated:  # it is not set up yet
        return settings().time_zone


def languages() -> tuple[str, ...]:
    """The languages of the rules in force, of which the first is staff's, or those that rules have unless told."""
    try:
        period = period_of(clock.now(), check_ready())
        with connect() as connection:
            return in_force(connection, period)[1].languages
    except NotMigrated:  # it is not set up yet
        return Programme().languages


@cache
def version() -> str:
    """The release and a digest of its code: what is deployed from other code has another version."""
    code = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in _WRITTEN:
                code.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    if YAML.is_file():
        code.update(YAML.read_bytes())
    return f"{installed('loyalty-flows')}+{code.hexdigest()[:8]}"


def wanted() -> list[dict[str, Any]]:
    """The deployments as prefect.yaml has them. Raises Refused where the library was installed without it."""
    if not YAML.is_file():
        raise Refused("there is no prefect.yaml beside the code: deploy from a checkout")
    found: list[dict[str, Any]] = yaml.safe_load(YAML.read_text(encoding="utf-8"))["deployments"]
    return found


def _active() -> dict[str, bool]:
    """By slug: what LOYALTY_SCHEDULES says, else what was chosen in the UI; a schedule that is new rests."""
    slugs = [schedule["slug"] for each in wanted() for schedule in each.get("schedules", [])]
    chosen = settings().schedules
    if chosen:
        return dict.fromkeys(slugs, chosen == "on")
    address = prefect_api.named()
    there = prefect_api.ask(address, "deployments/filter", limit=200) if address else []
    now = {schedule["slug"]: schedule["active"] for each in there for schedule in each["schedules"]}
    return {slug: bool(now.get(slug, False)) for slug in slugs}
