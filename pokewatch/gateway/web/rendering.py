"""Templates and static files of the pages."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from pokewatch.contract import MAX_NAME_LENGTH
from pokewatch.gateway.http.middleware import NO_STORE, Answer, Header
from pokewatch.gateway.http.problems import NOT_FOUND, ProblemError
from pokewatch.gateway.web import formats
from pokewatch.gateway.web.charts import Chart, svg
from pokewatch.gateway.web.dot_charts import DotChart, dot_svg
from pokewatch.wording import counted, evidence

HTML: Header = (b"content-type", b"text/html; charset=utf-8")
# Pages load nothing from elsewhere, and no page can frame, restyle or script another.
SECURITY: tuple[Header, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_TYPES = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
_IMMUTABLE: Header = (b"cache-control", b"public, max-age=31536000, immutable")


_NEXT_CELL = '</td><td class="num">'


class Templates:
    """The templates, compiled at start. Undefined values raise, and all text is escaped."""

    def __init__(self, static: "StaticFiles") -> None:
        folder = files("pokewatch.gateway.web") / "templates"
        texts = {each.name: each.read_text("utf-8") for each in folder.iterdir()}
        environment = Environment(
            loader=DictLoader(texts),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "money": formats.money,
            "signed_percent": formats.signed_percent,
            "percent_sign": formats.percent_sign,
            "chance": formats.chance,
            "figure": formats.figure,
            "evidence": evidence,
            "size": formats.size_text,
            "band": formats.band_text,
            "day": formats.day_text,
            "age": formats.age_text,
            "counted": counted,
            "days": partial(counted, noun="day"),
            "sentence": formats.sentence,
        }
        environment.globals |= {
            "static": static.url,
            "longest_name": MAX_NAME_LENGTH,
            "svg": _svg,
            "dots": _dots,
            "status_text": formats.STATUSES.get,
            "reason_text": formats.reason_text,
            "problem_text": formats.problem_text,
            "advice_text": formats.advice_text,
            "skill_text": formats.SKILLS.get,
            "condition_text": formats.CONDITIONS.get,
            "marketplace_text": formats.marketplace_text,
            "listing_url": formats.listing_url,
            "number_text": formats.number_text,
            "later": formats.later,
            "price_rows": price_rows,
        }
        self._environment = environment

    def render(self, name: str, values: dict[str, Any]) -> bytes:
        return self._environment.get_template(name).render(values).encode()


def price_rows(
    dates: Sequence[str], columns: Sequence[Sequence[float | None]], currency: str
) -> Markup:
    """Return the rows of a table of amounts by day, the newest first.

    A template that escapes each of the hundreds of amounts would take most of the time of a page.
    """
    cells = [formats.prices(column, str(escape(currency))) for column in columns]
    rows = [
        f'<tr><th scope="row">{escape(day)}</th><td class="num">{_NEXT_CELL.join(row)}</td></tr>\n'
        for day, *row in zip(dates, *cells, strict=True)
    ]
    return Markup("".join(reversed(rows)))  # noqa: S704  # its texts are escaped


def _svg(chart: Chart) -> Markup:
    return Markup(svg(chart))  # noqa: S704  # its texts are escaped


def _dots(chart: DotChart) -> Markup:
    return Markup(dot_svg(chart))  # noqa: S704  # its texts are escaped


class StaticFiles:
    """The style sheet and the scripts. Their addresses change with their content."""

    def __init__(self) -> None:
        folder = files("pokewatch.gateway.web") / "static"
        self._content = {each.name: each.read_bytes() for each in folder.iterdir()}
        self._digests = {
            name: sha256(content).hexdigest()[:12] for name, content in self._content.items()
        }

    def url(self, name: str) -> str:
        return f"/static/{name}?v={self._digests[name]}"

    def answer(self, name: str, query: bytes = b"") -> Answer:
        """Return a file. Raise ProblemError (404).

        While gateways of two versions take turns, the page of one may ask the other: caches must
        not keep its file under the address of the page's.
        """
        content = self._content.get(name)
        if content is None:
            raise ProblemError(NOT_FOUND, "there is no such file")
        kind = _TYPES[name.rpartition(".")[2]]
        current = query == f"v={self._digests[name]}".encode()
        return 200, [(b"content-type", kind), _IMMUTABLE if current else NO_STORE], content
