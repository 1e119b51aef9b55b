import logging
import os
from datetime import date
from pathlib import Path

import pytest

from pokewatch.serving.monitoring_figures import (
    MonitoringFigures,
    MonitoringFile,
    newest,
    parse_registered,
)

GOOD = (
    '{"measured_on": "2026-03-02", "figures": {"coverage_90": 0.84, "drift": 1, "bias": null}, '
    '"extra": 1}'
)


def test_nulls_and_unknown_fields_are_ignored() -> None:
    assert MonitoringFigures.parse(GOOD) == MonitoringFigures(
        date(2026, 3, 2), {"coverage_90": 0.84, "drift": 1.0}
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "3",
        '{"figures": {}}',
        '{"measured_on": "2026-03-02"}',
        '{"measured_on": "soon", "figures": {}}',
        '{"figures": [1]}',
    ],
)
def test_invalid_documents(content: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MonitoringFigures.parse(content)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    file = MonitoringFile(path)
    assert file.current() is None
    path.write_text(GOOD)
    assert file.current() == MonitoringFigures.parse(GOOD)
    (tmp_path / "new").write_text(GOOD.replace("0.84", "0.90"))
    (tmp_path / "new").replace(path)
    assert file.current() == MonitoringFigures.parse(GOOD.replace("0.84", "0.90"))
    path.unlink()
    assert file.current() is None


def test_an_invalid_file_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "latest.json"
    path.write_text("{}")
    file = MonitoringFile(path)
    with caplog.at_level(logging.WARNING, "pokewatch.serving"):
        assert [file.current(), file.current()] == [None, None]
    assert len(caplog.records) == 1
    os.utime(path, ns=(1, 1))
    file.current()
    assert len(caplog.records) == 2


def test_an_invalid_document_in_the_registry_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert parse_registered(GOOD) == MonitoringFigures.parse(GOOD)
    assert parse_registered("") is None
    assert caplog.records == []
    assert parse_registered("{") is None
    assert "ignoring" in caplog.text


def test_the_newest_figures_win() -> None:
    old, new = MonitoringFigures(date(2026, 3, 1), {}), MonitoringFigures(date(2026, 3, 2), {})
    assert newest(None, None) is None
    assert newest(old, new) == newest(new, old) == newest(None, new) == new
    same = MonitoringFigures(date(2026, 3, 2), {"drift": 1.0})
    assert newest(new, same) is new
