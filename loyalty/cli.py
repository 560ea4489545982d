"""The command `loyalty`: the one place where what is typed meets what is done.

Each command is imported when it runs, so that `loyalty --help` is quick, and only those that run flows load `flows`.
"""

import io
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NoReturn

from loyalty.commands.failures import guarded
from loyalty.commands.parser import read_arguments


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code: 0 done, 1 failed, 2 used wrongly."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows no UTF-8 gets a question mark, not an error
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command line; the exit code. Errors are told on stderr, in one line."""
    return guarded(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    given = read_arguments(arguments)
    return _COMMANDS[given.command](given)


def _migrate(_given: Namespace) -> int:
    from loyalty.commands import programme

    return programme.migrate()


def _rules(given: Namespace) -> int:
    from loyalty.commands import programme

    actions = {"show": programme.show_rules, "check": programme.check_rules, "apply": programme.apply_rules}
    return actions[given.action](given)


def _import(given: Namespace) -> int:
    from loyalty.commands import imports

    return imports.load(given)


def _consents(given: Namespace) -> int:
    from loyalty.commands import consents

    return consents.show(given) if given.action == "show" else consents.change(given)


def _close(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say, say_json
    from loyalty.db.programme import check_ready
    from loyalty.monthly import Terms

    if given.simulate:
        return _simulate(given)
    check_ready()
    with remarks_on_success() as remark:
        done = runs.close(given.period, Terms(notify=given.notify), remark)
    if given.json:
        say_json({"period": given.period, "result": done})
    else:
        say(done)
    return 0


def _simulate(given: Namespace) -> int:
    from loyalty.commands import simulations

    return simulations.show(given)


def _backfill(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say
    from loyalty.db.programme import check_ready
    from loyalty.monthly import Terms

    check_ready()
    if given.recompute:
        with remarks_on_success() as remark:
            say(runs.recompute(given.first, given.last, given.by, remark))
        return 0
    terms = Terms(notify=given.notify, reviews=given.reviews, decided_by=given.by)
    with remarks_on_success() as remark:
        say(runs.backfill(given.first, given.last, terms, remark))
    return 0


def _expire(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say

    with remarks_on_success() as remark:
        say(runs.expire(_in_zone(given.as_of), remark))
    return 0


def _in_zone(instant: datetime | None) -> datetime | None:
    """An instant that was typed; without an offset it is the programme's own time. Raises Refused before a migrate."""
    from loyalty.db.programme import check_ready

    zone = check_ready()
    return instant.replace(tzinfo=zone) if instant is not None and instant.tzinfo is None else instant


def _notify(_given: Namespace) -> int:
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say
    from loyalty.db.programme import check_ready

    check_ready()
    with remarks_on_success() as remark:
        say(runs.notify(remark))
    return 0


def _segments(given: Namespace) -> int:
    from loyalty.commands import segments

    shown = {"list": segments.show, "count": segments.count, "export": segments.export}
    if given.action in shown:
        return shown[given.action](given)
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say

    with remarks_on_success() as remark:
        say(runs.compute_segments(_in_zone(given.as_of), remark))
    return 0


def _campaigns(given: Namespace) -> int:
    from loyalty.commands import campaigns

    shown = {
        "check": campaigns.check,
        "simulate": campaigns.simulate,
        "stop": campaigns.stop,
        "report": campaigns.report,
        "list": campaigns.show,
    }
    if given.action in shown:
        return shown[given.action](given)
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say
    from loyalty.db.programme import check_ready

    with remarks_on_success() as remark:
        if given.action == "start":
            again = given.ask_again
            return campaigns.start(
                given, lambda file: runs.start_campaign(file, given.by, given.note, remark, ask_again=again)
            )
        check_ready()
        say(runs.run_campaigns(remark))
    return 0


