"""Files that appear complete or not at all."""

import errno
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_YOUNG_SECONDS = 1.0  # a file that has just been created may not be locked yet


@contextmanager
def atomic_file(path: Path, folder: Path | None = None, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a new file that becomes `path` in the end; after an error it is removed.

    It is flushed to disk before. It is created in `folder`, by default that of `path`, under a name
    that no other process uses, with the permissions `mode` as far as the umask allows. Files of
    `path` that a killed process left there are removed.

    If `path` is a symbolic link, its target is replaced, unless `folder` is given.

    Raise OSError if `path` is a device or a pipe, such as /dev/stdout: it must not be replaced.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if folder is None and path.is_symlink():
        path = Path(os.path.realpath(path))
    parent = folder or path.parent
    _remove_abandoned(parent, path.name)
    temporary = parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path, name: str) -> None:
    """Remove the temporary files of `name` that no process holds a lock on any more."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}")
    with suppress(OSError):
        for each in folder.iterdir():
            if pattern.fullmatch(each.name):
                _remove_unlocked(each)


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError), path.open("rb") as file:
        if time.time() - path.stat().st_mtime > _YOUNG_SECONDS:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
