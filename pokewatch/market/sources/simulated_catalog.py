"""The catalogue of the simulated market: invented cards in invented sets, and their traits."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.market.catalog import CARD_SCHEMA, GAME_COLUMNS, slugify, unique_slugs

EPOCH = date(2024, 1, 1)  # the first simulated day
ROWS_PER_SET = 110
_PRINTED_SIZE = 165  # the number after the slash on a card; secret rares exceed it
_OLDEST, _NEWEST = -2200, 900  # release days counted from EPOCH
_NEW_SHARE = 0.3  # share of sets released after EPOCH


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words("""
    Ember Frost Thorn Gale Tide Moss Volt Dusk Dawn Iron Cinder Quartz Petal Storm Marsh Lunar
    Solar Briar Coral Ashen Cloud Echo Velvet Rust Amber Slate Nettle Glint Rime
""")
_BEAST = _words("""
    fox owl drake moth whal ling stag toad lynx crab hare wasp boar newt crane mole ray finch
    goat shrew gecko heron otter beetle adder tapir snail badger squid mantis
""")
_SET_FIRST = _words("""
    Ashen Tidal Verdant Silent Gilded Broken Hidden Burning Frozen Wandering Crystal Shattered
    Distant Radiant Sunken Forgotten Restless Hollow Crimson Velvet Thunder Painted Secret
    Endless
""")
_SET_SECOND = _words("""
    Crown Oath Grove Harbor Summit Lantern Mirror Voyage Garden Citadel Orchard Tempest
    Compass Archive Meadow Horizon Forge Canyon Masque Reef Glacier Festival Frontier
    Observatory Parade
""")


class Rarity(NamedTuple):
    name: str
    share: float  # of the products of a set
    price: float  # median, USD, long after release
    ex: bool


RARITIES = (
    Rarity("Common", 0.24, 0.18, ex=False),
    Rarity("Uncommon", 0.20, 0.28, ex=False),
    Rarity("Rare", 0.17, 0.9, ex=False),
    Rarity("Double Rare", 0.14, 3.5, ex=True),
    Rarity("Illustration Rare", 0.13, 14.0, ex=False),
    Rarity("Special Illustration Rare", 0.08, 70.0, ex=True),
    Rarity("Hyper Rare", 0.04, 32.0, ex=True),
)
_PLAIN = (("Normal", 1.0), ("Reverse Holofoil", 2.6))
_HOLO = (("Holofoil", 1.0),)
_VINTAGE = (("Unlimited", 1.0), ("1st Edition", 2.5))
_VINTAGE_BEFORE = -1500
_HOLO_RARE_SHARE, _HOLO_PREMIUM = 0.4, 1.85


class Featured(NamedTuple):
    """A card that is in every simulated market, for use in examples."""

    name: str
    number: int
    rarity: int
    printing: str
    price: float
    liquidity: float

    @property
    def slug(self) -> str:
        return slugify(f"{self.name} {self.number}")


FEATURED = (
    Featured("Emberfox ex", 199, 5, "Holofoil", 185.0, 0.55),
    Featured("Tidewhal ex", 187, 5, "Holofoil", 64.0, 0.45),
    Featured("Thornstag", 161, 4, "Holofoil", 22.0, 0.40),
    Featured("Voltmoth ex", 76, 3, "Holofoil", 6.5, 0.60),
    Featured("Mossling", 12, 0, "Normal", 0.35, 0.30),
)


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits that determine the prices of cards, [n] each."""

    set_id: NDArray[np.str_]
    set_index: NDArray[np.int64]
    released: NDArray[np.int64]  # day of release counted from EPOCH
    log_price: NDArray[np.float64]  # log USD, long after release and at EPOCH
    liquidity: NDArray[np.float64]  # chance of a sale on a day that does not follow one
    steady: NDArray[np.bool_]  # never halted or delisted


class _Row(NamedTuple):
    set_index: int
    number: int
    name: str
    rarity: int
    printing: str
    log_price: float


def make_cards(cards: int, seed: int) -> tuple[pa.Table, Traits]:
    """Return `cards` cards (CARD_SCHEMA) and their traits, the featured cards first."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)))
    sets = max(3, math.ceil(cards / ROWS_PER_SET))
    released = _release_days(sets, rng)
    rows = [_featured_row(card) for card in FEATURED[:cards]]
    rows += _ordinary_rows(cards - len(rows), released, rng)
    set_index = np.array([row.set_index for row in rows])
    log_price = np.array([row.log_price for row in rows])
    liquidity = _liquidity(log_price, rng)
    liquidity[: len(FEATURED)] = [card.liquidity for card in FEATURED[:cards]]
    steady = np.arange(cards) < len(FEATURED)
    sets_of = np.array([_set_id(row.set_index) for row in rows])
    return _table(rows, released), Traits(
        sets_of, set_index, released[set_index], log_price, liquidity, steady
    )


def _set_id(index: int) -> str:
    return f"sim{index + 1:03d}"


def _release_days(sets: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the release day of each set; the first, of the featured cards, is a year old."""
    days = rng.integers(_OLDEST, -30, size=sets)
    new = max(1, round(_NEW_SHARE * sets))
    days[-new:] = np.linspace(_NEWEST / new, _NEWEST, new).astype(np.int64)
    days[0] = -365
    return days


