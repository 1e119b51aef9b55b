import pytest

from pokewatch.collection.exports import KNOWN_HEADERS, Collection, read_collection
from pokewatch.market.tabular.sheet import TableError
from pokewatch.market.tabular.text import read_text
from tests.collection.exports_by_app import EXPORTS


def read(text: str, encoding: str = "utf-8") -> Collection:
    return read_collection(read_text(text.encode(encoding), KNOWN_HEADERS))


@pytest.mark.parametrize("app", EXPORTS)
def test_each_app_is_read(app: str) -> None:
    found = read(EXPORTS[app])
    assert (found.app, len(found.lines), found.refused) == (app, 2, ())
    charizard, umbreon = found.lines
    assert (charizard.quantity, umbreon.quantity) == (1, 2)
    assert (charizard.name, charizard.number.lstrip("0").partition("/")[0]) == ("Charizard", "4")
    assert charizard.condition == ("NM" if app == "Delver Lens" else "LP")
    assert umbreon.condition == "NM"
    assert umbreon.grade == ("PSA 10" if app == "Collectr" else "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_encodings(separator: str, encoding: str) -> None:
    text = separator.join(("name", "set", "quantity")) + "\r\n"
    text += separator.join(("Flabébé", "XY", "3")) + "\r\n"
    (line,) = read(text, encoding).lines
    assert (line.name, line.set_name, line.quantity) == ("Flabébé", "XY", 3)


def test_the_sku_of_a_seller_is_not_the_product() -> None:
    assert [line.product_id for line in read(EXPORTS["TCGplayer seller pricing"]).lines] == ["", ""]
    assert read(EXPORTS["TCGplayer app"]).lines[0].product_id == "42382"


def test_a_sellers_condition_has_printing_and_language() -> None:
    header = EXPORTS["TCGplayer seller pricing"].splitlines()[0]
    text = f"{header}\n1,Pokemon Japan,S,Pikachu,,1,C,Near Mint Holofoil - Japanese,1,,,,4,,,\n"
    (line,) = read(text).lines
    assert (line.condition, line.printing, line.language) == ("NM", "Holofoil", "Japanese")


def test_cardmarkets_stock_file_is_refused_with_what_would_do() -> None:
    found = read("idProduct;groupCount;price;idLanguage;condition;isFoil\n715954;1;12,00;1;2;\n")
    assert (found.app, found.lines) == ("Cardmarket stock", ())
    assert "no names" in found.refused[0].reason


@pytest.mark.parametrize("quantity", ["-1", "two", "1.5", "1e3", "99999999"])
def test_a_quantity_that_is_none_is_refused_alone(quantity: str) -> None:
    found = read(f"name,quantity\nPikachu,{quantity}\nEevee,2\n")
    assert [line.name for line in found.lines] == ["Eevee"]
    assert found.refused[0].line == 2
    assert quantity in found.refused[0].reason


@pytest.mark.parametrize(("quantity", "copies"), [("3", 3), ("3.0", 3), ("1,200", 1200), ("", 1)])
def test_quantities(quantity: str, copies: int) -> None:
    assert read(f'name,quantity\nPikachu,"{quantity}"\n').lines[0].quantity == copies


def test_lines_of_no_copies_and_lines_without_a_card() -> None:
    found = read("name,quantity\nPikachu,0\n,2\n")
    assert found.lines == ()
    assert [each.reason for each in found.refused] == ["it names no card"]


def test_a_table_without_cards_is_refused() -> None:
    with pytest.raises(TableError, match="no column names the cards"):
        read("quantity,price\n1,2\n")


def test_a_name_may_have_number_and_printing() -> None:
    (line,) = read("name,quantity\nCharizard [Reverse Holo] #4,1\n").lines
    assert (line.name, line.number, line.printing) == ("Charizard", "4", "Reverse Holo")


def test_an_unknown_condition_is_not_near_mint() -> None:
    (line,) = read("name,condition\nPikachu,Chewed\n").lines
    assert (line.condition, line.condition_text) == (None, "Chewed")
