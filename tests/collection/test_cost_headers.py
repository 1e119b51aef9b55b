import pytest

from pokewatch.collection.cost_headers import COSTS, cost_column
from pokewatch.market.tabular.header_rows import simplified

EACH = """
Average Cost Paid | Cost each | Cost (ea.) | Cost/card | Cost per copy | Unit cost | Avg. cost
Purchase price per card | Average purchase price | Cost basis per card | Paid per card (USD)
Kaufpreis pro Karte | Einkaufspreis pro Stück | Bezahlt je Karte | Coût unitaire | Costo unitario
Prix d'achat par carte | Costo per carta | Preço pago por carta
"""
PRICE = """
Purchase price | Price paid (€) | Acquired Price | cost_usd | My cost | Buying price | EK-Preis
Cost (zł) | Kaufpreis in Euro | Preço pago | Precio de compra | Prezzo d'acquisto | Inköpspris
"""
ALL = """
Total cost | Total paid | Cost (total) | total_paid_usd | Purchase price (total) | Total invested
Total cost basis | Gesamtkosten | Einkaufspreis gesamt | Coût total | Costo totale | Custo total
"""
EITHER = """
Cost basis | Investment | Paid | Amount paid | Paid in Euro | Buy-in | Buy-in (USD) | Purchased for
Bezahlt | Kosten | Coût | Pagado | Pagato | Betaald | Zapłacono
"""
NONE = """
Price | Preis | My Price | Total | Total price | Unit price | Value | Gesamtpreis | Date paid
Paid by | Cost of grading | Shipping cost | Mana cost | Each | Currency
"""


def best(*names: str) -> tuple[int, str] | None:
    return cost_column(names, [simplified(name) for name in names])


def names(text: str) -> list[str]:
    return [name.strip() for line in text.strip().splitlines() for name in line.split("|")]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (name, kind)
        for text, kind in ((EACH, "copy"), (PRICE, "price"), (ALL, "line"), (EITHER, "unclear"))
        for name in names(text)
    ],
)
def test_a_header_says_what_a_cost_is_of(header: str, kind: str) -> None:
    assert best("name", header, "quantity") == (1, kind)


@pytest.mark.parametrize("header", names(NONE))
def test_other_headers_are_no_costs(header: str) -> None:
    assert best("name", header) is None


def test_costs_are_called_as_headers_are_simplified() -> None:
    assert [simplified(name) for name in COSTS] == list(COSTS)
    assert len(set(COSTS)) == len(COSTS)
