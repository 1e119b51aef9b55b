import contextlib
from pathlib import Path

import py7zr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pokewatch.market.sources.archive import ArchiveLimits, BadArchiveError, read_members
from tests.market.upstream import seven_zip

MEMBERS = {f"2025-10-22/{number}/1/prices": f"body {number} ".encode() * 50 for number in range(8)}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.7z"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "filters",
    [None, [{"id": py7zr.FILTER_LZMA2, "preset": 1}], [{"id": py7zr.FILTER_LZMA, "preset": 1}]],
    ids=["ppmd", "lzma2", "lzma"],
)
def test_only_what_is_wanted_is_read(tmp_path: Path, filters: list[dict[str, int]] | None) -> None:
    path = written(tmp_path, seven_zip(MEMBERS, filters))

    members = read_members(path, "/(3|5)/1/")

    assert members == {
        name: MEMBERS[name] for name in ("2025-10-22/3/1/prices", "2025-10-22/5/1/prices")
    }
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_wanted_is_nothing_read(tmp_path: Path) -> None:
    assert read_members(written(tmp_path, seven_zip(MEMBERS)), "^none$") == {}


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.7, 0.99])
def test_a_cut_archive_is_reported(tmp_path: Path, kept: float) -> None:
    whole = seven_zip(MEMBERS)
    cut = whole[: int(kept if kept >= 1 else kept * len(whole))]

    with pytest.raises(BadArchiveError, match="truncated or damaged 7z archive"):
        read_members(written(tmp_path, cut), "")


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_damaged_archive_is_reported_or_read_correctly(
    tmp_path: Path, at: int, flip: int
) -> None:
    content = bytearray(seven_zip(MEMBERS))
    content[at % len(content)] ^= flip

    try:
        members = read_members(written(tmp_path, bytes(content)), "")
    except BadArchiveError:
        return
    assert {body for body in members.values() if body} <= set(MEMBERS.values())


def test_a_crash_of_the_decoder_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "crashes.py"
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    with pytest.raises(
        BadArchiveError,
        match=r"truncated or damaged 7z archive: the process that unpacks it exited with code -11",
    ):
        read_members(written(tmp_path, seven_zip(MEMBERS)), "", program=program)


def test_an_archive_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(BadArchiveError, match=r"was not unpacked within 0\.001 s"):
        read_members(written(tmp_path, seven_zip(MEMBERS)), "", ArchiveLimits(seconds=0.001))


def test_a_web_page_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(BadArchiveError, match="truncated or damaged"):
        read_members(written(tmp_path, b"<html>maintenance</html>"), "")


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, seven_zip({"a": b"\0" * 3_000_000, "b": b"\0" * 3_000_000}))

    with pytest.raises(
        BadArchiveError,
        match=r"member 'a' would unpack to 3,000,000 bytes; the limit is 1,000,000 bytes",
    ):
        read_members(path, "", ArchiveLimits(member=1_000_000))
    with pytest.raises(
        BadArchiveError, match=r"would unpack to 6,000,000 bytes; the limit is 5,000,000 bytes"
    ):
        read_members(path, "", ArchiveLimits(unpacked=5_000_000))
    with pytest.raises(BadArchiveError, match="exceeds limit of 4000000 bytes"):
        read_members(path, "^b$", ArchiveLimits(unpacked=4_000_000))


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 26}],
        [{"id": py7zr.FILTER_LZMA2, "dict_size": 64 << 20}],
        [{"id": py7zr.FILTER_LZMA, "dict_size": 64 << 20}],
    ],
    ids=["ppmd", "lzma2", "lzma"],
)
def test_a_decoder_that_wants_much_memory_is_refused(
    tmp_path: Path, filters: list[dict[str, int]]
) -> None:
    path = written(tmp_path, seven_zip(MEMBERS, filters))

    with pytest.raises(
        BadArchiveError,
        match="needs 67,108,864 bytes of memory to unpack; the limit is 33,554,432 bytes",
    ):
        read_members(path, "", ArchiveLimits(memory=32 << 20))


def test_names_lead_nowhere(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    content = seven_zip({"x/y/escaped": b"gone"}).replace(
        "x/y/escaped".encode("utf-16-le"), "../../escap".encode("utf-16-le")
    )
    path = written(inner, content)

    with contextlib.suppress(BadArchiveError):
        read_members(path, "")
    assert {found.name for found in tmp_path.rglob("*")} == {"inner", "a.7z"}
