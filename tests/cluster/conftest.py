from collections.abc import Iterator

import pytest

from tests.s3 import running


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 with empty buckets."""
    with running() as url:
        yield url
