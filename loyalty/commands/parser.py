"""What can be typed after `loyalty`, checked as far as that goes without a database. Imports nothing heavy."""

import argparse
import difflib
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NoReturn

from loyalty.errors import WrongUse
from loyalty.rules.periods import parse_period
from loyalty.rules.segments import SEGMENTS

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})?)?")
_LONGEST_NAME, _LONGEST_NOTE, _LONGEST_LABEL, _LONGEST_WORDING = 80, 500, 200, 2000
TRIGGERS = ("registration", "profile", "referral", "share", "check_in", "birthday", "anniversary", "visits")
STATES = ("open", "approved", "rejected", "lapsed", "all")
RESOLUTIONS = ("sent", "unsent", "dropped")
EVENT_STATES = ("waiting", "dead", "dropped")


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors of ours, in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise WrongUse instead of printing the usage."""
        raise WrongUse(f"{' '.join(message.split())} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the nearest command instead of all."""
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            nearest = difflib.get_close_matches(str(value), choices, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(choices)}"
            raise WrongUse(f"{_shown(str(value))} is not known here: {hint} (see `{self.prog} --help`)")


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line; `command` names what to do, such as "rules show". Raises WrongUse, or exits after --help."""
    given = _parser().parse_args(arguments)
    if given.command in {"reviews", "approvals"}:
        _check_decision(given)
    if given.command == "import" and given.correct and given.kind != "transactions":
        raise WrongUse("--correct is for transactions: members and rates are changed by importing them again")
    if given.command == "members" and given.action == "find":
        _check_identifiers(given)
    if given.command == "import" and given.consent_wording and given.kind != "members":
        raise WrongUse("--consent-wording is for members: nobody else agrees to anything")
    if given.command == "close" and given.rules and not given.simulate:
        raise WrongUse("--rules are candidate rules: they can only be simulated, with --simulate")
    if given.command == "backfill" and given.recompute and (given.notify or given.reviews == "approve"):
        raise WrongUse("--recompute closes nothing, so it takes no --reviews and no --notify")
    if given.command == "backfill" and given.reviews == "approve" and not given.by:
        raise WrongUse("reviews are approved in somebody's name: say whose with --by NAME")
    return given


def _check_identifiers(given: argparse.Namespace) -> None:
    if (given.platform is None) != (given.id is None):
        raise WrongUse("--platform and --id come together: whose id, and which")
    if not any((given.customer_id, given.platform, given.email, given.phone)):
        raise WrongUse("say by what: --customer-id, --platform with --id, --email or --phone")


def _check_decision(given: argparse.Namespace) -> None:
    if given.action == "list":
        return
    if not given.ids:
        which = given.command
        raise WrongUse(f"say which {which} to {given.action}: `loyalty {which} list` shows their numbers")
    if not given.by:
        raise WrongUse(f"{_one(given.command)} is decided in somebody's name: say whose with --by NAME")
    if given.action == "reject" and not given.note:
        raise WrongUse(f"{_one(given.command)} is rejected for a reason: give it with --note TEXT")


def _one(command: str) -> str:
    return "a review" if command == "reviews" else "an approval"


def _parser() -> Parser:
    parser = Parser(
        prog="loyalty",
        description="Customer loyalty programme management on PostgreSQL.",
        epilog="Settings come from the environment: `loyalty settings` lists them.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    _add_programme(commands)
    _add_month(commands)
    _add_members(commands)
    _add_triggers(commands)
    _add_identity(commands)
    _add_segments(commands)
    _add_campaigns(commands)
    _add_api(commands)
    _add_surroundings(commands)
    return parser


def _command(commands: Any, name: str, about: str, *, json: bool = False) -> argparse.ArgumentParser:
    """A command; `about` stands in the list and above its own help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
    )
    if json:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _add_programme(commands: Any) -> None:
    _command(commands, "migrate", "make or upgrade the database")
    rules = _command(commands, "rules", "show, check or apply the rules of the programme")
    actions = rules.add_subparsers(metavar="ACTION", dest="action", required=True)
    show = _command(actions, "show", "print the rules in force as TOML", json=True)
    show.add_argument("--period", type=parse_period, metavar="YYYY-MM", help="of that month instead of the present one")
    check = _command(actions, "check", "find the mistakes of a rules file")
    check.add_argument("file", metavar="FILE")
    put = _command(actions, "apply", "put the rules of a file in force from a month on")
    put.add_argument("file", metavar="FILE")
    put.add_argument("--from", dest="from_period", type=parse_period, metavar="YYYY-MM", required=True)
    put.add_argument("--by", type=_name, metavar="NAME", default="operator", help="in whose name they are kept")
    load = _command(commands, "import", "load members, transactions or exchange rates from CSV", json=True)
    load.add_argument("kind", choices=("members", "transactions", "rates"), metavar="members|transactions|rates")
    load.add_argument("file", metavar="FILE.csv", help="may be compressed: FILE.csv.gz")
    load.add_argument(
        "--correct", action="store_true", help="transactions recorded with other content are corrected, not rejected"
    )
    load.add_argument(
        "--consent-wording", type=_wording, metavar="TEXT", help="what members agreed to, kept with each consent"
    )


