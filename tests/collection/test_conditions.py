import pytest

from pokewatch.collection.conditions import are_european, condition_of, language_of


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("Near Mint", "NM"),
        ("near_mint", "NM"),
        ("LightPlayed", "LP"),
        ("Good (Lightly Played)", "LP"),
        ("MP", "MP"),
        ("Damaged", "DMG"),
        ("Pl", "MP"),
        ("Good", "MP"),
        ("VG", "MP"),
        ("Very Good (VG)", "MP"),
        ("", "NM"),
        ("Chewed", None),
    ],
)
def test_conditions(text: str, condition: str | None) -> None:
    assert condition_of(text) == condition


def test_a_european_grade_is_another() -> None:
    assert (condition_of("LP"), condition_of("LP", european=True)) == ("LP", "MP")
    assert [condition_of(str(code), european=True) for code in range(1, 8)] == [
        "NM",
        "NM",
        "LP",
        "MP",
        "MP",
        "HP",
        "DMG",
    ]


@pytest.mark.parametrize(
    ("texts", "european"),
    [
        (["NM", "EX", "LP"], True),
        (["", "Light Played", "Excellent"], True),
        (["gd", "Pl"], True),
        (["NM", "EX", "GD", "PO"], False),  # which mean the same anywhere
        (["NM", "LP", "PL"], False),
        (["EX", "LP", "MP"], False),
        (["EX", "LP", "Damaged"], False),
        ([], False),
    ],
)
def test_grades_are_those_of_europe_where_they_tell(texts: list[str], european: bool) -> None:
    assert are_european(texts) == european


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("EN", "English"),
        ("7", "Japanese"),
        ("german", "German"),
        ("", ""),
        ("en_US", "English"),
        ("pt-BR", "Portuguese"),
        ("JA-JP", "Japanese"),
        ("Japanese (JP)", "Japanese"),
        ("zh-TW", "Chinese"),
        ("S-Chinese", "Chinese"),
        ("Traditional Chinese", "Chinese"),
        ("(English)", "(English)"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("grade", ["MT", "NM", "EX", "GD", "LP", "PL", "PO"])
def test_grades_of_cardmarket_are_known_in_other_files(grade: str) -> None:
    assert condition_of(grade) is not None
