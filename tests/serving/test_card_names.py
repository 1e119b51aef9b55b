from pokewatch.contract import MAX_PAGE_SIZE
from tests.serving.server import Server
from tests.serving.test_catalog import answer, ask


def test_names_of_known_cards(server: Server) -> None:
    asked = ["card_12", "nobody", "tcgplayer-3-normal", "card_3"]
    assert answer(server, "names", {"cards": asked}) == {
        "market": "simulated-0",
        "currency": "USD",
        "cards": [
            {
                "card_id": f"tcgplayer-{card}-normal",
                "slug": f"card_{card}",
                "name": f"Pokémon {card}",
                "set_name": f"Set {card // 10}",
                "number": f"{card:03}/100",
                "printing": "Normal",
            }
            for card in (3, 12)
        ],
    }
    assert answer(server, "names", {"cards": []})["cards"] == []
    assert ask(server, "names", {"cards": ["x"] * (MAX_PAGE_SIZE + 1)}).status_code == 422
