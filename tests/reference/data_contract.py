"""The data contract of prices and cards, in the Open Data Contract Standard 3.1.

Columns and bounds are those of the code; what they mean is described here.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import yaml

from pokewatch.market.catalog import CARD_SCHEMA
from pokewatch.market.prices import (
    CARD_ID_PATTERN,
    CURRENCIES,
    PRICE_COLUMNS,
    PRICE_SCHEMA,
)
from pokewatch.settings import QualitySettings

VERSION = "1.0.0"  # a column that is added makes it 1.1.0, one that changes or goes 2.0.0
_PRICES = {
    "card_id": "The card in one printing; refers to `cards`.",
    "date": "The market day (UTC).",
    "market_price": "The market price as the source defines it.",
    "low_price": "The lowest ask, of a copy in any condition.",
    "mid_price": "The middle ask.",
    "high_price": "The highest ask.",
    "avg7_price": "The mean price of the sales of the 7 days up to the date.",
    "avg30_price": "The mean price of the sales of the 30 days up to the date.",
    "volume": "The number of sales on the day.",
    "stale_days": "The age of the market price in days; 0 on a day it was renewed.",
    "currency": "The currency of every price of the row.",
    "source": "The price source; `simulated` is not a real market.",
    "observed_at": "The time of collection.",
}
_CARDS = {
    "card_id": "The card in one printing.",
    "slug": "A readable name, unique.",
    "name": "The name on the card.",
    "set_id": "The set of the card.",
    "set_name": "The name of the set.",
    "number": "The number in the set.",
    "rarity": "The rarity as the source names it.",
    "printing": "The printing, such as Normal or Holofoil.",
    "released": "The day on which the set was released.",
    "image_url": "The address of a picture.",
    "source_ids": "The ids of the card at its sources, as JSON.",
    "game": "The game.",
    "kind": "A single card, a sealed product or something else.",
    "language": "The language of the card.",
    "set_code": "The abbreviation of the set.",
}
_TYPES = {
    pa.string(): "string",
    pa.date32(): "date",
    pa.float64(): "number",
    pa.int32(): "integer",
    pa.timestamp("us", tz="UTC"): "timestamp",
}


def data_contract() -> str:
    """Return the contract as YAML."""
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "pokewatch-market",
        "name": "Prices of trading cards",
        "version": VERSION,
        "status": "active",
        "description": {
            "purpose": "Daily prices of trading cards, on which fair prices are estimated.",
            "limitations": "Rows that break a rule are quarantined with the reason, and counted.",
            "usage": "Parquet files, one a day; a day once written is not changed.",
        },
        "schema": [
            _table("prices", "raw/prices/date=YYYY-MM-DD", PRICE_SCHEMA, _PRICES, _options()),
            _table("cards", "raw/catalog", CARD_SCHEMA, _CARDS, {"card_id": _CARD_ID}),
        ],
    }
    return yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=100)


_KEYS = {"prices": ("card_id", "date"), "cards": ("card_id",)}
_CARD_ID = {"pattern": CARD_ID_PATTERN}


def _options() -> dict[str, dict[str, Any]]:
    """Return the bounds that rows are checked by, by column."""
    most = QualitySettings.model_fields["quality_max_price"].default
    prices = {name: {"exclusiveMinimum": 0, "maximum": most} for name in PRICE_COLUMNS}
    currency = {"pattern": f"^({'|'.join(CURRENCIES)})$"}
    return {**prices, "card_id": _CARD_ID, "currency": currency, "volume": {"minimum": 0}}


def _table(
    name: str,
    path: str,
    schema: pa.Schema,
    descriptions: Mapping[str, str],
    options: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    keys = _KEYS[name]
    return {
        "name": name,
        "physicalName": path,
        "physicalType": "parquet",
        "logicalType": "object",
        "properties": [
            {
                "name": field.name,
                "description": descriptions[field.name],
                "logicalType": _TYPES[field.type],
                "physicalType": str(field.type),
                "required": not field.nullable,
                **(
                    {"primaryKey": True, "primaryKeyPosition": keys.index(field.name) + 1}
                    if field.name in keys
                    else {}
                ),
                **(
                    {"logicalTypeOptions": dict(options[field.name])}
                    if field.name in options
                    else {}
                ),
            }
            for field in schema
        ],
    }
