"""The books on this machine: one folder each, named by the book's digest, read-only once verified.

A process that serves a book has its files mapped: a file truncated in place would kill it (SIGBUS). Replacing or
removing one is harmless, because the pages of the old file stay mapped.
"""

import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pokewatch.errors import BookError
from pokewatch.valuation.book.layout import FILES, MANIFEST, is_digest
from pokewatch.valuation.book.reader import PriceBook

_ABANDONED_SECONDS = 86_400


def copy_of(books: Path, digest: str) -> Path:
    """Return the folder of a book below `books`. Raise BookError for what is no digest: a tag is not a path."""
    if not is_digest(digest):
        raise BookError(f"{digest[:80]!r} is not the digest of a book: 64 hexadecimal digits")
    return books / digest


def open_copy(folder: Path, digest: str) -> PriceBook:
    """Return the book in `folder`, verified, and read-only from now on. Raise BookError."""
    book = PriceBook.open(folder, digest)
    protect(folder)
    return book


def protect(folder: Path) -> None:
    """Make a verified book read-only. One that belongs to another user, or is on a read-only disk, stays as it is."""
    with suppress(OSError):
        for name in (MANIFEST, *FILES):
            (folder / name).chmod(0o444)
        folder.chmod(0o555)


def place(book: Path, folder: Path, digest: str) -> None:
    """Rename a complete book to its place; a good copy that is there stays, and a damaged one goes."""
    if folder.is_symlink() or folder.exists():
        try:
            PriceBook.open(folder, digest)
        except BookError:
            remove(folder)
    move_book(book, folder)
    protect(folder)


def move_book(book: Path, folder: Path) -> None:
    """Rename a complete book to its place; where another process was first, its copy stays."""
    try:
        book.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise


def remove(folder: Path) -> None:
    """Remove a copy. Who has it open keeps it; of a link only the link goes."""
    with suppress(FileNotFoundError):
        if folder.is_symlink():
            folder.unlink()
            return
        with tempfile.TemporaryDirectory(prefix=".old-", dir=folder.parent) as scratch:
            folder.chmod(0o755)  # a folder that is read-only can be neither renamed nor emptied
            folder.rename(Path(scratch) / folder.name)


def prune(books: Path, kept: int) -> None:
    """Remove all copies but those used last, and what a process that was killed had begun a day ago."""
    used: dict[Path, float] = {}
    for found in books.iterdir():
        with suppress(FileNotFoundError):  # another process is removing it
            used[found] = found.lstat().st_mtime
    copies = sorted((found for found in used if is_digest(found.name)), key=used.__getitem__)
    before = time.time() - _ABANDONED_SECONDS
    abandoned = [
        path
        for path in used
        if path.name.startswith((".fetch-", ".new-", ".old-")) and used[path] < before
    ]
    for old in [*copies[: max(len(copies) - kept, 0)], *abandoned]:
        remove(old)
