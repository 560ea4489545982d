"""The file channel: a message is a file of LOYALTY_HOME/outbox/YYYY-MM-DD/, named by its number and kind.

The name, and the day in it (that on which the message was queued), are the same at every try; so a message whose file
was written before a crash is written over, never sent twice. Only the owner may read the files: they hold addresses.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from loyalty.errors import Unavailable
from loyalty.settings import settings

_OWNER_ONLY_FOLDER = 0o700
_OWNER_ONLY_FILE = 0o600


@dataclass(frozen=True, slots=True)
class FileChannel:
    """The folder that messages are delivered to."""

    folder: Path

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`, a path below the folder, whole or not at all. Raises Unavailable if the disk won't."""
        path = self.folder / name
        try:
            try:
                _write(path, content)
            except FileNotFoundError:  # the day's first message
                _make_folders(self.folder, path.parent)
                _write(path, content)
        except OSError as error:
            raise Unavailable(f"messages can't be written to {self.folder}: {error.strerror}") from error

    def has(self, name: str) -> bool:
        """Whether the file `name` is there."""
        return (self.folder / name).is_file()

    def remove(self, name: str) -> None:
        """Take back what a try that never came to its end may have left. Raises Unavailable if the disk won't."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"messages can't be removed from {self.folder}: {error.strerror}") from error


def file_name(queued_on: str, message_no: int, kind: str, channel: str) -> str:
    """Name the file of a message, a path below the folder, the same at every try."""
    return f"{queued_on}/{message_no:08}-{kind}.{'eml' if channel == 'email' else 'txt'}"


def file_channel() -> FileChannel:
    """The file channel of this LOYALTY_HOME."""
    return FileChannel(settings().home_folder / "outbox")


def _write(path: Path, content: bytes) -> None:
    unfinished = f"{path}.unfinished"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY_FILE)
    with open(descriptor, "wb") as file:  # noqa: PTH123  (a descriptor carries the mode from the first byte on)
        file.write(content)
    os.replace(unfinished, path)  # noqa: PTH105  (half the time of a Path, thousands of times)


def _make_folders(outbox: Path, day: Path) -> None:
    outbox.parent.mkdir(parents=True, exist_ok=True)
    for folder in (outbox, day):
        folder.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
