"""Word to staff about runs that went wrong, by a block that Prefect's own server uses: no worker need be alive."""

from anyio.to_thread import run_sync
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import NotificationError
from pydantic import Field

from blocks._settings_block import DOCUMENTATION, LOGO
from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.messages.alerts import alert


class StaffMessages(NotificationBlock):
    """Messages to staff in the folder of the file channel, LOYALTY_HOME/outbox/, of the machine of Prefect's server.

    The automations use the block named `loyalty`; LOYALTY_STAFF_BLOCK names another one, of any kind that Prefect can
    notify by: Slack, Teams, PagerDuty, e-mail.

    Example:
        Say whose programme it is, where one team has several:
        ```python
        from blocks.staff_messages import StaffMessages

        StaffMessages(programme="North").save("loyalty", overwrite=True)
        ```
    """

    _block_type_name = "Loyalty Staff Messages"
    _block_type_slug = "loyalty-staff-messages"
    _description = "Messages to staff about runs that went wrong, in the folder of the file channel."
    _logo_url = LOGO
    _documentation_url = DOCUMENTATION

    programme: str = Field(
        default="Loyalty",
        title="Programme",
        min_length=1,
        description="What stands before the subject of each message.",
    )
    language: str = Field(
        default="en",
        title="Language",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$",
        description="That of the messages: registering makes it the first of the programme's languages.",
    )

    async def notify(self, body: str, subject: str | None = None) -> None:
        """Leave a message. The same one again is the same file, so nobody reads it twice."""
        try:
            await run_sync(alert, f"{self.programme}: {subject or 'Prefect'}", body, self.language)
        except (LoyaltyError, ConfigurationError) as error:
            raise NotificationError(str(error)) from error
