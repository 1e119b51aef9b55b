"""The columns of collections by their headers, as apps and people name them.

A column is known by its header, not by its place, and an app by the columns that only it writes.
"""

from collections.abc import Mapping, Sequence

from pokewatch.market.tabular.header_rows import with_number

# Each field by the simplified headers it has, the best first.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "name": (
        *("product_name", "card_name", "simple_name", "name", "card", "title", "item_name"),
        *("kartenname", "karte", "nom_de_la_carte", "nom", "carte", "nombre_de_la_carta", "nombre"),
        *("carta", "nome_della_carta", "nome_da_carta", "nome", "kaartnaam", "naam", "カード名"),
        *("nazwa_karty", "nazwa", "kortnavn", "kortnamn", "kort", "english_name", "cardname"),
    ),
    "set_name": (
        *("set_name", "setname", "set", "edition_name", "edition", "expansion", "expansion_name"),
        *("card_set", "set_title", "console_name", "erweiterung", "set_expansion", "extension"),
        *("série", "expansión", "colección", "espansione", "coleção", "edição", "uitbreiding"),
        *("セット", "セット名", "exp_name", "cardset"),
    ),
    "set_code": ("set_code", "edition_code", "setcode", "set_id", "set_abbreviation", "exp"),
    "number": (
        *("card_number", "collector_number", "number", "card_no", "collector_no", "no", "card_num"),
        *("set_number", "num", "nr", "card_nr", "collector_nr", "karten_nr"),
        *("kartennummer", "sammlernummer", "nummer", "numéro", "numero", "número", "番号"),
        *("numer", "collector_s_number", "collectornumber", "cardcode"),
    ),
    "printing": (
        *("printing", "variance", "card_variant", "finish", "foil", "is_foil", "isfoil", "variant"),
        *("variation", "variante", "foiling", "treatment", "extras"),
    ),
    "language": (
        *("language", "card_language", "lang", "idlanguage", "sprache", "langue", "idioma"),
        *("lingua", "língua", "taal", "言語", "język", "språk"),
        *("sprog", "tcg_region"),
    ),
    "condition": (
        *("card_condition", "condition", "condition_string", "cond", "zustand", "état", "etat"),
        *("estado", "condición", "condizione", "condizioni", "condição", "conditie", "staat"),
        *("状態", "stan", "skick", "tilstand", "cardcondition"),
    ),
    "grade": ("grade", "grading_company", "grader", "grading", "graded", "is_graded"),
    "quantity": (
        *("quantity", "count", "total_quantity", "groupcount", "copies", "qty", "quantity_owned"),
        *("owned", "anzahl", "menge", "quantité", "quantite", "cantidad", "quantità"),
        *("quantita", "quantidade", "aantal", "枚数", "数量", "quantity_total", "number_of_copies"),
        *(
            "no_of_copies",
            "card_quantity",
            "pcs",
            "pieces",
            "units",
            "stück",
            "stueck",
            "stk",
            "anz",
        ),
        *("exemplaires", "exemplare", "ejemplares", "unidades", "pezzi", "copie", "stuks"),
        *("stock", "amount", "ilość", "antal", "nb", "quantityx", "cardq"),
    ),
    "added": ("add_to_quantity",),
    "product_id": ("product_id", "tcgplayer_product_id", "tcgplayer_id"),
    "market_id": ("idproduct",),
    "card_id": ("card_id", "slug"),
    "game": ("category", "product_line", "tcg", "game", "spiel", "jeu", "juego"),
    "subject": ("subject",),
    # Columns of yes and no
    "reverse": ("isreverseholo", "is_reverse_holo", "reverse_holo", "reverse_holofoil", "reverse"),
    "holo": ("holo", "is_holo", "isholo", "holofoil"),
    "playset": ("isplayset", "playset"),
    "signed": ("signed", "is_signed", "issigned"),
    "altered": ("altered", "altered_art", "alter", "is_altered", "isaltered"),
    "misprint": ("misprint", "is_misprint"),
    "proxy": ("proxy", "is_proxy"),
    "artist_proof": ("artist_proof", "is_artist_proof"),
    "normal": ("normal", "is_normal", "non_holo", "nonholo"),
    "first_edition": (
        *("isfirsted", "first_edition", "1st_edition", "1st_ed", "is_first_edition", "first_ed"),
    ),
    "print_run": ("card_edition",),
}
# Columns that a file may have alone; that of a list without a header is a name.
ALONE = (
    "name",
    *HEADERS["name"],
    *HEADERS["product_id"],
    *HEADERS["market_id"],
    *HEADERS["card_id"],
)
EXAMPLE = "name,set,number,quantity"
# Of other columns, those that tell a header from a line and from what stands above a table.
OTHER_HEADERS = ("average_cost_paid", "purchase_price", "price_bought", "my_price", "cost")
KNOWN_HEADERS = frozenset(OTHER_HEADERS).union(*HEADERS.values())
FOIL_HEADERS = frozenset({"foil", "finish", "is_foil", "isfoil", "foiling", "extras"})

