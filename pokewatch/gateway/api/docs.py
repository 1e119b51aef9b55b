"""GET /openapi.json and /docs, an HTML page of the same document that loads no other resources."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

import msgspec

from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import KINDS

_CACHED: Header = (b"cache-control", b"public, max-age=300")


class DocsEndpoints:
    """The OpenAPI document and its page, both rendered once."""

    def __init__(self) -> None:
        spec = document()
        pages = files("pokewatch.gateway") / "pages"
        style, script = (pages / "docs.css").read_text(), (pages / "docs.js").read_text()
        self._json = msgspec.json.encode(spec)
        self._html = _page(spec, style, script).encode()
        policy = "; ".join(
            (
                "default-src 'none'",
                "connect-src 'self'",
                f"style-src {_hash(style)}",
                f"script-src {_hash(script)}",
                "form-action 'none'",
            )
        )
        self._policy: Header = (b"content-security-policy", policy.encode())

    async def openapi(self, context: RequestContext) -> Answer:
        return 200, [JSON, _CACHED], self._json

    async def docs(self, context: RequestContext) -> Answer:
        return (
            200,
            [(b"content-type", b"text/html; charset=utf-8"), _CACHED, self._policy],
            self._html,
        )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _page(spec: dict[str, Any], style: str, script: str) -> str:
    info = spec["info"]
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    )
    problems = "".join(
        f'<tr id="{kind.name}"><td><code>{kind.name}</code></td><td>{kind.status}</td>'
        f"<td>{_prose(kind.meaning)}</td></tr>"
        for kind in KINDS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>PokeWatch API</title><style>{style}</style></head><body><main>"
        "<h1>PokeWatch API</h1>"
        f"<p>{_prose(info['description'])} Version {escape(info['version'])}. "
        "Also available as an <a href='/openapi.json'>OpenAPI document</a>.</p>"
        '<label>API key <input id="key" type="password" autocomplete="off"></label>'
        f"{operations}<h2>Problems</h2>"
        f"<table><tr><th>Type</th><th>Status</th><th>Meaning</th></tr>{problems}</table>"
        f"</main><script>{script}</script></body></html>"
    )


def _prose(text: str) -> str:
    """Return the text as HTML, with anything in backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    inputs = "".join(_input(parameter) for parameter in operation["parameters"])
    body = operation.get("requestBody")
    if body:
        example = body["content"]["application/json"]["examples"]["example"]["value"]
        text = escape(json.dumps(example, indent=2))
        inputs += f"<label>Body<textarea spellcheck='false'>{text}</textarea></label>"
    statuses = "".join(
        f"<tr><td>{status}</td><td>{_prose(response['description'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
        f"<p>{_prose(operation['description'])}</p>"
        f'<form class="try" data-method="{method.upper()}" data-path="{escape(path)}">'
        f"{inputs}<button>Send</button><pre></pre></form><table>{statuses}</table></details>"
    )


def _input(parameter: dict[str, Any]) -> str:
    name, schema = escape(parameter["name"]), parameter["schema"]
    hint = schema.get("description") or ", ".join(schema.get("enum", ()))
    placeholder = escape(hint.replace("`", ""))
    return (
        f'<label>{name} <input name="{name}" data-in="{parameter["in"]}" '
        f'placeholder="{placeholder}"></label>'
    )
