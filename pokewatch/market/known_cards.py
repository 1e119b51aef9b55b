"""Cards of a user-supplied file joined with the catalogues of other lakes by TCGplayer product."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from pokewatch.market.catalog import CARD_SCHEMA, slugify
from pokewatch.market.lake import Lake
from pokewatch.market.merge import preferred_slug

_PRODUCT_CARD = re.compile(r"tcgplayer-(\d{1,19})(?:-(.*))?")
_PRODUCT_COLUMNS = ("image_url", "game", "kind", "language", "set_code", "released", "rarity")

Products = dict[int, list[dict[str, Any]]]


def with_known_cards(cards: pa.Table, lakes: Iterable[Lake]) -> pa.Table:
    """Return `cards` (CARD_SCHEMA) with what the catalogues of `lakes` know about their products.

    A card is the product of its id or source ids, in its printing. Values of the card itself stay,
    unless they are ids that stand for a name.
    """
    wanted = [product_of(card) for card in _identities(cards)]
    if not any(wanted):
        return cards
    products = _products(lakes, {product for product, _ in filter(None, wanted)})
    if not products:
        return cards
    rows = [
        _joined(card, identity, _choice(products, identity)) if identity else card
        for card, identity in zip(cards.to_pylist(), wanted, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=CARD_SCHEMA)


def _identities(cards: pa.Table) -> Iterable[dict[str, Any]]:
    rows: list[dict[str, Any]] = cards.select(["card_id", "printing", "source_ids"]).to_pylist()
    return rows


def product_of(card: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the product id and the slug of the printing, "" if that is not known."""
    match = _PRODUCT_CARD.fullmatch(card["card_id"])
    ids = json.loads(card["source_ids"] or "{}")
    product = str(ids.get("tcgplayer") or (match[1] if match else ""))
    if not (product.isascii() and product.isdigit() and len(product) < 20):
        return None
    printing = slugify(card["printing"] or "", "-") or (match[2] if match else None)
    return int(product), printing or ""


def _products(lakes: Iterable[Lake], wanted: set[int]) -> Products:
    """Return the named cards of the wanted products."""
    products: Products = {}
    for lake in lakes:
        if lake.has_catalog():
            for product, cards in products_of(lake, wanted).items():
                named = [card for card in cards if card["name"] != card["card_id"]]
                if named:
                    products.setdefault(product, []).extend(named)
    return products


def products_of(lake: Lake, wanted: set[int]) -> Products:
    """Return the cards of the wanted products in the catalogue of `lake`."""
    products: Products = {}
    for card in lake.catalog().to_pylist():
        found = product_of(card)
        if found and found[0] in wanted:
            products.setdefault(found[0], []).append(card)
    return products


def same_card(products: Products, identity: tuple[int, str]) -> dict[str, Any] | None:
    """Return the product's card in the printing, or its only card."""
    product, printing = identity
    known = products.get(product, [])
    same = [card for card in known if slugify(card["printing"] or "", "-") == printing]
    return (same or known)[0] if same or len(known) == 1 else None


def _choice(products: Products, identity: tuple[int, str]) -> dict[str, Any] | None:
    """Return the product's card in the printing, else one that tells the product alone."""
    known = products.get(identity[0], [])
    other = {**known[0], "printing": None} if known else None
    return same_card(products, identity) or other


def _joined(
    card: dict[str, Any], identity: tuple[int, str], known: Mapping[str, Any] | None
) -> dict[str, Any]:
    if known is None:
        return card
    joined = dict(card)
    if card["name"] == card["card_id"]:
        joined["name"] = known["name"]
    if card["set_name"] in ("", known["set_id"], known["set_name"]):
        joined |= {"set_id": known["set_id"], "set_name": known["set_name"]}
    for name in ("number", "printing", *_PRODUCT_COLUMNS):
        joined[name] = known[name] if card[name] is None else card[name]
    joined["slug"] = preferred_slug(joined["name"], joined["number"])
    ids = json.loads(card["source_ids"] or "{}")
    joined["source_ids"] = json.dumps(ids | {"tcgplayer": identity[0]})
    return joined


def other_lakes(lake: Lake) -> list[Lake]:
    """Return the lakes beside `lake`, without those of files."""
    folders = sorted(lake.root.parent.iterdir()) if lake.root.parent.is_dir() else []
    return [
        Lake(folder)
        for folder in folders
        if folder.is_dir() and folder != lake.root and not folder.name.startswith("file-")
    ]
