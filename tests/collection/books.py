"""A book of cards that collections are matched to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from pokewatch.market.catalog import CARD_SCHEMA, GAME_COLUMNS
from pokewatch.valuation.book import PriceBook, write_book
from tests.collection.hard_lines import HARD_CARDS
from tests.serving.books import FACTS, rows

# card_id, slug, name, set, number, printing
CARDS = [
    (
        "tcgplayer-42382-holofoil",
        "charizard_4",
        "Charizard",
        "Base Set",
        "004/102",
        "Holofoil",
    ),
    (
        "tcgplayer-42382-1st-edition-holofoil",
        "charizard_4_1st",
        "Charizard",
        "Base Set (Shadowless)",
        "004/102",
        "1st Edition Holofoil",
    ),
    (
        "tcgplayer-42400-holofoil",
        "charizard_b2",
        "Charizard",
        "Base Set 2",
        "004/130",
        "Holofoil",
    ),
    (
        "tcgplayer-246700-holofoil",
        "umbreon_vmax_95",
        "Umbreon VMAX",
        "SWSH07: Evolving Skies",
        "095/203",
        "Holofoil",
    ),
    (
        "tcgplayer-246722-holofoil",
        "umbreon_vmax_214",
        "Umbreon VMAX (Secret)",
        "SWSH07: Evolving Skies",
        "214/203",
        "Holofoil",
    ),
    (
        "tcgplayer-246723-holofoil",
        "umbreon_vmax_215",
        "Umbreon VMAX (Alternate Art Secret)",
        "SWSH07: Evolving Skies",
        "215/203",
        "Holofoil",
    ),
    (
        "tcgplayer-517000-normal",
        "pikachu_25",
        "Pikachu - 025/165",
        "SV: Scarlet & Violet 151",
        "025/165",
        "Normal",
    ),
    (
        "tcgplayer-517000-reverse-holofoil",
        "pikachu_25_r",
        "Pikachu - 025/165",
        "SV: Scarlet & Violet 151",
        "025/165",
        "Reverse Holofoil",
    ),
    (
        "tcgplayer-517001-normal",
        "farfetchd_83",
        "Farfetch'd",
        "SV: Scarlet & Violet 151",
        "083/165",
        "Normal",
    ),
    (
        "tcgplayer-86000-normal",
        "nidoran_f",
        "Nidoran F",
        "Jungle",
        "57/64",
        "Unlimited",
    ),
    (
        "tcgplayer-99000-normal",
        "box",
        "Evolving Skies Booster Box",
        "SWSH07: Evolving Skies",
        None,
        "Normal",
    ),
    (
        "tcgplayer-610478-normal",
        "research_elm",
        "Professor's Research [Professor Elm]",
        "SV: Prismatic Evolutions",
        "123/131",
        "Normal",
    ),
    (
        "tcgplayer-610631-holofoil",
        "research_elm_pattern",
        "Professor's Research [Professor Elm] (Poke Ball Pattern)",
        "SV: Prismatic Evolutions",
        "123/131",
        "Holofoil",
    ),
]

# Of the only printing of a card, and of two printings
MARKET_IDS = {
    "tcgplayer-517001-normal": '{"file": "715954", "cardmarket": "715954"}',
    "tcgplayer-517000-normal": '{"cardmarket": "715900"}',
    "tcgplayer-517000-reverse-holofoil": '{"cardmarket": "715900"}',
}


def collection_book(folder: Path, days: int = 5) -> PriceBook:
    ids, slugs, names, sets, numbers, printings = zip(*CARDS, strict=True)
    count = len(CARDS)
    columns = {
        "card_id": ids,
        "slug": slugs,
        "name": names,
        "set_id": [name.lower().replace(" ", "-") for name in sets],
        "set_name": sets,
        "number": numbers,
        "rarity": [None] * count,
        "printing": printings,
        "released": [date(2025, 6, 1)] * count,
        "image_url": [None] * count,
        "source_ids": [MARKET_IDS.get(card) for card in ids],
        **{name: [None] * count for name in GAME_COLUMNS},
    }
    made = rows(count, days)
    for name in ("fair", "lower", "upper", "status"):
        getattr(made, name)[1] = getattr(made, name)[0] * 2
    values = replace(made, card_id=list(ids))
    digest = write_book(folder, pa.table(columns, schema=CARD_SCHEMA), values, FACTS)
    return PriceBook.open(folder, digest)


def hard_book(folder: Path, game: str | None = None) -> PriceBook:
    """Return a book of HARD_CARDS, of a game if it is given."""
    ids, names, sets, numbers, printings, languages, codes = zip(*HARD_CARDS, strict=True)
    count = len(HARD_CARDS)
    given = {
        "card_id": ids,
        "slug": [f"hard_{at}" for at in range(count)],
        "name": names,
        "set_id": [name.lower() for name in sets],
        "set_name": sets,
        "number": numbers,
        "printing": printings,
        "language": languages,
        "set_code": codes,
        "game": [game] * count,
    }
    return _book(folder, given)


def book_of_cards(
    folder: Path,
    cards: Sequence[tuple[str, str, str, str | None, str]],
    game: str | None = None,
    languages: Mapping[str, str] = MappingProxyType({}),
    rarities: Mapping[str, str] = MappingProxyType({}),
) -> PriceBook:
    """Return a book of cards by id, name, set, number and printing.

    They may be of a `game`, and have `languages` and `rarities` by their ids.
    """
    ids, names, sets, numbers, printings = zip(*cards, strict=True)
    count = len(cards)
    given = {
        "card_id": ids,
        "slug": [f"card_{at}" for at in range(count)],
        "name": names,
        "set_id": [name.lower() for name in sets],
        "set_name": sets,
        "number": numbers,
        "printing": printings,
        "game": [game] * count,
        "language": [languages.get(card) for card in ids],
        "rarity": [rarities.get(card) for card in ids],
    }
    return _book(folder, given)


def book_of_ids(folder: Path, ids: dict[str, str | None]) -> PriceBook:
    """Return a book of cards with these ids, and their ids at sources."""
    given: dict[str, Sequence[Any]] = {
        "card_id": list(ids),
        "slug": [f"card_{at}" for at in range(len(ids))],
        **dict.fromkeys(("name", "set_id", "set_name"), ["Mew"] * len(ids)),
        "source_ids": list(ids.values()),
    }
    return _book(folder, given)


def _book(folder: Path, given: Mapping[str, Sequence[Any]]) -> PriceBook:
    """Return a book of cards of which only some columns are given, one of them `card_id`."""
    ids = given["card_id"]
    columns = {name: given.get(name, [None] * len(ids)) for name in CARD_SCHEMA.names}
    values = replace(rows(len(ids)), card_id=list(ids))
    digest = write_book(folder, pa.table(columns, schema=CARD_SCHEMA), values, FACTS)
    return PriceBook.open(folder, digest)
