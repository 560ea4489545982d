"""Which Prefect server runs are told to, found and asked without loading Prefect, which takes a second."""

import os
import time
import tomllib
from pathlib import Path
from typing import Any

from loyalty.errors import Unavailable
from loyalty.settings import settings

VARIABLE = "PREFECT_API_URL"
PASSWORD = "PREFECT_API_AUTH_STRING"  # noqa: S105 - a variable's name; it holds user:password
HEALTH_SECONDS = 2.0
ANSWER_SECONDS = 30.0
BUSY = (429, 503)  # the server did nothing: its database was being written to, or it has been asked too often
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries, as many as Prefect's own client makes


def record() -> Path:
    """The file in which the local stack of this LOYALTY_HOME keeps its server's API address."""
    return settings().home_folder / "prefect" / "api_url"


def named() -> str | None:
    """The address of the API to use, whether it answers or not: PREFECT_API_URL's, the local stack's, the profile's."""
    return os.environ.get(VARIABLE) or _recorded() or _of_profile()


def found() -> str | None:
    """The address of the API to use, if it answers."""
    address = named()
    return address if address and answers(address) else None


def answers(address: str) -> bool:
    """Whether a Prefect server answers there."""
    import httpx  # noqa: PLC0415 - a fifth of a second that only those pay who have an address

    try:
        return httpx.get(f"{address}/health", timeout=HEALTH_SECONDS).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def ask(address: str, path: str, method: str = "POST", **body: Any) -> Any:
    """What the API answers, None if that is nothing. Raises Unavailable if it is away, refuses, or stays busy."""
    import httpx  # noqa: PLC0415 - see above

    user, _, password = os.environ.get(PASSWORD, "").partition(":")
    auth = (user, password) if user else None
    told = body if method != "GET" else None
    try:
        for pause in (*PAUSES, None):
            answer = httpx.request(method, f"{address}/{path}", json=told, auth=auth, timeout=ANSWER_SECONDS)
            if answer.status_code not in BUSY or pause is None:
                break
            time.sleep(pause)
        answer.raise_for_status()
        return answer.json() if answer.content else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(f"Prefect's server at {address} does not answer as it should ({reason})") from error


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
