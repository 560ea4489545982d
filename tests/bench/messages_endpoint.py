"""An endpoint that takes every e-mail as SendGrid does, as fast as it can.

    python -m tests.bench.messages_endpoint PORT

The second time that a message comes is an error of the service.
"""

import asyncio
import re
import sys

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_NUMBER = re.compile(rb'"message_no": ?"(\d+)"')


class Endpoint(asyncio.Protocol):
    """One connection."""

    seen: set[bytes] = set()  # noqa: RUF012 - of all connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.read = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.read, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.read) < whole:
                return
            number = _NUMBER.search(self.read, end, whole)
            self._answer(number[1] if number else b"")
            self.read = self.read[whole:]

    def _answer(self, number: bytes) -> None:
        fresh = bool(number) and number not in self.seen
        self.seen.add(number)
        status = b"202 Accepted" if fresh else b"409 Conflict"
        self.transport.write(b"HTTP/1.1 %s\r\nX-Message-Id: id-%s\r\nContent-Length: 0\r\n\r\n" % (status, number))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
