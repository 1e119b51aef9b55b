import re
from datetime import timedelta

import numpy as np
import pytest

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import CARD_ID_PATTERN
from pokewatch.market.sources.simulated_catalog import EPOCH, FEATURED, RARITIES, make_cards


@pytest.mark.parametrize("cards", [1, 4, 5, 6, 100, 3000])
def test_every_card_has_its_own_id_and_slug(cards: int) -> None:
    table, traits = make_cards(cards, 0)
    assert table.schema.equals(CARD_SCHEMA)
    assert table.num_rows == cards == len(traits.log_price) == len(traits.set_id)
    assert len(set(table["card_id"].to_pylist())) == len(set(table["slug"].to_pylist())) == cards
    assert all(re.match(CARD_ID_PATTERN, card) for card in table["card_id"].to_pylist())
    assert table["image_url"].null_count == cards


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_featured_cards_are_in_every_market(seed: int) -> None:
    table, _ = make_cards(50, seed)
    slugs = table["slug"].to_pylist()[: len(FEATURED)]
    assert slugs == [card.slug for card in FEATURED]
    assert slugs[0] == "emberfox_ex_199"


def test_seed_decides_the_cards() -> None:
    assert make_cards(300, 1)[0].equals(make_cards(300, 1)[0])
    assert not make_cards(300, 1)[0].equals(make_cards(300, 2)[0])


def test_sets_come_out_before_and_during_the_period() -> None:
    table, traits = make_cards(3000, 0)
    assert 0.2 < (traits.released > 0).mean() < 0.4
    released = [(day - EPOCH).days for day in table["released"].to_pylist()]
    np.testing.assert_array_equal(released, traits.released)
    assert max(table["released"].to_pylist()) <= EPOCH + timedelta(days=900)


def test_price_rises_with_rarity_and_spans_the_bands() -> None:
    table, traits = make_cards(6000, 0)
    rarity, price = np.array(table["rarity"].to_pylist()), np.exp(traits.log_price)
    medians = {kind.name: np.median(price[rarity == kind.name]) for kind in RARITIES}
    assert (
        medians["Common"]
        < medians["Rare"]
        < medians["Illustration Rare"]
        < medians["Special Illustration Rare"]
    )
    shares = np.histogram(price, [0, 1, 5, 20, 100, np.inf])[0] / len(price)
    np.testing.assert_allclose(shares, [0.51, 0.23, 0.14, 0.085, 0.03], atol=0.07)


@pytest.mark.parametrize(
    ("plain", "special", "premium"),
    [("Normal", "Reverse Holofoil", 2.6), ("Unlimited", "1st Edition", 2.5)],
)
def test_printings_of_a_card_differ_by_their_premium(
    plain: str, special: str, premium: float
) -> None:
    table, traits = make_cards(3000, 0)
    price = dict(zip(table["card_id"].to_pylist(), np.exp(traits.log_price), strict=True))
    slug = {"Reverse Holofoil": "reverse-holofoil", "1st Edition": "1st-edition"}[special]
    pairs = [
        (price[card], price.get(card.replace(plain.lower(), slug)))
        for card in price
        if card.endswith("-" + plain.lower())
    ]
    ratios = [other / one for one, other in pairs if other is not None]
    assert len(ratios) > 100
    np.testing.assert_allclose(ratios, premium)


def test_names_are_invented() -> None:
    names = {
        name.lower().removesuffix(" ex") for name in make_cards(3000, 0)[0]["name"].to_pylist()
    }
    assert not names & {
        "pikachu",
        "charizard",
        "mew",
        "eevee",
        "snorlax",
        "gengar",
        "cinderace",
        "voltorb",
    }


def test_some_cards_sell_often_and_some_seldom() -> None:
    liquidity = make_cards(3000, 0)[1].liquidity
    assert liquidity.min() > 0
    assert np.quantile(liquidity, 0.1) < 0.25
    assert np.quantile(liquidity, 0.9) > 0.55
