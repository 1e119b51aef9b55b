import math
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from pokewatch.collection import (
    cell_texts,
    exports,
    grades,
    line_names,
    names,
    quantities,
    reading_notes,
)
from pokewatch.collection.exports import Collection, CollectionLine, read_collection
from pokewatch.collection.headers import ALONE, EXAMPLE, KNOWN_HEADERS
from pokewatch.market.tabular.reading import read_sheet, sheet_of
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.collection.exports_by_app import EXPORTS
from tests.market.tabular.workbook import Cell, write_workbook

PARSERS = (cell_texts, exports, grades, line_names, names, quantities)


def read(text: str, encoding: str = "utf-8") -> Collection:
    return read_collection(
        read_text(text.encode(encoding), KNOWN_HEADERS, alone=ALONE, example=EXAMPLE)
    )


def _patterns(module: ModuleType) -> list[re.Pattern[str]]:
    return [value for value in vars(module).values() if isinstance(value, re.Pattern)]


STOCK = (
    '"idArticle";"idProduct";"English Name";"Local Name";"Exp.";"Exp. Name";"Price";"Language";'
    '"Condition";"Foil?";"Signed?";"Playset?";"Altered?";"Comments";"Amount";"onSale";'
    '"Collector Number"\n'
    '"1";"715954";"Umbreon VMAX";"Nachtara VMAX";"EVS";"Evolving Skies";"12.00";"1";"LP";"X";"";'
    '"";"";"";"2";"1";"215"\n'
)
UMBREON = CollectionLine(
    line=2,
    name="Umbreon VMAX",
    quantity=2,
    set_name="Evolving Skies",
    set_code="EVS",
    number="215",
    printing="Foil",
    language="English",
    condition="MP",
    condition_text="LP",
)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (STOCK, replace(UMBREON, market_id="715954")),
        (
            STOCK.replace("Collector Number", "collectorNumber"),
            replace(UMBREON, market_id="715954"),
        ),
        (
            "QuantityX,Name,Edition,Edition code,Collector's number,Foil,Condition,Language\n"
            "2x,Umbreon VMAX,Evolving Skies,EVS,215,Foil,LP,English\n",
            replace(UMBREON, condition="LP"),
        ),
        (
            "cardname,cardq,cardid,cardrarity,cardcondition,card_edition,cardset,cardcode\n"
            "Umbreon VMAX,2,1,Rare,LP,1st Edition,Evolving Skies,215\n",
            replace(UMBREON, condition="LP", printing="1st Edition", language="", set_code=""),
        ),
    ],
    ids=["Cardmarket's API", "Cardmarket's API, newer", "Delver Lens", "YGOPRODeck"],
)
def test_other_columns_of_apps(content: str, line: CollectionLine) -> None:
    assert read(content).lines == (line,)