def _featured_row(card: Featured) -> _Row:
    return _Row(0, card.number, card.name, card.rarity, card.printing, math.log(card.price))


def _ordinary_rows(count: int, released: NDArray[np.int64], rng: np.random.Generator) -> list[_Row]:
    """Return rows spread evenly over the sets and numbered within each."""
    rarity = rng.choice(len(RARITIES), size=count, p=[r.share for r in RARITIES])
    log_scale = 0.95 * rng.standard_normal(count)
    first, beast = rng.integers(len(_FIRST), size=count), rng.integers(len(_BEAST), size=count)
    holo = rng.random(count) < _HOLO_RARE_SHARE
    sets, taken = len(released), {card.number for card in FEATURED}
    rows: list[_Row] = []
    product = 0
    for index in range(sets):
        room, number = (count * (index + 1)) // sets - (count * index) // sets, 0
        while room > 0:
            number += 1
            if index == 0 and number in taken:
                continue
            kind = RARITIES[rarity[product]]
            name = _FIRST[first[product]] + _BEAST[beast[product]] + (" ex" if kind.ex else "")
            price = math.log(kind.price) + log_scale[product]
            versions = _printings(int(rarity[product]), int(released[index]), bool(holo[product]))[
                :room
            ]
            rows += [
                _Row(index, number, name, int(rarity[product]), printing, price + math.log(premium))
                for printing, premium in versions
            ]
            room -= len(versions)
            product += 1
    return rows


def _printings(rarity: int, released: int, holo: bool) -> tuple[tuple[str, float], ...]:
    if rarity > 2:
        return _HOLO
    if released < _VINTAGE_BEFORE:
        return _VINTAGE
    if rarity == 2 and holo:
        return (("Holofoil", _HOLO_PREMIUM), _PLAIN[1])
    return _PLAIN


_LOG_PRICE_KNOTS = np.log([0.5, 2.5, 10.0, 45.0, 200.0])
_SALE_CHANCE = (0.50, 0.41, 0.37, 0.25, 0.17)  # mean liquidity at those prices


def _liquidity(log_price: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the chance of a sale on a day that does not follow one."""
    mean = np.interp(log_price, _LOG_PRICE_KNOTS, _SALE_CHANCE)
    spread = 12.0  # of the beta distribution: its two parameters add up to this
    return np.clip(rng.beta(mean * spread, (1 - mean) * spread), 0.12, 0.95)


def _table(rows: list[_Row], released: NDArray[np.int64]) -> pa.Table:
    names = [_set_name(index) for index in range(len(released))]
    ids = [
        f"sim-{row.set_index + 1:03d}-{row.number:03d}-{slugify(row.printing, '-')}" for row in rows
    ]
    columns = {
        "card_id": ids,
        "slug": unique_slugs(_slugs(row, names[row.set_index]) for row in rows),
        "name": [row.name for row in rows],
        "set_id": [_set_id(row.set_index) for row in rows],
        "set_name": [names[row.set_index] for row in rows],
        "number": [f"{row.number:03d}/{_PRINTED_SIZE}" for row in rows],
        "rarity": [RARITIES[row.rarity].name for row in rows],
        "printing": [row.printing for row in rows],
        "released": [EPOCH + timedelta(days=int(released[row.set_index])) for row in rows],
        "image_url": pa.nulls(len(rows), pa.string()),
        "source_ids": [f'{{"simulated": "{card}"}}' for card in ids],
        **{name: pa.nulls(len(rows), pa.string()) for name in GAME_COLUMNS},
    }
    return pa.table(columns, schema=CARD_SCHEMA)


def _slugs(row: _Row, set_name: str) -> list[str]:
    card = f"{row.name} {row.number}"
    return [
        card,
        f"{card} {row.printing}",
        f"{card} {set_name}",
        f"{card} {set_name} {row.printing}",
    ]


def _set_name(index: int) -> str:
    pairs = len(_SET_FIRST) * len(_SET_SECOND)
    first, second = index % len(_SET_FIRST), (index + index // len(_SET_FIRST)) % len(_SET_SECOND)
    again = index // pairs
    return f"{_SET_FIRST[first]} {_SET_SECOND[second]}" + (f" {again + 1}" if again else "")
