"""Which Prefect server runs are told to, found without loading Prefect, which takes a second."""

import os
import tomllib
from pathlib import Path

from loyalty.settings import settings

VARIABLE = "PREFECT_API_URL"
HEALTH_SECONDS = 2.0


def record() -> Path:
    """The file in which the local stack of this LOYALTY_HOME keeps its server's API address."""
    return settings().home_folder / "prefect" / "api_url"


def found() -> str | None:
    """The address of the API to use, if it answers: PREFECT_API_URL's, else the local stack's, else the profile's."""
    address = os.environ.get(VARIABLE) or _recorded() or _of_profile()
    return address if address and answers(address) else None


def answers(address: str) -> bool:
    """Whether a Prefect server answers there."""
    import httpx  # noqa: PLC0415 - a fifth of a second that only those pay who have an address

    try:
        return httpx.get(f"{address}/health", timeout=HEALTH_SECONDS).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _recorded() -> str | None:
    try:
        return record().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _of_profile() -> str | None:
    """The address in Prefect's active profile, if somebody set one."""
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    try:
        profiles = tomllib.loads((home / "profiles.toml").read_text(encoding="utf-8"))
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return None
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    address = profiles.get("profiles", {}).get(active, {}).get(VARIABLE)
    return address if isinstance(address, str) else None
