"""`loyalty serve`: the HTTP API."""

import sys
from argparse import Namespace

from loyalty.api import server
from loyalty.commands.terminal import say
from loyalty.settings import settings


def serve(given: Namespace) -> int:
    """Serve until told to stop; the log goes to stderr."""
    port = given.port or settings().api_port
    host = f"[{given.host}]" if ":" in given.host else given.host

    def tell() -> None:
        say(f"the API listens on http://{host}:{port}")
        sys.stdout.flush()

    server.serve(given.host, port, given.workers, ready=tell)
    return 0
