"""Rows of one card and day, and whether a column tells them apart or one of them is wrong."""

from pathlib import Path

import pytest

from pokewatch.market.tabular.sheet import TableError
from tests.market.tabular.tables import read

DAYS = [f"2026-09-{day:02d}" for day in range(1, 31)]
CONTRADICTED = "another row gives this card another price for the day"
COPIES = {
    "zustand": ("Zustand", "NM", "LP"),
    "sprache": ("Sprache", "Deutsch", "Englisch"),
    "état": ("État", "NM", "LP"),
    "langue": ("Langue", "FR", "EN"),
    "condición": ("Condición", "NM", "LP"),
    "idioma": ("Idioma", "ES", "EN"),
    "condizione": ("Condizione", "NM", "LP"),
    "lingua": ("Lingua", "IT", "EN"),
    "taal": ("Taal", "NL", "EN"),
    "言語": ("言語", "JP", "EN"),
    "cond": ("Cond.", "NM", "LP"),
    "lang": ("lang", "EN", "DE"),
    "idLanguage": ("idLanguage", "1", "3"),
    "isFoil": ("isFoil", "Y", "N"),
    "graded": ("Graded", "yes", "no"),
    "grader": ("Grader", "PSA", "raw"),
    "sub type": ("Sub Type", "Holofoil", "Normal"),
}


def _table(column: str, said: dict[tuple[str, int], str], usual: str) -> str:
    """Return four cards on all DAYS, and rows `said` by card and day at a price of 99."""
    lines = [f"{usual.format(row=at)},{at % 4}" for at in range(4 * len(DAYS))]
    rows = [f"c-{at % 4},{DAYS[at // 4]},{line}.5" for at, line in enumerate(lines)]
    rows += [f"{card},{DAYS[day]},{text},99" for (card, day), text in said.items()]
    return "\n".join([f"card_id,date,{column},price", *rows])


@pytest.mark.parametrize(
    ("column", "usual", "text"),
    [
        ("row", "{row}", "120"),
        ("Unnamed: 0", "{row}", "120"),
        ("address", "https://example.com/{row}", "https://example.com/120"),
        ("remark", "", "checked"),
        ("status", "new", "corrected"),
    ],
)
def test_a_column_of_single_rows_is_no_key(
    tmp_path: Path, column: str, usual: str, text: str
) -> None:
    table = read(tmp_path, _table(column, {("c-3", 4): text}, usual))
    assert table.prices.num_rows == 4 * len(DAYS) - 1
    assert [(each.reason, each.rows) for each in table.left_out] == [(CONTRADICTED, 2)]


def test_a_day_collected_twice_under_further_numbers_contradicts_itself_alone(
    tmp_path: Path,
) -> None:
    again = {(f"c-{card}", 29): f"{120 + card}" for card in range(4)}
    table = read(tmp_path, _table("row", again, "{row}"))
    assert table.prices.num_rows == 4 * len(DAYS) - 4
    assert [(each.reason, each.rows) for each in table.left_out] == [(CONTRADICTED, 8)]


def test_a_column_whose_values_recur_is_a_key_by_any_name(tmp_path: Path) -> None:
    of_both = {("c-3", day): "Tokyo" for day in range(2, 5)}
    with pytest.raises(TableError, match=r"which the column 'town' distinguishes: Osaka at 3\.5"):
        read(tmp_path, _table("town", of_both, "Osaka"))


@pytest.mark.parametrize("column", ["condition", "Zustand", "Printing"])
def test_a_copy_of_another_kind_is_named_on_its_first_day(tmp_path: Path, column: str) -> None:
    with pytest.raises(TableError, match=f"the column '{column}' distinguishes: NM at 3.5, LP at"):
        read(tmp_path, _table(column, {("c-3", 29): "LP"}, "NM"))


