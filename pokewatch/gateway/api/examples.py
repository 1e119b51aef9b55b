"""The card in the examples of the OpenAPI document and of `/docs`: one that is being served."""

from typing import Any, NamedTuple


class ExampleCard(NamedTuple):
    """The values that the examples show of a card."""

    slug: str
    name: str
    set_id: str
    set_name: str
    number: str
    rarity: str
    day: str
    price: float  # of an offer, four fifths of the market price


EXAMPLE = ExampleCard(
    "charizard_ex_199",
    "Charizard ex",
    "sv3pt5",
    "SV: Scarlet & Violet 151",
    "199/165",
    "Special Illustration Rare",
    "2026-11-20",
    40.0,
)
MISSPELT = "Chrizard ex"


def with_card(document: Any, card: ExampleCard) -> Any:
    """Return a document whose examples show `card` in place of EXAMPLE.

    Only whole strings, and the price, below the key `examples` are replaced.
    """
    shown = dict[str | float, str | float](zip(EXAMPLE, card, strict=True))
    shown[MISSPELT] = misspelt(card.name)
    return _replaced(document, shown, inside=False)


def misspelt(name: str) -> str:
    """Return a name without its third letter."""
    return name[:2] + name[3:] if len(name) > 4 else name


def offered(market_price: float | None) -> float:
    """Return the price of an offer in the examples, of a card with a market price or without."""
    return EXAMPLE.price if market_price is None else max(round(0.8 * market_price, 2), 0.01)


def _replaced(node: Any, shown: dict[str | float, str | float], inside: bool) -> Any:
    if isinstance(node, dict):
        return {
            key: _replaced(value, shown, inside or key == "examples") for key, value in node.items()
        }
    if isinstance(node, list):
        return [_replaced(item, shown, inside) for item in node]
    return shown.get(node, node) if inside and isinstance(node, str | float) else node