@pytest.mark.parametrize("app", EXPORTS)
def test_each_app_is_read(app: str) -> None:
    found = read(EXPORTS[app])
    assert (found.app, len(found.lines), found.refused) == (app, 2, ())
    charizard, umbreon = found.lines
    assert (charizard.quantity, umbreon.quantity) == (1, 2)
    assert (charizard.name, charizard.number.lstrip("0").partition("/")[0]) == ("Charizard", "4")
    expected = {"Delver Lens": "NM", "Dragon Shield": "MP"}  # the latter grades as Cardmarket does
    assert charizard.condition == expected.get(app, "LP")
    assert umbreon.condition == "NM"
    assert umbreon.grade == ("PSA 10" if app == "Collectr" else "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_encodings(separator: str, encoding: str) -> None:
    text = separator.join(("name", "set", "quantity")) + "\r\n"
    text += separator.join(("Flabébé", "XY", "3")) + "\r\n"
    (line,) = read(text, encoding).lines
    assert (line.name, line.set_name, line.quantity) == ("Flabébé", "XY", 3)


@pytest.mark.parametrize("app", EXPORTS)
def test_lines_that_are_quoted_as_a_whole(app: str) -> None:
    lines = EXPORTS[app].removeprefix('"sep=,"\n').splitlines()
    quoted = "\n".join('"' + line.replace('"', '""') + '"' for line in lines)
    assert read(quoted) == read("\n".join(lines))


def test_cardmarkets_stock_file_that_a_program_saved_with_decimals() -> None:
    """As pandas writes columns of whole numbers that have empty cells."""
    header = (
        "idProduct;groupCount;price;idLanguage;condition;isFoil;isPlayset;isReverseHolo;isFirstEd"
    )
    whole = read(f"{header}\n715900;1;12.00;7;5;;;1;\n715954;2;1.50;1;2;;1;;1\n")
    decimals = read(
        f"{header}\n715900.0;1.0;12;7.0;5.0;;;1.0;\n715954.0;2.0;1.5;1.0;2.0;;1.0;;1.0\n"
    )
    assert decimals == whole
    assert [line.printing for line in decimals.lines] == ["Reverse Holofoil", "1st Edition"]


def test_copies_in_columns_of_printings_are_not_taken_for_yes_and_no() -> None:
    found = read("name,number,holo,reverse holo\nMew,1,1,\nMew,2,,3\n")
    assert [line.printing for line in found.lines] == ["Holofoil"]
    assert [(each.line, each.reason) for each in found.refused] == [
        (3, "'3' in its column of reverse holofoils is neither yes nor no")
    ]


@pytest.mark.parametrize(
    "total",
    [
        *(
            "Total",
            "TOTAL:",
            "Total cards",
            "Total (3 items)",
            "Grand Total:",
            "Gesamt: 3",
            "Summe",
        ),
        *("Summe", "Portfolio", "Portfolio value", "Total portfolio value", "Collection total"),
    ],
)
def test_a_total_is_no_card(total: str) -> None:
    found = read(f"name,set,quantity\nMew,Base,3\n{total},,3\n")
    assert [line.name for line in found.lines] == ["Mew"]
    assert [refused.reason for refused in found.refused] == ["it is a total, not a card"]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("name,set,printing", "Foil,Ultimate Masters,Normal"),
        ("name,set,holo,signed", "Mew,Jungle,Holo,"),
        ("name,set,reverse,holo", "Mew,Jungle,Reverse,Holo"),
        ("name,set,printing,variant", "Mew,Jungle,Holofoil,Normal"),
        ("name,set,holo,misprint", "Mew,Jungle,Holo,Misprint"),
    ],
)
def test_cells_that_repeat_names_of_columns_begin_no_second_table(header: str, line: str) -> None:
    found = read(f"{header}\nMewtwo,Fossil,,\n{line}\nPikachu,Base,,\n")
    assert "Pikachu" in [each.name for each in found.lines]
    assert not [each for each in found.refused if "second table" in each.reason]


@pytest.mark.parametrize(
    "header",
    ["Nazwa;Numer;Stan;Ilość", "Kort;Nummer;Skick;Antal", "Kortnavn;Nummer;Tilstand;Antal"],
)
def test_headers_in_more_languages(header: str) -> None:
    (line,) = read(f"{header}\nMew;8/25;LP;3\n").lines
    assert (line.name, line.number, line.condition, line.quantity) == ("Mew", "8/25", "LP", 3)


def test_a_list_of_quoted_names_is_one() -> None:
    assert [line.name for line in read('"Pikachu"\n"Mr. Mime, Base"\n').lines] == [
        "Pikachu",
        "Mr. Mime, Base",
    ]


def test_the_sku_of_a_seller_is_not_the_product() -> None:
    assert [line.product_id for line in read(EXPORTS["TCGplayer seller pricing"]).lines] == ["", ""]
    assert read(EXPORTS["TCGplayer app"]).lines[0].product_id == "42382"


def test_a_sellers_condition_has_printing_and_language() -> None:
    header = EXPORTS["TCGplayer seller pricing"].splitlines()[0]
    text = f"{header}\n1,Pokemon Japan,S,Pikachu,,1,C,Near Mint Holofoil - Japanese,1,,,,4,,,\n"
    (line,) = read(text).lines
    assert (line.condition, line.printing, line.language) == ("NM", "Holofoil", "Japanese")


