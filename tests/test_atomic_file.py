"""Files that appear complete or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pokewatch.atomic_file import atomic_file


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("before")
    with atomic_file(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_after_an_error_the_file_before_is_left(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("before")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"half of", None])  # type: ignore[list-item]
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError), atomic_file(folder) as file:
        file.write(b"text")
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "none" / "prices.csv"):
        pass


def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match="it is not a regular file"), atomic_file(path) as file:
            file.write(b"text")
    assert pipe.is_fifo()
    assert link.is_symlink()


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays(tmp_path: Path, exists: bool) -> None:
    elsewhere, link, second = tmp_path / "elsewhere", tmp_path / "link", tmp_path / "second"
    elsewhere.mkdir()
    target = elsewhere / "prices.csv"
    if exists:
        target.write_text("before")
    link.symlink_to(Path("elsewhere") / "prices.csv")
    second.symlink_to(link)

    with atomic_file(second) as file:
        file.write(b"after")

    assert second.is_symlink()
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert list(elsewhere.iterdir()) == [target]


def test_two_writers_of_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write(b"1" * 10)
        other.write(b"2" * 5)
    assert path.read_text() == "1" * 10
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_is_killed_leaves_the_file_before(tmp_path: Path) -> None:
    path, incomplete = tmp_path / "prices.csv", tmp_path / "incomplete"
    incomplete.mkdir()
    path.write_text("before")
    code = f"""
import os, signal
from pathlib import Path
from pokewatch.atomic_file import atomic_file
with atomic_file(Path({str(path)!r}), Path({str(incomplete)!r})) as file:
    file.write(b"half of")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [incomplete, path]


def test_files_of_killed_writers_are_removed_and_those_of_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "cards [1].csv"
    killed, other = (tmp_path / f".{name}.{'0a' * 8}" for name in (path.name, "cards 1.csv"))
    new, unlike = tmp_path / f".{path.name}.{'1b' * 8}", tmp_path / f".{path.name}.part"
    with atomic_file(path) as file:
        file.write(b"slow")
        (writing,) = tmp_path.iterdir()
        for each in (killed, other, new, unlike):
            each.touch()
        for each in (killed, other, writing, unlike):
            os.utime(each, (0, 0))
        with atomic_file(path) as quick:
            quick.write(b"quick")
        assert sorted(tmp_path.iterdir()) == sorted([path, other, new, unlike, writing])
    assert path.read_bytes() == b"slow"
