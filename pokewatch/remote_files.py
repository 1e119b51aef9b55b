"""Small files on a remote: a folder, or S3."""

import uuid
from pathlib import Path
from typing import Any

from pokewatch.settings import VersionSettings


def open_remote(address: str, settings: VersionSettings) -> tuple[Any, str]:
    """Return the fsspec file system of a folder or s3://bucket/path, and the path in it.

    Neither caches its listings.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    if "://" not in address:  # a path, whatever characters it holds
        return LocalFileSystem(skip_instance_cache=True), str(Path(address).expanduser().absolute())
    options: dict[str, Any] = {"skip_instance_cache": True}
    if address.startswith("s3://"):
        options["use_listings_cache"] = False
        if settings.dvc_endpoint_url:
            options["endpoint_url"] = settings.dvc_endpoint_url
    files, root = url_to_fs(address.rstrip("/"), **options)
    return files, root


def write_atomically(files: Any, path: str, text: str) -> None:
    """Write a file all at once. An interrupted write leaves a file that ends in `.part`."""
    if "s3" in files.protocol:
        files.pipe_file(path, text.encode())
        return
    part = f"{path}.{uuid.uuid4().hex}.part"
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    files.pipe_file(part, text.encode())
    files.mv(part, path)
