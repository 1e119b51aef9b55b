import gzip

import pytest

from pokewatch.market.sources.content_coding import ContentCodingError, decoded


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_plain_body_is_left_as_it_is(coding: str) -> None:
    assert list(decoded([b"a", b"", b"b"], coding, 1)) == [b"a", b"", b"b"]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_gzip_is_decoded_however_it_is_cut(size: int) -> None:
    body = bytes(range(256)) * 9
    zipped = gzip.compress(body)
    pieces = [zipped[at : at + size] for at in range(0, len(zipped), size)]

    assert b"".join(decoded(pieces, "gzip", 10_000)) == body


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_all_members_of_gzip_are_decoded(size: int) -> None:
    zipped = gzip.compress(b"a" * 40) + gzip.compress(b"") + gzip.compress(b"b" * 30)
    pieces = [zipped[at : at + size] for at in range(0, len(zipped), size)]
    assert b"".join(decoded(pieces, "gzip", 100)) == b"a" * 40 + b"b" * 30
    with pytest.raises(ContentCodingError, match="in the middle"):
        list(decoded([zipped[:-1]], "gzip", 100))
    with pytest.raises(ContentCodingError, match="not valid gzip"):
        list(decoded([*pieces, b"more"], "gzip", 100))


def test_a_piece_is_never_decoded_beyond_the_limit() -> None:
    piece = next(decoded([gzip.compress(bytes(5_000_000))], "gzip", 100))

    assert len(piece) == 101


def test_an_answer_without_a_body_has_no_coding() -> None:
    assert b"".join(decoded([], "gzip", 100)) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_other_codings_are_refused(coding: str) -> None:
    with pytest.raises(ContentCodingError, match="which was not requested"):
        decoded([b""], coding, 100)
