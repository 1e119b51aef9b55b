from typing import Any

import pytest
import yaml

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import PRICE_SCHEMA
from tests.reference.data_contract import data_contract


@pytest.fixture
def tables() -> dict[str, dict[str, Any]]:
    return {table["name"]: table for table in yaml.safe_load(data_contract())["schema"]}


@pytest.mark.parametrize(("name", "schema"), [("prices", PRICE_SCHEMA), ("cards", CARD_SCHEMA)])
def test_every_column_is_in_the_contract(
    name: str, schema: Any, tables: dict[str, dict[str, Any]]
) -> None:
    properties = tables[name]["properties"]
    assert [each["name"] for each in properties] == schema.names
    assert [each["required"] for each in properties] == [not field.nullable for field in schema]
    assert all(each["description"] for each in properties)


def test_keys_and_bounds_are_those_of_the_code(tables: dict[str, dict[str, Any]]) -> None:
    prices = {each["name"]: each for each in tables["prices"]["properties"]}
    keys = {
        name: each["primaryKeyPosition"] for name, each in prices.items() if "primaryKey" in each
    }
    assert keys == {"card_id": 1, "date": 2}
    assert prices["market_price"]["logicalTypeOptions"]["exclusiveMinimum"] == 0
    assert prices["currency"]["logicalTypeOptions"] == {"pattern": "^(USD|EUR)$"}
