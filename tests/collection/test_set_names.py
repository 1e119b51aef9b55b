import pytest

from pokewatch.collection.set_names import same_set


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
        ("Classic Collection", "Celebrations: Classic Collection", False),
        ("Unlimited Edition", "Unlimited Edition", True),
        ("Unlimited Edition", "Beta Edition", False),
        ("Edition", "Unlimited Edition", False),
    ],
)
def test_sets(one: str, other: str, same: bool) -> None:
    assert same_set(one, other) is same
