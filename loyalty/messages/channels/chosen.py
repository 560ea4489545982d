"""The channels that the settings choose, made when a delivery begins. None stands for the file channel."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Channel
from loyalty.settings import Settings, settings

CALLBACK = "/v1/webhooks/twilio"


@dataclass(frozen=True, slots=True)
class Chosen:
    """How e-mails, SMS and word to staff leave; where that is by files, None."""

    email: Channel | None
    sms: Channel | None
    staff: Channel | None


@contextmanager
def chosen_channels() -> Iterator[Chosen]:
    """The channels of the settings, closed at the end. Raises ConfigurationError, which names a missing setting."""
    now = settings()
    with ExitStack() as stack:

        def kept(channel: Channel | None) -> Channel | None:
            if channel is not None:
                stack.callback(channel.close)
            return channel

        email = kept(_email(now))
        sms = kept(_twilio(now)) if now.sms_channel == "twilio" else None
        staff = kept(_slack(now)) if now.staff_channel == "slack" else None
        if now.staff_channel == "email":
            staff = email
        yield Chosen(email, sms, staff)


def _email(now: Settings) -> Channel | None:
    if now.email_channel == "sendgrid":
        from loyalty.messages.channels.sendgrid import SendGrid  # noqa: PLC0415 - each loads a package of its own

        _given(now.brand_sender, "LOYALTY_BRAND_SENDER", "sendgrid")
        key = _secret(now.sendgrid_api_key, "LOYALTY_SENDGRID_API_KEY", "sendgrid")
        return SendGrid(key, now.sendgrid_url, timeout=now.send_timeout, at_once=now.send_at_once)
    if now.email_channel == "smtp":
        from loyalty.messages.channels.smtp import Smtp  # noqa: PLC0415

        _given(now.brand_sender, "LOYALTY_BRAND_SENDER", "smtp")
        return Smtp(
            _given(now.smtp_host, "LOYALTY_SMTP_HOST", "smtp"),
            now.smtp_port,
            now.smtp_security,
            now.smtp_user,
            now.smtp_password.get_secret_value() if now.smtp_password else None,
            timeout=now.send_timeout,
        )
    return None


def _twilio(now: Settings) -> Channel:
    from loyalty.messages.channels.twilio import Twilio  # noqa: PLC0415

    return Twilio(
        _given(now.twilio_account_sid, "LOYALTY_TWILIO_ACCOUNT_SID", "twilio"),
        _secret(now.twilio_auth_token, "LOYALTY_TWILIO_AUTH_TOKEN", "twilio"),
        _given(now.twilio_from, "LOYALTY_TWILIO_FROM", "twilio"),
        now.twilio_url,
        callback=now.public_url and now.public_url.rstrip("/") + CALLBACK,
        timeout=now.send_timeout,
        at_once=now.send_at_once,
    )


def _slack(now: Settings) -> Channel:
    from loyalty.messages.channels.slack import Slack  # noqa: PLC0415

    return Slack(_secret(now.slack_webhook_url, "LOYALTY_SLACK_WEBHOOK_URL", "slack"), timeout=now.send_timeout)


def _given(value: str | None, setting: str, channel: str) -> str:
    if not value:
        raise ConfigurationError(setting, f"is missing: the channel {channel} needs it")
    return value


def _secret(value: SecretStr | None, setting: str, channel: str) -> str:
    return _given(value.get_secret_value() if value else None, setting, channel)
