"""A gateway whose book has hostile names, and cards with few prices or none."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from pokewatch.contract import MAX_NAME_LENGTH
from pokewatch.valuation.book import STATUSES, write_book
from tests.gateway.conftest import Gateway, gateway_at
from tests.serving.books import FACTS, catalog, forecasts, rows
from tests.serving.server import serving_book

HOSTILE = {
    3: "<script>alert(1)</script>",
    4: "\u202eright to left",
    5: "🔥 & \"quotes\" 'too'",
    6: "x" * 500,
    7: "{{ 7 * 7 }}",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose book has hostile names, and cards with few prices or none."""
    folder = tmp_path_factory.mktemp("hostile")
    cards = catalog(12)
    names = [HOSTILE.get(i, f"Pokémon {i}") for i in range(12)]
    cards = cards.set_column(cards.schema.get_field_index("name"), "name", pa.array(names))
    long = ["s" * MAX_NAME_LENGTH, "t" * (MAX_NAME_LENGTH + 1)]
    sets = [*long, *cards["set_id"].to_pylist()[2:-1], "Sun/Moon #1?"]
    cards = cards.set_column(cards.schema.get_field_index("set_id"), "set_id", pa.array(sets))
    named = [*long, *cards["set_name"].to_pylist()[2:]]
    cards = cards.set_column(cards.schema.get_field_index("set_name"), "set_name", pa.array(named))
    numbers = ["" if i == 2 else f"{i:03}/100" for i in range(12)]
    cards = cards.set_column(cards.schema.get_field_index("number"), "number", pa.array(numbers))
    values = rows(12, days=40)
    values.market[8] = np.nan
    values.fair[8] = values.lower[8] = values.upper[8] = np.nan
    values.status[8] = STATUSES.index("thin_history")
    values.market[9, :-1] = np.nan
    values.market[10, -1] = np.nan
    values.low[11] = np.nan
    digest = write_book(folder / "book", cards, values, FACTS, forecasts(values))
    with serving_book(folder, digest) as server, gateway_at(server.url, folder) as found:
        yield found
