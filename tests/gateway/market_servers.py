"""MLServers that serve named markets."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from pokewatch.contract import FAIR_PRICE, fair_price_model
from pokewatch.valuation.book import BookFacts, write_book
from tests.gateway.conftest import Gateway
from tests.polling import eventually
from tests.serving.books import FACTS, catalog, forecasts, rows
from tests.serving.server import MODELS, Server, models_folder, started, wait_until

DOLLARS = replace(FACTS, market="simulated-1", data_version="dv-dollars")
EUROS = replace(
    FACTS, market="file-europe", data_version="dv-euros", currency="EUR", source="file:europe"
)

SCALES = {"USD": 1.0, "EUR": 1.1}  # fair prices as multiples of the market prices


def serve_market(models: Path, book: Path, facts: BookFacts, count: int) -> None:
    """Write a book of `count` cards, and the model of its market to a models folder.

    Card i is of the TCGplayer product i.
    """
    cards, values = catalog(count), rows(count, scale=SCALES[facts.currency])
    products = pa.array([f'{{"tcgplayer": {number}}}' for number in range(count)])
    at = cards.schema.get_field_index("source_ids")
    cards = cards.set_column(at, cards.schema.field(at), products)
    digest = write_book(book, cards, values, facts, forecasts(values))
    name = fair_price_model(facts.market)
    content = json.loads((MODELS / FAIR_PRICE / "model-settings.json").read_text()) | {
        "name": name,
        "parameters": {"uri": str(book), "extra": {"digest": digest, "model_version": "7"}},
    }
    (models / name).mkdir(exist_ok=True)
    written = models / name / "model-settings.new"
    written.write_text(json.dumps(content))
    written.replace(models / name / "model-settings.json")


def markets_folder(folder: Path, *markets: tuple[BookFacts, int]) -> tuple[int, int, int]:
    """Write a models folder of markets, each with as many cards as given. Return its ports.

    Cards of the same number have the same id.
    """
    models = folder / "models"
    ports = models_folder(models)
    shutil.rmtree(models / FAIR_PRICE)
    for facts, count in markets:
        serve_market(models, folder / facts.market, facts, count)
    return ports


@contextmanager
def serving_markets(folder: Path, ports: tuple[int, int, int]) -> Iterator[Server]:
    """Serve the models folder in `folder`."""
    models = folder / "models"
    with started(models, ports, {"POKEWATCH_HOME": str(folder / "home")}) as server:
        names = [path.parent.name for path in models.glob("*/model-settings.json")]
        wait_until(server, *(f"/v2/models/{name}/ready" for name in names))
        yield server


@contextmanager
def market_server(folder: Path, *markets: tuple[BookFacts, int]) -> Iterator[Server]:
    """Serve markets, each with as many cards as given."""
    with serving_markets(folder, markets_folder(folder, *markets)) as server:
        yield server


def wait_for_markets(gateway: Gateway, *markets: str) -> None:
    """Wait until the gateway has listed the cards of these markets, and has no others."""

    def known() -> list[str]:
        backends = gateway.app.assembly.markets.backends
        return [each.id for each in backends if each.cards.known or len(backends) == 1]

    eventually(known, lambda found: found == list(markets))
