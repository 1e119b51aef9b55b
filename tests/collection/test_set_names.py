from pathlib import Path

import pytest

from pokewatch.collection.exports import CollectionLine
from pokewatch.collection.matching import Matcher
from pokewatch.collection.set_names import same_set
from tests.collection.books import book_of_cards


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("151", "SV: Scarlet & Violet 151", True),
        ("Evolving Skies", "SWSH07: Evolving Skies", True),
        ("Base Set", "Base Set 2", False),
        ("Base Set", "Base Set (Shadowless)", False),
        ("Crown Zenith", "Crown Zenith: Galarian Gallery", False),
        ("Celebrations", "Celebrations: Classic Collection", False),
        ("Pokemon GO", "Pokémon GO", True),
        ("Jungle", "Fossil", False),
        ("", "Jungle", False),
        ("Eevee Heroes", "S6a: Eevee Heroes", True),
        ("Shiny Treasure ex", "SV4a: Shiny Treasure ex", True),
        ("Mega Brave", "M1L: Mega Brave", True),
        ("Sun & Moon Promos", "SM-P: Sun & Moon Promos", True),
        ("Classic Collection", "Celebrations: Classic Collection", False),
        ("Unlimited Edition", "Unlimited Edition", True),
        ("Unlimited Edition", "Beta Edition", False),
        ("Edition", "Unlimited Edition", False),
        ("Limited Edition Alpha", "Alpha Edition", True),
        ("Limited Edition Beta", "Alpha Edition", False),
        ("Limited Edition Beta", "Unlimited Edition", False),
        ("Heart Gold & Soul Silver", "HeartGold SoulSilver", True),
        ("Sun & Moon", "SM Base Set", True),
        ("Sun & Moon", "SM - Unbroken Bonds", False),
        ("Base Set", "SM Base Set", False),
    ],
)
def test_sets(one: str, other: str, same: bool) -> None:
    assert same_set(one, other) is same


@pytest.mark.parametrize("language", ["English", "Japanese", "German", ""])
def test_a_set_that_has_one_name_in_two_languages(tmp_path: Path, language: str) -> None:
    english = ("english", "Eevee", "Shining Legends", "1/73", "Normal")
    japanese = ("japanese", "Eevee", "SM3+: Shining Legends", "1/72", "Normal")
    languages = {"english": "English", "japanese": "Japanese"}
    book = book_of_cards(tmp_path, [english, japanese], languages=languages)
    line = CollectionLine(
        2, "Eevee", 1, set_name="Shining Legends", number="1", printing="Normal", language=language
    )
    match = Matcher(book).match(line)
    assert match.position == {"Japanese": 1, "German": -1}.get(language, 0), match