def test_cardmarkets_stock_file_has_the_ids_of_its_products() -> None:
    header = "idProduct;groupCount;price;idLanguage;condition;isFoil;isPlayset\n"
    found = read(header + "715954;1;12,00;1;2;;\n401774;2;1,50;3;4;1;1\n")
    assert (found.app, found.refused) == ("Cardmarket stock", ())
    plain, foil = found.lines
    assert (plain.market_id, plain.product_id, plain.name) == ("715954", "", "")
    assert (plain.printing, plain.condition, plain.language) == ("Normal", "NM", "English")
    assert (foil.printing, foil.condition, foil.language) == ("Foil", "MP", "German")
    assert (plain.quantity, foil.quantity) == (1, 8)  # playsets have four copies


@pytest.mark.parametrize("quantity", ["-1", "two", "1.5", "1e3", "99999999"])
def test_a_quantity_that_is_none_is_refused_alone(quantity: str) -> None:
    found = read(f"name,quantity\nPikachu,{quantity}\nEevee,2\n")
    assert [line.name for line in found.lines] == ["Eevee"]
    assert found.refused[0].line == 2
    assert quantity in found.refused[0].reason


@pytest.mark.parametrize(
    ("quantity", "copies"),
    [("3", 3), ("3.0", 3), ("1,200", 1200), ("1\u202f200", 1200), ("1\u00a0200", 1200), ("", 1)],
)
def test_quantities(quantity: str, copies: int) -> None:
    assert read(f'name,quantity\nPikachu,"{quantity}"\n').lines[0].quantity == copies


def test_lines_of_no_copies_and_lines_without_a_card() -> None:
    found = read("name,quantity\nPikachu,0\n,2\n")
    assert found.lines == ()
    assert [(each.line, each.text, each.reason) for each in found.refused] == [
        (2, "Pikachu", "it counts no copy"),
        (3, "2", "it names no card"),
    ]


def test_copies_that_a_seller_does_not_have_are_reported() -> None:
    header = EXPORTS["TCGplayer seller pricing"].splitlines()[0]
    found = read(f"{header}\n1,Pokemon,S,Pikachu,,1,C,Near Mint,1,,,,,0,,\n")
    assert [each.text for each in found.refused] == ["Pikachu"]


@pytest.mark.parametrize("header", ["name\n", "Card\r\n", "", "sep=,\nname\n", "name,\n"])
def test_a_list_of_names(header: str) -> None:
    """A comma is part of the name where there is no other column."""
    name = "Chandra Torch" if header.endswith(",\n") else "Chandra, Torch of Defiance"
    found = read(f"{header}Pikachu\n\n{name}\n" if header else "Pikachu\n\nCharizard ex\n")
    assert [line.name for line in found.lines] == ["Pikachu", name if header else "Charizard ex"]
    assert found.refused == ()


@pytest.mark.parametrize("text", ["-8.2e+133", "true", "Pikachu\n"])
def test_one_line_without_a_header_is_no_list(text: str) -> None:
    with pytest.raises(TableError, match="no header is found"):
        read(text)


def test_a_list_of_ids() -> None:
    found = read("tcgplayer-42382-holofoil\ncharizard_4\n246700\n")
    assert [line.card_id for line in found.lines[:2]] == ["tcgplayer-42382-holofoil", "charizard_4"]
    assert (found.lines[2].product_id, found.lines[2].name) == ("246700", "")
    assert [line.line for line in found.lines] == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "field"),
    [("Product ID", "product_id"), ("idProduct", "market_id"), ("card_id", "card_id")],
)
def test_a_column_of_ids(header: str, field: str) -> None:
    (line,) = read(f"{header}\n246700\n").lines
    assert (getattr(line, field), line.name) == ("246700", "")


def test_a_title_above_a_table_is_no_list() -> None:
    found = read("Cards\nname,quantity\nPikachu,2\n")
    assert [(line.name, line.quantity) for line in found.lines] == [("Pikachu", 2)]
    assert [each.reason for each in found.refused] == ["stands before the header"]


