"""The contract of the API in lines that can be compared: one for each thing a client relies on.

`python -m tests.contract.summary` writes them to CONTRACT.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from pokewatch.gateway.api.openapi import document

CONTRACT = Path(__file__).with_name("contract.txt")
_REF = "#/components/schemas/"
_BOUNDS = (
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "default",
)


def summary() -> list[str]:
    """Return the lines, without descriptions and examples: wording is not part of the contract."""
    found = document()
    return [*_operations(found["paths"]), *_schemas(found["components"]["schemas"])]


def digest(lines: list[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()[:12]


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            access = "key" if operation["security"] else "open"
            yield f"{name}: {operation['operationId']}, {access}"
            for each in operation["parameters"]:
                needed = "required" if each["required"] else "optional"
                yield f"{name} {each['in']} {each['name']}: {needed} {_type(each['schema'])}"
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{name} body {kind}: {_type(content['schema'])}"
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {"-": {}}).items():
                    yield f"{name} {status} {kind}: {_type(content.get('schema', {}))}"
                if headers := response.get("headers"):
                    yield f"{name} {status} headers: {', '.join(sorted(headers))}"


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        for field, kind in schema.get("properties", {}).items():
            needed = "required" if field in schema.get("required", ()) else "optional"
            yield f"{name}.{field}: {needed} {_type(kind)}"


def _type(schema: dict[str, Any]) -> str:
    """Return a type with its bounds: `integer minimum=1`, `list of Card`, `"BUY" or "SELL"`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    bounds = "".join(f" {name}={schema[name]}" for name in _BOUNDS if name in schema)
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"])) + bounds
    if "enum" in schema:
        return " or ".join(f"{each!r}" for each in schema["enum"]) + bounds
    kind = schema.get("type", "any")
    if kind == "array":
        kind = f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and "additionalProperties" in schema:
        kind = f"object of {_type(schema['additionalProperties'] or {})}"
    return f"{kind}{bounds}"


if __name__ == "__main__":
    lines = summary()
    CONTRACT.write_text("\n".join(lines) + "\n")
    print(f"the newest entry of docs/api_changelog.md ends with `Contract {digest(lines)}`")  # noqa: T201
