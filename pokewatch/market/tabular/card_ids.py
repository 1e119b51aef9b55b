"""Card ids made from whatever names a card: stable, and never one id for two names."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.catalog import slugify
from pokewatch.market.prices import CARD_ID_PATTERN
from pokewatch.market.tabular.cells import plain_texts
from pokewatch.market.tabular.columns import Columns
from pokewatch.market.tabular.numbers import WHOLE_AS_DECIMAL, is_placeholder
from pokewatch.market.tabular.sheet import Sheet
from pokewatch.market.tabular.unvalued_cells import cell_fault

_NAME_FIELDS = ("name", "set_name", "set_id", "number", "printing")
_WHOLE = frozenset({"product_id", "number"})
_DIGIT = re.compile(r"\d")
_ID = re.compile(CARD_ID_PATTERN.removesuffix("$"))
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d{2,3}")
_MOST_EXACT = 2.0**53  # from here on, several whole numbers are one number of double precision
_MARKS = str.maketrans(
    {"♀": " f ", "♂": " m ", "★": " star ", "☆": " star ", "δ": " delta ", "&": " and "}
)


def _folded(text: str) -> str:
    """Return the text in lower case with the accents that a slug drops without loss."""
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text).lower()
        if not unicodedata.combining(letter)
    )


# As people, spreadsheets and their pivot tables write it.
_TOTALS = frozenset(
    _folded(text)
    for line in (
        "total|totals|grand total|sub total|subtotal|sum|average|avg|mean|median|total result",
        "overall|overall total|net total|total sum|count|min|minimum|max|maximum",
        "portfolio|portfolio total|total portfolio|collection|collection total|total collection",
        "gesamt|gesamtsumme|summe|zwischensumme|insgesamt|durchschnitt|mittelwert|gesamtergebnis",
        "gesamtwert|gesamtbetrag|teilergebnis|anzahl",
        "somme|total général|moyenne|suma|suma total|promedio|totale|somma|totaal|gemiddelde",
        "sous total|total general|total geral|totale complessivo|totale generale|subtotale",
        "eindtotaal|subtotaal|suma końcowa|suma częściowa|razem|łącznie|celkem|celkový součet",
        "summa|totalsumma|totalt|hovedtotal|i alt|totalsum|yhteensä|kaikki yhteensä|összesen",
        "végösszeg|toplam|genel toplam|σύνολο|γενικό σύνολο|итого|общий итог|всего",
        "media|valeur totale|valor total|valore totale|waarde totaal|Σ|Ø",
        "合計|総計|小計|平均|总计|合计|소계|합계|총계",
    )
    for text in line.split("|")
)
_GROUP_TOTALS = frozenset({"total", "ergebnis"})  # "Base Set Total": of the rows of a group
# Before the name of a group, as no card's name begins
_SUBTOTALS = frozenset({"subtotal", "subtotale", "subtotaal", "zwischensumme"})


_COUNTED = frozenset(
    [
        "card",
        "cards",
        "item",
        "items",
        "value",
        "price",
        "usd",
        "eur",
        "karten",
        "wert",
        "preis",
        "cartes",
    ]
)


def is_total(text: str) -> bool:
    """Return whether a text in place of a card is a heading of sums below a table or a group.

    A number, a day, or what is counted may follow it, as in "Total (3 cards)".
    """
    words = re.findall(r"[^\W\d_]+", _folded(text))
    while words and words[-1] in _COUNTED:
        words.pop()
    of_group = not (_GROUP_TOTALS.isdisjoint(words[-1:]) and _SUBTOTALS.isdisjoint(words[:1]))
    return of_group or " ".join(words) in _TOTALS


def field_texts(sheet: Sheet, columns: Columns, field: str) -> pa.Array:
    """Return the texts of a field, null where empty or a word such as "N/A" or "#REF!".

    Programs that store a column with empty cells as decimals write 4 as "4.0": the ".0" is removed
    from the numbers of products and cards. Leading zeros are removed from those of products only.
    """
    column = sheet.column(columns.named[field])
    texts = plain_texts(column)
    if pa.types.is_floating(column.type):
        inexact = pc.greater_equal(column.combine_chunks(), _MOST_EXACT)
        texts = pc.if_else(inexact, column.cast(pa.string()).combine_chunks(), texts)
    encoded = texts.dictionary_encode()  # most texts are repeated on every day
    given = encoded.dictionary
    own_id = field == "card_id" and not columns.has_market_ids
    if field in _WHOLE or (field == "card_id" and (not own_id or _are_whole(given))):
        given = pc.replace_substring_regex(given, WHOLE_AS_DECIMAL, r"\1")
    if field == "product_id":
        given = pc.replace_substring_regex(given, r"^0+([0-9])", r"\1")
    known = [None if _is_nothing(text) else text for text in given.to_pylist()]
    return pa.array(known, pa.string()).take(encoded.indices)


def _are_whole(texts: pa.Array) -> bool:
    """Return whether all texts that are decimals are whole numbers stored as such."""
    decimals = pc.match_substring_regex(texts, r"^\d+\.\d+$")
    whole = pc.match_substring_regex(texts.filter(decimals), WHOLE_AS_DECIMAL)
    return bool(pc.all(whole).as_py())


def _is_nothing(text: str) -> bool:
    if cell_fault(text):
        return True
    if text == "?" or _DIGIT.search(text):  # "?" is the number of an Unown
        return False  # no word for nothing has a digit
    return is_placeholder(text)


def identities(sheet: Sheet, columns: Columns, key: Sequence[str]) -> list[str]:
    """Return the text that names each row's card, "" where there is none; `key` are more columns.

    It is the card's own id, else the product and printing, else the name with what distinguishes
    cards of one name. Names that differ in upper and lower case alone are one name, spelt as the
    first of them; ids that do may be those of two cards.
    """
    named = columns.named

    def texts(field: str) -> pa.Array:
        return field_texts(sheet, columns, field)

    if "card_id" in named:
        parts = [texts("card_id")]
    elif "product_id" in named:
        parts = [pc.binary_join_element_wise("tcgplayer", texts("product_id"), "-")]
        parts += [texts("printing")] if "printing" in named else []
    else:
        parts = [texts(field) for field in _NAME_FIELDS if field in named]
    parts += [plain_texts(sheet.column(name)) for name in key]
    first, *rest = parts
    filled = [pc.fill_null(part, "") for part in rest]
    joined = pc.binary_join_element_wise(first, *filled, " ") if rest else first
    # A card has a row each day: its text is tidied once.
    encoded = pc.fill_null(joined, "").dictionary_encode()
    tidied = [_tidied(text) for text in encoded.dictionary.to_pylist()]
    if "card_id" not in named:
        spelling: dict[str, str] = {}
        tidied = [spelling.setdefault(text.casefold(), text) for text in tidied]
    return [tidied[code] for code in encoded.indices.to_pylist()]


def _tidied(text: str) -> str:
    """Return the text with single blanks, and one spelling of letters with accents."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def ids_of(raw: Sequence[str]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return the card id of each different text, and the texts that name no card, by reason."""
    texts = sorted(
        {text for text in raw if text}, key=lambda text: (card_id_of(text) != text, text)
    )
    ids = {text: card_id_of(text) for text in texts}
    taken: dict[str, str] = {}
    for text, card in ids.items():
        taken.setdefault(card, text)
    return ids, {
        "card_id is missing": {""},
        # What a spreadsheet shows of a long number: many have the same first digits.
        "card_id is a number that a spreadsheet has shortened": {
            text for text in ids if _SHORTENED.fullmatch(text)
        },
        "card_id becomes that of another card": {
            text for text, card in ids.items() if taken[card] != text
        },
    }


def card_id_of(text: str) -> str:
    """Return a card id for any text: itself where it is one, else its slug.

    Where the slug loses letters, a hash of the text is added.
    """
    if _is_id(text):
        return text
    plain = text.translate(_MARKS)
    slug = slugify(plain, "-")[:80].strip("-")
    lossy = slugify(plain, "") != "".join(letter for letter in _folded(plain) if letter.isalnum())
    if slug and not lossy and len(slugify(plain, "-")) <= 80:
        return slug
    digest = hashlib.sha256(text.casefold().encode()).hexdigest()[:10]
    return f"{slug[:68].rstrip('-')}-{digest}" if slug else f"card-{digest}"


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
