"""`make soak`: every law with a count, at its full counts; a line each at the end, which `--write` keeps.

Most are tried by Hypothesis. Others are marked `counted`: they take their count from its settings as well, and record
it as the property `tried`.

python -m tests.bench.soak [--write [FILE]] [what pytest takes, such as a folder or -k WORDS]
"""

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench import notes
from tests.bench.server import ROOT

OPTIONS = ("-q", "-n", "2", "-m", "hypothesis or counted", "--hypothesis-profile=soak", "-p", "tests.bench.soak")
TOLD, TRIED = "hypothesis_statistics", "tried"
_EXAMPLES = re.compile(r"(\d+) passing")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> None:
    """In the worker that ran a law: what Hypothesis tells of it goes along with the report."""
    told = getattr(item, TOLD, None)
    if told and TOLD not in dict(item.user_properties):
        item.user_properties.append((TOLD, told))


@dataclass
class Law:
    """What was tried of a law so far."""

    examples: int = 0
    seconds: float = 0.0
    outcome: str = "passed"


@dataclass
class Laws:
    """A pytest plugin that hears of each law, and adds up those that are tried with several parameters."""

    found: dict[str, Law] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test, or what failed before and after it."""
        if report.when != "call" and report.passed:
            return
        law = self.found.setdefault(report.nodeid.partition("[")[0], Law())
        properties = dict(report.user_properties)
        tried = _EXAMPLES.findall(str(properties.get(TOLD, "")))
        law.examples += sum(map(int, tried)) + int(str(properties.get(TRIED, 0)))
        law.seconds += report.duration
        if not report.passed:
            law.outcome = report.outcome

    def rows(self) -> Iterable[tuple[str, int, float, str]]:
        """Name, examples, seconds and outcome of each law, by name."""
        return [(name, law.examples, law.seconds, law.outcome) for name, law in sorted(self.found.items())]


def main() -> int:
    """Run the laws; pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--write", type=Path, nargs="?", const=ROOT / "benchmarks.md", help="add the lines to this file"
    )
    given, others = parser.parse_known_args()
    laws = Laws()
    code = pytest.main([*OPTIONS, *others], plugins=[laws])
    for name, examples, seconds, outcome in laws.rows():
        sys.stdout.write(f"{name}: {examples:,} examples, {seconds:.1f} s, {outcome}\n")
    if given.write:
        notes.add(given.write, notes.soak(laws.rows(), machine=notes.machine(), at=datetime.now(UTC)))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
