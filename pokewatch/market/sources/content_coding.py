"""Decoding the body of an HTTP answer without more memory than the limit, however it is encoded.

Only gzip is requested. A few kilobytes in another coding, or in several, can be gigabytes.
"""

import zlib
from collections.abc import Iterable, Iterator

ACCEPTED = "gzip"
_GZIP = ("gzip", "x-gzip")
_GZIP_HEADER = zlib.MAX_WBITS | 16


class ContentCodingError(ValueError):
    """The body has a coding that was not requested, or is not complete or valid in its own."""


def decoded(pieces: Iterable[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Yield `pieces` of a body decoded, at most `most` + 1 bytes of each.

    A piece that decodes to nothing is yielded as well, so that the caller can check the time.
    Raise ContentCodingError.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return iter(pieces)
    if name not in _GZIP:
        raise ContentCodingError(
            f"the answer has the content encoding {coding[:40]!r}, which was not requested"
        )
    return _unzipped(pieces, most)


def _unzipped(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_GZIP_HEADER)
    empty = True
    try:
        for piece in pieces:
            empty = empty and not piece
            left = piece
            while left:
                if decoder.eof:  # gzip data may have several members (RFC 1952, 2.2)
                    decoder = zlib.decompressobj(_GZIP_HEADER)
                yield decoder.decompress(left, most + 1)
                left = decoder.unused_data
    except zlib.error as error:
        raise ContentCodingError(f"the answer is not valid gzip: {error}") from None
    if not (decoder.eof or empty):
        raise ContentCodingError("the answer ends in the middle of its gzip data")
