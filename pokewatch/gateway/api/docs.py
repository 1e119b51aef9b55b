"""GET /openapi.json and /docs, an HTML page of the same document that loads no other resources."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from pokewatch.gateway.api.answer_examples import AnswerExamples
from pokewatch.gateway.api.examples import EXAMPLE, ExampleCard
from pokewatch.gateway.api.openapi import document
from pokewatch.gateway.api.operation_docs import answer_fields, curl_line, example_body, prose
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import KINDS

FirstCard = Callable[[RequestContext], Awaitable[ExampleCard | None]]

_START = "<p><a href='/'>PokeWatch</a></p>"
_CACHED: Header = (b"cache-control", b"public, max-age=300")


class DocsEndpoints:
    """The OpenAPI document and its page, which links to the other pages if there are `pages`.

    Their examples are of a card that is being served.
    """

    def __init__(self, first_card: FirstCard, examples: AnswerExamples | None, pages: bool) -> None:
        self._first_card = first_card
        self._pages = pages
        self._examples = examples
        folder = files("pokewatch.gateway.api") / "static"
        style, script = (folder / "docs.css").read_text(), (folder / "docs.js").read_text()
        self._style, self._script = style, script
        self._rendered = self._render(EXAMPLE)
        policy = "; ".join(
            (
                "default-src 'none'",
                "connect-src 'self'",
                f"style-src {_hash(style)}",
                f"script-src {_hash(script)}",
                "form-action 'none'",
                "frame-ancestors 'none'",  # which has a field for the key
                "base-uri 'none'",
            )
        )
        self._policy: Header = (b"content-security-policy", policy.encode())

    async def openapi(self, context: RequestContext) -> Answer:
        return 200, [JSON, _CACHED], (await self._current(context)).json

    async def docs(self, context: RequestContext) -> Answer:
        """Return the page. Its examples are of what is being served, if that may be known."""
        current = await self._current(context)
        answers: Mapping[str, str] = {}
        if self._examples:
            answers = await self._examples.read(context, current.paths)
        html = current.html
        for name in _operation_names(current.paths):
            html = html.replace(_place(name), _example(answers.get(name, "")))
        headers = [(b"content-type", b"text/html; charset=utf-8"), _CACHED, self._policy]
        return 200, headers, html.encode()

    async def _current(self, context: RequestContext) -> "_Rendered":
        card = await self._first_card(context) or EXAMPLE
        if card != self._rendered.card:
            self._rendered = await asyncio.to_thread(self._render, card)
        return self._rendered

    def _render(self, card: ExampleCard) -> "_Rendered":
        spec = document(card)
        page = _page(spec, self._style, self._script, self._pages)
        return _Rendered(card, msgspec.json.encode(spec), page, spec["paths"])


class _Rendered(NamedTuple):
    card: ExampleCard
    json: bytes
    html: str
    paths: Mapping[str, Any]


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _page(spec: dict[str, Any], style: str, script: str, pages: bool) -> str:
    info = spec["info"]
    operations = "".join(
        _operation(path, method, operation, spec["components"]["schemas"])
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    )
    problems = "".join(
        f'<tr id="{kind.name}"><td><code>{kind.name}</code></td><td>{kind.status}</td>'
        f"<td>{prose(kind.meaning)}</td></tr>"
        for kind in KINDS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>PokeWatch API</title><style>{style}</style></head><body><main>"
        f"{_START if pages else ''}<h1>PokeWatch API</h1>"
        f"<p>{prose(info['description'])} Version {escape(info['version'])}. "
        "Curl lines need the address of the gateway in <code>POKEWATCH</code> and an API key in "
        "<code>KEY</code>. Also available as an <a href='/openapi.json'>OpenAPI document</a>.</p>"
        '<label>API key <input id="key" type="password" autocomplete="off"></label>'
        f"{operations}<h2>Problems</h2>"
        f"<table><tr><th>Type</th><th>Status</th><th>Meaning</th></tr>{problems}</table>"
        f"</main><script>{script}</script></body></html>"
    )


def _operation_names(paths: Mapping[str, Any]) -> list[str]:
    return [each["operationId"] for methods in paths.values() for each in methods.values()]


def _place(name: str) -> str:
    """Return the mark at which the answer of an operation is put."""
    return f"<!--answer of {name}-->"


def _example(answer: str) -> str:
    if not answer:
        return ""
    return f"<h2>Example answer</h2><pre class='answer' tabindex='0'>{escape(answer)}</pre>"


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    inputs = "".join(_input(parameter) for parameter in operation["parameters"])
    if "requestBody" in operation:
        text = escape(json.dumps(example_body(operation), indent=2, ensure_ascii=False))
        inputs += f"<label>Body<textarea spellcheck='false'>{text}</textarea></label>"
    statuses = "".join(
        f"<tr><td>{status}</td><td>{prose(response['description'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
        f"<p>{prose(operation['description'])}</p>"
        f'<form class="try" data-method="{method.upper()}" data-path="{escape(path)}">'
        f"{inputs}<button>Send</button> <output></output><pre tabindex='0' hidden></pre></form>"
        f"<h2>By curl</h2><pre>{escape(curl_line(method, path, operation))}</pre>"
        f"{_place(operation['operationId'])}"
        f"{answer_fields(operation, schemas)}<h2>Statuses</h2><table>{statuses}</table></details>"
    )


def _input(parameter: dict[str, Any]) -> str:
    name, schema = escape(parameter["name"]), parameter["schema"]
    hint = schema.get("description") or ", ".join(schema.get("enum", ()))
    placeholder = escape(hint.replace("`", ""))
    return (
        f'<label>{name} <input name="{name}" data-in="{parameter["in"]}" '
        f'placeholder="{placeholder}"></label>'
    )
