import logging
import os
from datetime import date
from pathlib import Path

import pytest

from pokewatch.serving.measured import Measured, MeasuredFile, newest, remembered

GOOD = '{"measured_on": "2026-03-02", "figures": {"coverage_90": 0.84, "drift": 1, "bias": null}, "more": "of it"}'


def test_numbers_are_kept_and_what_is_not_known_is_left_out() -> None:
    assert Measured.parse(GOOD) == Measured(date(2026, 3, 2), {"coverage_90": 0.84, "drift": 1.0})


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
def test_anything_else_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Measured.parse(content)


def test_the_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    file = MeasuredFile(path)
    assert file.current() is None
    path.write_text(GOOD)
    assert file.current() == Measured.parse(GOOD)
    (tmp_path / "new").write_text(GOOD.replace("0.84", "0.90"))
    (tmp_path / "new").replace(path)
    assert file.current() == Measured.parse(GOOD.replace("0.84", "0.90"))
    path.unlink()
    assert file.current() is None


def test_a_file_that_is_none_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "latest.json"
    path.write_text("{}")
    file = MeasuredFile(path)
    with caplog.at_level(logging.WARNING, "pokewatch.serving"):
        assert [file.current(), file.current()] == [None, None]
    assert len(caplog.records) == 1
    os.utime(path, ns=(1, 1))
    file.current()
    assert len(caplog.records) == 2


def test_what_the_registry_remembers_never_stops_a_load(caplog: pytest.LogCaptureFixture) -> None:
    assert remembered(GOOD) == Measured.parse(GOOD)
    assert remembered("") is None
    assert caplog.records == []
    assert remembered("{") is None
    assert "passed over" in caplog.text


def test_the_newest_of_what_is_known_counts() -> None:
    old, new = Measured(date(2026, 3, 1), {}), Measured(date(2026, 3, 2), {})
    assert newest(None, None) is None
    assert newest(old, new) == newest(new, old) == newest(None, new) == new
    same = Measured(date(2026, 3, 2), {"drift": 1.0})
    assert newest(new, same) is new
