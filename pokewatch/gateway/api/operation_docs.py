"""Descriptions of single operations for `/docs`: curl lines, and the fields of answers."""

import json
import re
import shlex
from html import escape
from typing import Any
from urllib.parse import quote

Schema = dict[str, Any]

_REF = "#/components/schemas/"
_DEPTH = 2  # of answers within answers


def prose(text: str) -> str:
    """Return the text as HTML, with anything in backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def curl_line(method: str, path: str, operation: Schema) -> str:
    """Return a command that calls the operation of a gateway at `$POKEWATCH`."""
    query = [f"{name}={quote(value)}" for name, value in example_query(operation).items()]
    given = {name: quote(value) for name, value in example_path(operation).items()}
    shown = path.format(**given)
    address = f"$POKEWATCH{shown}" + (f"?{'&'.join(query)}" if query else "")
    parts = [f'curl -s "{address}"']
    if method == "delete":
        parts.append("-X DELETE")
    if operation["security"]:
        parts.append('-H "X-API-Key: $KEY"')
    if "requestBody" in operation:
        body = json.dumps(example_body(operation), ensure_ascii=False)
        parts += ['-H "Content-Type: application/json"', f"-d {shlex.quote(body)}"]
    return " ".join(parts)


def example_query(operation: Schema) -> dict[str, str]:
    """Return the required query parameters of an operation."""
    return _examples(operation, "query")


def example_path(operation: Schema) -> dict[str, str]:
    """Return the parameters in the path of an operation."""
    return _examples(operation, "path")


def _examples(operation: Schema, place: str) -> dict[str, str]:
    return {
        each["name"]: each["schema"]["examples"][0]
        for each in operation["parameters"]
        if each["in"] == place and each["required"]
    }


def has_json_answer(operation: Schema) -> bool:
    return "application/json" in operation["responses"]["200"].get("content", {})


def example_body(operation: Schema) -> Any:
    content: Schema = operation["requestBody"]["content"]["application/json"]
    return content["examples"]["example"]["value"]


def answer_fields(operation: Schema, schemas: dict[str, Schema]) -> str:
    """Return a table of the fields of the operation's answer, "" if it is no JSON object."""
    content = operation["responses"]["200"].get("content", {})
    answer = content.get("application/json", {}).get("schema", {})
    rows = "".join(_rows(answer, schemas, "", _DEPTH))
    if not rows:
        return ""
    return (
        "<h2>Fields of the answer</h2><div class='scroll' tabindex='0'><table>"
        f"<tr><th>Field</th><th>Type</th><th>Meaning</th></tr>{rows}</table></div>"
    )


def _rows(schema: Schema, schemas: dict[str, Schema], prefix: str, depth: int) -> list[str]:
    """Return the rows of an object's fields, those of objects in it by `name.field`."""
    found = []
    for name, field in _resolved(schema, schemas).get("properties", {}).items():
        meaning = field.get("description", "")
        if "enum" in field:
            meaning = f"{meaning} One of {', '.join(f'`{each}`' for each in field['enum'])}."
        found.append(
            f"<tr><td><code>{escape(prefix + name)}</code></td><td>{escape(_type(field))}</td>"
            f"<td>{prose(meaning.strip())}</td></tr>"
        )
        inner, mark = (field.get("items", {}), "[]") if "items" in field else (field, "")
        if depth and isinstance(inner, dict):
            found += _rows(inner, schemas, f"{prefix}{name}{mark}.", depth - 1)
    return found


def _resolved(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    reference = schema.get("$ref", "")
    return schemas[reference.removeprefix(_REF)] if reference else schema


def _type(field: Schema) -> str:
    """Return the types of a field: `number or null`, `list of Card`."""
    if "$ref" in field:
        return str(field["$ref"]).removeprefix(_REF)
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items') or {})}"
    return str(field.get("type", "any"))
