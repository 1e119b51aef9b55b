"""A registered version as a model of MLflow, in a process that knows its name only."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pokewatch.registry import Registry
from pokewatch.settings import RegistrySettings
from tests.champion import Champion, make_champion

pytestmark = pytest.mark.integration

PROGRAM = """
import json, sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(f"models:/{sys.argv[2]}@champion")
example = model.input_example
found = model.predict(example)
print(json.dumps({
    "cards": example["card_id"].tolist(),
    "fair": found["fair_price"].tolist(),
    "columns": found.columns.tolist(),
    "inputs": model.metadata.signature.inputs.input_names(),
    "outputs": model.metadata.signature.outputs.input_names(),
}))
try:
    model.predict(pd.DataFrame({"card": ["x"]}))
except mlflow.exceptions.MlflowException as error:
    print(json.dumps({"refused": str(error)}))
"""


@pytest.fixture
def champion(registry_home: Path) -> Champion:
    return make_champion(cards=120, days=60)


def test_a_champion_loads_by_its_alias_and_values_its_example(champion: Champion) -> None:
    uri = RegistrySettings.read().tracking_uri()
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, uri, Registry().name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, refused = map(json.loads, ran.stdout.splitlines()[-2:])
    book = Registry().open_book(champion.model)
    assert found["cards"] == book.cards.ids[:3]
    np.testing.assert_array_equal(found["fair"], book.look_up(found["cards"]).fair)
    assert found["inputs"] == ["card_id", "date", "market_price"]
    assert found["outputs"] == found["columns"]
    assert "card_id" in refused["refused"]
