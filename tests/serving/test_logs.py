import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

import pytest
from mlserver.errors import MLServerError

from pokewatch.serving.logs import RuntimeLogFormatter, request_id_var, trace_var


def line(
    message: str = "hello", error: BaseException | None = None, **extra: Any
) -> dict[str, Any]:
    record = logging.LogRecord("pokewatch.serving", logging.WARNING, __file__, 1, message, (), None)
    if error is not None:
        try:
            raise error
        except BaseException:
            record.exc_info = sys.exc_info()
    record.__dict__.update(extra)
    content: dict[str, Any] = json.loads(RuntimeLogFormatter().format(record))
    return content


def test_a_line_is_json_whatever_the_message() -> None:
    found = line('a "quoted"\nmessage')
    assert (found["message"], found["level"], found["logger"]) == (
        'a "quoted"\nmessage',
        "WARNING",
        "pokewatch.serving",
    )
    assert found["time"].endswith("+00:00")
    assert not {"request_id", "model", "error"} & set(found)


def test_information_of_uvicorn_is_not_labelled_error() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, __file__, 1, "started", (), None)
    found = json.loads(RuntimeLogFormatter().format(record))
    assert (found["level"], found["logger"]) == ("INFO", "uvicorn")


@pytest.mark.parametrize(
    ("name", "variable"), [("request_id", request_id_var), ("trace", trace_var)]
)
def test_the_request_id_and_the_trace_are_logged(name: str, variable: ContextVar[str]) -> None:
    assert name not in line()
    token = variable.set("r-1")
    try:
        assert line()[name] == "r-1"
    finally:
        variable.reset(token)


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (MLServerError("no such input", 400), False),
        (MLServerError("no book", 500), True),
        (ValueError("bug"), True),
    ],
    ids=["client error", "server error", "bug"],
)
def test_only_server_errors_have_a_traceback(error: Exception, logged: bool) -> None:
    assert ("error" in line(error=error)) == logged
