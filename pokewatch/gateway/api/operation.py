"""An operation of the API as the routes and the OpenAPI document need it."""

from dataclasses import dataclass
from typing import Any

from pokewatch.gateway.http.problems import Kind


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    `name` is its operationId and the key of its handler. `scope` is required of the API key; None
    needs no key. A body may have `max_bytes`, or the limit of the settings if that is smaller; that
    of a `collection` has the limits of collections, and with `csv` it may be a CSV file too.
    `response` is a model, or the media type of an answer that is not JSON. A `tagged` answer has an
    entity tag. With `csv_answer` it may be CSV too. An `idempotent` one takes an Idempotency-Key.
    Of a `ranged` one, a range may be requested. One `by_variant` may be answered by the challenger
    of a canary.
    """

    name: str
    method: str
    path: str
    summary: str
    response: Any
    description: str = ""
    scope: str | None = "read"
    request: Any = None
    max_bytes: int | None = None
    collection: bool = False
    csv: bool = False
    example: Any = None
    query: Any = None
    problems: tuple[Kind, ...] = ()
    tagged: bool = False
    csv_answer: bool = False
    idempotent: bool = False
    ranged: bool = False
    by_variant: bool = False
