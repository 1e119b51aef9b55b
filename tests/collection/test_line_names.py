import pytest

from pokewatch.collection.line_names import split_copy, split_name, split_set
from tests.collection.test_exports import read


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
        ("Mew (Japan)", ("Mew", "", "Japanese")),
        ("Mew (deutsch)", ("Mew", "", "German")),
        ("Mew (KOR)", ("Mew", "", "Korean")),
        ("Mew (Simplified Chinese)", ("Mew", "", "Chinese")),
        ("Mew (Thai)", ("Mew", "", "Thai")),
        ("Mew (ES)", ("Mew (ES)", "", "")),  # as there are EX and SP
        ("Mew (English)", ("Mew (English)", "", "")),
        ("Nidoran (M)", ("Nidoran (M)", "", "")),
        ("Charizard (EX)", ("Charizard (EX)", "", "")),
        ("Umbreon VMAX (Alternate Art Secret)", ("Umbreon VMAX (Alternate Art Secret)", "", "")),
    ],
)
def test_a_name_says_of_the_copy_what_is_no_part_of_it(
    name: str, parts: tuple[str, str, str]
) -> None:
    assert split_copy(name) == parts


@pytest.mark.parametrize(
    ("name", "column", "printing"),
    [
        ("Charizard (1st Edition)", "Holofoil", "1st Edition Holofoil"),
        ("Charizard [1st Edition]", "Foil", "1st Edition Holofoil"),
        ("Charizard (1st Edition)", "Normal", "1st Edition"),
        ("Charizard (Holo)", "1st Edition", "1st Edition Holofoil"),
        ("Charizard (1st Edition)", "Promo", "1st Edition"),
        ("Charizard (1st Edition Holo)", "Holofoil", "1st edition holofoil"),
        ("Charizard (Reverse Holo)", "Foil", "reverse holofoil"),
        ("Charizard (Holo)", "Reverse Holofoil", "reverse holofoil"),
        ("Charizard (Holo)", "Holofoil", "Holofoil"),
        ("Charizard (Unlimited)", "Holofoil", "Holofoil"),
        ("Charizard", "Promo", "Promo"),
        ("Charizard (Reverse Holo)", "Normal", "Normal Reverse Holo"),
        ("Charizard (1st Edition)", "Unlimited", "Unlimited 1st Edition"),
        ("Charizard (Normal)", "Holofoil", "Holofoil Normal"),
    ],
)
def test_the_printing_of_a_name_adds_to_that_of_a_column(
    name: str, column: str, printing: str
) -> None:
    (line,) = read(f"name,printing\n{name},{column}\n").lines
    assert (line.name, line.printing) == ("Charizard", printing)
