"""The OpenAPI 3.1 document, generated from the operations and their models."""

import re
from collections.abc import Iterable
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

import msgspec

from pokewatch.contract import MAX_NAME_LENGTH
from pokewatch.gateway.api import schemas
from pokewatch.gateway.api.examples import EXAMPLE, ExampleCard, with_card
from pokewatch.gateway.api.fields import CardId
from pokewatch.gateway.api.markets.assignment import VARIANT_HEADER
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.routes import OPERATIONS
from pokewatch.gateway.api.watches import IDEMPOTENCY_KEY_PATTERN
from pokewatch.gateway.canary_metrics import VARIANTS
from pokewatch.gateway.http.problems import CONTENT_TYPE, Kind, Problem

_REF = "#/components/schemas/{name}"
_PROBLEM = {"$ref": _REF.format(name="Problem")}
_PARAMETER = re.compile(r"{(\w+)}")
_SECURITY: list[dict[str, list[str]]] = [{"key": []}, {"bearer": []}]
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A text of your choice. For a day, the same request with it is answered the "
    "same and changes nothing more.",
    "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY_PATTERN}$"},
}
_VARIANT = {
    "name": VARIANT_HEADER,
    "in": "header",
    "required": False,
    "description": "Which model answers while a new one is given a share of the callers: "
    "`champion` leaves that to others, `challenger` takes part. At other times it has no effect.",
    "schema": {"type": "string", "enum": [*VARIANTS]},
}
_DESCRIPTION = (
    "Fair prices of trading cards with 90% prediction intervals, and signals to BUY, SELL or HOLD."
)


def document(card: ExampleCard = EXAMPLE) -> dict[str, Any]:
    """Return the whole document. Its examples show `card`."""
    types = [
        Problem,
        schemas.FairPriceRequest,
        schemas.FairPrice,
        schemas.BatchProblem,
        *_models(OPERATIONS),
    ]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, components
        )
    queries = {operation.query.__name__ for operation in OPERATIONS if operation.query}
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "PokeWatch",
            "version": version("pokewatch"),
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    portable: dict[str, Any] = with_card(_portable(found), card)
    return portable


def _models(operations: Iterable[Operation]) -> list[Any]:
    found = [
        model
        for operation in operations
        for model in (operation.request, operation.response, operation.query)
    ]
    return [
        model
        for model in dict.fromkeys(found)
        if isinstance(model, type) and issubclass(model, msgspec.Struct)
    ]


def _operation(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation.path),
            *_query_parameters(operation, components),
            *([_IDEMPOTENCY_KEY] if operation.idempotent else []),
            *([_VARIANT] if operation.by_variant else []),
        ],
        "responses": _responses(operation),
        "security": _SECURITY if operation.scope else [],
    }
    access = (
        f"Needs an API key with the scope `{operation.scope}`."
        if operation.scope
        else "No API key needed."
    )
    found["description"] = f"{operation.description} {access}".strip()
    if operation.request is not None:
        content = {
            "schema": _ref(operation.request),
            "examples": {"example": {"value": operation.example}},
        }
        kinds: dict[str, Any] = {"application/json": content}
        if operation.csv:
            kinds["text/csv"] = {"schema": {"type": "string"}}
        found["requestBody"] = {"required": True, "content": kinds}
    return found


def _path_parameters(path: str) -> list[dict[str, Any]]:
    kinds = {
        "card_id": msgspec.json.schema(CardId),
        "set_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME_LENGTH,
            "description": "The id of a set.",
            "examples": [EXAMPLE.set_id],
        },
        "model": {
            "type": "string",
            "pattern": schemas.MODEL_PATTERN,
            "description": "The name of a model. That of a market with a name is "
            "`fair-price-<market>`, else `fair-price`.",
            "examples": [schemas.POKEWATCH],
        },
        "watch_id": {
            "type": "string",
            "pattern": "^w_[0-9a-f]{16}$",
            "description": "The id of a watch.",
            "examples": ["w_0123456789abcdef"],
        },
    }
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": kinds[name]["description"],
            "schema": kinds[name],
        }
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    found = components[operation.query.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in found.get("required", ()),
            "description": schema.get("description", ""),
            "schema": schema,
        }
        for name, schema in found["properties"].items()
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    headers: dict[str, Any] = {
        "X-Request-Id": _header("The id of the request: the caller's own, or a generated one.")
    }
    if operation.scope:
        headers |= {
            "RateLimit": _header("The requests left, and the seconds until the window ends."),
            "RateLimit-Policy": _header("The rate limit of the key."),
        }
    content: dict[str, Any] = (
        {operation.response: {"schema": _file_schema(operation.response)}}
        if isinstance(operation.response, str)
        else {"application/json": {"schema": _ref(operation.response)}}
    )
    if operation.csv_answer:
        content["text/csv"] = {"schema": {"type": "string"}}
    tag = {"ETag": _header("Changes when the answer may have changed.")} if operation.tagged else {}
    found: dict[str, Any] = {
        "200": {"description": "Success.", "headers": headers | tag, "content": content}
    }
    if operation.tagged:
        found["304"] = {
            "description": "Not modified: the entity tag of `If-None-Match` is current.",
            "headers": headers | tag,
        }
    if operation.ranged:
        ranges = {"Content-Range": _header("The range, and the length of the whole file.")}
        found["200"]["headers"]["Accept-Ranges"] = _header("The unit of ranges: `bytes`.")
        found["206"] = {
            "description": "The range of the header `Range`; with `If-Range`, only of that file.",
            "headers": headers | tag | ranges,
            "content": content,
        }
    for status in sorted({kind.status for kind in operation.problems}):
        found[str(status)] = _problem(
            [kind for kind in operation.problems if kind.status == status]
        )
    return found


def _problem(kinds: list[Kind]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": " ".join(f"{kind.title}: {kind.meaning}" for kind in kinds),
        "content": {CONTENT_TYPE: {"schema": _PROBLEM}},
    }
    if kinds[0].status in {429, 503}:
        found["headers"] = {
            "Retry-After": _header("The seconds to wait before a retry.", "integer")
        }
    return found


def _file_schema(media_type: str) -> dict[str, str]:
    """Return the schema of a body that is not JSON, without which generated clients skip it."""
    is_text = media_type.startswith("text/")
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _ref(model: Any) -> dict[str, Any]:
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        return {"$ref": _REF.format(name=model.__name__)}
    return msgspec.json.schema(model)


def _portable(node: Any) -> Any:
    """Return plain JSON types with portable texts, and enumerations with the type of their values.

    Generators for Java cannot tell it from the values.
    """
    if isinstance(node, dict):
        found = {
            key: _portable_text(key, value) if isinstance(value, str) else _portable(value)
            for key, value in node.items()
        }
        values = found.get("enum")
        if isinstance(values, list) and "type" not in found:
            found["type"] = "integer" if isinstance(values[0], int) else "string"
        return found
    return [_portable(item) for item in node] if isinstance(node, list | tuple) else node


def _portable_text(key: str, text: str) -> str:
    """Remove the indentation of docstrings, and write Python's \\A and \\Z as ^ and $."""
    if key == "description":
        return cleandoc(text)
    return text.replace(r"\A", "^").replace(r"\Z", "$") if key == "pattern" else text
