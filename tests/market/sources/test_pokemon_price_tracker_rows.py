from typing import Any

import pyarrow as pa
import pytest

from pokewatch.market.sources.pokemon_price_tracker_rows import (
    LakeCards,
    card_row,
    histories,
    label_of,
    product_of,
    volume_of,
)


def lake_cards(*rows: tuple[str, str, str | None]) -> LakeCards:
    columns = {
        "card_id": [row[0] for row in rows],
        "name": [row[1] for row in rows],
        "number": pa.array(["1/9"] * len(rows), pa.string()),
        "printing": pa.array([row[2] for row in rows], pa.string()),
    }
    return LakeCards(pa.table(columns))


def test_the_cards_of_a_lake_are_found_by_product() -> None:
    known = lake_cards(("tcgplayer-1-normal", "Abra", "Normal"), ("my-card", "Mew", None))

    assert known.has("1", "Abra 1/9")
    assert not known.has("1", "Mew 1/9")
    assert not known.has("11", "Abra 1/9")
    assert known.printings("1") == {"tcgplayer-1-normal": "Normal"}
    assert known.printings("2") == {}


@pytest.mark.parametrize("printing", ["ポケモン", "x" * 1_001, "\ud800"])
def test_a_printing_that_cannot_be_stored_has_no_id(printing: str) -> None:
    card: dict[str, Any] = {"priceHistory": {"variants": {printing: {}}}}

    assert list(histories(card, "1", LakeCards())) == [("", printing, [])]


@pytest.mark.parametrize("prices", [None, {}, {"variants": {}}, {"primaryPrinting": 3}])
def test_a_card_without_printings_is_its_product(prices: Any) -> None:
    assert list(histories({"prices": prices}, "1", LakeCards())) == [("tcgplayer-1", None, [])]


@pytest.mark.parametrize(
    ("value", "product"),
    [
        (7, "7"),
        ("7", "7"),
        ("007", "7"),
        (0, ""),
        ("00", ""),
        ("x", ""),
        (None, ""),
        (True, ""),
        (7.0, ""),
        ("1" * 19, ""),
    ],
)
def test_a_product_is_a_number(value: Any, product: str) -> None:
    assert product_of(value) == product


def test_a_label_is_name_and_number() -> None:
    assert label_of({"name": "Zekrom ex - 172/086", "cardNumber": "172/086"}) == "Zekrom ex 172/086"
    assert label_of({"name": "Booster Box"}) == "Booster Box"


def test_a_card_without_a_name_has_its_id() -> None:
    row = card_row("tcgplayer-1-normal", {"tcgPlayerId": 1, "cardNumber": "1/9"}, "Normal")

    assert (row["name"], row["slug"]) == ("tcgplayer-1-normal", "tcgplayer_1_normal")


def test_a_number_of_sales_may_be_written_as_a_decimal() -> None:
    assert [volume_of(value) for value in (3, 3.0, 0, None)] == [3, 3, 0, None]


@pytest.mark.parametrize("value", [3.5, -1, True, "3", 2**31, 1e300, float("inf"), float("nan")])
def test_other_values_are_no_number_of_sales(value: Any) -> None:
    assert volume_of(value) == -1
