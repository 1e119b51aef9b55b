"""Commands run in the process of the test."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pokewatch.cli.main import main

of_the_pipeline = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning",  # MLflow's models on SQLAlchemy 2.1
    "ignore:_NoneStep.value will soon raise:DeprecationWarning",  # DVC's use of pygtrie
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def run_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
