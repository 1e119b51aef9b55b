"""The lines of a collection, from a file of any app, found by the names of its columns.

A column is known by its header, not by its place, and a file by its columns, not by its name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pokewatch.collection.conditions import condition_of, language_of
from pokewatch.collection.names import is_printing
from pokewatch.contract import Condition
from pokewatch.market.tabular.sheet import Sheet, TableError, shortened
from pokewatch.market.tabular.text import simplified

MAX_QUANTITY = 1_000_000

# Each field by the simplified headers it has in the apps, the best first.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "name": ("product_name", "card_name", "simple_name", "name", "card"),
    "set_name": ("set_name", "set", "edition_name", "edition", "expansion", "console_name"),
    "set_code": ("set_code", "edition_code"),
    "number": ("card_number", "collector_number", "number"),
    "printing": ("printing", "variance", "card_variant", "finish", "foil", "variant", "variation"),
    "language": ("language", "card_language", "idlanguage", "tcg_region"),
    "condition": ("card_condition", "condition", "condition_string"),
    "grade": ("grade", "grading_company"),
    "quantity": ("quantity", "count", "total_quantity", "groupcount", "copies", "qty"),
    "added": ("add_to_quantity",),
    "product_id": ("product_id", "tcgplayer_product_id", "tcgplayer_id"),
    "market_id": ("idproduct",),
    "card_id": ("card_id", "slug"),
    "cost": ("average_cost_paid", "purchase_price", "price_bought", "my_price", "cost"),
    "game": ("category", "product_line", "tcg"),
    "subject": ("subject",),
}
KNOWN_HEADERS = frozenset(name for names in HEADERS.values() for name in names)

# Columns that only one app writes.
_APPS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Cardmarket stock", frozenset({"idproduct", "idlanguage"})),
    ("Collectr", frozenset({"portfolio_name", "variance"})),
    ("TCGplayer app", frozenset({"product_id", "tcg_marketplace_price"})),
    ("TCGplayer seller pricing", frozenset({"tcgplayer_id", "tcg_marketplace_price"})),
    ("TCGplayer app (older)", frozenset({"simple_name", "sku"})),
    ("TCG Collector", frozenset({"tcg_region", "expansion"})),
    ("PriceCharting", frozenset({"console_name", "price_in_pennies"})),
    ("Dragon Shield", frozenset({"folder_name", "trade_quantity"})),
    ("Deckbox", frozenset({"tradelist_count", "edition_code"})),
    ("ManaBox", frozenset({"manabox_id"})),
    ("Moxfield", frozenset({"tradelist_count", "collector_number"})),
    ("Archidekt", frozenset({"finish", "multiverse_id"})),
    ("Delver Lens", frozenset({"acquired_price", "tcgplayer_product_id"})),
    ("Card Ladder", frozenset({"investment", "graded_cert"})),
)
_SELLER_PRICING = "TCGplayer seller pricing"
_CARDMARKET = "Cardmarket stock"
_CARD_LADDER = "Card Ladder"
# `Near Mint Holofoil - Japanese`: condition, printing and language in one cell.
_SELLER_CONDITION = re.compile(
    r"(?P<condition>near mint|lightly played|moderately played|heavily played|damaged|unopened)"
    r"\s*(?P<printing>[^-]*?)\s*(?:-\s*(?P<language>\w+))?",
    re.IGNORECASE,
)
_NUMBER_IN_NAME = re.compile(r"#(\w[\w/-]*)")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_COUNT = re.compile(r"(\d{1,9})(?:\.0+)?")
_UNGRADED = {"", "ungraded", "raw", "none"}


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """The copies of one card, as a line of the file says it. Blank texts are not given.

    `line` is the line in the file. `product_id` is that of TCGplayer. `condition` is None where
    the file has one that is not known; `condition_text` is what it says.
    """

    line: int
    name: str
    quantity: int
    set_name: str = ""
    set_code: str = ""
    number: str = ""
    printing: str = ""
    language: str = ""
    condition: Condition | None = "NM"
    condition_text: str = ""
    grade: str = ""
    product_id: str = ""
    card_id: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that cannot be read, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collection:
    """The lines of a file. `app` is the app that wrote it, "" for another table."""

    app: str
    lines: tuple[CollectionLine, ...]
    refused: tuple[RefusedLine, ...]


def read_collection(sheet: Sheet) -> Collection:
    """Return the lines of a sheet; lines of zero copies are left out.

    A line that cannot be read is refused alone. Raise TableError where the columns do not tell the
    card.
    """
    headers = [simplified(name) for name in sheet.names]
    app = next((app for app, columns in _APPS if columns <= set(headers)), "")
    columns = _columns(headers, app)
    if not {"name", "product_id", "card_id", "market_id", "subject"} & columns.keys():
        raise TableError(
            f"no column names the cards, of {', '.join(map(repr, sheet.names))}",
            remedy="name one name, product_id or card_id; set, number, printing, condition and "
            "quantity are used where there are any",
        )
    cells = {field: sheet.cells[at].to_pylist() for field, at in columns.items()}
    lines, refused = [], []
    for row, line in enumerate(sheet.line.tolist()):
        values = {field: _text(column[row]) for field, column in cells.items()}
        found = _read_line(line, values, app)
        if isinstance(found, RefusedLine):
            refused.append(found)
        elif found.quantity:
            lines.append(found)
    skipped = [RefusedLine(each.line, each.text, each.reason) for each in sheet.skipped]
    return Collection(app, tuple(lines), tuple(sorted([*refused, *skipped], key=lambda r: r.line)))


def _columns(headers: Sequence[str], app: str) -> dict[str, int]:
    found = {
        field: headers.index(name)
        for field, names in HEADERS.items()
        for name in [next((name for name in names if name in headers), None)]
        if name is not None
    }
    if app == _SELLER_PRICING:
        del found["product_id"]  # it is the id of a condition of the product there
    if app == _CARD_LADDER:
        found.pop("name", None)  # a sentence with year, set and grade
    return found


def _read_line(line: int, values: Mapping[str, str], app: str) -> CollectionLine | RefusedLine:
    def refused(reason: str) -> RefusedLine:
        return RefusedLine(line, ", ".join(value for value in values.values() if value), reason)

    name = values.get("name") or values.get("subject", "")
    if values.get("market_id"):
        return refused(
            "Cardmarket's stock file has its own product ids and no names: "
            "export the collection with names"
        )
    if not (name or values.get("product_id") or values.get("card_id")):
        return refused("it names no card")
    quantity = _quantity(values)
    if quantity is None:
        given = values.get("quantity", "")
        return refused(f"{shortened(given)} is not a number of copies from 0 to {MAX_QUANTITY:,}")
    condition_text, printing, language = _copy_of(values, app)
    name, number, bracketed = _split_name(name)
    grade = values.get("grade", "")
    return CollectionLine(
        line=line,
        name=name,
        quantity=quantity,
        set_name=values.get("set_name", ""),
        set_code=values.get("set_code", ""),
        number=values.get("number", "") or number,
        printing=printing or bracketed,
        language=language_of(language) or _language_of_game(values.get("game", "")),
        condition=condition_of(condition_text, european=app == _CARDMARKET),
        condition_text=condition_text,
        grade="" if grade.casefold() in _UNGRADED else grade,
        product_id=values.get("product_id", ""),
        card_id=values.get("card_id", ""),
    )


def _copy_of(values: Mapping[str, str], app: str) -> tuple[str, str, str]:
    """Return condition, printing and language as the line writes them."""
    condition, printing = values.get("condition", ""), values.get("printing", "")
    language = values.get("language", "")
    if app == _SELLER_PRICING:
        match = _SELLER_CONDITION.fullmatch(condition.strip())
        if match:
            return match["condition"], match["printing"] or "Normal", match["language"] or ""
    return condition, printing, language


def _language_of_game(game: str) -> str:
    """Return the language of a game's cards where it is part of its name: `Pokemon Japan`."""
    return "Japanese" if "japan" in game.casefold() else ""