def test_a_table_without_cards_is_refused() -> None:
    with pytest.raises(TableError, match="no column names the cards"):
        read("quantity,price\n1,2\n")


def test_a_name_may_have_number_and_printing() -> None:
    (line,) = read("name,quantity\nCharizard [Reverse Holo] #4,1\n").lines
    assert (line.name, line.number, line.printing) == ("Charizard", "4", "Reverse Holo")


@pytest.mark.parametrize(
    "header",
    [
        "Folder Name,Trade Quantity,Card Name,Condition",
        "ManaBox ID,Foil,Name,Condition",
        "idProduct,idLanguage,Name,Condition",
    ],
    ids=["Dragon Shield", "ManaBox", "Cardmarket"],
)
def test_apps_with_the_grades_of_cardmarket_mean_those(header: str) -> None:
    grades = ("near_mint", "Excellent", "Good", "LightPlayed", "light_played", "Played", "poor")
    rows = "".join(f"1,,Mew,{grade}\n" for grade in grades)
    conditions = [line.condition for line in read(f"{header}\n{rows}").lines]
    assert conditions == ["NM", "LP", "MP", "MP", "MP", "HP", "DMG"]


@pytest.mark.parametrize("app", EXPORTS)
def test_cells_that_a_spreadsheet_has_left_out_are_empty(app: str) -> None:
    """Old versions of Excel end a line after its last cell that is not empty."""
    ends = "," if "sep=" not in EXPORTS[app] else None
    short = "".join(line.rstrip(ends) + "\n" for line in EXPORTS[app].splitlines())
    found, whole = read(short), read(EXPORTS[app])
    assert (found.lines, found.refused) == (whole.lines, ())


def test_a_line_that_ends_before_its_number_of_copies_is_left_out() -> None:
    found = read("name,quantity,set,note\nMew,2\nMew\nAbra,1,Base,x\nGastly,1,Fos")
    assert [(line.name, line.quantity) for line in found.lines] == [("Mew", 2), ("Abra", 1)]
    assert [(each.line, each.text, each.reason) for each in found.refused] == [
        (3, "Mew", "the line has 1 cell, not 4: it ends before 'quantity'"),
        (5, "Gastly, 1, Fos", "the file ends in the line: the line has 3 cells, not 4"),
    ]
    assert found.notes[0] == (
        "1 line ends before the last column (first line 2): the cells that are not there are read "
        "as empty"
    )


def test_a_sheet_of_sums_before_that_of_the_cards_is_not_read(tmp_path: Path) -> None:
    sums: list[list[Cell]] = [["Set", "Quantity", "Value"], ["Base", 2, 10.5]]
    cards: list[list[Cell]] = [["Kartenname", "Anzahl"], ["Mew", 2]]
    write_workbook(tmp_path / "two.xlsx", {"Sums": sums, "Cards": cards})
    found = read_collection(
        read_sheet(tmp_path / "two.xlsx", names=sorted(KNOWN_HEADERS), alone=ALONE)
    )
    assert [(line.name, line.quantity) for line in found.lines] == [("Mew", 2)]
    assert found.notes == ("sheets that are not read: 'Sums'",)


def test_what_is_not_read_of_a_file_is_noted(tmp_path: Path) -> None:
    header: list[Cell] = ["name", "quantity"]
    write_workbook(tmp_path / "two.xlsx", {"A": [header, ["Mew", 1]], "B": [header, ["Abra", 1]]})
    sheet = read_sheet(tmp_path / "two.xlsx", names=sorted(KNOWN_HEADERS), alone=ALONE)
    found = read_collection(sheet)
    assert [line.name for line in found.lines] == ["Mew"]
    assert found.notes == (
        "sheets that are not read: 'B'; to read the cards in 'B', save each as a file",
    )