def _add_month(commands: Any) -> None:
    close = _command(commands, "close", "close a month: points, tiers, rewards, reviews, messages, reports", json=True)
    close.add_argument("period", type=_period_text, metavar="YYYY-MM")
    close.add_argument(
        "--simulate", action="store_true", help="only compute what would change, and leave nothing behind"
    )
    close.add_argument("--rules", metavar="FILE", help="simulate under the rules of this file")
    close.add_argument("--no-notify", dest="notify", action="store_false", help="queue no messages")
    backfill = _command(commands, "backfill", "close past months in order; no messages unless told")
    backfill.add_argument("first", type=_period_text, metavar="FIRST")
    backfill.add_argument("last", type=_period_text, metavar="LAST")
    backfill.add_argument("--reviews", choices=("hold", "approve"), default="hold", metavar="hold|approve")
    backfill.add_argument("--by", type=_name, metavar="NAME", help="who approves reviews, or asks for a recompute")
    backfill.add_argument(
        "--recompute",
        action="store_true",
        help="close nothing: show what closed months would have come to, and ask for the difference to be posted",
    )
    backfill.add_argument("--notify", action="store_true", help="queue messages to members")
    expire = _command(commands, "expire", "record points, vouchers and reviews whose time is over")
    expire.add_argument("--as-of", type=_instant, metavar="INSTANT", help="up to then instead of now")
    _command(commands, "notify", "deliver the messages that wait")
    _add_messages(commands)
    reviews = _command(commands, "reviews", "list or decide the upgrades that wait for a manager", json=True)
    reviews.add_argument("action", choices=("list", "approve", "reject"), metavar="list|approve|reject")
    reviews.add_argument("ids", nargs="*", type=_number, metavar="ID")
    reviews.add_argument("--state", choices=STATES, default="open", help="which to list (open unless told)")
    reviews.add_argument("--by", type=_name, metavar="NAME", help="who decides")
    reviews.add_argument("--note", type=_note, metavar="TEXT", default="", help="why")
    reviews.add_argument("--code", metavar="CODE", help="the one-time code of the message, where the rules ask for one")
    approvals = _command(commands, "approvals", "list or decide what waits, whole batches at a time", json=True)
    approvals.add_argument("action", choices=("list", "approve", "reject"), metavar="list|approve|reject")
    approvals.add_argument("ids", nargs="*", type=_number, metavar="ID")
    approvals.add_argument("--state", choices=STATES, default="open", help="which to list (open unless told)")
    approvals.add_argument("--by", type=_name, metavar="NAME", help="who decides")
    approvals.add_argument("--note", type=_note, metavar="TEXT", default="", help="why")
    approvals.add_argument(
        "--code", metavar="CODE", help="the one-time code of the message, where the rules ask for one"
    )
    approvals.add_argument(
        "--leave-out", nargs="+", type=_member, action="extend", default=[], metavar="MEMBER", help="who is rejected"
    )


