from pokewatch.gateway.api.examples import (
    EXAMPLE,
    MISSPELT,
    ExampleCard,
    misspelt,
    offered,
    with_card,
)

CARD = ExampleCard("mew_8", "Mew", "fossil", "Fossil", "8/62", "Rare", "2026-01-02", 3.2)


def test_whole_strings_of_examples_are_replaced() -> None:
    document = {
        "description": EXAMPLE.name,
        "examples": [EXAMPLE.slug, {"value": {"n": EXAMPLE.number, "of": f"{EXAMPLE.name}!"}}],
    }
    assert with_card(document, CARD) == {
        "description": EXAMPLE.name,
        "examples": ["mew_8", {"value": {"n": "8/62", "of": f"{EXAMPLE.name}!"}}],
    }


def test_a_name_is_misspelt_where_it_is_long_enough_to_be_found() -> None:
    assert misspelt("Charizard ex") == "Chrizard ex"
    assert with_card({"examples": [MISSPELT]}, CARD) == {"examples": ["Mew"]}


def test_an_offer_is_near_the_price_of_the_card() -> None:
    body = {"examples": [{"card_id": EXAMPLE.slug, "market_price": EXAMPLE.price}], "limit": 40.0}
    shown = {"examples": [{"card_id": "mew_8", "market_price": 3.2}], "limit": 40.0}
    assert with_card(body, CARD) == shown
    assert [offered(price) for price in (4.0, 0.001, None)] == [3.2, 0.01, EXAMPLE.price]
