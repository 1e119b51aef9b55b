import pytest

from pokewatch.collection.line_names import split_copy, split_name, split_set


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Charizard [Reverse Holo] #4", ("Charizard", "4", "Reverse Holo")),
        ("Charizard (Reverse Holo)", ("Charizard", "", "Reverse Holo")),
        ("Charizard [Staff]", ("Charizard (Staff)", "", "")),
        ("Charizard - 4/102", ("Charizard", "4/102", "")),
        ("Charizard-Holo", ("Charizard", "", "Holo")),
        ("Charizard [[Holo]]", ("Charizard [ ]", "", "Holo")),
        ("[", ("[", "", "")),
    ],
)
def test_a_name_has_number_and_printing(name: str, parts: tuple[str, str, str]) -> None:
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Japanese Base Set", ("Base Set", "Japanese")),
        ("Base Set (Japanese)", ("Base Set", "Japanese")),
        ("Base Set", ("Base Set", "")),
        ("Japanese", ("Japanese", "")),
    ],
)
def test_a_sets_name_has_a_language(name: str, parts: tuple[str, str]) -> None:
    assert split_set(name) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Pikachu (Damaged)", ("Pikachu", "Damaged", "")),
        ("Pikachu [LP] #25", ("Pikachu #25", "LP", "")),
        ("Pikachu (German) (lightly played)", ("Pikachu", "lightly played", "German")),
        ("Pikachu (JP)", ("Pikachu", "", "Japanese")),
        ("Nidoran (M)", ("Nidoran (M)", "", "")),
        ("Charizard (EX)", ("Charizard (EX)", "", "")),
        ("Umbreon VMAX (Alternate Art Secret)", ("Umbreon VMAX (Alternate Art Secret)", "", "")),
    ],
)
def test_a_name_says_of_the_copy_what_is_no_part_of_it(
    name: str, parts: tuple[str, str, str]
) -> None:
    assert split_copy(name) == parts
