"""Twilio, as a block: SMS leave by it."""

from pydantic import Field, SecretStr

from blocks._settings_block import SettingsBlock


class TwilioSms(SettingsBlock):
    """SMS leave by Twilio Programmable Messaging.

    A flow that finds no LOYALTY_SMS_CHANNEL in its environment takes the block named `loyalty`.

    Example:
        Send from a messaging service:
        ```python
        from blocks.twilio_sms import TwilioSms

        account, service = "AC" + "0" * 32, "MG" + "0" * 32
        TwilioSms(account_sid=account, auth_token="secret", sender=service).save("loyalty")
        ```
    """

    _block_type_name = "Loyalty Twilio SMS"
    _block_type_slug = "loyalty-twilio-sms"
    _description = "SMS to members leave by Twilio."

    account_sid: str = Field(title="Account SID", pattern=r"^AC[0-9a-fA-F]{32}$", description="The account: AC….")
    auth_token: SecretStr = Field(title="Auth token", description="The account's primary auth token.")
    sender: str = Field(title="Sender", description="A number of the account (+1…) or a messaging service (MG…).")
    url: str = Field(
        default="https://api.twilio.com", title="Address of the API", description="Another one for another region."
    )

    def settings(self) -> dict[str, str]:
        """LOYALTY_SMS_CHANNEL and what it needs."""
        return {
            "LOYALTY_SMS_CHANNEL": "twilio",
            "LOYALTY_TWILIO_ACCOUNT_SID": self.account_sid,
            "LOYALTY_TWILIO_AUTH_TOKEN": self.auth_token.get_secret_value(),
            "LOYALTY_TWILIO_FROM": self.sender,
            "LOYALTY_TWILIO_URL": self.url,
        }
