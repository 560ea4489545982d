"""A mail server, as a block: e-mails leave by SMTP."""

from typing import Literal

from pydantic import Field, SecretStr

from blocks._settings_block import SettingsBlock


class MailServer(SettingsBlock):
    """E-mails leave by SMTP, through a mail server.

    A flow that finds no LOYALTY_EMAIL_CHANNEL in its environment takes the block named `loyalty`, unless there is one
    of SendGrid.

    Example:
        Send through the company's server:
        ```python
        from blocks.mail_server import MailServer

        MailServer(host="mail.shop.example", sender="club@shop.example", user="club", password="secret").save("loyalty")
        ```
    """

    _block_type_name = "Loyalty Mail Server"
    _block_type_slug = "loyalty-mail-server"
    _description = "E-mails to members leave by SMTP, through a mail server."

    host: str = Field(title="Server", min_length=1, description="The name of the mail server.")
    sender: str = Field(title="Sender", description="The address that e-mails come from.")
    port: int = Field(default=587, title="Port", ge=1, le=65535, description="587 for STARTTLS, 465 for TLS.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", title="Security", description="How the connection is secured; certificates are verified."
    )
    user: str | None = Field(default=None, title="User", description="Who logs in, where the server wants that.")
    password: SecretStr | None = Field(default=None, title="Password", description="That user's password.")

    def settings(self) -> dict[str, str]:
        """LOYALTY_EMAIL_CHANNEL and what it needs."""
        login = {
            "LOYALTY_SMTP_USER": self.user,
            "LOYALTY_SMTP_PASSWORD": self.password.get_secret_value() if self.password else None,
        }
        return {
            "LOYALTY_EMAIL_CHANNEL": "smtp",
            "LOYALTY_SMTP_HOST": self.host,
            "LOYALTY_SMTP_PORT": str(self.port),
            "LOYALTY_SMTP_SECURITY": self.security,
            "LOYALTY_BRAND_SENDER": self.sender,
            **{name: value for name, value in login.items() if value},
        }
