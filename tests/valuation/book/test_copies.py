import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pokewatch.errors import BookError
from pokewatch.valuation.book import PriceBook, copies, reader
from pokewatch.valuation.book.copies import copy_of, open_copy, place, prune, remove
from pokewatch.valuation.book.layout import FILES
from tests.serving.books import make_book

NOBODY = 65534


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "..",
        "/etc",
        "../" + "a" * 61,
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "a" * 64 + "\n",
        "g" * 64,
        "a" * 63 + "\u0661",
    ],
    ids=ascii,
)
def test_only_a_digest_names_a_copy(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BookError, match="a digest of a book is 64 hexadecimal digits"):
        copy_of(tmp_path, digest)
    with pytest.raises(BookError, match="a digest of a book is 64 hexadecimal digits"):
        PriceBook.open(tmp_path, digest)


def test_a_book_is_read_only_once_verified(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    digest = make_book(folder)
    opened = open_copy(folder, digest)
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (modes, folder.stat().st_mode & 0o777) == ({0o444}, 0o555)
    remove(folder)
    assert list(folder.parent.iterdir()) == []
    assert opened.look_up(["card_3"]).market.tolist() == [4.04]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-300] ^= 1
    file.write_bytes(content)


def keep_times(file: Path, change: Callable[[Path], None]) -> None:
    times = file.stat()
    change(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    flip(other)
    times = file.stat()
    other.replace(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda file: keep_times(file, flip),
        replace,
        lambda file: os.truncate(file, 10),
        Path.unlink,
    ],
    ids=["written", "written, with the times before", "replaced", "truncated", "removed"],
)
@pytest.mark.parametrize("name", ["fair.arrow", "cards.arrow"])
def test_a_verified_copy_is_verified_again_once_it_was_written_to(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "book"
    digest = make_book(folder)
    open_copy(folder, digest)
    folder.chmod(0o755)
    (folder / name).chmod(0o644)
    damage(folder / name)
    with pytest.raises(BookError):
        open_copy(folder, digest)


def test_a_verified_copy_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "book"
    digest = make_book(folder)
    verified: list[Path] = []
    verify = reader._verified

    def counted(path: Path, wanted: str) -> pa.Buffer:
        verified.append(path)
        return verify(path, wanted)

    monkeypatch.setattr(reader, "_verified", counted)
    open_copy(folder, digest)
    assert len(verified) == len(FILES)
    assert open_copy(folder, digest).look_up(["card_3"]).market.tolist() == [4.04]
    assert len(verified) == len(FILES)


@pytest.mark.parametrize("content", ["", "[]", '["%s", null]', "\x00"])
def test_a_record_of_verification_that_is_none_is_not_believed(
    tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "book"
    digest = make_book(folder)
    flip(folder / "fair.arrow")
    (tmp_path / ".verified-book").write_text(content.replace("%s", digest))
    with pytest.raises(BookError, match="damaged"):
        open_copy(folder, digest)


def test_a_record_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    digest = make_book(folder)
    open_copy(folder, digest)
    flip(folder / "fair.arrow")
    states = copies._states(folder)
    (tmp_path / ".verified-book").write_text(json.dumps([digest, states]))
    (tmp_path / ".verified-book").chmod(0o666)
    with pytest.raises(BookError, match="damaged"):
        open_copy(folder, digest)


def test_a_damaged_copy_is_replaced_and_a_good_one_stays(tmp_path: Path) -> None:
    books = tmp_path / "books"
    books.mkdir()
    digest = make_book(tmp_path / "first")
    place(tmp_path / "first", copy_of(books, digest), digest)
    before = (books / digest / "fair.arrow").stat().st_ino
    make_book(tmp_path / "second")
    place(tmp_path / "second", copy_of(books, digest), digest)
    assert (books / digest / "fair.arrow").stat().st_ino == before
    os.truncate(books / digest / "fair.arrow", 10)
    make_book(tmp_path / "third")
    place(tmp_path / "third", copy_of(books, digest), digest)
    PriceBook.open(books / digest, digest)


def test_of_a_link_only_the_link_goes(tmp_path: Path) -> None:
    books, outside = tmp_path / "books", tmp_path / "outside"
    books.mkdir()
    digest = make_book(outside)
    mode = outside.stat().st_mode
    (books / digest).symlink_to(outside)
    remove(books / digest)
    assert list(books.iterdir()) == []
    PriceBook.open(outside, digest)
    assert outside.stat().st_mode == mode


def test_only_books_and_what_was_abandoned_are_pruned(tmp_path: Path) -> None:
    copies = [tmp_path / (letter * 64) for letter in "abcde"]
    others = [tmp_path / name for name in ("notes", ".fetch-now", "x" * 64)]
    abandoned = [tmp_path / name for name in (".fetch-old", ".new-old", ".old-old")]
    for age, folder in enumerate([*others, *copies, *abandoned]):
        (folder / "inside").mkdir(parents=True)
        os.utime(
            folder, (1_000_000 + age, 1_000_000 + age) if folder.name != ".fetch-now" else None
        )
    prune(tmp_path, 3)
    assert sorted(tmp_path.iterdir()) == sorted([*copies[-3:], *others])


def refusals(books: Path, digest: str) -> int:
    """Return how many of three ways to damage a book are denied to this user; then prune it."""
    prices = books / digest / "fair.arrow"
    refused = 0
    for attempt in (lambda: prices.open("r+b"), lambda: os.truncate(prices, 0), prices.unlink):
        try:
            attempt()
        except PermissionError:
            refused += 1
    os.utime(books / digest)
    prune(books, 0)
    return refused


@pytest.mark.skipif(
    os.geteuid() != 0,
    reason="permissions bind only other users than root, and only root can become one",
)
def test_the_user_who_owns_a_book_cannot_truncate_it_and_can_prune_it(tmp_path: Path) -> None:
    digest = make_book(tmp_path / "new")
    (tmp_path / "books").mkdir()
    place(tmp_path / "new", tmp_path / "books" / digest, digest)
    for path in (tmp_path / "books", *(tmp_path / "books").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.name.startswith(("test_", "popen-", "pytest-")):
            folder.chmod(0o755)
    child = os.fork()  # the interpreter may be where only root can start it
    if child == 0:
        try:
            os.setuid(NOBODY)
            os._exit(refusals(tmp_path / "books", digest))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert list((tmp_path / "books").iterdir()) == []
