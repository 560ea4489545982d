"""What every block here is: a form in the Prefect UI whose fields become LOYALTY_* settings of a flow's process."""

import os
from abc import abstractmethod
from collections.abc import Iterable

from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound
from pydantic import HttpUrl

DOCUMENT = "loyalty"  # the name under which a flow looks for each kind of block
DOCUMENTATION = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")
LOGO = HttpUrl("https://raw.githubusercontent.com/PrefectHQ/prefect/main/docs/logos/logo-mark-gradient.svg")


class SettingsBlock(Block):
    """A block that yields settings."""

    _logo_url = LOGO
    _documentation_url = DOCUMENTATION

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The settings as environment variables and their values, secrets in the clear."""


def take_settings(kinds: Iterable[type[SettingsBlock]]) -> list[str]:
    """Set, for this process, what the blocks named "loyalty" say and the environment does not; the variables set.

    The environment goes first, then the block, then the library's default. A block that nobody made is no mistake.
    """
    taken = []
    for kind in kinds:
        block = _made(kind)
        for variable, value in block.settings().items() if block else ():
            if not os.environ.get(variable):
                os.environ[variable] = value
                taken.append(variable)
    return taken


def _made(kind: type[SettingsBlock]) -> SettingsBlock | None:
    try:
        block: SettingsBlock = kind.load(DOCUMENT)  # type: ignore[assignment]  # sync here: no event loop is running
    except ValueError as error:
        if isinstance(error.__cause__, ObjectNotFound):
            return None
        raise
    return block
