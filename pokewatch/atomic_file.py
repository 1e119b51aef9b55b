"""Files that appear complete or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(path: Path, folder: Path | None = None, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a new file that becomes `path` in the end; after an error it is removed.

    It is flushed to disk before. It is created in `folder`, by default that of `path`, under a name
    that no other process uses, with the permissions `mode` as far as the umask allows.
    """
    temporary = (folder or path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
