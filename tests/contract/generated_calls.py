"""Call every operation by the generated client: `python generated_calls.py URL KEY FOLDER`.

Prints the name of each operation that returned what the document says. Runs apart from PokeWatch.
"""

import importlib
import inspect
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any


def arguments(operation: dict[str, Any], call: Any) -> dict[str, Any]:
    """Return the arguments of a generated function, from the examples of the document."""
    given: dict[str, Any] = {}
    parameters = inspect.signature(call).parameters
    for each in operation["parameters"]:
        examples = each["schema"].get("examples")
        if examples:
            name = each["name"] if each["name"] in parameters else f"{each['name']}_"
            is_day = each["schema"].get("format") == "date"
            given[name] = date.fromisoformat(examples[0]) if is_day else examples[0]
    if "body" in parameters:
        body = operation["requestBody"]["content"]["application/json"]
        name = body["schema"]["$ref"].rpartition("/")[2]
        model = getattr(importlib.import_module("client.models"), name)
        given["body"] = model.from_dict(body["examples"]["example"]["value"])
    return given


def main(url: str, key: str, folder: str) -> None:
    sys.path.insert(0, folder)
    document = json.loads((Path(folder) / "openapi.json").read_text())
    client_module = importlib.import_module("client")
    problem = importlib.import_module("client.models").Problem
    client = client_module.AuthenticatedClient(
        base_url=url, token=key, prefix="", auth_header_name="X-API-Key", timeout=30
    )
    made: dict[str, str] = {}
    modules = {path.stem for path in (Path(folder) / "client" / "api" / "default").glob("*.py")}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            assert modules & {name, f"{name}_"}, f"no function for {name}"
            module = importlib.import_module(
                f"client.api.default.{name if name in modules else f'{name}_'}"
            )
            given = arguments(operation, module.sync_detailed)
            response = module.sync_detailed(
                client=client, **{name: made.get(name, value) for name, value in given.items()}
            )
            (success,) = operation["responses"].keys() & {"200", "201", "204"}
            assert str(int(response.status_code)) == success, (method, path, response.content)
            if "application/json" in operation["responses"][success].get("content", {}):
                assert response.parsed is not None, name
                assert not isinstance(response.parsed, problem), (name, response.parsed)
            if name == "watch_create":
                made["watch_id"] = response.parsed.id  # of the example there is no watch
            print(name)  # noqa: T201


main(*sys.argv[1:])
