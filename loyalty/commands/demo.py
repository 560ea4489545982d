"""`loyalty demo`: the demo data set, loaded."""

from argparse import Namespace

from loyalty.commands.imports import progress_of
from loyalty.commands.terminal import say
from loyalty.demo.load import load


def load_demo(_given: Namespace) -> int:
    """Load the demo's members and transactions into this LOYALTY_HOME; again it changes nothing, and says so."""
    with progress_of("demo") as progress:
        loaded = load(progress)
    rows = f"{loaded.members.read:,} members and {loaded.transactions.read:,} transactions"
    say(f"the demo's {rows} were there already: unchanged" if loaded.was_there else f"the demo's {rows} are loaded")
    return 0
