"""GET /openapi.json and /docs: the document for programs, and the same for people on one page that loads nothing from elsewhere."""

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


class Reference:
    def __init__(self) -> None:
        found = document()
        pages = files("pokewatch.gateway") / "pages"
        style, script = (pages / "docs.css").read_text(), (pages / "docs.js").read_text()
        self._json = msgspec.json.encode(found)
        self._html = _page(found, style, script).encode()
        policy = f"default-src 'none'; connect-src 'self'; style-src {_hash(style)}; script-src {_hash(script)}; form-action 'none'"
        self._policy: Header = (b"content-security-policy", policy.encode())

    async def openapi(self, exchange: RequestContext) -> Answer:
        return 200, [JSON, _CACHED], self._json

    async def docs(self, exchange: RequestContext) -> Answer:
        return (
            200,
            [(b"content-type", b"text/html; charset=utf-8"), _CACHED, self._policy],
            self._html,
        )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _page(found: dict[str, Any], style: str, script: str) -> str:
    info = found["info"]
    operations = [
        _operation(path, method, what)
        for path, methods in found["paths"].items()
        for method, what in methods.items()
    ]
    kinds = [
        f'<tr id="{kind.name}"><td><code>{kind.name}</code></td><td>{kind.status}</td><td>{_prose(kind.meaning)}</td></tr>'
        for kind in KINDS
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>PokeWatch API</title><style>{style}</style></head><body><h1>PokeWatch API</h1>"
        f"<p>{escape(info['description'])} Version {escape(info['version'])}; as <a href='/openapi.json'>OpenAPI</a>.</p>"
        f'<label>API key <input id="key" type="password" autocomplete="off"></label>{"".join(operations)}'
        f"<h2>Problems</h2><table><tr><th>Type</th><th>Status</th><th>Meaning</th></tr>{''.join(kinds)}</table>"
        f"<script>{script}</script></body></html>"
    )


def _prose(text: str) -> str:
    """As HTML: what is between backticks is code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _operation(path: str, method: str, what: dict[str, Any]) -> str:
    inputs = "".join(_input(parameter) for parameter in what["parameters"])
    body = what.get("requestBody")
    if body:
        example = body["content"]["application/json"]["examples"]["example"]["value"]
        inputs += f"<label>Body<textarea spellcheck='false'>{escape(json.dumps(example, indent=2))}</textarea></label>"
    statuses = "".join(
        f"<tr><td>{status}</td><td>{_prose(response['description'])}</td></tr>"
        for status, response in what["responses"].items()
    )
    return (
        f'<details id="{what["operationId"]}"><summary><span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{escape(what['summary'])}</summary><p>{_prose(what.get('description', 'No key needed.'))}</p>"
        f'<form class="try" data-method="{method.upper()}" data-path="{escape(path)}">{inputs}<button>Send</button><pre></pre></form>'
        f"<table>{statuses}</table></details>"
    )


def _input(parameter: dict[str, Any]) -> str:
    name, where = parameter["name"], parameter["in"]
    about = parameter["schema"].get("description") or ", ".join(parameter["schema"].get("enum", ()))
    return f'<label>{escape(name)} <input name="{escape(name)}" data-in="{where}" placeholder="{escape(about.replace("`", ""))}"></label>'
