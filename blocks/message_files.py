"""The file channel of messages, as a block."""

from pydantic import Field

from blocks._settings_block import SettingsBlock


class MessageFiles(SettingsBlock):
    """The folder in which the file channel leaves messages, and flows their reports.

    A flow that finds no LOYALTY_HOME in its environment takes the block named `loyalty`; without that it uses the
    folder .loyalty where it runs.

    Example:
        Let every worker write to a shared folder:
        ```python
        from blocks.message_files import MessageFiles

        MessageFiles(home="/srv/loyalty").save("loyalty")
        ```
    """

    _block_type_name = "Loyalty Message Files"
    _block_type_slug = "loyalty-message-files"
    _description = "The folder in which the file channel leaves messages, and flows their reports."

    home: str = Field(
        title="Folder",
        min_length=1,
        description="A folder that the workers may write to: messages go to outbox/ in it, reports to reports/.",
    )

    def settings(self) -> dict[str, str]:
        """LOYALTY_HOME."""
        return {"LOYALTY_HOME": self.home}
