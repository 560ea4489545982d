"""`make bench`: close and month 13 at several sizes, import, till and more, one JSON line each; `--write` keeps them.

    python -m tests.bench.run [--sizes 10000,100000,1000000] [--runs 3] [--pgledger FOLDER] [--write [FILE]]
        [--only close|month13|import|till|milestones|segments|messages]

The lines of single measurements go to stderr as they come, the summaries to stdout.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import notes, segments, till
from tests.bench.close import Measured, close, month_13
from tests.bench.imports import imports
from tests.bench.messages import messages
from tests.bench.milestones import milestones
from tests.bench.server import ROOT, Server, prefect, server

BENCHMARKS = ("close", "month13", "import", "till", "milestones", "segments", "messages")
MESSAGES_MOST = 100_000  # more take as long each


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    given = _arguments()
    with ExitStack() as stack:
        on = stack.enter_context(server())
        summaries = []
        for measured in _measure(on, stack, given):
            whole = "run" not in measured
            (sys.stdout if whole else sys.stderr).write(json.dumps(measured) + "\n")
            sys.stdout.flush()
            if whole:
                summaries.append(measured)
        if given.write:
            notes.add(
                given.write, notes.benchmarks(summaries, machine=notes.machine() | on.about(), at=datetime.now(UTC))
            )


def _measure(on: Server, stack: ExitStack, given: argparse.Namespace) -> Iterator[Measured]:
    wanted = given.only or BENCHMARKS
    api = stack.enter_context(prefect(on)) if {"close", "month13"} & set(wanted) else ""
    costs = {}
    for members in given.sizes if "close" in wanted else ():
        for measured in close(on, api, members, given.runs):
            costs[members] = measured["seconds"] / members
            yield measured
    for smaller, larger in zip(given.sizes, given.sizes[1:], strict=False):
        if "close" in wanted:
            ratio = round(costs[larger] / costs[smaller], 2)
            yield {"what": "cost per member", "members": larger, "against": smaller, "ratio": ratio}
    for members in given.sizes if "month13" in wanted else ():
        yield from month_13(on, api, members, given.runs)
    largest = given.sizes[-1]
    others = {
        "import": lambda: imports(on, largest, given.runs),
        "milestones": lambda: milestones(on, largest, given.runs),
        "segments": lambda: segments.compute(on, largest, given.runs),
        "messages": lambda: messages(on, min(largest, MESSAGES_MOST), given.runs),
        "till": lambda: _tills(on, given),
    }
    for measure in (each for name, each in others.items() if name in wanted):
        yield from measure()


def _tills(on: Server, given: argparse.Namespace) -> Iterator[Measured]:
    missing = till.missing()
    if missing and given.only:
        sys.exit(f"the benchmark `till` needs {missing}")
    if missing:
        sys.stderr.write(f"the benchmark `till` is left out: it needs {missing}\n")
        return
    yield from till.tills(on, min(given.sizes[-1], till.MEMBERS_MOST), given.runs)
    if given.pgledger:
        yield from till.ledger(on, given.pgledger)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_sizes, default=[10_000, 100_000, 1_000_000], help="members, smallest first")
    parser.add_argument("--runs", type=int, default=3, help="measurements of each; the median counts")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="may be given more than once")
    parser.add_argument(
        "--pgledger", type=Path, metavar="FOLDER", help="a copy of pgledger's repository: its workload is run as well"
    )
    parser.add_argument(
        "--write", type=Path, nargs="?", const=ROOT / "benchmarks.md", help="add the figures to this file"
    )
    return parser.parse_args()


def _sizes(words: str) -> list[int]:
    return sorted(int(word.replace("_", "")) for word in words.split(","))


if __name__ == "__main__":
    main()
