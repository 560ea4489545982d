"""The server process: uvicorn on one port, with one worker here or several below."""

import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from loyalty.api import logs
from loyalty.api.problems import MEDIA_TYPE, Problem
from loyalty.errors import Refused

LARGEST_HEAD = 32 * 1024

APPLICATION = "loyalty.api.app:application"
_SHUTDOWN_SECONDS = 7  # of the ten that we are given
_KEEP_ALIVE_SECONDS = 60
_QUEUE = 1024


def serve(host: str, port: int, workers: int, *, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once the port is ours. Raises Refused if it can't be had."""
    listening = _listen(host, port)
    ready()
    # uvicorn ends by the signal that ended it, once all is answered: then that is success
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listening, _figures_of(workers):
        configuration = uvicorn.Config(
            APPLICATION,
            host=host,
            port=port,
            workers=workers,
            log_config=logs.CONFIGURATION,
            access_log=False,  # it would show paths, and with them customer_ids
            server_header=False,
            proxy_headers=False,
            ws="none",
            http=BoundedHttp,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        if workers > 1:
            Multiprocess(configuration, sockets=[listening]).run()
        else:
            uvicorn.Server(configuration).run(sockets=[listening])


def end_with_parent() -> None:
    """Have a worker end with the process that started it: left alone, it would keep the port from the next server."""
    parent = multiprocessing.parent_process()
    if parent is None:  # the only process of its server
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


class BoundedHttp(HttpToolsProtocol):
    """HTTP whose heads are bounded before they are whole: the parser itself would take headers of any size.

    What is no HTTP, or has a method that nobody knows, is answered with a problem like all else.
    """

    _head = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Take what came, and close the connection once a head is too large."""
        super().data_received(data)
        self._head += len(data)
        if self._in_head and self._head > LARGEST_HEAD:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, in place of which ours are sent
        """Refuse what the parser can't read, and close the connection."""
        body = Problem("malformed", "this is no HTTP request that the service can read").body().encode()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0

    def on_headers_complete(self) -> None:
        """Its headers are whole."""
        super().on_headers_complete()
        self._in_head = False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=_QUEUE)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(f"port {port} of {host} can't be had ({reason}): choose another with --port") from error
    # connections inherit it; without it an answer in two packets waits for the caller's delayed acknowledgement, 40 ms
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


@contextmanager
def _figures_of(workers: int) -> Iterator[None]:
    """Several workers keep their figures in a folder, for whichever is asked for all."""
    name = "PROMETHEUS_MULTIPROC_DIR"
    if workers == 1:
        os.environ.pop(name, None)
        yield
        return
    folder = tempfile.mkdtemp(prefix="loyalty-metrics-")
    os.environ[name] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
