"""The database of the programme, as a block."""

from pydantic import Field, SecretStr

from blocks._settings_block import SettingsBlock


class ProgrammeDatabase(SettingsBlock):
    """The PostgreSQL database that holds the loyalty programme.

    A flow that finds no LOYALTY_DATABASE_URL in its environment takes the block named `loyalty`; without that it
    starts the embedded server of its LOYALTY_HOME.

    Example:
        Keep the address where only Prefect's server has it:
        ```python
        from blocks.programme_database import ProgrammeDatabase

        ProgrammeDatabase(url="postgresql://loyalty:secret@db.example.com:5432/loyalty").save("loyalty")
        ```
    """

    _block_type_name = "Loyalty Programme Database"
    _block_type_slug = "loyalty-programme-database"
    _description = "The PostgreSQL database that holds the loyalty programme."

    url: SecretStr = Field(
        title="Database URL",
        description="The address of a PostgreSQL 15 or newer: postgresql://user:password@host:5432/name.",
    )

    def settings(self) -> dict[str, str]:
        """LOYALTY_DATABASE_URL."""
        return {"LOYALTY_DATABASE_URL": self.url.get_secret_value()}
