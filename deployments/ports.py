"""Ports on this machine: the one wanted, or the next that nobody listens on."""

import socket
from collections.abc import Callable

from loyalty.errors import Unavailable

HOST = "127.0.0.1"
TRIED = 100


def free(
    setting: str, wanted: int, before: int | None, whose: str, say: Callable[[str], None], *, taken: int | None = None
) -> int:
    """The port of before, if it is still what the setting allows and free, else the first free one from `wanted` on.

    `taken` is not to be had: its listener may not be up yet. Says so when the port is another than wanted. Raises
    Unavailable if none of a hundred is free.
    """
    tried = range(wanted, wanted + TRIED)
    for port in [before, *tried] if before in tried else tried:
        if port is not None and port != taken and is_free(port):
            if port != wanted:
                say(f"port {wanted} is taken: {whose} is at {port} ({setting} chooses another)")
            return port
    raise Unavailable(f"no port from {wanted} on is free: set {setting}")


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
