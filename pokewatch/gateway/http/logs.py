"""JSON logs, one object a line. Whatever has the form of an API key is redacted."""

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

FLUSH_SECONDS = 0.2

_KEY = re.compile(r"pw_([0-9a-f]{1,12})_?[A-Za-z0-9_-]*")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
# uvicorn names the logger of all that it reports, information too, "uvicorn.error".
_LOGGER_NAMES = {"uvicorn.error": "uvicorn"}
_encode = msgspec.json.Encoder(enc_hook=str).encode


def redact(text: str) -> str:
    """Return `text` with the secrets of API keys replaced; their public ids stay."""
    return _KEY.sub(r"pw_\1_***", text) if "pw_" in text else text


def stamp(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, with milliseconds."""
    return f"{_second(int(seconds))}.{int(seconds * 1_000) % 1_000:03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class RedactingJsonFormatter(logging.Formatter):
    """Formats a record with its `extra` fields as one JSON object, API keys redacted."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": stamp(record.created),
            "level": record.levelname.lower(),
            "logger": _LOGGER_NAMES.get(record.name, record.name),
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redact(_encode(line).decode())


def configure(*names: str) -> None:
    """Log as JSON to standard error: information of the loggers `names`, warnings of all.

    Nothing changes in a process that has set up its logging already.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingJsonFormatter())
    root.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.INFO)


def write_at_once(text: str) -> None:
    """Write to standard output. Python keeps what is written to a file or a pipe until it is 8 KiB.

    It would lose that at SIGTERM, unless PYTHONUNBUFFERED is set.
    """
    sys.stdout.write(text)
    sys.stdout.flush()


class AccessRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request in the access log. `path` excludes the query; `key` is the key's public id."""

    time: str
    event: str
    method: str
    path: str
    route: str
    status: int
    ms: float
    request_id: str
    client: str
    key: str | None = None
    trace: str | None = None


class AccessLog:
    """Buffers records and writes them several times a second.

    One write a record would cost more than the rest of the request. Without `write` the log is off.
    """

    def __init__(self, write: Callable[[str], object] | None) -> None:
        self._write = write
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def on(self) -> bool:
        return self._write is not None

    def add(self, record: AccessRecord) -> None:
        if self._write is None:
            return
        self._lines.append(redact(_encode(record).decode()))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines and self._write is not None:
            # Cleared first: if the write fails, the lines must not pile up in memory.
            lines, self._lines = self._lines, []
            self._write("\n".join(lines) + "\n")
