"""Logs as one JSON object per line."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from mlserver.context import model_name_var
from mlserver.errors import MLServerError

# uvicorn names the logger of all its messages, whatever their level, "uvicorn.error".
_LOGGER_NAMES = {"uvicorn.error": "uvicorn"}

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
trace_var: ContextVar[str] = ContextVar("trace", default="")


class RuntimeLogFormatter(logging.Formatter):
    """Formats a record as JSON with `time`, `level`, `logger` and `message`.

    `model`, `request_id`, `trace`, `error` and the record's `fields` are added where known.
    MLServer logs client errors with a traceback; it is omitted here.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": _LOGGER_NAMES.get(record.name, record.name),
            "message": record.getMessage(),
        }
        if model := model_name_var.get(""):
            line["model"] = model
        if request_id := request_id_var.get():
            line["request_id"] = request_id
        if trace := trace_var.get():
            line["trace"] = trace
        line |= getattr(record, "fields", {})
        if record.exc_info and not _is_client_error(record.exc_info[1]):
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _is_client_error(error: BaseException | None) -> bool:
    return isinstance(error, MLServerError) and error.status_code < 500
