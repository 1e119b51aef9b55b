import asyncio
import zlib

import brotli
import pytest

from pokewatch.gateway.http import compression
from pokewatch.gateway.http.compression import coding_for, compressed, is_text
from tests.gateway.conftest import Gateway

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (b"gzip, deflate, br, zstd", b"br"),
        (b"gzip, deflate", b"gzip"),
        (b"GZIP", b"gzip"),
        (b"br;q=0.2, gzip;q=0.8", b"gzip"),
        (b"gzip;q=0, br;q=0", b""),
        (b"*", b"br"),
        (b"*, br;q=0", b"gzip"),
        (b"identity, gzip;q=0.5", b""),
        (b"gzip;q=much", b""),
        (b"deflate", b""),
        (b"", b""),
    ],
)
def test_the_coding_is_the_one_that_is_preferred(accepted: bytes, coding: bytes) -> None:
    assert coding_for({b"accept-encoding": accepted}, 5_000) == coding


def test_nothing_small_and_nothing_unasked_is_compressed() -> None:
    assert coding_for({b"accept-encoding": b"br"}, compression.SMALLEST - 1) == b""
    assert coding_for({}, 5_000) == b""


@pytest.mark.parametrize("size", [2_000, compression.IN_THREAD + 1])
def test_what_is_compressed_is_the_body(size: int) -> None:
    body = b"0123456789" * (size // 10 + 1)
    assert brotli.decompress(asyncio.run(compressed(body, b"br"))) == body
    packed = asyncio.run(compressed(body, b"gzip"))
    assert zlib.decompress(packed, 16 + zlib.MAX_WBITS) == body
    assert len(packed) < len(body) / 5
    assert packed == asyncio.run(compressed(body, b"gzip")), "a strong entity tag needs this"


def test_only_texts_without_a_coding_are_compressed() -> None:
    assert is_text([JSON])
    assert is_text([(b"content-type", b"text/csv; charset=utf-8")])
    assert not is_text([(b"content-type", b"application/vnd.apache.parquet")])
    assert not is_text([JSON, (b"content-encoding", b"gzip")])
    assert not is_text([])


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_page_of_cards_is_compressed(gateway: Gateway, coding: str) -> None:
    path = "/cards?limit=40"
    plain = gateway.get(path, headers={"Accept-Encoding": "identity"})
    packed = gateway.get(path, headers={"Accept-Encoding": coding})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == coding
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert packed.json() == plain.json()
    for response in (plain, packed):
        assert "accept-encoding" in response.headers["vary"]


def test_each_coding_has_its_own_entity_tag(gateway: Gateway) -> None:
    path, tags = "/cards?limit=40", set()
    for coding in ("identity", "gzip", "br"):
        first = gateway.get(path, headers={"Accept-Encoding": coding})
        tags.add(first.headers["etag"])
        asked = {"Accept-Encoding": coding, "If-None-Match": first.headers["etag"]}
        again = gateway.get(path, headers=asked)
        assert again.status_code == 304
        assert again.headers["etag"] == first.headers["etag"]
        assert "accept-encoding" in again.headers["vary"]
        assert "content-length" not in again.headers
        others = tags - {first.headers["etag"]}
        asked["If-None-Match"] = ", ".join(others) or '"other"'
        assert gateway.get(path, headers=asked).status_code == 200
    assert len(tags) == 3


def test_a_csv_answer_has_a_tag_of_its_own(gateway: Gateway) -> None:
    path = "/changes?days=1&min_price=0"
    csv = gateway.get(f"{path}&format=csv")
    assert csv.headers["etag"] != gateway.get(path).headers["etag"]
    again = gateway.get(f"{path}&format=csv", headers={"If-None-Match": csv.headers["etag"]})
    assert again.status_code == 304


def test_a_fair_price_is_sent_as_it_is(gateway: Gateway) -> None:
    response = gateway.post(
        "/fair_price", {"card_id": "card_4"}, headers={"Accept-Encoding": "gzip, br"}
    )
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers


def test_a_large_problem_is_compressed_too(gateway: Gateway) -> None:
    response = gateway.get("/cards?limit=0", headers={"Accept-Encoding": "br"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