def _add_members(commands: Any) -> None:
    member = _command(commands, "member", "show a member: statement, lots, vouchers", json=True)
    member.add_argument("customer_id", metavar="CUSTOMER_ID")
    member.add_argument("--as-of", type=_instant, metavar="INSTANT", help="as it was, or will be, then")
    member.add_argument("--why", action="store_true", help="trace every point to its cause")
    consents = _command(commands, "consents", "show, give or withdraw a member's consents; lift a suppression")
    actions = consents.add_subparsers(metavar="ACTION", dest="action", required=True)
    show = _command(actions, "show", "list what a member agreed to, and what keeps messages from an address", json=True)
    give = _command(actions, "give", "note that a member agreed")
    withdraw = _command(actions, "withdraw", "note that a member agrees no more")
    lift = _command(actions, "lift", "send to a member's present address again, whatever a provider said")
    for each in (show, give, withdraw, lift):
        each.add_argument("customer_id", metavar="CUSTOMER_ID")
    for each in (give, withdraw, lift):
        each.add_argument("channel", choices=("email", "sms"), metavar="email|sms")
        each.add_argument("--by", type=_name, metavar="NAME", required=True, help="who notes it")
    for each in (give, withdraw):
        each.add_argument("--offers", action="store_true", help="offers only, not the channel itself")
        each.add_argument("--wording", type=_wording, metavar="TEXT", help="what the member was told, or said")
    export = _command(commands, "export", "write statements or entries as CSV")
    tables = export.add_subparsers(metavar="TABLE", dest="table", required=True)
    statements = _command(tables, "statements", "write the statements of a closed month")
    statements.add_argument("period", type=parse_period, metavar="YYYY-MM")
    entries = _command(tables, "entries", "write all entries of the ledger")
    for each in (statements, entries):
        each.add_argument("--out", metavar="FILE.csv", help="into a file instead of the terminal")
    report = _command(commands, "report", "write a month's report as one HTML file")
    report.add_argument("period", type=parse_period, metavar="YYYY-MM")
    report.add_argument("--out", metavar="FILE.html", help="instead of one in LOYALTY_HOME/reports")
    _command(commands, "verify", "prove the books: every check must find nothing", json=True)


def _add_triggers(commands: Any) -> None:
    triggers = _command(commands, "triggers", "points for more than purchases: list, simulate, run, tell")
    actions = triggers.add_subparsers(metavar="ACTION", dest="action", required=True)
    _command(actions, "list", "list the triggers and what each gives", json=True)
    simulate = _command(actions, "simulate", "count what a trigger would give in a month", json=True)
    simulate.add_argument("kind", choices=TRIGGERS, metavar="TRIGGER", help=", ".join(TRIGGERS))
    simulate.add_argument("--period", type=parse_period, metavar="YYYY-MM", help="instead of the present month")
    simulate.add_argument("--points", type=_whole, metavar="N", help="if it gave so many points")
    simulate.add_argument("--rules", metavar="FILE", help="under the rules of this file")
    day = _command(actions, "run", "give what the day brings: birthdays, anniversaries, visits, what files brought")
    day.add_argument("--as-of", type=_instant, metavar="INSTANT", help="up to the day of that instant instead of now")
    share = _command(actions, "share", "give a member points for sharing")
    share.add_argument("customer_id", metavar="CUSTOMER_ID")
    share.add_argument("channel", metavar="CHANNEL")
    refer = _command(actions, "refer", "record that a member brought another")
    refer.add_argument("referrer", metavar="CUSTOMER_ID", help="who referred")
    refer.add_argument("referred", metavar="CUSTOMER_ID", help="who came")
    check_in = _command(actions, "check-in", "check a member in with the code of a location")
    check_in.add_argument("customer_id", metavar="CUSTOMER_ID")
    check_in.add_argument("code", metavar="CODE")
    locations = _command(commands, "locations", "add or list locations, draw the code that one shows")
    actions = locations.add_subparsers(metavar="ACTION", dest="action", required=True)
    add = _command(actions, "add", "make a location known")
    add.add_argument("name", type=_label, metavar="NAME")
    _command(actions, "list", "list the locations", json=True)
    draw = _command(actions, "qr", "draw the code of a location for a day, or print its text")
    draw.add_argument("name", metavar="NAME")
    draw.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="instead of today")
    draw.add_argument("--out", metavar="FILE", help="a picture: FILE.png or FILE.svg")
    adjust = _command(commands, "adjust", "give a member points by hand, or take some (-50)", json=True)
    adjust.add_argument("customer_id", metavar="CUSTOMER_ID")
    adjust.add_argument("points", type=_points, metavar="POINTS")
    adjust.add_argument("--reason", required=True, metavar="CODE", help="one of adjust_reasons of the rules")
    adjust.add_argument("--note", type=_note, metavar="TEXT", default="", help="in your own words")
    adjust.add_argument("--by", type=_name, required=True, metavar="NAME", help="who does it")
    _command(commands, "adjustments", "list what was given or taken by hand", json=True)


