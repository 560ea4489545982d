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


def _web_address(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("https://", "http://")):  # the address is the secret: none of it is told
        raise ValueError("must begin with https://")
    return url


_WEB = r"^https?://[^\s]+$"
_MAILBOX = r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$"


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

    email_channel: Literal["file", "smtp", "sendgrid"] = Field(
        default="file", description="how e-mails leave: file, smtp or sendgrid"
    )
    sms_channel: Literal["file", "twilio"] = Field(default="file", description="how SMS leave: file or twilio")
    staff_channel: Literal["file", "email", "slack"] = Field(
        default="file", description="how staff are told: file, email (by the channel of e-mails) or slack"
    )
    email_per_second: float | None = Field(
        default=None, gt=0, description="e-mails a second, by all deliveries together; without it, any number"
    )
    sms_per_second: float | None = Field(
        default=None, gt=0, description="SMS a second, by all deliveries together; without it, any number"
    )
    send_at_once: int = Field(
        default=8, ge=1, le=64, description="messages that one delivery has on their way at the same time, per channel"
    )
    send_timeout: float = Field(
        default=30, gt=0, le=60, description="seconds for which a provider may say nothing before its reply is lost"
    )
    sendgrid_api_key: SecretStr | None = Field(default=None, description="SendGrid: API key that may send mail")
    sendgrid_url: str = Field(
        default="https://api.sendgrid.com", pattern=_WEB, description="SendGrid: address of its API, or of the EU's"
    )
    sendgrid_webhook_key: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9+/]+=*$", description="SendGrid: public key of its signed event webhook"
    )
    sendgrid_webhook_seconds: int = Field(
        default=300, ge=1, le=7 * 86_400, description="SendGrid: seconds after which a signed event is too old to take"
    )
    smtp_host: str | None = Field(default=None, description="SMTP: the mail server")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="SMTP: its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="SMTP: starttls, tls from the first byte on (port 465), or none"
    )
    smtp_user: str | None = Field(default=None, description="SMTP: user, where the server wants a login")
    smtp_password: SecretStr | None = Field(default=None, description="SMTP: that user's password")
    twilio_account_sid: str | None = Field(
        default=None, pattern=r"^AC[0-9a-fA-F]{32}$", description="Twilio: SID of the account (AC…)"
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Twilio: the account's primary auth token")
    twilio_shared_key: SecretStr | None = Field(
        default=None, description="Twilio: secret of the shared key that signs its callbacks, where one is chosen"
    )
    twilio_dead_numbers: str = Field(
        default="21211 21614 30005 30006",
        pattern=r"^[0-9]{5}( [0-9]{5})*$",
        description="Twilio: error codes after which a number gets no more SMS",
    )
    twilio_from: str | None = Field(
        default=None,
        pattern=r"^(\+[1-9][0-9]{2,14}|MG[0-9a-fA-F]{32}|[A-Za-z0-9 ]{1,11})$",
        description="Twilio: number (+1…), messaging service (MG…) or sender id that SMS come from",
    )
    twilio_url: str = Field(default="https://api.twilio.com", pattern=_WEB, description="Twilio: address of its API")
    slack_webhook_url: Annotated[SecretStr | None, AfterValidator(lambda url: url and _web_address(url))] = Field(
        default=None, description="Slack: address of an incoming webhook of the staff's channel"
    )
    public_url: str | None = Field(
        default=None,
        pattern=_WEB,
        description="address at which the HTTP API is reached from outside, for callbacks and links",
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
