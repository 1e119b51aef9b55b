"""The hard lines as each app writes them.

An app writes what it knows: those with a column for foil alone know no reverse holofoil and no 1st
edition, and leave such lines out here; Delver Lens knows sets by their codes.
"""

import csv
import io
from collections.abc import Callable

from tests.collection.hard_lines import HARD_CARDS, HARD_LINES

HardLine = tuple[str, str, str, str, str, str]
Row = list[str]

_NORMAL = ("", "Normal", "Unlimited", "Promo")
_HOLO = ("Holofoil", "Holo")
_CODES = {name: code for _, _, name, _, _, _, code in HARD_CARDS}
_BRACKETS = {
    "Reverse Holofoil": "[Reverse Holo]",
    "Reverse Holo": "[Reverse Holo]",
    "1st Edition": "[1st Edition]",
    "1st Edition Holo": "[1st Edition]",
    "Shadowless": "[Shadowless]",
}
HEADERS = {
    "": "name,set,number,printing,language,quantity",
    "Collectr": "Portfolio Name,Category,Set,Product Name,Card Number,Rarity,Variance,Grade,"
    "Card Condition,Average Cost Paid,Quantity,Market Price (As of 2026-07-19),Price Override,"
    "Watchlist,Date Added,Notes",
    "TCG Collector": "TCG region,Card name,Card number,Card number sorting order,Expansion,Rarity,"
    "Card variant,Card language,Card condition,Quantity,Price,Total price,Note",
    "TCGplayer app": "Product ID,TCGplayer Id,Product Line,Set Name,Product Name,Title,Number,"
    "Rarity,Condition,Printing,TCG Market Price,TCG Direct Low,TCG Low Price With Shipping,"
    "TCG Low Price,Total Quantity,Add to Quantity,TCG Marketplace Price,Photo URL",
    "TCGplayer app (older)": "Quantity,Name,Simple Name,Set,Card Number,Set Code,Printing,"
    "Condition,Language,Rarity,Product ID,SKU",
    "TCGplayer seller pricing": "TCGplayer Id,Product Line,Set Name,Product Name,Title,Number,"
    "Rarity,Condition,TCG Market Price,Total Quantity,Add to Quantity,TCG Marketplace Price",
    "PriceCharting": "id,product-name,console-name,price-in-pennies,include-string,"
    "condition-string,sku,notes,cost-basis-in-pennies,quantity,date-entered,date-purchased,"
    "grading-company,grading-cert-id,folder",
    "Dragon Shield": "Folder Name,Quantity,Trade Quantity,Card Name,Set Code,Set Name,Card Number,"
    "Condition,Printing,Language,Price Bought,Date Bought,LOW,MID,MARKET",
    "Deckbox": "Count,Tradelist Count,Name,Edition,Edition Code,Card Number,Condition,Language,"
    "Foil,Signed,Artist Proof,Altered Art,Misprint,Promo,Textless,Printing Id,Printing Note,Tags,"
    "My Price,Cost,Rarity,Price,TcgPlayer ID,Scryfall ID",
    "ManaBox": "Name,Set code,Set name,Collector number,Foil,Rarity,Quantity,ManaBox ID,"
    "Scryfall ID,Purchase price,Misprint,Altered,Condition,Language,Purchase price currency",
    "Moxfield": "Count,Tradelist Count,Name,Edition,Condition,Language,Foil,Tags,Last Modified,"
    "Collector Number,Alter,Proxy,Purchase Price",
    "Archidekt": "Quantity,Name,Finish,Condition,Date Added,Language,Purchase Price,Tags,"
    "Edition Name,Edition Code,Multiverse Id,Scryfall ID,Collector Number",
    "Delver Lens": "Name,Acquired Price,Language,Set Code,TCGPlayer Product ID,Number,Foil,"
    "Quantity",
    "Card Ladder": "Date Purchased,Quantity,Card,Subject,Year,Set,Variation,Number,Category,"
    "Condition,Investment,Current Value,Potential Profit,Graded Cert #,Population,Notes",
}


def _foil(printing: str) -> str:
    return "foil" if printing in _HOLO else ""


def _game(language: str) -> str:
    return "Pokemon Japan" if language == "Japanese" else "Pokemon"


