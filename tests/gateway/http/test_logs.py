import asyncio
import io
import json
import logging
from datetime import UTC, datetime

import pytest

from pokewatch.gateway.http.logs import (
    AccessLog,
    AccessRecord,
    RedactingJsonFormatter,
    redact,
    stamp,
)

KEY = "pw_0123456789ab_AbC-_def0123456789AbC-_def0123456789Abcd"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"x{KEY[1:]} {KEY}!",
        f"/cards/{KEY}?k={KEY}",
        f'"{KEY[:30]}"',
        f"a_{KEY}",
        json.dumps(f"a\n{KEY}"),
    ],
)
def test_keys_are_redacted(text: str) -> None:
    assert "AbC" not in redact(text.replace("xw_", "pw_"))


def test_a_record_is_formatted_with_its_extra_fields_and_traceback() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingJsonFormatter())
    logger = logging.Logger("tests")  # noqa: LOG001
    logger.addHandler(handler)
    try:
        raise ValueError(KEY)
    except ValueError:
        logger.exception("failed", extra={"cause": KEY, "count": 3})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["count"]) == ("failed", "error", 3)
    assert line["cause"] == "pw_0123456789ab_***"
    assert "ValueError: pw_0123456789ab_***" in line["traceback"]


def test_information_of_uvicorn_is_not_labelled_error() -> None:
    record = logging.makeLogRecord({"name": "uvicorn.error", "levelname": "INFO", "msg": "started"})
    line = json.loads(RedactingJsonFormatter().format(record))
    assert (line["level"], line["logger"]) == ("info", "uvicorn")
    assert "error" not in json.dumps(line)


def test_access_records_are_written_together() -> None:
    written: list[str] = []

    async def scenario() -> None:
        log = AccessLog(written.append)
        for number in range(3):
            log.add(AccessRecord("now", "request", "GET", "/", "/", 200, 1.0, str(number), "here"))
        assert written == []
        log.flush()

    asyncio.run(scenario())
    [text] = written
    assert [json.loads(line)["request_id"] for line in text.splitlines()] == ["0", "1", "2"]


def test_timestamps_are_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 22, 1, 2, 3, 456_000, tzinfo=UTC)
    assert stamp(moment.timestamp()) == "2026-11-22T01:02:03.456Z"
