import numpy as np
import pyarrow as pa
import pytest

from pokewatch.valuation.book.slugs import Slugs

TEXTS = [f"card_{number}" for number in range(20_000)]


def slugs(texts: list[str]) -> Slugs:
    return Slugs(pa.chunked_array([texts[:7], texts[7:]], pa.string()))


def test_texts_are_found_and_others_are_not() -> None:
    found = slugs(TEXTS)
    assert found.collisions == []
    assert found.positions(TEXTS).tolist() == list(range(len(TEXTS)))
    assert found.positions(["card_7", "", "card_20000", "card_7"]).tolist() == [7, -1, -1, 7]
    assert found.positions([]).tolist() == []
    assert slugs([]).positions(["card_7"]).tolist() == [-1]


def test_a_sequence() -> None:
    found = slugs(TEXTS)
    assert list(found) == TEXTS
    assert (found[7], found[-1], found[5:9]) == ("card_7", "card_19999", TEXTS[5:9])
    assert found.take(np.array([9, 0, 9])) == ["card_9", "card_0", "card_9"]


def test_texts_with_the_same_hash_are_not_mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pokewatch.valuation.book.slugs.hash", len, raising=False)
    found = slugs(["one", "two", "three", "five!", "eleven"])
    assert sorted(found.collisions) == [0, 1, 2, 3]
    assert found.positions(["eleven", "twelve"]).tolist() == [4, -1]
