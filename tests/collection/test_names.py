import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.collection import names


@pytest.mark.parametrize(
    ("number", "keys"),
    [
        ("004/102", ("4", "102")),
        ("#199", ("199", "")),
        ("TG01/TG30", ("TG1", "TG30")),
        ("swsh001", ("SWSH1", "")),
        ("PHNI-EN059", ("PHNI-EN59", "")),
        ("", ("", "")),
        ("000", ("0", "")),
    ],
)
def test_numbers(number: str, keys: tuple[str, str]) -> None:
    assert names.number_keys(number) == keys


@pytest.mark.parametrize(
    ("given", "printing", "same"),
    [
        ("foil", "Holofoil", True),
        ("Foil", "Foil", True),
        ("Holo", "Holofoil", True),
        ("Reverse Holo", "Reverse Holofoil", True),
        ("Holo Foil", "Holofoil", True),
        ("foil", "Reverse Holofoil", False),
        ("false", "Normal", True),
        ("Normal", "Holofoil", False),
    ],
)
def test_printings(given: str, printing: str, same: bool) -> None:
    assert names.same_printing(given, printing) is same


def test_an_alternate_art_has_another_name_of_the_same_base() -> None:
    plain, art = "Umbreon VMAX", "Umbreon VMAX (Alternate Art)"
    assert names.name_key(plain) != names.name_key(art)
    assert names.base_key(plain) == names.base_key(art)


@given(st.text("0123456789\u0660\u0967aZ/# -OF", max_size=12))
def test_leading_zeros_of_each_run_of_digits_are_dropped(number: str) -> None:
    plain = "".join(number.split()).upper()
    plain = re.sub(r"^(?:#|NO\.?|NR\.?|N°)+(?=\w*\d)", "", plain)
    own, _, size = re.sub(r"(?<=\d)OF(?=\d)", "/", plain).partition("/")
    expected = tuple(re.sub(r"0*(\d+)", r"\1", part) for part in (own, size))
    assert names.number_keys(number) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Charizard δ", "Charizard (Delta Species)"),
        ("Nidoran ♀", "Nidoran F"),
        ("Rayquaza ☆", "Rayquaza Star"),
        ("Rayquaza★", "Rayquaza Gold Star"),
        ("Charizard ☆ δ", "Charizard Star (Delta Species)"),
        ("Solgaleo ◇", "Solgaleo Prism Star"),
        ("Command & Conquer", "Command and Conquer"),
        ("Ash Blossom & Joyous Spring (Super Rare)", "Ash Blossom and Joyous Spring (Super Rare)"),
    ],
)
def test_signs_are_the_words_that_they_stand_for(one: str, other: str) -> None:
    assert names.name_key(one) == names.name_key(other)
    assert names.base_key(one) == names.base_key(other)


def test_a_delta_species_is_a_version_of_the_card() -> None:
    assert names.base_key("Charizard δ") == names.base_key("Charizard") == "charizard"
