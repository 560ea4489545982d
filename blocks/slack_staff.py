"""An incoming webhook of Slack, as a block: staff are told by it."""

from pydantic import Field, SecretStr

from blocks._settings_block import SettingsBlock


class SlackStaff(SettingsBlock):
    """Staff are told by an incoming webhook of Slack.

    A flow that finds no LOYALTY_STAFF_CHANNEL in its environment takes the block named `loyalty`.

    Example:
        Tell managers in the channel that the webhook was made for:
        ```python
        from blocks.slack_staff import SlackStaff

        SlackStaff(webhook_url="https://hooks.slack.com/services/T0/B0/secret").save("loyalty")
        ```
    """

    _block_type_name = "Loyalty Slack Staff"
    _block_type_slug = "loyalty-slack-staff"
    _description = "Staff are told by an incoming webhook of Slack."

    webhook_url: SecretStr = Field(title="Webhook", description="The address of the webhook, which is its secret.")

    def settings(self) -> dict[str, str]:
        """LOYALTY_STAFF_CHANNEL and what it needs."""
        return {
            "LOYALTY_STAFF_CHANNEL": "slack",
            "LOYALTY_SLACK_WEBHOOK_URL": self.webhook_url.get_secret_value(),
        }