CARDMARKET = "Cardmarket stock"
CARD_LADDER = "Card Ladder"
PRICECHARTING = "PriceCharting"
SELLER_PRICING = "TCGplayer seller pricing"
DRAGON_SHIELD = "Dragon Shield"
MANABOX = "ManaBox"
POKEWATCH = "PokeWatch"  # what `pokewatch collection value --out` writes
OUTCOME = ("outcome", "reason")  # columns there of how a line was matched, or why it was not
REFUSED = "refused"  # the outcome there of a line that was left out
# Their seven grades are those of Cardmarket: an excellent copy is better than a lightly played one.
EUROPEAN = frozenset({CARDMARKET, DRAGON_SHIELD, MANABOX})

# Columns that only one app writes.
_APPS: tuple[tuple[str, frozenset[str]], ...] = (
    (CARDMARKET, frozenset({"idproduct", "idlanguage"})),
    (CARDMARKET, frozenset({"idarticle", "idproduct"})),  # as its API gives the stock
    ("Collectr", frozenset({"portfolio_name", "variance"})),
    ("TCGplayer app", frozenset({"product_id", "tcg_marketplace_price"})),
    (SELLER_PRICING, frozenset({"tcgplayer_id", "tcg_marketplace_price"})),
    ("TCGplayer app (older)", frozenset({"simple_name", "sku"})),
    ("TCG Collector", frozenset({"tcg_region", "expansion"})),
    (PRICECHARTING, frozenset({"console_name", "price_in_pennies"})),
    (DRAGON_SHIELD, frozenset({"folder_name", "trade_quantity"})),
    ("Deckbox", frozenset({"tradelist_count", "edition_code"})),
    (MANABOX, frozenset({"manabox_id"})),
    ("Moxfield", frozenset({"tradelist_count", "collector_number"})),
    ("Archidekt", frozenset({"finish", "multiverse_id"})),
    ("Delver Lens", frozenset({"acquired_price", "tcgplayer_product_id"})),
    (CARD_LADDER, frozenset({"current_value", "graded_cert"})),
    (POKEWATCH, frozenset({"outcome", "why_unvalued"})),
)


def header_of(name: str) -> str:
    """Return a column's simplified name. A number of a card may be `Card #` or `N°`."""
    return with_number(name, HEADERS["number"])


def app_of(headers: Sequence[str]) -> str:
    """Return the app that writes such a file, "" for another table."""
    return next((app for app, columns in _APPS if columns <= set(headers)), "")


def columns_of(headers: Sequence[str], app: str) -> dict[str, int]:
    """Return the column of each field that a file has."""
    found = {
        field: headers.index(name)
        for field, names in HEADERS.items()
        for name in [next((name for name in names if name in headers), None)]
        if name is not None
    }
    if "nombre" in headers and headers[found.get("name", 0)] != "nombre":  # a number, in French
        found.setdefault("quantity", headers.index("nombre"))
    if "edition" in headers and headers[found["set_name"]] != "edition":
        found["print_run"] = headers.index("edition")
    if not {"reverse", "holo"} & found.keys():
        found.pop("normal", None)  # of the printings it may be, for example, the price of one
    if app == SELLER_PRICING:
        del found["product_id"]  # it is the id of a condition of the product there
    if app == CARD_LADDER:
        found.pop("name", None)  # a sentence with year, set and grade
    if "outcome" in headers:  # whichever columns of PokeWatch's file were deleted
        found |= {name: headers.index(name) for name in OUTCOME if name in headers}
    graders = ("grader", "grading_company", "graded", "is_graded")
    grader = next((each for each in graders if each in headers), None)
    if grader is not None and "grade" in headers:
        found["grader"] = headers.index(grader)
    return found
