import pytest

from pokewatch.collection.printing_columns import check_flags, with_flags
from tests.collection.test_exports import read


@pytest.mark.parametrize(
    ("values", "printing"),
    [
        ({"printing": "Reverse Holofoil"}, "Reverse Holofoil"),
        ({"printing": ""}, "empty"),
        ({}, ""),
        ({"printing": "yes"}, "Foil"),
        ({"printing": "FALSE"}, "Normal"),
        ({"reverse": "x", "holo": "x"}, "Reverse Holofoil"),
        ({"holo": "✓"}, "Holofoil"),
        ({"holo": "", "reverse": ""}, "Normal"),
        ({"printing": "Holofoil", "first_edition": "1"}, "1st Edition Holofoil"),
        ({"printing": "Normal", "print_run": "First Edition"}, "1st Edition"),
        ({"printing": "1st Edition Holofoil", "first_edition": "yes"}, "1st Edition Holofoil"),
        ({"printing": "Normal", "print_run": "Unlimited"}, "Unlimited"),
        ({"printing": "Holofoil", "print_run": "Unlimited"}, "Holofoil"),
        ({"print_run": "Unlimited Edition"}, "Unlimited"),
        ({"print_run": "Limited"}, "Limited"),
        ({"print_run": "Limited Edition"}, "Limited"),
        ({"print_run": "Core"}, ""),
    ],
    ids=str,
)
def test_columns_add_up_to_a_printing(values: dict[str, str], printing: str) -> None:
    assert with_flags(values, "empty") == printing


@pytest.mark.parametrize(
    "text", ["VRAI", "Waar", "истина", "1", "", "FAUX", "nepravda", "N/A", "0"]
)
def test_yes_and_no_as_spreadsheets_write_them(text: str) -> None:
    check_flags({"reverse": text})
    printing = "Reverse Holofoil" if text in ("VRAI", "Waar", "истина", "1") else "Normal"
    assert with_flags({"reverse": text}, "empty") == printing


@pytest.mark.parametrize("name", ["reverse", "holo", "first_edition", "playset"])
def test_what_is_neither_yes_nor_no_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"'2' in its column of .* is neither yes nor no"):
        check_flags({name: "2"})


@pytest.mark.parametrize(
    ("name", "text", "printing"),
    [
        ("first_edition", "Unlimited", "empty"),
        ("first_edition", "1st Edition", "1st Edition"),
        ("reverse", "Normal", "Normal"),
        ("reverse", "Reverse Holo", "Reverse Holofoil"),
        ("holo", "Non-Holo", "Normal"),
        ("holo", "Holo", "Holofoil"),
        ("holo", "checked", "Holofoil"),
        ("reverse", "nie", "Normal"),
    ],
)
def test_words_of_printings_in_columns_of_yes_and_no(name: str, text: str, printing: str) -> None:
    values = {"printing": "", name: text} if name == "first_edition" else {name: text}
    check_flags(values)
    assert with_flags(values, "empty") == printing


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("isSigned", "1", "signed copies"),
        ("Signed", "signed", "signed copies"),
        ("Altered Art", "altered", "altered copies"),
        ("Alter", "True", "altered copies"),
        ("Misprint", "true", "misprints"),
        ("Proxy", "Yes", "proxies"),
        ("Artist Proof", "proof", "artist proofs"),
    ],
)
def test_a_copy_without_a_price_is_refused(header: str, cell: str, said: str) -> None:
    found = read(f"name,{header}\nMew,{cell}\nAbra,\nZubat,False\n")
    assert [line.name for line in found.lines] == ["Abra", "Zubat"]
    assert [each.reason for each in found.refused] == [f"there are no prices of {said}"]
    assert not [note for note in found.notes if "not used" in note]


def test_copies_of_each_printing_in_columns_are_refused_and_not_taken_for_one_of_them() -> None:
    found = read("name,Normal,Reverse,Holo\nMew,4,0,0\nAbra,1,1,0\nZubat,0,1,0\nMuk,1,0,0\n")
    assert [(line.name, line.printing) for line in found.lines] == [
        ("Zubat", "Reverse Holofoil"),
        ("Muk", "Normal"),
    ]
    assert [each.reason for each in found.refused] == [
        "'4' in its column of normal copies is neither yes nor no",
        "it counts normal copies and reverse holofoils: write a line of each",
    ]


def test_a_column_of_normal_alone_is_not_used() -> None:
    found = read("name,Normal\nMew,0.15\n")
    assert [line.name for line in found.lines] == ["Mew"]
    assert "columns that are not used: 'Normal'" in found.notes