def _reviews(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands import reviews
    from loyalty.commands.terminal import remarks_on_success

    if given.action == "list":
        return reviews.show(given)
    with remarks_on_success() as remark:
        return reviews.decide(given, renew_reports=lambda periods: runs.after_decision(periods, remark))


def _approvals(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands import approvals
    from loyalty.commands.terminal import remarks_on_success

    if given.action == "list":
        return approvals.show(given)
    with remarks_on_success() as remark:
        return approvals.decide(given, renew_reports=lambda periods: runs.after_decision(periods, remark))


def _member(given: Namespace) -> int:
    from loyalty.commands import members

    return members.show(given)


def _triggers(given: Namespace) -> int:
    from loyalty.commands import triggers

    if given.action == "run":
        return _run_day(given)
    actions = {
        "list": triggers.show,
        "simulate": triggers.show_simulation,
        "share": triggers.share,
        "refer": triggers.refer,
        "check-in": triggers.check_in,
    }
    return actions[given.action](given)


def _run_day(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands.terminal import remarks_on_success, say

    with remarks_on_success() as remark:
        say(runs.milestones(_in_zone(given.as_of), remark))
    return 0


def _locations(given: Namespace) -> int:
    from loyalty.commands import locations

    return {"add": locations.add, "list": locations.show, "qr": locations.draw}[given.action](given)


def _adjust(given: Namespace) -> int:
    from flows import runs
    from loyalty.commands import adjustments
    from loyalty.commands.terminal import remarks_on_success

    with remarks_on_success() as remark:
        return adjustments.adjust(given, ask_managers=lambda: runs.ask_managers(remark))


def _adjustments(given: Namespace) -> int:
    from loyalty.commands import adjustments

    return adjustments.show(given)


def _members(given: Namespace) -> int:
    from loyalty.commands import identity

    return {"find": identity.find, "suggestions": identity.suggest, "export": identity.export}[given.action](given)


def _merge(given: Namespace) -> int:
    from loyalty.commands import identity

    return {"merge": identity.merge, "unmerge": identity.unmerge}[given.command](given)


def _erase(given: Namespace) -> int:
    from loyalty.commands import identity

    return identity.erase(given)


def _export(given: Namespace) -> int:
    from loyalty.commands import exports

    return exports.export(given)


def _report(given: Namespace) -> int:
    from loyalty.commands import reports

    return reports.report(given)


def _verify(given: Namespace) -> int:
    from loyalty.commands import checks

    return checks.prove(given)


def _demo(given: Namespace) -> int:
    from loyalty.commands import demo

    return demo.load_demo(given)


def _serve(given: Namespace) -> int:
    from loyalty.commands import serve

    return serve.serve(given)


def _keys(given: Namespace) -> int:
    from loyalty.commands import keys

    return {"create": keys.create, "list": keys.show, "revoke": keys.revoke}[given.action](given)


def _inbox(given: Namespace) -> int:
    from loyalty.commands import inbox

    actions = {"list": inbox.show_list, "show": inbox.show, "replay": inbox.replay, "drop": inbox.drop}
    return actions[given.action](given)


def _held(given: Namespace) -> int:
    from loyalty.commands import held

    actions = {"list": held.show_list, "show": held.show, "release": held.release, "refuse": held.refuse}
    return actions[given.action](given)


def _messages(given: Namespace) -> int:
    from loyalty.commands import messages, unknown_messages

    if given.action == "unknown":
        return {"list": unknown_messages.show, "resolve": unknown_messages.resolve}[given.what](given)
    return {"kinds": messages.show_kinds, "preview": messages.show, "check": messages.check}[given.action](given)


def _stop(_given: Namespace) -> int:
    from loyalty.commands import programme

    return programme.stop()


def _doctor(given: Namespace) -> int:
    from deployments.examination import EXAMINATIONS
    from loyalty.commands import doctor

    return doctor.show(given, *EXAMINATIONS)


def _settings(given: Namespace) -> int:
    from loyalty.commands import programme

    return programme.show_settings(given)


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "migrate": _migrate,
    "rules": _rules,
    "import": _import,
    "consents": _consents,
    "close": _close,
    "backfill": _backfill,
    "expire": _expire,
    "notify": _notify,
    "messages": _messages,
    "reviews": _reviews,
    "approvals": _approvals,
    "segments": _segments,
    "campaigns": _campaigns,
    "member": _member,
    "triggers": _triggers,
    "locations": _locations,
    "adjust": _adjust,
    "adjustments": _adjustments,
    "members": _members,
    "merge": _merge,
    "unmerge": _merge,
    "erase": _erase,
    "export": _export,
    "report": _report,
    "verify": _verify,
    "serve": _serve,
    "keys": _keys,
    "inbox": _inbox,
    "held": _held,
    "demo": _demo,
    "stop": _stop,
    "doctor": _doctor,
    "settings": _settings,
}
