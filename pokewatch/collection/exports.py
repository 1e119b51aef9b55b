"""The lines of a collection, read from the export of any app.

A column is known by its header, not by its place, and a file by its columns, not by its name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pokewatch.collection.cell_texts import cell_text
from pokewatch.collection.conditions import are_european, condition_of, language_of
from pokewatch.collection.costs import Cost, read_costs
from pokewatch.collection.deck_lists import check_passcodes, fields_of, is_heading
from pokewatch.collection.grades import grade_of, split_grade
from pokewatch.collection.headers import (
    CARD_LADDER,
    EUROPEAN,
    FOIL_HEADERS,
    OUTCOME,
    PRICECHARTING,
    REFUSED,
    SELLER_PRICING,
    app_of,
    columns_of,
    header_of,
)
from pokewatch.collection.line_names import split_copy, split_name, split_set
from pokewatch.collection.names import BASE_PRINTING, is_printing, stamp_words
from pokewatch.collection.printing_columns import check_flags, with_flags
from pokewatch.collection.printings import combined, contradict
from pokewatch.collection.quantities import Decimal, decimal_of, quantity_of
from pokewatch.collection.reading_notes import line_notes, unused_columns
from pokewatch.collection.repeated_columns import check_columns
from pokewatch.contract import MAX_COLLECTION_CELL, Condition
from pokewatch.market.tabular.card_ids import is_total
from pokewatch.market.tabular.sheet import Sheet, TableError
from pokewatch.market.tabular.uneven_lines import without_cut_lines
from pokewatch.market.tabular.unvalued_cells import cell_fault

NO_COPY = "it counts no copy"

# `Near Mint Holofoil - Japanese`: condition, printing and language in one cell.
_SELLER_CONDITION = re.compile(
    r"(?P<condition>near mint|lightly played|moderately played|heavily played|damaged|unopened)"
    r" ?(?P<printing>[^\s-]+(?: [^\s-]+)*)?(?: ?- ?(?P<language>\w+))?",
    re.IGNORECASE,
)
_EUROPEAN_GRADES = (
    "the conditions are read as Cardmarket's, since EX, GD, PO or MT is among them and none of MP, "
    "HP and DMG: LP counts as MP, and PL as HP"
)
_SHADOWLESS = re.compile(r"\(?\bshadowless\b\)?", re.IGNORECASE)  # a set of its own


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """The copies of one card, as a line of the file says it. Blank texts are not given.

    `line` is the line in the file. `product_id` is that of TCGplayer, `market_id` that of
    Cardmarket. `condition` is None where the file has one that is not known; `condition_text` is
    what it says.
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
    market_id: str = ""
    game: str = ""

    @property
    def title(self) -> str:
        """The name, or the id where the line has no name."""
        if self.name or self.card_id:
            return self.name or self.card_id
        if self.market_id:
            return f"Cardmarket product {self.market_id}"
        return f"product {self.product_id}"


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that cannot be read, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Collection:
    """The lines of a file. `app` is the app that wrote it, "" for another table.

    `notes` say how the file was read, where a user may not expect it. `costs` has what was paid for
    a copy, by the number of the line, where the file says it.
    """

    app: str
    lines: tuple[CollectionLine, ...]
    refused: tuple[RefusedLine, ...]
    notes: tuple[str, ...]
    costs: Mapping[int, Cost]


def read_collection(sheet: Sheet) -> Collection:
    """Return the lines of a sheet.

    A line that cannot be read, or that counts no copy, is refused alone. In a list of names alone a
    cell may be a card's id or slug, and a number is the id of a product of TCGplayer. Raise
    TableError where the columns do not tell the card.
    """
    headers = [header_of(name) for name in sheet.names]
    app = app_of(headers)
    columns = columns_of(headers, app)
    if not {"name", "product_id", "card_id", "market_id", "subject"} & columns.keys():
        raise TableError(
            f"no column names the cards, of {', '.join(map(repr, sheet.names))}",
            remedy="name one name, product_id or card_id; set, number, printing, condition and "
            "quantity are used where there are any",
        )
    check_columns(sheet, headers, columns)
    counts = columns.get("quantity", columns.get("added"))
    sheet = without_cut_lines(sheet, [] if counts is None else [counts])
    cells = _texts(sheet, columns)
    style = _style_of(app, headers, columns, cells)
    if style.names_alone:
        check_passcodes([*sheet.names, *cells["name"]])
    lines, refused = [], []
    for row, line in enumerate(sheet.line.tolist()):
        values = {field: column[row] for field, column in cells.items()}
        found = _read_line(line, values, style)
        if isinstance(found, RefusedLine):
            refused.append(found)
        elif found.quantity:
            lines.append(found)
        else:
            refused.append(RefusedLine(found.line, found.title, NO_COPY))
    refused += [RefusedLine(each.line, each.text, each.reason) for each in sheet.skipped]
    copies = {each.line: each.quantity for each in lines}
    costs = read_costs(sheet, headers, copies, cells.get("playset", []))
    return Collection(
        app,
        tuple(lines),
        tuple(sorted(refused, key=lambda r: r.line)),
        (
            *sheet.notes,
            *line_notes(copies, sheet, headers, cells),
            *unused_columns(sheet.names, {*columns.values(), *costs.columns}, app),
            *([_EUROPEAN_GRADES] if style.european and not app else []),
            *costs.notes,
        ),
        costs.by_line,
    )


