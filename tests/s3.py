"""An S3 server for tests: moto on a free port, with empty buckets."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

BUCKETS = ("flows", "data", "models")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def reach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure the S3 server at `url` for POKEWATCH_DVC_REMOTE."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POKEWATCH_DVC_ENDPOINT_URL", url)


@contextmanager
def running() -> Iterator[str]:
    """Yield the URL of a running server."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    for bucket in BUCKETS:
        _client(url, CREDENTIALS).create_bucket(Bucket=bucket)
    try:
        yield url
    finally:
        server.stop()


def stored(url: str, bucket: str, prefix: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the objects of a bucket whose keys start with `prefix`, as text."""
    client = _client(url, credentials)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [str(each["Key"]) for page in pages for each in page.get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}


def _client(url: str, credentials: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        region_name=credentials["AWS_DEFAULT_REGION"],
    )
