"""Commands run in the process of the test."""

import json
from typing import Any

from click.testing import CliRunner, Result

from pokewatch.cli.main import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def run_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
