import pytest

from pokewatch.collection.games import game_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Pokémon", "pokemon"),
        ("Pokemon Japan", "pokemon"),
        ("Magic: The Gathering", "magic"),
        ("Yu-Gi-Oh!", "yugioh"),
        ("Riftbound: League of Legends Trading Card Game", "riftbound"),
        ("Baseball", ""),
        ("", ""),
    ],
)
def test_a_game_has_one_word(name: str, key: str) -> None:
    assert game_key(name) == key
