"""SendGrid, as a block: e-mails leave by it."""

from pydantic import Field, SecretStr

from blocks._settings_block import SettingsBlock


class SendGridEmail(SettingsBlock):
    """E-mails leave by SendGrid.

    A flow that finds no LOYALTY_EMAIL_CHANNEL in its environment takes the block named `loyalty`.

    Example:
        Send by SendGrid, from an address that SendGrid has verified:
        ```python
        from blocks.sendgrid_email import SendGridEmail

        SendGridEmail(api_key="SG.secret", sender="club@shop.example").save("loyalty")
        ```
    """

    _block_type_name = "Loyalty SendGrid E-mail"
    _block_type_slug = "loyalty-sendgrid-email"
    _description = "E-mails to members leave by SendGrid."

    api_key: SecretStr = Field(title="API key", description="A key that may send mail, and nothing else.")
    sender: str = Field(title="Sender", description="The address that e-mails come from, which SendGrid has verified.")
    url: str = Field(
        default="https://api.sendgrid.com",
        title="Address of the API",
        description="Another one for an account in the EU: https://api.eu.sendgrid.com.",
    )

    def settings(self) -> dict[str, str]:
        """LOYALTY_EMAIL_CHANNEL and what it needs."""
        return {
            "LOYALTY_EMAIL_CHANNEL": "sendgrid",
            "LOYALTY_SENDGRID_API_KEY": self.api_key.get_secret_value(),
            "LOYALTY_SENDGRID_URL": self.url,
            "LOYALTY_BRAND_SENDER": self.sender,
        }
