"""One delivery of the outbox in this process, `python -m tests.bench.messages_worker`: what it sent, and its memory."""

import json
import sys
import threading

import psutil

from loyalty import clock
from loyalty.messages.delivery import deliver

EVERY_SECONDS = 0.2


def main() -> None:
    """Deliver all that is queued. `grown` is the most memory there was less that after a tenth of the time."""
    done, sizes = threading.Event(), list[float]()
    watching = threading.Thread(target=_watch, args=(done, sizes))
    watching.start()
    try:
        delivered = deliver(clock.now())
    finally:
        done.set()
        watching.join()
    settled = sizes[len(sizes) // 10]
    told = {
        "sent": delivered.sent,
        "peak_memory_mb": round(max(sizes), 1),
        "grown_memory_mb": round(max(sizes) - settled, 1),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _watch(done: threading.Event, sizes: list[float]) -> None:
    process = psutil.Process()
    while True:
        sizes.append(process.memory_info().rss / (1 << 20))
        if done.wait(EVERY_SECONDS):
            return


if __name__ == "__main__":
    main()