def _plain(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    return [name, set_name, number, printing, language, "1"]


def _collectr(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    kept = [set_name, name, number, "Rare", printing, "Ungraded", "Near Mint"]
    return ["Main", _game(language), *kept, "1", "1", "2", "0", "false", "", ""]


def _tcg_collector(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    first = ["International", name, number, "1", set_name, "Rare", printing, language]
    return [*first, "Near Mint", "1", "$1.00", "$1.00", ""]


def _tcgplayer(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    first = ["", "9", _game(language), set_name, name, "", number, "Rare", "Near Mint", printing]
    return [*first, "1.00", "", "", "", "1", "", "", ""]


def _tcgplayer_older(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    return ["1", name, name, set_name, number, "", printing, "Near Mint", language, "R", "", "1"]


def _seller(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    condition = f"Near Mint {printing}" + (f" - {language}" if language else "")
    return ["1", "Pokemon", set_name, name, "", number, "Rare", condition, "1", "1", "0", "1"]


def _pricecharting(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    own = number.partition("/")[0].removeprefix("No. ")
    parts = [name, _BRACKETS.get(printing, ""), f"#{own}" if own else ""]
    console = f"Pokemon {'Japanese ' if language == 'Japanese' else ''}{set_name}"
    return ["1", " ".join(filter(None, parts)), console, "100", *[""] * 4, "0", "1", *[""] * 5]


def _dragon_shield(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    first = ["Main", "1", "0", name, "", set_name, number, "NearMint", printing, language]
    return [*first, "1", "", "1", "1", "1"]


def _deckbox(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    first = ["1", "0", name, set_name, "", number, "Near Mint", language or "English"]
    return [*first, _foil(printing), *[""] * 15]


def _manabox(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    code = "ja" if language == "Japanese" else "en"
    first = [name, "", set_name, number, _foil(printing) or "normal", "rare", "1", "1", "", "0"]
    return [*first, "false", "false", "near_mint", code, "USD"]


def _moxfield(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    first = ["1", "0", name, set_name, "Near Mint", language or "English", _foil(printing)]
    return [*first, "", "2024-01-01 00:00:00", number, "False", "False", ""]


def _archidekt(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    finish, code = _foil(printing).title() or "Normal", "JP" if language == "Japanese" else "EN"
    return ["1", name, finish, "NM", "2024-01-01", code, "", "", set_name, "", "", "", number]


def _delver(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    foil = _foil(printing).title()
    return [name, "", language or "English", _CODES[set_name], "", number, foil, "1"]


def _card_ladder(name: str, set_name: str, number: str, printing: str, language: str) -> Row:
    of_set = f"{'Japanese ' if language == 'Japanese' else ''}{set_name}"
    card = f"2023 Pokemon {of_set} {name} #{number} PSA 10"
    first = ["1/2/2024", "1", card, name, "2023", of_set, printing, number, "Pokemon", "PSA 10"]
    return [*first, "1", "2", "1", "", "", ""]


WRITERS: dict[str, Callable[[str, str, str, str, str], Row]] = {
    "": _plain,
    "Collectr": _collectr,
    "TCG Collector": _tcg_collector,
    "TCGplayer app": _tcgplayer,
    "TCGplayer app (older)": _tcgplayer_older,
    "TCGplayer seller pricing": _seller,
    "PriceCharting": _pricecharting,
    "Dragon Shield": _dragon_shield,
    "Deckbox": _deckbox,
    "ManaBox": _manabox,
    "Moxfield": _moxfield,
    "Archidekt": _archidekt,
    "Delver Lens": _delver,
    "Card Ladder": _card_ladder,
}
FOIL_ONLY = {"Deckbox", "ManaBox", "Moxfield", "Archidekt", "Delver Lens"}
# A name without brackets is the plain card there, of no 1st edition; so is a shadowless one.
_PRICECHARTING = {
    ("Charizard", "4/102", "Shadowless"): "tcgplayer-9-unlimited-holofoil",
    ("Dark Raichu", "83", "Holofoil"): "tcgplayer-17-unlimited",
}


def lines_of(app: str) -> list[HardLine]:
    """Return the hard lines that an app can write, with the card that each is there."""
    found = HARD_LINES
    if app in FOIL_ONLY:
        found = [line for line in found if line[3] in (*_NORMAL, *_HOLO)]
    if app == "Delver Lens":
        found = [
            (name, sets[0], number, printing, language, card)
            for name, set_name, number, printing, language, card in found
            for sets in [[each[2] for each in HARD_CARDS if each[0] == card] or [set_name]]
            if sets[0] in _CODES
        ]
    if app == "PriceCharting":
        found = [
            (*line[:5], _PRICECHARTING.get((line[0], line[2], line[3]), line[5]))
            for line in found
            if line[1] != "SVI"  # a code, which it never writes
        ]
    return found


def file_of(app: str, lines: list[HardLine]) -> str:
    """Return the file that an app exports of some lines."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADERS[app].split(","))
    for line in lines:
        writer.writerow(WRITERS[app](*line[:5]))
    return text.getvalue()