def _add_identity(commands: Any) -> None:
    members = _command(commands, "members", "find members, export all that is held on one")
    actions = members.add_subparsers(metavar="ACTION", dest="action", required=True)
    find = _command(actions, "find", "find a member by the strongest identifier that is known", json=True)
    for name in ("customer-id", "email", "phone", "platform"):
        find.add_argument(f"--{name}", metavar=name.upper().replace("-", "_"))
    find.add_argument("--id", metavar="ID", help="what the platform calls the customer")
    _command(actions, "suggestions", "list pairs of members who may be one person", json=True)
    export = _command(actions, "export", "print all that is held on a person, as JSON")
    export.add_argument("customer_id", metavar="CUSTOMER_ID")
    merge = _command(commands, "merge", "merge a member into another: points, transactions, identifiers")
    merge.add_argument("keep", metavar="KEEP", help="customer_id of the member who stays")
    merge.add_argument("lose", metavar="LOSE", help="customer_id of the one merged into it")
    unmerge = _command(commands, "unmerge", "undo a merge")
    unmerge.add_argument("lose", metavar="LOSE", help="customer_id of the member who was merged into another")
    for each in (merge, unmerge):
        each.add_argument("--by", type=_name, metavar="NAME", required=True, help="in whose name")
    erase = _command(commands, "erase", "erase a person for good; the books stay under the member's number")
    erase.add_argument("customer_id", metavar="CUSTOMER_ID")
    erase.add_argument("--by", type=_name, metavar="NAME", required=True, help="in whose name")


def _add_api(commands: Any) -> None:
    serve = _command(commands, "serve", "serve the HTTP API until stopped")
    serve.add_argument("--port", type=_port, metavar="N", help="instead of LOYALTY_API_PORT")
    serve.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="to listen on (127.0.0.1 unless told)")
    serve.add_argument("--workers", type=_whole, metavar="N", default=1, help="processes that answer (1 unless told)")
    keys = _command(commands, "keys", "make, list or revoke keys to the HTTP API")
    actions = keys.add_subparsers(metavar="ACTION", dest="action", required=True)
    create = _command(actions, "create", "make a key; it is shown once, alone on the last line")
    create.add_argument("name", type=_name, metavar="NAME")
    create.add_argument("--scope", nargs="+", action="extend", required=True, metavar="SCOPE", help="such as all")
    create.add_argument("--expires", type=_instant, metavar="INSTANT", help="good until then (for ever unless told)")
    create.add_argument("--per-minute", type=_whole, metavar="N", help="requests it may make (any number unless told)")
    _command(actions, "list", "list the keys", json=True)
    revoke = _command(actions, "revoke", "end a key")
    revoke.add_argument("name", type=_name, metavar="NAME")
    inbox = _command(commands, "inbox", "list, show, replay or drop events that are not applied")
    actions = inbox.add_subparsers(metavar="ACTION", dest="action", required=True)
    events = _command(actions, "list", "list the events that wait or are dead", json=True)
    events.add_argument("--state", choices=EVENT_STATES, help="only these")
    show = _command(actions, "show", "show an event and what it said", json=True)
    show.add_argument("number", type=_whole, metavar="NUMBER")
    replay = _command(actions, "replay", "try events again, now, with all others that are due")
    replay.add_argument(
        "numbers",
        nargs="*",
        type=_whole,
        metavar="NUMBER",
        help="all that wait or are dead, unless told",
    )
    drop = _command(actions, "drop", "drop events, for a reason: they are tried no more")
    drop.add_argument("numbers", nargs="+", type=_whole, metavar="NUMBER")
    drop.add_argument("--note", type=_note, metavar="TEXT", required=True, help="why")
    held = _command(commands, "held", "list, show, release or refuse what breaks a limit")
    actions = held.add_subparsers(metavar="ACTION", dest="action", required=True)
    _command(actions, "list", "list what is held", json=True)
    show = _command(actions, "show", "show what is held and what it said", json=True)
    show.add_argument("number", type=_whole, metavar="NUMBER")
    for action, about in (("release", "let it be done after all, once"), ("refuse", "refuse it for good")):
        decide = _command(actions, action, about)
        decide.add_argument("number", type=_whole, metavar="NUMBER")
        decide.add_argument("--by", type=_name, metavar="NAME", required=True, help="in whose name")
        if action == "refuse":
            decide.add_argument("--note", type=_note, metavar="TEXT", required=True, help="why")