def test_cells_that_say_that_there_is_nothing_are_blank() -> None:
    given = "Elite Trainer Box,N/A,n/a,None,NA,null,Pokemon,2"
    header = "name,set,number,printing,condition,language,game,quantity"
    (line,) = read(f"{header}\n{given}\n").lines
    texts = (line.set_name, line.number, line.printing, line.condition, line.language)
    assert texts == ("", "", "", "NM", "")


@pytest.mark.parametrize("field", ["set", "number", "condition", "quantity", "product_id"])
def test_an_error_of_a_spreadsheet_is_the_reason_of_its_line(field: str) -> None:
    header = ["name", "set", "number", "condition", "quantity", "product_id"]
    cells = ["#REF!" if name == field else "1" for name in header]
    found = read(f"{','.join(header)}\n{','.join(cells)}\nMew,Base,8,NM,1,7\n")
    assert [line.line for line in found.lines] == [3]
    name = field.replace("set", "set name").replace("_", " ")
    assert [(each.line, each.reason) for each in found.refused] == [
        (2, f"its {name} is '#REF!', an error of the spreadsheet: correct the cell")
    ]


def test_an_unknown_condition_is_not_near_mint() -> None:
    (line,) = read("name,condition\nPikachu,Chewed\n").lines
    assert (line.condition, line.condition_text) == (None, "Chewed")


LONG = 500_000  # characters: time with the square of it is minutes


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "pattern",
    [each for module in PARSERS for each in _patterns(module)],
    ids=repr,
)
def test_a_pattern_takes_time_in_proportion_to_its_text(pattern: re.Pattern[str]) -> None:
    """Each pattern is done with texts of half a million characters."""
    for unit in (" ", "(", "[", "a", "-", "#", "NO", "0", "a ", " -"):
        for start in ("", "near mint"):
            text = f"{start}{unit * (LONG // len(unit))}x-y z"
            pattern.fullmatch(text)
            pattern.sub("", text)


def test_a_long_cell_is_refused_with_its_line_alone() -> None:
    cells = [f"A,near mint{' ' * 1000}x-y z", f"{'[' * 501},NM", f"A,{'(' * 501}", "B,LP"]
    found = read("name,condition\n" + "\n".join(cells))
    assert [line.name for line in found.lines] == ["A", "B"]  # blanks count once
    assert [refused.reason for refused in found.refused] == [
        "its name has 501 characters, at most 500 are read",
        "its condition has 501 characters, at most 500 are read",
    ]
    assert all(len(refused.text) == 500 for refused in found.refused)


def test_cells_that_are_no_numbers_are_empty_or_refused() -> None:
    cells = pa.table({"name": ["A", "B", "C"], "quantity": [math.nan, math.inf, 2.0]})
    found = read_collection(sheet_of(cells, "Parquet"))
    assert [(line.name, line.quantity) for line in found.lines] == [("A", 1), ("C", 2)]
    assert [refused.text for refused in found.refused] == ["B, inf"]


def test_a_column_of_copies_has_one_decimal_mark() -> None:
    found = read("name;Anzahl\nA;1.000\nB;2,00\n")
    assert [line.quantity for line in found.lines] == [1_000, 2]
    assert read("name;Anzahl\nA;2,000\n").refused[0].reason.startswith("'2,000' may be 2 or 2,000")


@pytest.mark.parametrize(
    "header",
    ["Stück", "Anz.", "Stock", "Amount", "Pcs", "Number of copies", "Quantity (total)", "Qty"],
)
def test_the_copies_are_found_by_their_header(header: str) -> None:
    found = read(f"name,{header}\nPikachu,3\n")
    assert ([line.quantity for line in found.lines], found.notes) == ([3], ())


