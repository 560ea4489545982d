"""How a command fails: in one line on stderr that says what to do, with an exit code, never with a traceback.

What nobody foresaw goes to LOYALTY_HOME/logs/errors.log: where in the code it happened and of what kind it was. The
values at hand are left out, and so are texts of errors that may repeat them: they may be people's data.
"""

import os
import re
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from loyalty.errors import BadInput, ConfigurationError, LoyaltyError
from loyalty.traces import place, trace

FAILED, INTERRUPTED = 1, 130
LOG = Path("logs", "errors.log")
_POINTER = re.compile(r"^/([a-z_]+): ")  # how the API names a field of its body


def guarded(command: Callable[[], int]) -> int:
    """Run a command; its exit code, or that of its failure, told in one line (one for each mistake of a rules file)."""
    try:
        code = _finished(command)
    except BadInput as error:
        code = _told(error.exit_code, *(_POINTER.sub(r"\1: ", mistake) for mistake in str(error).splitlines()))
    except (LoyaltyError, ConfigurationError) as error:
        code = _told(error.exit_code, *str(error).splitlines())
    except BrokenPipeError:  # whoever read our output has enough of it
        code = FAILED
    except KeyboardInterrupt:
        code = _told(INTERRUPTED, "interrupted; started again, it goes on where it ended")
    except OSError as error:
        code = _told(FAILED, ": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    except Exception as error:  # noqa: BLE001 - the last place where a traceback can be kept from the user
        code = _told(FAILED, _unforeseen(error))
    _silence()
    return code


def _finished(command: Callable[[], int]) -> int:
    """The command's exit code once its output has left us; argparse ends --help by an exit of its own."""
    try:
        code = command()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    sys.stdout.flush()
    return code


def _told(code: int, *lines: str) -> int:
    for line in lines or ("failed",):
        sys.stderr.write(f"loyalty: {line}\n")
    return code


def _silence() -> None:
    """Keep the interpreter, which flushes once more as it ends, from complaining of a pipe that is closed."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _unforeseen(error: Exception) -> str:
    kind = type(error).__name__
    try:
        log = _log(error)
    except (OSError, ConfigurationError):
        last = place(traceback.extract_tb(error.__traceback__)[-1])
        return f"something unforeseen went wrong ({kind} in {last})"
    return f"something unforeseen went wrong ({kind}); where, is in {log}"


def _log(error: Exception) -> Path:
    from loyalty.settings import settings  # noqa: PLC0415 - a quarter of a second that only failures pay

    path = settings().home_folder / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{''.join(trace(error))}")
    return path
