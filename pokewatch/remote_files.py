"""Small files on a remote: a folder, or S3."""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pokewatch.atomic_file import atomic_file
from pokewatch.settings import VersionSettings


def open_remote(address: str, settings: VersionSettings, **s3_options: Any) -> tuple[Any, str]:
    """Return the fsspec file system of a folder or s3://bucket/path, and the path in it.

    Neither caches its listings. `s3_options` are further arguments of `S3FileSystem`.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    if "://" not in address:  # a path, whatever characters it holds
        return LocalFileSystem(skip_instance_cache=True), str(Path(address).expanduser().absolute())
    options: dict[str, Any] = {"skip_instance_cache": True}
    if address.startswith("s3://"):
        options |= {"use_listings_cache": False, **s3_options}
        if settings.dvc_endpoint_url:
            options["endpoint_url"] = settings.dvc_endpoint_url
    files, root = url_to_fs(address.rstrip("/"), **options)
    return files, root


def find_fault(address: str, settings: VersionSettings) -> str:
    """Return why a remote cannot be listed, "" if it can. S3 is given seconds to answer."""
    seconds = {"connect_timeout": 5, "read_timeout": 5, "retries": {"max_attempts": 1}}
    files, root = open_remote(address, settings, config_kwargs=seconds)
    files.retries = 1  # s3fs retries besides
    try:
        files.ls(root)
    except FileNotFoundError as error:
        # Without a cause nothing has been stored yet; S3 itself says that there is no such bucket.
        return str(error) if error.__cause__ else ""
    except remote_errors(ValueError) as error:  # such as that of a malformed endpoint
        return str(error)
    return ""


def remote_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what the file systems raise, and `others`, for an `except`.

    That is OSError, and botocore's own where S3 is out of reach or has no credentials.
    """
    botocore = sys.modules.get("botocore.exceptions")  # imported where S3 is in use
    return (OSError, *([botocore.BotoCoreError] if botocore else ()), *others)


def written_at(info: Mapping[str, Any]) -> datetime:
    """Return when a file was written, by what a listing says of it: it may have gone since."""
    if "mtime" in info:  # of a folder
        return datetime.fromtimestamp(info["mtime"], UTC)
    written: datetime = info["LastModified"]  # of S3
    return written.astimezone(UTC)


def list_folder(files: Any, folder: str) -> list[str]:
    """Return the paths in a folder, none of one that does not exist."""
    with suppress(FileNotFoundError):
        return [str(path) for path in files.ls(folder, detail=False)]
    return []


def write_atomically(files: Any, path: str, text: str) -> None:
    """Write a file all at once, so that a kill or a power failure leaves the old one or the new."""
    if "file" not in files.protocol:
        files.pipe_file(path, text.encode())
        return
    local = Path(path)
    local.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(local) as file:
        file.write(text.encode())


def read_json(files: Any, path: str) -> Any:
    """Return the content of a JSON file. Raise OSError, or ValueError with the path."""
    try:
        return json.loads(files.cat_file(path))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
