"""The documents that make a run with a price book a model of MLflow: MLmodel and an input example.

The book is the model's data where it is, so it is stored once. A loader needs PokeWatch installed.
"""

import platform
from typing import Any

from pokewatch.registry import BOOK
from pokewatch.valuation.book import PriceBook

LOADER = "pokewatch.valuation.book.pyfunc"
INPUT_EXAMPLE = "input_example.json"
_INPUTS = {"card_id": "string", "date": "string", "market_price": "double"}
_OPTIONAL = ("date", "market_price")
_OUTPUTS = {
    "card_id": "string",
    "date": "string",
    "market_price": "double",
    "fair_price": "double",
    "lower": "double",
    "upper": "double",
    "status": "string",
}


def model_documents(book: PriceBook) -> dict[str, Any]:
    """Return the documents of a run by name; JSON is YAML, the format of MLmodel."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(
        Schema([ColSpec(kind, name, name not in _OPTIONAL) for name, kind in _INPUTS.items()]),
        Schema([ColSpec(kind, name) for name, kind in _OUTPUTS.items()]),
    )
    example = {"artifact_path": INPUT_EXAMPLE, "type": "dataframe", "pandas_orient": "split"}
    model = Model(signature=signature, saved_input_example_info=example)
    model.add_flavor(
        "python_function",
        loader_module=LOADER,
        python_version=platform.python_version(),
        data=BOOK,
        config={"digest": book.digest},
    )
    cards = [[card] for card in book.cards.ids[:3]]
    return {
        "MLmodel": model.to_dict(),
        INPUT_EXAMPLE: {"columns": ["card_id"], "data": cards},
    }
