"""The copies of books on this machine: one folder each, named by digest, read-only once verified.

A process that serves a book has its files mapped: truncating one in place would kill the process
(SIGBUS). Replacing or removing one is harmless, because the pages of the old file stay mapped.

Hashing a book takes a second or more, so it is done once, when the book arrives. What the kernel
says of the verified files (inode, size, times of the last change) is recorded beside the copy. As
long as it says the same, the files have not been written to since, and the copy opens unhashed.
"""

import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pokewatch.atomic_file import atomic_file
from pokewatch.errors import BookError
from pokewatch.valuation.book.layout import FILES, MANIFEST, is_digest, require_digest
from pokewatch.valuation.book.reader import PriceBook

_ABANDONED_SECONDS = 86_400


def copy_of(books: Path, digest: str) -> Path:
    """Return the folder of a book in `books`. Raise BookError unless `digest` is a SHA-256."""
    require_digest(digest)
    return books / digest


def open_copy(folder: Path, digest: str) -> PriceBook:
    """Return the book in `folder`, and make its files read-only. Raise BookError.

    Its files are verified, unless they have not been written to since they last were.
    """
    record = _record_of(folder)
    if _read(record) == [digest, _states(folder)]:
        return PriceBook.open(folder, digest, verify=False)
    before = _contents(folder)
    book = PriceBook.open(folder, digest)
    protect(folder)
    if _contents(folder) == before:
        _write(record, [digest, _states(folder)])
    return book


def _record_of(folder: Path) -> Path:
    return folder.with_name(f".verified-{folder.name}")


def _states(folder: Path) -> list[list[int]] | None:
    """Return what changes with every write to a file of the book, None without such a file."""
    try:
        stats = [(folder / name).lstat() for name in (MANIFEST, *FILES)]
    except OSError:
        return None
    return [
        [each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns]
        for each in stats
    ]


def _contents(folder: Path) -> list[list[int]] | None:
    """Return the states without the times of changes that leave the content as it is."""
    states = _states(folder)
    return states and [state[:-1] for state in states]


def _read(record: Path) -> object:
    try:
        return json.loads(record.read_bytes()) if _is_own(record) else None
    except (OSError, ValueError):
        return None


def _is_own(record: Path) -> bool:
    """Return whether only this user can have written the record."""
    found = record.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o22


def _write(record: Path, content: object) -> None:
    # On a read-only disk a book is verified each time.
    with suppress(OSError), atomic_file(record, mode=0o600) as file:
        file.write(json.dumps(content).encode())


def protect(folder: Path) -> None:
    """Make a verified book read-only.

    A book of another user or on a read-only disk is left as it is.
    """
    with suppress(OSError):
        for path, mode in (
            *((folder / name, 0o444) for name in (MANIFEST, *FILES)),
            (folder, 0o555),
        ):
            if stat.S_IMODE(path.stat().st_mode) != mode:
                path.chmod(mode)


def place(book: Path, folder: Path, digest: str) -> None:
    """Move a complete book to `folder`; a valid copy there is left, a damaged one replaced."""
    if folder.is_symlink() or folder.exists():
        try:
            PriceBook.open(folder, digest)
        except BookError:
            remove(folder)
    move_book(book, folder)
    protect(folder)


def move_book(book: Path, folder: Path) -> None:
    """Move a complete book to `folder`, unless another process has done so before."""
    try:
        book.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise


def remove(folder: Path) -> None:
    """Remove a copy, or only the link if it is one. Processes that have it open are unaffected."""
    _record_of(folder).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        if folder.is_symlink():
            folder.unlink()
            return
        with tempfile.TemporaryDirectory(prefix=".old-", dir=folder.parent) as scratch:
            folder.chmod(0o755)  # a read-only folder can be neither renamed nor emptied
            folder.rename(Path(scratch) / folder.name)


def prune(books: Path, keep: int, current: Path | None = None) -> None:
    """Remove all but the `keep` copies used last, and remains of killed processes after a day.

    `current` counts as used last: others may have been used while the clock was ahead.
    """
    used: dict[Path, float] = {}
    for found in books.iterdir():
        with suppress(FileNotFoundError):  # another process is removing it
            used[found] = found.lstat().st_mtime
    copies = sorted(
        (found for found in used if is_digest(found.name)),
        key=lambda found: (found == current, used[found]),
    )
    before = time.time() - _ABANDONED_SECONDS
    abandoned = [
        path
        for path in used
        if path.name.startswith((".fetch-", ".new-", ".old-", "..verified-"))
        and used[path] < before
    ]
    for old in [*copies[: max(len(copies) - keep, 0)], *abandoned]:
        remove(old)
