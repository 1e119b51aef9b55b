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


EXAMPLE = ExampleCard(
    "charizard_ex_199",
    "Charizard ex",
    "sv3pt5",
    "SV: Scarlet & Violet 151",
    "199/165",
    "Special Illustration Rare",
    "2026-11-20",
)
MISSPELT = "Chrizard ex"


def with_card(document: Any, card: ExampleCard) -> Any:
    """Return a document whose examples show `card` in place of EXAMPLE.

    Only whole strings below the key `examples` are replaced.
    """
    shown = dict(zip(EXAMPLE, card, strict=True)) | {MISSPELT: misspelt(card.name)}
    return _replaced(document, shown, inside=False)


def misspelt(name: str) -> str:
    """Return a name without its third letter."""
    return name[:2] + name[3:] if len(name) > 4 else name


def _replaced(node: Any, shown: dict[str, str], inside: bool) -> Any:
    if isinstance(node, dict):
        return {
            key: _replaced(value, shown, inside or key == "examples") for key, value in node.items()
        }
    if isinstance(node, list):
        return [_replaced(item, shown, inside) for item in node]
    return shown.get(node, node) if inside and isinstance(node, str) else node
