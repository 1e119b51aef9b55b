from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.valuation.book.text_columns import containing, most_similar

LETTERS = st.text("ab é漢", max_size=6)


@given(st.lists(LETTERS | st.none(), max_size=12), st.text("ab é漢", min_size=1, max_size=3))
def test_the_texts_that_contain_another(texts: list[str | None], wanted: str) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    expected = [text is not None and wanted in text for text in texts]
    for start in range(len(texts) + 1):
        assert containing(column.slice(start), wanted).tolist() == expected[start:]


def test_a_text_over_the_edge_of_two_is_in_neither() -> None:
    assert not containing(pa.chunked_array([["pika", "chu"]]), "pikachu").any()


def test_a_column_in_pieces() -> None:
    assert containing(pa.chunked_array([["mew"], ["ho-oh", "mewtwo"]]), "mew").tolist() == [
        True,
        False,
        True,
    ]


def test_the_most_similar_come_first_and_others_not_at_all() -> None:
    texts = pa.chunked_array([["mewtwo", "pichu", "pikachu", "raichu"]])
    assert most_similar(texts, "pikachoo", 3) == ["pikachu", "pichu"]
    assert most_similar(texts, "pikachoo", 1) == ["pikachu"]


def test_nothing_is_similar_to_a_single_letter_or_among_no_texts() -> None:
    assert most_similar(pa.chunked_array([["pikachu"]]), "p", 3) == []
    assert most_similar(pa.chunked_array([pa.array([], pa.string())]), "pikachu", 3) == []


@given(st.lists(LETTERS, max_size=12), st.text("ab é漢", max_size=6))
def test_similar_texts_share_letter_pairs(texts: list[str], given_text: str) -> None:
    """Compared with Dice's coefficient by its definition, empty and last texts included."""
    found = most_similar(pa.chunked_array([pa.array(texts, pa.string())]), given_text, 12)
    assert set(found) == {text for text in texts if _dice(text, given_text) >= 1 / 3}


def _dice(text: str, wanted: str) -> float:
    pairs, others = (list(pairwise(each.encode())) for each in (text, wanted))
    if not others:
        return 0.0
    return 2 * sum(pair in others for pair in pairs) / (len(pairs) + len(others))
