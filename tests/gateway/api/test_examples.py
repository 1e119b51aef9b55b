from pokewatch.gateway.api.examples import EXAMPLE, MISSPELT, ExampleCard, misspelt, with_card

CARD = ExampleCard("mew_8", "Mew", "fossil", "Fossil", "8/62", "Rare", "2026-01-02")


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
