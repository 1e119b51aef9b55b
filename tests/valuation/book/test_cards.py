import numpy as np
import pyarrow as pa
import pytest

from pokewatch.errors import UnknownCardError
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.book import cards as cards_module
from pokewatch.valuation.book.cards import Cards, search_text
from pokewatch.valuation.book.layout import BOOK_CARD_SCHEMA
from tests.serving.books import make_book


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    folder = tmp_path_factory.mktemp("cards") / "book"
    return PriceBook.open(folder, make_book(folder)).cards


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Pokémon-ex #199/165", "pokemon ex 199 165"),
        ("Farfetch'd", "farfetchd"),
        ("", ""),
        ("ポケモン ガ", "ホケモン カ"),
        ("a_b", "a b"),
    ],
    ids=["accents", "apostrophe", "empty", "japanese", "underscore"],
)
def test_search_text(text: str, words: str) -> None:
    assert search_text(text) == words


def test_positions_by_id_and_by_slug(cards: Cards) -> None:
    assert cards.positions(["tcgplayer-4-normal", "card_4", "card_40", ""]).tolist() == [
        4,
        4,
        -1,
        -1,
    ]


def test_describe(cards: Cards) -> None:
    assert cards.describe(cards.positions(["card_12", "card_0"])) == [
        {
            "card_id": "tcgplayer-12-normal",
            "slug": "card_12",
            "name": "Pokémon 12",
            "set_id": "set1",
            "set_name": "Set 1",
            "number": "012/100",
            "rarity": "Rare",
            "printing": "Normal",
            "released": "2025-06-01",
            "image_url": None,
            "game": "Pokemon",
            "kind": "single",
            "language": "English",
            "set_code": "S1",
        },
        cards.describe(cards.positions(["card_0"]))[0] | {"released": None},
    ]


@pytest.mark.parametrize(
    ("words", "set_name", "rarity", "found"),
    [
        ("", None, None, list(range(40))),
        ("S1 pokemon", None, None, list(range(10, 20))),
        ("POKEMON 012", None, None, [12]),
        ("pokémon", "set1", "rare", [12, 15, 18]),
        ("", "Set 3", "RARE", [30, 33, 36, 39]),
        ("", "set 3", None, list(range(30, 40))),
        ("mewtwo", None, None, []),
        ("", "set", None, []),
        (" ", None, "Rare", list(range(0, 40, 3))),
        ("%.*", None, None, []),
        ("\U0001f600", "set1", None, []),
    ],
    ids=[
        "all",
        "set code",
        "words",
        "set id",
        "set name",
        "set name case",
        "none",
        "no such set",
        "blank",
        "punctuation",
        "emoji",
    ],
)
def test_a_search_finds_the_cards_that_match_all_words(
    cards: Cards, words: str, set_name: str | None, rarity: str | None, found: list[int]
) -> None:
    assert cards.search(words, set_name, rarity, limit=100).tolist() == found


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_pages_put_together_are_the_whole(
    cards: Cards, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("pokewatch.valuation.book.cards._BLOCK", block)
    seen: list[int] = []
    after = None
    while page := cards.search("", rarity="Rare", limit=4, after=after).tolist():
        seen += page
        after = cards.ids[page[-1]]
    assert seen == list(range(0, 40, 3))


def test_search_behind_an_unknown_card(cards: Cards) -> None:
    with pytest.raises(UnknownCardError):
        cards.search(limit=1, after="nobody")


@pytest.mark.parametrize(
    ("asked", "near"),
    [("card_12x", "card_12"), ("Card 31", "card_31"), ("crd_7", "card_7")],
    ids=["typo", "spelt out", "left out"],
)
def test_the_most_similar_slugs_are_near(cards: Cards, asked: str, near: str) -> None:
    assert near in cards.near(asked)


@pytest.mark.parametrize("asked", ["", "x", "zzzz-qqqq", "%%%"])
def test_nothing_near(cards: Cards, asked: str) -> None:
    assert cards.near(asked) == []


def test_a_number_finds_the_product_of_that_id_and_no_part_of_one() -> None:
    named = {"name": "Umbreon", "set_id": "s", "set_name": "S", "search": "umbreon"}
    ids = '{"file": "mine-1", "tcgplayer": 715954}'
    rows = [
        named | {"card_id": "mine-1", "slug": "mine_1", "source_ids": ids},
        named | {"card_id": "mine-2", "slug": "mine_2", "source_ids": None},
    ]
    table = pa.Table.from_pylist(rows, schema=BOOK_CARD_SCHEMA)
    found = Cards(table)

    assert found.search("715954", limit=9).tolist() == [0]
    assert found.search("Umbreon 715954", limit=9).tolist() == [0]
    assert found.search("7159", limit=9).tolist() == []


def test_printings_have_the_same_name_set_and_number() -> None:
    rows = [
        ("Pikachu", "base", "58"),
        ("Pikachu", "base", "58"),
        ("Pikachu", "base", "59"),
        ("Pikachu", "jungle", "58"),
        ("Raichu", "base", "58"),
        ("Pikachu", "base", None),
        ("Pikachu", "base", None),
        ("Pikachu", "base", "58"),
    ]
    names = [field.name for field in BOOK_CARD_SCHEMA]
    table = pa.Table.from_pylist(
        [
            dict.fromkeys(names)
            | {"card_id": f"c{at}", "slug": f"s{at}", "set_name": "", "search": ""}
            | {"name": name, "set_id": set_id, "number": number}
            for at, (name, set_id, number) in enumerate(rows)
        ],
        schema=BOOK_CARD_SCHEMA,
    )
    found = [Cards(table).printings(at).tolist() for at in range(len(rows))]
    assert found == [[1, 7], [0, 7], [], [], [], [6], [5], [0, 1]]


@pytest.mark.parametrize("count", [1, 30])
def test_few_and_many_cards_are_described_alike(cards: Cards, count: int) -> None:
    positions = np.arange(count)
    expected = [cards.describe(positions[at : at + 1])[0] for at in range(count)]
    assert cards.describe(positions) == expected


def test_slugs_with_the_same_hash_are_found(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pokewatch.valuation.book.slugs.hash", len, raising=False)
    same = Cards(cards._table)
    assert same.positions([*same.slugs, *same.ids]).tolist() == [*range(40), *range(40)]


@pytest.mark.parametrize("counts", [(3, 40, 2), (40, 1, 41)])
def test_books_of_any_size_have_their_own_positions(cards: Cards, counts: tuple[int, ...]) -> None:
    books = [Cards(cards._table.slice(0, count)) for count in counts]
    for book in books:
        assert book.positions(cards.ids).tolist() == [
            at if at < len(book) else -1 for at in range(len(cards))
        ]


def test_slugs_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards_module, "REMEMBERED", 2)
    table = pa.Table.from_pylist(
        [
            dict.fromkeys(field.name for field in BOOK_CARD_SCHEMA)
            | {"card_id": f"c{at}", "slug": f"s{at}", "name": "", "set_id": "", "set_name": ""}
            | {"search": ""}
            for at in range(5)
        ],
        schema=BOOK_CARD_SCHEMA,
    )
    found = Cards(table)
    for _ in range(2):
        assert found.positions(["s3", "none", "c1"]).tolist() == [3, -1, 1]
        assert found.positions(["s4", "s0"]).tolist() == [4, 0]
    assert found.positions(["none", "s2"]).tolist() == [-1, 2]