def _texts(sheet: Sheet, columns: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the columns of a sheet by their fields."""
    return {
        field: [cell_text(cell, field) for cell in sheet.cells[at].to_pylist()]
        for field, at in columns.items()
    }


@dataclass(frozen=True, slots=True)
class _Style:
    """The meaning of a file's cells.

    `empty_is_normal` says whether an empty printing is one without foil, `names_alone` whether the
    file has names and nothing else, `european` whether its conditions are on Cardmarket's scale.
    `decimal` is the decimal mark of its numbers of copies.
    """

    app: str
    empty_is_normal: bool
    names_alone: bool
    european: bool
    decimal: Decimal | None


def _style_of(
    app: str,
    headers: Sequence[str],
    columns: Mapping[str, int],
    cells: Mapping[str, Sequence[str]],
) -> _Style:
    return _Style(
        app,
        "printing" in columns and headers[columns["printing"]] in FOIL_HEADERS,
        columns.keys() == {"name"},
        app in EUROPEAN or (not app and are_european(cells.get("condition", []))),
        decimal_of([*cells.get("quantity", []), *cells.get("added", [])]),
    )


def _read_line(line: int, cells: Mapping[str, str], style: _Style) -> CollectionLine | RefusedLine:
    values = {field: cell for field, cell in cells.items() if field not in OUTCOME}

    def refused(reason: str) -> RefusedLine:
        return RefusedLine(line, _cut(", ".join(filter(None, values.values()))), reason)

    for field, value in values.items():
        if len(value) > MAX_COLLECTION_CELL:
            given = f"its {field.replace('_', ' ')} has {len(value):,} characters"
            return refused(f"{given}, at most {MAX_COLLECTION_CELL} are read")
        if fault := cell_fault(value):
            return refused(f"its {field.replace('_', ' ')} {fault}")
    if style.names_alone and is_heading(values["name"]):
        return refused("it is a heading, not a card")
    values = fields_of(values["name"]) if style.names_alone else values
    name = values.get("name") or values.get("subject", "")
    if not (name or any(values.get(field) for field in ("product_id", "card_id", "market_id"))):
        return refused("it names no card")
    if is_total(name) and not values.get("number"):
        return refused("it is a total, not a card")
    try:
        quantity = quantity_of(values, style.decimal)
        check_flags(values)
    except ValueError as error:
        return refused(str(error))
    if cells.get("outcome") == REFUSED and not (values.get("quantity") and quantity):
        return RefusedLine(line, name, _cut(cells.get("reason", "")) or NO_COPY)
    return _line_of(line, name, quantity, values, style)


def _line_of(
    line: int, name: str, quantity: int, values: Mapping[str, str], style: _Style
) -> CollectionLine:
    condition_text, printing, language = _copy_of(values, style)
    if style.app == CARD_LADDER and stamp_words(values.get("printing", "")):
        name = f"{name} ({values['printing']})"
    name, graded = split_grade(name)
    name, named_condition, named_language = split_copy(name)
    if named_condition and condition_of(condition_text) != condition_of(named_condition):
        condition_text = f"{condition_text} {named_condition}".strip()
    name, number, bracketed = split_name(name)
    set_name, spoken = split_set(values.get("set_name", ""))
    if _SHADOWLESS.search(f"{name} {bracketed} {printing}"):
        set_name = set_name if _SHADOWLESS.search(set_name) else f"{set_name} (Shadowless)"
        name, bracketed, printing = (
            " ".join(_SHADOWLESS.sub(" ", text).split()) for text in (name, bracketed, printing)
        )
    if style.app == PRICECHARTING and not printing:
        bracketed = bracketed or BASE_PRINTING
    grade = grade_of(values, condition_text) or graded
    return CollectionLine(
        line=line,
        name=name,
        quantity=quantity,
        set_name=set_name,
        set_code=values.get("set_code", ""),
        number=values.get("number", "") or number,
        printing=combined(printing, bracketed),
        language=named_language
        or language_of(language)
        or spoken
        or _language_of_game(values.get("game", ""))
        or ("English" if style.app == PRICECHARTING else ""),  # it names all others
        condition=condition_of("" if grade else condition_text, european=style.european),
        condition_text=condition_text,
        grade=grade,
        product_id=values.get("product_id", ""),
        card_id=values.get("card_id", ""),
        market_id=values.get("market_id", ""),
        game=values.get("game", ""),
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_COLLECTION_CELL else f"{text[: MAX_COLLECTION_CELL - 3]}..."


def _copy_of(values: Mapping[str, str], style: _Style) -> tuple[str, str, str]:
    """Return condition, printing and language as the line writes them."""
    condition, language = values.get("condition", ""), values.get("language", "")
    printing = with_flags(values, "Normal" if style.empty_is_normal else "")
    if style.app == CARD_LADDER and not (is_printing(printing) or _SHADOWLESS.search(printing)):
        printing = ""  # a rarity, or a stamp
    match = _SELLER_CONDITION.fullmatch(condition)
    seller = style.app == SELLER_PRICING
    own = match["printing"] if match else ""
    if own and is_printing(own) and printing and contradict(own, printing):
        return condition, printing, language  # which is no known condition
    if match and (seller or not own or is_printing(own)):
        own = own or ("Normal" if seller else "")
        return match["condition"], printing or own, language or match["language"] or ""
    return condition, printing, language


def _language_of_game(game: str) -> str:
    """Return the language of a game's cards where it is part of its name: `Pokemon Japan`."""
    return "Japanese" if "japan" in game.casefold() else ""