def _split_name(name: str) -> tuple[str, str, str]:
    """Return name, number and printing of a name like `Charizard [Reverse Holo] #4`.

    Brackets that name no printing, such as `[Staff]`, stay in the name as parentheses.
    """
    number, brackets = _NUMBER_IN_NAME.search(name), _BRACKETS.search(name)
    text = brackets[1] if brackets else ""
    printing = text if is_printing(text) else ""
    plain = _NUMBER_IN_NAME.sub(" ", name)
    plain = _BRACKETS.sub(" ", plain) if printing else _BRACKETS.sub(r"(\1)", plain)
    return " ".join(plain.split()) or name, number[1] if number else "", printing


def _quantity(values: Mapping[str, str]) -> int | None:
    """Return the number of copies: 1 where no column says it, None if it is not a number."""
    given = [values[name] for name in ("quantity", "added") if values.get(name)]
    if not given:
        has_column = "quantity" in values or "added" in values
        return 0 if has_column and "added" in values else 1
    counts = [_COUNT.fullmatch(text.replace(",", "")) for text in given]
    if not all(counts):
        return None
    total = sum(int(match[1]) for match in counts if match)
    return total if total <= MAX_QUANTITY else None


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell == int(cell):
        return str(int(cell))
    return str(cell).strip()
