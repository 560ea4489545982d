"""`loyalty export statements|entries`: CSV."""

from argparse import Namespace

from loyalty.commands.terminal import output
from loyalty.db import exports
from loyalty.db.programme import check_ready


def export(given: Namespace) -> int:
    """Write statements or entries as CSV to the terminal or a file."""
    check_ready()
    with output(given.out) as out:
        if given.table == "statements":
            exports.export_statements(given.period, out)
        else:
            exports.export_entries(out)
    return 0