@pytest.mark.parametrize(("column", "one", "other"), COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("moments", [("2026-09-13 10:00", "2026-09-13 11:00"), DAYS[:2]])
def test_copies_of_two_kinds_are_told_apart_in_any_language(
    tmp_path: Path, column: str, one: str, other: str, moments: tuple[str, str]
) -> None:
    content = f"card_id,{column},date,price\na-1,{one},{moments[0]},9\na-1,{other},{moments[1]},5\n"
    with pytest.raises(TableError, match=f"treat each as a card: POKEWATCH_FILE_KEY={column}"):
        read(tmp_path, content)
    assert len(set(read(tmp_path, content, key=(column,)).prices["card_id"].to_pylist())) == 2


def test_cards_of_one_name_are_told_apart_at_several_times_of_a_day(tmp_path: Path) -> None:
    rows = "Pikachu,Base,2026-09-13 10:00,9\nPikachu,Jungle,2026-09-13 11:00,90\n"
    with pytest.raises(TableError, match="which the column 'Set' distinguishes: Base at 9"):
        read(tmp_path, f"Card,Set,date,price\n{rows}")


@pytest.mark.parametrize(
    ("columns", "one", "other"),
    [
        ("Card,Number", "Pikachu,4/102", "Pikachu,004/102"),
        ("Card,Set", "Pikachu,Base", "Pikachu,base set"),
        ("Card,Rarity", "Pikachu,Rare Holo", "Pikachu,Holo Rare"),
        ("card_id,Sub Type", "a-1,Holofoil", "a-1,holofoil"),
    ],
)
def test_one_card_may_be_described_in_two_ways_on_a_day(
    tmp_path: Path, columns: str, one: str, other: str
) -> None:
    rows = f"{one},2026-09-13 10:00,9\n{other},2026-09-13 11:00,10\n"
    table = read(tmp_path, f"{columns},date,price\n{rows}")
    assert table.prices["market_price"].to_pylist() == [10.0]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (("Ann", "Ann", "Bob", "Bob"), False),
        (("Ann", "", "", "Bob"), False),
        (("Ann", "", "Bob", "Bob"), False),
        (("Ann", "Bob", "Bob", "Bob"), True),
    ],
    ids=str,
)
def test_another_seller_counts_within_a_day_alone(
    tmp_path: Path, said: tuple[str, ...], refused: bool
) -> None:
    days = ("2026-09-13 10:00", "2026-09-13 20:00", "2026-09-14 10:00", "2026-09-14 20:00")
    rows = "".join(f"a-1,{day},9,{seller}\n" for day, seller in zip(days, said, strict=True))
    content = f"card_id,date,price,seller\n{rows}"
    if refused:
        with pytest.raises(TableError, match="the column 'seller' distinguishes: Ann at 9, Bob"):
            read(tmp_path, content)
    else:
        assert read(tmp_path, content).prices.num_rows == 2


def test_a_row_that_says_nothing_does_not_hide_that_others_differ(tmp_path: Path) -> None:
    rows = "".join(f"a-1,2026-09-13 1{at}:00,9,{said}\n" for at, said in enumerate(("A", "", "B")))
    with pytest.raises(TableError, match="the column 'seller' distinguishes: A at 9, B at 9"):
        read(tmp_path, f"card_id,date,price,seller\n{rows}")


@pytest.mark.parametrize("column", ["language", "idLanguage", "shop", "seller_id"])
@pytest.mark.parametrize("moments", [("2026-09-13 10:00", "2026-09-13 11:00"), DAYS[:1] * 2])
def test_numbers_of_languages_and_shops_are_no_amounts(
    tmp_path: Path, column: str, moments: tuple[str, str]
) -> None:
    rows = f"a-1,{moments[0]},9,8\na-1,{moments[1]},5,11\n"
    with pytest.raises(TableError, match=f"the column '{column}' distinguishes: 8 at 9, 11 at 5"):
        read(tmp_path, f"card_id,date,price,{column}\n{rows}")


def test_a_value_that_recurs_by_chance_is_no_evidence_of_a_key(tmp_path: Path) -> None:
    again = {(f"c-{card}", day): f"n{card}-{day}" for card in range(4) for day in range(15)}
    again["c-0", 3] = "4"  # as on the second day
    table = read(tmp_path, _table("visits", again, "{row}"))
    assert [(each.reason, each.rows) for each in table.left_out] == [(CONTRADICTED, 120)]


@pytest.mark.parametrize("column", ["foil", "Graded", "Variante", "Stan magazynowy"])
def test_a_column_of_amounts_is_no_key(tmp_path: Path, column: str) -> None:
    rows = "a-1,2026-09-13 10:00,9,113.5\na-1,2026-09-13 11:00,10,$114.2\n"
    table = read(tmp_path, f"card_id,timestamp,price,{column}\n{rows}")
    assert table.prices["market_price"].to_pylist() == [10.0]
