from collections.abc import Mapping

import pyarrow as pa
import pytest

from pokewatch.errors import SettingsError
from pokewatch.market.sources.games import (
    BY_CATEGORY,
    GAMES,
    categories_of,
    game_of,
    kind_of,
    unknown_printings,
)
from pokewatch.settings import SourceSettings


@pytest.mark.parametrize(
    ("given", "category"),
    [
        ("Magic", 1),
        ("yu-gi-oh!", 2),
        ("YuGiOh", 2),
        ("POKEMON", 3),
        ("Pokémon", 3),
        ("pokemon_japan", 85),
        ("lorcana", 71),
        ("One Piece", 68),
        ("onepiece", 68),
        ("digimon", 63),
        ("Flesh & Blood", 62),
        ("flesh and blood", 62),
        ("Star Wars: Unlimited", 79),
        ("Dragon Ball Fusion World", 80),
        ("gundam", 86),
        ("riftbound", 89),
        ("068", 68),
        ("55", 55),
    ],
)
def test_a_game_is_given_by_name_or_number(given: str, category: int) -> None:
    assert categories_of([given]) == (category,)


def test_each_category_is_collected_once() -> None:
    assert categories_of(["pokemon", "3", "Pokémon", "1"]) == (3, 1)


def test_a_category_names_its_game() -> None:
    assert [game_of(category) for category in (71, 55)] == ["Lorcana", "TCGplayer category 55"]


@pytest.mark.parametrize("given", ["0", "-3", "3.0", "9" * 30, "Pokemon English", "ポケモン", "!"])
def test_an_unknown_game_is_refused_with_those_known(given: str) -> None:
    with pytest.raises(SettingsError) as caught:
        categories_of(["3", given])

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"POKEWATCH_TCGCSV_CATEGORIES: {given!r} is not a known")
    assert "Magic (1), Yu-Gi-Oh (2), Pokemon (3), Pokemon Japan (85)" in str(caught.value)


def test_the_setting_names_every_game() -> None:
    description = SourceSettings.model_fields["tcgcsv_categories"].description or ""

    assert [game for game in GAMES if f"{game.name} ({game.category})" not in description] == []
    assert len(BY_CATEGORY) == len(GAMES)


@pytest.mark.parametrize(
    ("name", "details", "kind"),
    [
        ("Lugia VSTAR", {"Number": "139/195", "Rarity": "Ultra Rare"}, "single"),
        ("Lightning Bolt", {"Rarity": "C"}, "single"),
        ("Roronoa Zoro", {"Number": "ST05-001"}, "single"),
        ("Coin of Fate", {"Number": "PHNI-EN059"}, "single"),
        ("Silver Tempest Booster Box", {}, "sealed"),
        ("Elite Trainer Box with Sleeves", {}, "sealed"),
        ("Silver Tempest", {"CardText": "x"}, "sealed"),
        ("Charizard Card Sleeves", {}, "other"),
        ("Code Card - Silver Tempest Booster Pack", {"Rarity": "Code Card"}, "other"),
        ("Code Card - Silver Tempest Booster Pack", {}, "other"),
    ],
)
def test_the_kind_of_a_product(name: str, details: Mapping[str, str], kind: str) -> None:
    assert kind_of(name, details) == kind


def test_unknown_printings_are_counted() -> None:
    rows = [
        ("Magic", "Foil"),
        ("Magic", "Etched Foil"),
        ("Magic", "Etched Foil"),
        ("Pokemon Japan", "Reverse Holofoil"),
        (None, "Etched Foil"),
        ("Another Game", "Gold"),
        ("Pokemon", None),
    ]
    games, printings = zip(*rows, strict=True)

    assert unknown_printings(pa.table({"game": games, "printing": printings})) == [
        "Magic has an unknown printing 'Etched Foil' (2 cards)",
        "Pokemon Japan has an unknown printing 'Reverse Holofoil' (1 card)",
    ]
