"""Every block there is: the one list that registration, flows and tests go by."""

from blocks._settings_block import SettingsBlock
from blocks.message_files import MessageFiles
from blocks.programme_database import ProgrammeDatabase

BLOCKS: tuple[type[SettingsBlock], ...] = (ProgrammeDatabase, MessageFiles)
