"""Settings: everything the surroundings decide, from environment variables LOYALTY_*."""

import os
import re
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loyalty.errors import ConfigurationError

PREFIX = "LOYALTY_"
LOWEST_PORT, HIGHEST_PORT = 1024, 65435  # a hundred more are tried if it is taken


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, OSError, ValueError) as error:  # by the odd name: unknown, a folder, a path
        raise ValueError(f"must be a zone of the tz database such as Europe/Berlin, not {name!r}") from error


def _database_url(url: SecretStr) -> SecretStr:
    # The text is a secret whole, since a password may stand in it; so no error may repeat any of it.
    scheme = url.get_secret_value().split("://", 1)[0]
    if "://" not in url.get_secret_value() or scheme not in {"postgresql", "postgres", "postgresql+psycopg2"}:
        raise ValueError("must begin with postgresql:// (PostgreSQL 15 or newer is the only database)")
    return url


def _colour(given: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", given):
        raise ValueError(f'must be a colour such as #0f5e55, not "{given[:20]}"')
    return given.lower()


def _https(given: str) -> str:
    if not re.fullmatch(r"https://[^\s\"'<>\x00-\x1f]{1,1000}", given):
        raise ValueError("must be an address that begins with https://")
    return given


def _sender(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", given):
        raise ValueError("must be one address such as rewards@shop.example, without a name")
    return given


def _port(given: object) -> int:
    if not str(given).isdecimal() or not LOWEST_PORT <= int(str(given)) <= HIGHEST_PORT:
        raise ValueError(f'must be a port from {LOWEST_PORT} to {HIGHEST_PORT}, not "{given}"')
    return int(str(given))


class Settings(BaseSettings):
    """One reading of the environment. Each field is LOYALTY_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: Annotated[SecretStr | None, AfterValidator(lambda url: url and _database_url(url))] = Field(
        default=None, description="PostgreSQL 15+ to use; without it, an embedded server in LOYALTY_HOME"
    )
    home: Path = Field(default=Path(".loyalty"), description="folder of embedded server, reports and outbox")
    rules: Path | None = Field(default=None, description="rules file that the first migrate installs")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="the programme's zone, fixed at the first migrate"
    )
    clock: AwareDatetime | None = Field(
        default=None, description="instant (ISO 8601 with offset) from which the programme clock runs on"
    )

    prefect_port: Annotated[int, BeforeValidator(_port)] = Field(
        default=4200, description="port of the local Prefect server; if it is taken, the next free one"
    )
    api_port: Annotated[int, BeforeValidator(_port)] = Field(
        default=8000, description="port of the local HTTP API; if it is taken, the next free one"
    )
    prefect_database_url: Annotated[SecretStr | None, AfterValidator(lambda url: url and _database_url(url))] = Field(
        default=None, description="PostgreSQL for the local Prefect server; without it, the embedded server has it too"
    )
    work_pool: Literal["process", "kubernetes"] = Field(
        default="process", description="kind of work pool that `python -m deployments.register` makes"
    )
    schedules: Literal["on", "off"] | None = Field(
        default=None, description="on or off: what deploying sets all schedules to; without it, they stay as they are"
    )

    staff_block: str = Field(
        default="loyalty-staff-messages/loyalty",
        pattern=r"^[a-z0-9-]+/[a-z0-9-]+$",
        description="Prefect block, as kind/name, by which staff hear of runs that failed, crashed or are late",
    )
    task_runner: Literal["threads", "dask", "ray"] = Field(
        default="threads", description="what works on a run's batches of members side by side: threads, dask or ray"
    )
    task_runner_address: str | None = Field(
        default=None, description="address of the Dask scheduler or Ray cluster; without it, processes of this machine"
    )

    phone_region: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}$",
        description="country of telephone numbers written without one, such as GB; without it, they identify nobody",
    )

    staff_email: str | None = Field(
        default=None, description="address of the managers, for messages about what waits for a decision"
    )
    prefect_ui_url: str | None = Field(
        default=None, description="address of Prefect's UI, for links in messages to managers"
    )

    warehouse_email: str | None = Field(
        default=None, description="address of the warehouse, for gifts to dispatch; without it, LOYALTY_STAFF_EMAIL"
    )
    ops_email: str | None = Field(
        default=None, description="address for word of runs that went wrong; without it, LOYALTY_STAFF_EMAIL"
    )

    templates: Path | None = Field(
        default=None, description="folder of templates of your own: a file there takes the place of ours of that name"
    )
    sms_segments: int = Field(default=2, ge=1, le=10, description="most segments that a text message may take")
    brand_colour: Annotated[str, AfterValidator(_colour)] = Field(
        default="#0f5e55", description="colour of e-mails; text on it and in it is kept readable"
    )
    brand_logo: Annotated[str | None, AfterValidator(lambda url: url and _https(url))] = Field(
        default=None, description="address (https) of a logo for e-mails, shown 40 pixels high"
    )
    brand_website: Annotated[str | None, AfterValidator(lambda url: url and _https(url))] = Field(
        default=None, description="address (https) that the programme's name in e-mails leads to"
    )
    brand_address: str | None = Field(
        default=None, max_length=200, description="postal address below e-mails; offers must have one in many countries"
    )
    brand_sender: Annotated[str | None, AfterValidator(lambda address: address and _sender(address))] = Field(
        default=None, description="address that e-mails come from; its domain is in their Message-ID"
    )

    @cached_property
    def zone(self) -> ZoneInfo:
        """The programme's zone."""
        return ZoneInfo(self.time_zone)

    @property
    def home_folder(self) -> Path:
        """LOYALTY_HOME, absolute; it need not exist yet."""
        return self.home.expanduser().absolute()


def settings() -> Settings:
    """The settings as the environment has them now. Raises ConfigurationError, which names the variable."""
    return _kept or _read(tuple(map(os.environ.get, _VARIABLES)))


def keep_settings() -> None:
    """From here on the settings stay as they are now, for a process that asks at each of many requests."""
    global _kept  # noqa: PLW0603 - the environment is the process's own, and so is this
    _kept = settings()


_kept: Settings | None = None
_VARIABLES = tuple(PREFIX + name.upper() for name in Settings.model_fields)


@lru_cache(maxsize=1)
def _read(_given: tuple[str | None, ...]) -> Settings:
    """Read once for as long as no variable changes: a reading takes half a millisecond, and each request asks."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + str(first["loc"][0]).upper().removeprefix(PREFIX)
        raise ConfigurationError(name, _problem(first)) from None


def _problem(error: Any) -> str:
    """What is wrong with a value, as the second half of a line that begins with the setting's name."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"].startswith(("datetime", "timezone")):
        example = datetime.fromisoformat("2026-11-01T09:00:00+01:00").isoformat()
        return f"must be an ISO 8601 instant with an offset, such as {example}"
    return f"is not valid: {error['msg'][0].lower()}{error['msg'][1:]}"