def _add_messages(commands: Any) -> None:
    messages = _command(commands, "messages", "show what messages say; see to those that may have gone or not")
    actions = messages.add_subparsers(metavar="ACTION", dest="action", required=True)
    _command(actions, "kinds", "list the kinds of messages", json=True)
    shown = _command(actions, "preview", "open one message with sample data, as a member gets it")
    shown.add_argument("kind", metavar="KIND", help="such as tier_upgrade: `loyalty messages kinds` lists them")
    shown.add_argument("--language", metavar="L", default="en", help="en, es, ar or one of your own (en unless told)")
    shown.add_argument("--channel", choices=("email", "sms"), help="the e-mail, if it has one, unless told")
    shown.add_argument("--dark", action="store_true", help="as dark mode shows it")
    shown.add_argument("--out", metavar="FILE", help="write it there and open nothing; FILE.txt gets the plain text")
    _command(actions, "check", "find the mistakes of all templates, your own too")
    unknown = _command(actions, "unknown", "list or resolve messages of which nobody knows whether they went out")
    what = unknown.add_subparsers(metavar="WHAT", dest="what", required=True)
    _command(what, "list", "list them, the oldest first", json=True)
    resolve = _command(what, "resolve", "say what became of messages")
    resolve.add_argument("messages", nargs="+", type=_message, metavar="MESSAGE", help="as listed: 12, or S3 to staff")
    resolve.add_argument(
        "--as",
        dest="outcome",
        choices=RESOLUTIONS,
        required=True,
        metavar="sent|unsent|dropped",
        help="sent; unsent, to be sent again; or dropped, never to be",
    )
    resolve.add_argument("--by", type=_name, metavar="NAME", required=True, help="who says so")


def _add_segments(commands: Any) -> None:
    segments = _command(commands, "segments", "compute, count, list or export segments of members by what they bought")
    actions = segments.add_subparsers(metavar="ACTION", dest="action", required=True)
    compute = _command(actions, "compute", "compute them anew, for all members")
    compute.add_argument("--as-of", type=_instant, metavar="INSTANT", help="as of then instead of now")
    _command(actions, "count", "how many members each has", json=True)
    shown = _command(actions, "list", "list the members of one, or all", json=True)
    shown.add_argument("segment", nargs="?", choices=SEGMENTS, metavar="SEGMENT")
    shown.add_argument("--most", type=_whole, metavar="N", default=50, help="so many at most (50 unless told)")
    export = _command(actions, "export", "write the members of one, or all, as CSV")
    export.add_argument("segment", nargs="?", choices=SEGMENTS, metavar="SEGMENT")
    export.add_argument("--out", metavar="FILE.csv", help="instead of the terminal")


