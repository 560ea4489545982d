"""Errors, typed by what the caller can do about them.

A class says what to do next, the message says what happened, in one line that is safe to print and to log: it
never holds an e-mail address, a phone number, a name or a password. The foreign error stays as `__cause__`.

    LoyaltyError            anything this product reports; the command exits 1
    ├── Refused             the state forbids it: decide something else (order of closing, a decided review)
    │   ├── NotFound        what was named is not there
    │   ├── TooFewPoints    a member has fewer points to spend than were asked for
    │   ├── AlreadyGiven    the points of this occasion were given before
    │   └── OtherContent    the id or key was used for something else before: take a new one
    ├── Waits               it can't be done yet, and is kept until it can
    ├── Held            it breaks a limit, and is kept until a person has seen it
    ├── BadInput            the data, the file or the rule given is wrong: mend it
    ├── Unavailable         a server can't be reached or started: try again
    ├── NotMigrated         the database lacks what this release needs: run `loyalty migrate`
    ├── Unverified          nothing proves that the platform sent it: nothing is done
    ├── WorkLost            work done so far is gone: start the same thing again
    └── WrongUse            the arguments make no sense; the command exits 2
    ConfigurationError      outside that root: nobody who handles a failed month may swallow a wrong setting
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar


class LoyaltyError(Exception):
    """Something went wrong that one clear line can tell."""

    exit_code: ClassVar[int] = 1


class Refused(LoyaltyError):
    """The programme's state forbids it."""


class NotFound(Refused):
    """What was named is not there."""


class TooFewPoints(Refused):
    """A member has fewer points to spend than were asked for."""


class AlreadyGiven(Refused):
    """The points of this occasion were given before: nothing is left to do."""


class OtherContent(Refused):
    """The same id or key came before, with other content."""


class Waits(LoyaltyError):
    """An event can't be applied yet. `waits_for` is the id of the transaction that it needs first, if it is that.

    `customer` is who must register first, if it is that, and `until` the end of the time in which that helps (UTC).
    `rate` is the currency whose rate it needs, if it is that, and the instant of whose day (UTC).
    Whoever applies an event raises this before writing anything.
    """

    def __init__(
        self,
        reason: str,
        *,
        waits_for: str | None = None,
        customer: str | None = None,
        until: datetime | None = None,
        rate: tuple[str | None, datetime] | None = None,
    ) -> None:
        """Say what is missing, without personal data."""
        super().__init__(reason)
        self.waits_for = waits_for
        self.customer = customer
        self.until = until
        self.rate = rate


class Held(LoyaltyError):
    """An event breaks a limit of the rules; nothing of it is done until a person releases it.

    `limit` says which, as the rules have it: kind, and most, of, per and window, or hours.
    """

    def __init__(self, reason: str, limit: Mapping[str, object]) -> None:
        """Say what breaks it, without personal data."""
        super().__init__(reason)
        self.limit = limit


class BadInput(LoyaltyError):
    """What was given is wrong: `mistakes` has one line each, the message shows them all."""

    def __init__(self, mistakes: str | Iterable[str]) -> None:
        """Take one line, or several when a file has several mistakes."""
        self.mistakes: tuple[str, ...] = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class Unavailable(LoyaltyError):
    """A server could not be reached or started; the same call may work in a moment."""


class NotMigrated(LoyaltyError):
    """The database lacks what this release needs: `loyalty migrate` brings it, and then the same works."""


class Unverified(LoyaltyError):
    """Nothing proves that the platform sent it. It has no words, so that none help whoever tries."""


class WorkLost(LoyaltyError):
    """Working tables vanished with a crash of the server; the same run, started again, makes them anew."""


class WrongUse(LoyaltyError):
    """The arguments of a command or call make no sense."""

    exit_code: ClassVar[int] = 2


class ConfigurationError(Exception):
    """A setting is wrong; the message names it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, setting: str, problem: str) -> None:
        """Name the environment variable `setting` and what is wrong with it, without its secret parts."""
        self.setting = setting
        super().__init__(setting, problem)  # as it was made, so that it can travel between processes

    def __str__(self) -> str:
        """The line to print."""
        return " ".join(self.args)
