"""Which columns say what copies cost, by headers in several languages.

A header is the words for a price paid, as `_PRICES` and `_AMOUNTS` have them, and may say in other
words whether it is that of each copy or of all: "Cost per card", "Einkaufspreis gesamt".
"""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from pokewatch.market.tabular.header_rows import simplified
from pokewatch.money import CURRENCY_SIGN, currency_of

# Of each copy as the header says, a price, of all copies of the line, or of either: the best first.
Kind = Literal["copy", "price", "line", "unclear"]
_KINDS: tuple[Kind, ...] = get_args(Kind)

# A price is that of a copy, unless the header says that it is of all.
_PRICES = (
    *("purchase_price", "price_bought", "acquired_price", "cost", "price_paid", "paid_price"),
    *("cost_paid", "buy_price", "buying_price", "buy_in_price", "bought_price", "purchase_cost"),
    *("buy_cost", "cost_price", "acquisition_price", "acquisition_cost"),
    *("einkaufspreis", "kaufpreis", "ek", "ek_preis", "einstandspreis", "anschaffungspreis"),
    *("bezahlter_preis", "prix_d_achat", "prix_achat", "prix_payé", "precio_de_compra"),
    *("precio_compra", "precio_pagado", "prezzo_di_acquisto", "prezzo_d_acquisto"),
    *("prezzo_acquisto", "prezzo_pagato", "preço_de_compra", "preço_compra", "preço_pago"),
    *("aankoopprijs", "inkoopprijs", "kostprijs", "cena_zakupu", "cena_kupna", "inköpspris"),
    *("innkjøpspris", "kjøpspris", "indkøbspris", "købspris"),
    *("購入価格", "仕入価格", "仕入れ値", "買値"),
)
# An amount may be that of a copy, or of all copies of the line.
_AMOUNTS = (
    *("investment", "cost_basis", "paid", "amount_paid", "spent", "amount_spent", "invested"),
    *("purchased_for", "bought_for", "acquired_for", "buy_in", "buyin", "purchase_amount", "costs"),
    *("bezahlt", "gezahlt", "kosten", "anschaffungskosten", "einkaufskosten", "coût", "payé"),
    *("coste", "costo", "pagado", "pagato", "custo", "pago", "betaald", "koszt", "zapłacono"),
    *("kostnad", "betalt", "betalat", "購入金額"),
)
COSTS = (*_PRICES, *_AMOUNTS)
# The best first. A column that is only called a currency is used if there is no other.
COST_CURRENCIES = (
    *("purchase_price_currency", "cost_currency", "purchase_currency", "buy_currency", "currency"),
    *("währung", "devise", "moneda", "divisa", "valuta", "moeda", "waluta", "通貨"),
)

_EACH = (
    r"(?:per|pro|je|par|por|na|za)_(?:copy|card|unit|item|piece|karte|stück|stueck|stk|exemplar"
    r"|carte|carta|unidad|unidade|kaart|stuk|sztukę|kartę|kort)|each|ea|apiece|per|unit|card|copy"
    r"|average|avg|unitaire|unitario|unitário|al_pezzo|per_carta|durchschnittlicher?"
)
_ALL = (
    "(?:in_)?total|totals|overall|all|gesamte?r?|insgesamt|summe|totale|totaal|totalt|razem"
    "|łącznie|合計"
)
_EACH_WORDS, _ALL_WORDS, _OWNER = (
    re.compile(rf"(?<![^_])(?:{words})(?![^_])")
    for words in (_EACH, _ALL, "my|mein|meine|mon|mes|mi|mis|mio")
)
_COMPOUND = re.compile(r"(?<![^_])gesamt(?=kosten|kauf|einkauf|anschaffung)")
_SIGN = re.compile(CURRENCY_SIGN)
_UNITS = frozenset({"us", "ca", "cent", "cents", "pennies", "dollar", "dollars", "yen"})
_SCOPES: tuple[tuple[re.Pattern[str], Kind], ...] = ((_EACH_WORDS, "copy"), (_ALL_WORDS, "line"))
# Of cards in play: beside one of these columns, a cost is what it takes to play the card.
_PLAY = frozenset({"ink", "inkable", "lore", "strength", "willpower", "power", "pitch", "dp"})
_PLAY_COSTS = frozenset({"cost", "costs", "kosten", "coût", "coste", "costo", "custo"})


def cost_column(names: Sequence[str], headers: Sequence[str]) -> tuple[int, Kind] | None:
    """Return the best column of costs and what it says, None if there is none.

    `headers` are the simplified names of the columns.
    """
    play = not _PLAY.isdisjoint(headers)
    found = []
    for at, (name, header) in enumerate(zip(names, headers, strict=True)):
        cost = _cost_of(simplified(_SIGN.sub(" ", name)) if _SIGN.search(name) else header)
        if cost is not None and not (play and header in _PLAY_COSTS):
            base, kind = cost
            found.append((_KINDS.index(kind), COSTS.index(base), at))
    if not found:
        return None
    kind_at, _, column = min(found)
    return column, _KINDS[kind_at]


def _cost_of(header: str) -> tuple[str, Kind] | None:
    """Return the words for a price paid in a header, and what it is of, None if it has none."""
    words = header.split("_")
    header = "_".join(word for word in words if not (currency_of(word) or word in _UNITS))
    header = _without(_OWNER, _COMPOUND.sub("gesamt_", header))
    for scope, kind in _SCOPES:
        base = _base_of(_without(scope, header))
        if base and scope.search(header):
            return base, kind
    base = _base_of(header)
    return (base, "price" if base in _PRICES else "unclear") if base else None


def _base_of(header: str) -> str:
    """Return a header that is among `COSTS`, without the "in" of "Paid in Euro", else ""."""
    return next((each for each in (header, header.removesuffix("_in")) if each in COSTS), "")


def _without(words: re.Pattern[str], name: str) -> str:
    return "_".join(filter(None, words.sub("", name).split("_")))
