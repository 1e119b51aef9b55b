"""The card row: one card in one printing. Key `card_id`; `slug` is unique and human-readable."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import pyarrow as pa

from pokewatch.contract import MAX_CARD_ID_LENGTH

CARD_SCHEMA = pa.schema(
    [
        pa.field("card_id", pa.string(), nullable=False),
        pa.field("slug", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("set_id", pa.string(), nullable=False),
        pa.field("set_name", pa.string(), nullable=False),
        pa.field("number", pa.string()),
        pa.field("rarity", pa.string()),
        pa.field("printing", pa.string()),
        pa.field("released", pa.date32()),
        pa.field("image_url", pa.string()),
        pa.field("source_ids", pa.string()),  # JSON: the ids of this card at its sources
        pa.field("game", pa.string()),
        pa.field("kind", pa.string()),  # single, sealed or other
        pa.field("language", pa.string()),
        pa.field("set_code", pa.string()),  # the abbreviation of the set, as SWSH12
    ]
)
CARDMARKET = "cardmarket"  # the product id of Cardmarket, in `source_ids`
GAME_COLUMNS = ("game", "kind", "language", "set_code")


def slugify(text: str, separator: str = "_") -> str:
    """Return the ASCII letters and digits of `text`, in lower case, joined by `separator`.

    "Pokémon ex #199/165" becomes "pokemon_ex_199_165".
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return separator.join(re.findall(r"[a-z0-9]+", plain.lower().replace("'", "")))


def unique_slugs(candidates: Iterable[Sequence[str]]) -> list[str]:
    """Return a unique slug for each card: the first of its candidate texts that is still free.

    A card whose candidates are all taken gets its last one with a counter, so that the result
    depends only on the order of the cards. Slugs are at most as long as the ids of cards, whose
    place they take in requests: longer names are cut.
    """
    taken: set[str] = set()
    slugs = []
    for texts in candidates:
        options = [slug for slug in (_cut(slugify(text)) for text in texts) if slug] or ["card"]
        slug = next((option for option in options if option not in taken), None)
        count = 2
        while slug is None:
            numbered = _cut(options[-1], f"_{count}")
            slug = None if numbered in taken else numbered
            count += 1
        taken.add(slug)
        slugs.append(slug)
    return slugs


def _cut(slug: str, end: str = "") -> str:
    """Return a slug with an `end`, cut before that to the length that ids may have."""
    return slug[: MAX_CARD_ID_LENGTH - len(end)].rstrip("_") + end