def test_columns_that_are_not_used_are_noted() -> None:
    assert read("name,Number owned,Notes\nPikachu,3,\n").notes == (
        reading_notes.NO_COPIES,
        "columns that are not used: 'Number owned', 'Notes'",
    )
    many = ",".join(f"x{at}" for at in range(25))
    assert read(f"name,count,{many}\nA,1{',' * 25}\n").notes[0].endswith("'x19' and 5 more")
    assert read(EXPORTS["Collectr"]).notes == ()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("名前,枚数\nピカチュウ,1\n".encode("shift_jis"), "; save it as UTF-8"),
        (
            b"PK\x03\x04" + b"\xdd\0" * 99,
            "the file is a workbook or a zip archive; save the table as CSV",
        ),
        (b"PAR1\x15\x04", "the file is a Parquet file; export the table as CSV"),
        (b"", "it needs a header and rows, like name,set,number,quantity"),
    ],
)
def test_the_remedy_of_a_file_that_cannot_be_read_is_one_for_collections(
    data: bytes, error: str
) -> None:
    with pytest.raises(TableError) as caught:
        read_text(data, KNOWN_HEADERS, alone=ALONE, example=EXAMPLE)
    assert str(caught.value).endswith(error)


def test_a_file_of_too_many_lines_or_cells_is_read_no_further() -> None:
    assert read_text(b"name\nA\nB\n", KNOWN_HEADERS, alone=ALONE, most=3).rows == 2
    with pytest.raises(TableError, match="has more than 3 lines; split it"):
        read_text(b"name\nA\nB\n\n", KNOWN_HEADERS, alone=ALONE, most=3)
    with pytest.raises(TableError, match="line 2: the line has 20,001 cells; at most 20,000"):
        read_text(b"name,set\n" + b"," * 20_000, KNOWN_HEADERS)


def test_a_card_and_its_number_sign_are_two_columns() -> None:
    found = read("Card,Card #,Set #,Nr.\nMew,151/165,2,3\n")
    assert [(line.name, line.number) for line in found.lines] == [("Mew", "151/165")]


def test_a_condition_or_a_language_in_the_name_is_that_of_the_copy() -> None:
    found = read(
        "name,condition,language\nMew (Damaged),,\nMew [LP],LP,\nMew (Damaged),NM,\n"
        "Mew (German),,\nMew (German),,English\nMew (Near Mint),NM,\n"
    )
    assert [(each.name, each.condition, each.language) for each in found.lines] == [
        ("Mew", "DMG", ""),
        ("Mew", "LP", ""),
        ("Mew", None, ""),
        ("Mew", "NM", "German"),
        ("Mew", "NM", "German"),
        ("Mew", "NM", ""),
    ]


@pytest.mark.parametrize(
    ("condition", "printing", "known"),
    [
        ("Near Mint Reverse Holofoil", "Normal", False),
        ("Near Mint Reverse Holofoil", "Holofoil", False),
        ("Near Mint Foil", "Normal", False),
        ("Near Mint 1st Edition", "Unlimited", False),
        ("Near Mint Holofoil", "Foil", True),
        ("Near Mint Reverse Holo", "Reverse Holofoil", True),
        ("Near Mint 1st Edition", "1st Edition Holofoil", True),
        ("Near Mint Unlimited", "Normal", True),
        ("Near Mint", "Normal", True),
    ],
)
def test_a_printing_beside_the_condition_does_not_contradict_that_of_its_column(
    condition: str, printing: str, known: bool
) -> None:
    (line,) = read(f"name,condition,printing\nMew,{condition},{printing}\n").lines
    assert (line.condition, line.printing) == ("NM" if known else None, printing)


def test_the_conditions_of_a_list_are_those_of_europe_where_it_has_its_grades() -> None:
    """A dealer in Europe who has LP and EX copies means that LP is below EX."""
    header = "Karte;Zustand;Anzahl\n"
    found = read(f"{header}Mew;NM;1\nAbra;EX;1\nKadabra;LP;1\nAlakazam;PL;1\n")
    assert [line.condition for line in found.lines] == ["NM", "LP", "MP", "HP"]
    (note,) = found.notes
    assert note.startswith("the conditions are read as Cardmarket's, since EX, GD, PO or MT is")

    found = read(f"{header}Mew;NM;1\nAbra;EX;1\nKadabra;LP;1\nAlakazam;MP;1\n")
    assert [line.condition for line in found.lines] == ["NM", "LP", "LP", "MP"]
    assert found.notes == ()
