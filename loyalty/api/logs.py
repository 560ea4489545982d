"""Logs: one JSON object a line on stderr, with nothing of a person in it.

A request is told by its route's template, never its path; a caller by the number of its key; an error by its kind and
place. Whoever asks after a request names its number, which the answer had in X-Request-Id.
"""

import json
import sys
from datetime import UTC, datetime
from logging import INFO, Formatter, LogRecord
from typing import Any

from loyalty.traces import trace


class JsonLines(Formatter):
    """What the server itself logs, its start and end and broken requests, in our shape; a traceback shows no values."""

    def format(self, record: LogRecord) -> str:
        """Give a line, without its end."""
        told = {"level": record.levelname.lower(), "event": "server", "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            told["trace"] = "".join(trace(record.exc_info[1]))
        return _line(told)


CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "loyalty.api.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": INFO, "propagate": False}},
}
"""For the server's own logging."""


def request(request_id: str, *, method: str, route: str, status: int, seconds: float, key_no: int | None) -> None:
    """Tell of a request that is answered."""
    level = "error" if status >= 500 else "info"
    _write(
        {
            "level": level,
            "event": "request",
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "key": key_no,
        }
    )


def failure(request_id: str, error: BaseException) -> None:
    """Tell of an error that nobody foresaw."""
    _write({"level": "error", "event": "failure", "request_id": request_id, "trace": "".join(trace(error))})


def _write(told: dict[str, Any]) -> None:
    sys.stderr.write(_line(told) + "\n")


def _line(told: dict[str, Any]) -> str:
    return json.dumps({"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", **told}, ensure_ascii=False)