def _add_campaigns(commands: Any) -> None:
    campaigns = _command(commands, "campaigns", "check, simulate, start, run, stop, list campaigns, or report on one")
    actions = campaigns.add_subparsers(metavar="ACTION", dest="action", required=True)
    check = _command(actions, "check", "find the mistakes of a campaign's file")
    check.add_argument("file", metavar="FILE")
    simulate = _command(actions, "simulate", "show what it would have given in the time before", json=True)
    simulate.add_argument("file", metavar="FILE")
    start = _command(actions, "start", "ask for it to be started: a second person approves")
    start.add_argument("file", metavar="FILE")
    start.add_argument("--by", type=_name, metavar="NAME", required=True, help="who asks")
    start.add_argument("--note", type=_note, metavar="TEXT", default="", help="why, for those who decide")
    start.add_argument("--ask-again", action="store_true", help="also one that was rejected")
    _command(actions, "run", "give what all of them have to give by now")
    stop = _command(actions, "stop", "end one that runs, now")
    stop.add_argument("name", metavar="NAME")
    stop.add_argument("--by", type=_name, metavar="NAME", required=True, help="who stops it")
    report = _command(actions, "report", "write what one has brought as HTML")
    report.add_argument("name", metavar="NAME")
    report.add_argument("--out", metavar="FILE.html", help="instead of one in LOYALTY_HOME/reports")
    _command(actions, "list", "list them all", json=True)


def _add_surroundings(commands: Any) -> None:
    _command(commands, "demo", "load the demo data set")
    _command(commands, "stop", "stop the embedded database of this LOYALTY_HOME")
    _command(commands, "doctor", "look at every part, and say how to mend what is wrong", json=True)
    _command(commands, "settings", "list the settings with their values", json=True)


def _period_text(text: str) -> str:
    """A month as it was typed, once it is seen to be one: flows take it as text."""
    parse_period(text)
    return text


def _instant(text: str) -> datetime:
    """An ISO 8601 date or date and time; without an offset it is the programme's own time."""
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:
        pass  # no such day or hour: told below like every other word
    example = date(2026, 11, 1)
    raise WrongUse(f"an instant is an ISO 8601 date or time, such as {example} or {example}T09:00Z, not {_shown(text)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUse(f"a day is written as YYYY-MM-DD, not {_shown(text)}") from None


def _points(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise WrongUse(f"points are a whole number such as 50 or -50, not {_shown(text)}")
    return int(text)


def _label(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_LABEL or not text.isprintable():
        raise WrongUse(f"a name is a line of 1 to {_LONGEST_LABEL} characters")
    return text.strip()


def _name(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_NAME or "@" in text or not text.isprintable():
        raise WrongUse(f"a name is a handle of 1 to {_LONGEST_NAME} letters, such as anna, and no e-mail address")
    return text.strip()


def _note(text: str) -> str:
    if len(text) > _LONGEST_NOTE or not text.replace("\n", " ").isprintable():
        raise WrongUse(f"a note is a text of at most {_LONGEST_NOTE} characters")
    return text.strip()


def _wording(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST_WORDING or not text.replace("\n", " ").isprintable():
        raise WrongUse(f"a wording is a text of 1 to {_LONGEST_WORDING} characters")
    return text.strip()


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise WrongUse(f"a number such as 12 is wanted, not {_shown(text)}")
    return int(text)


def _message(text: str) -> tuple[bool, int]:
    """A message as lists show it: whether it is to staff, and its number."""
    return text[:1] in {"S", "s"}, _number(text[1:] if text[:1] in {"S", "s"} else text)


def _member(text: str) -> int:
    """A member's number, as lists show it: 123 or M123."""
    return _number(text[1:] if text[:1] in {"M", "m"} else text)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 1 << 16:
        raise WrongUse(f"a port is a number from 1 to 65535, not {_shown(text)}")
    return int(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise WrongUse(f"a whole number above 0 is wanted, not {_shown(text)}")
    return int(text)


def _shown(text: str) -> str:
    """What was typed, made short and harmless."""
    return '"' + "".join(symbol if symbol.isprintable() else "?" for symbol in text[:40]) + '"'
