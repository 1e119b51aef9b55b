"""Problems: every error response of the gateway is an RFC 9457 `application/problem+json`."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A problem type. Its `type` URI is `/docs#<name>`, where it is described by `meaning`."""

    name: str
    status: int
    title: str
    meaning: str


MALFORMED = Kind(
    "malformed",
    400,
    "Malformed request",
    "The request is not valid HTTP/1.1, or the connection ended before the whole body arrived.",
)
NOT_JSON = Kind("not-json", 400, "Invalid JSON", "The body cannot be parsed as JSON.")
UNAUTHORIZED = Kind(
    "unauthorized",
    401,
    "API key required",
    "The API key is missing, unknown, expired or revoked; the response does not disclose which.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "Not allowed",
    "The API key does not have the scope that the request requires, or a page of another site sent "
    "the request; `detail` says which.",
)
NOT_FOUND = Kind("not-found", 404, "Not found", "No route matches the path.")
UNKNOWN_CARD = Kind(
    "unknown-card",
    404,
    "Unknown card",
    "No card has this id or slug; `near` lists similar ones.",
)
UNKNOWN_SET = Kind("unknown-set", 404, "Unknown set", "No set has this id; `GET /sets` lists them.")
UNKNOWN_MARKET = Kind(
    "unknown-market", 404, "Unknown market", "No market has this id; `GET /markets` lists them."
)
UNKNOWN_DATE = Kind(
    "unknown-date",
    404,
    "No price on this date",
    "The card exists, but the price book has no row for this date.",
)
UNKNOWN_PAGE = Kind(
    "unknown-page", 404, "Unknown page", "The cursor does not come from this search."
)
UNKNOWN_MODEL = Kind(
    "unknown-model", 404, "Unknown model", "The gateway serves no V2 model of this name."
)
UNKNOWN_WATCH = Kind(
    "unknown-watch",
    404,
    "Unknown watch",
    "The API key has no watch with this id.",
)
METHOD = Kind(
    "method-not-allowed",
    405,
    "Method not allowed",
    "The path exists but does not support the method; the `Allow` header lists those it supports.",
)
SLOW_REQUEST = Kind(
    "slow-request", 408, "Request timeout", "The body did not arrive within the time limit."
)
UNREADABLE_FILE = Kind(
    "unreadable-file",
    409,
    "Unreadable file",
    "The file is not a table of cards; `detail` says why, and what would do.",
)
OTHER_CURRENCY = Kind(
    "other-currency",
    409,
    "Fees in another currency",
    "The fees of the marketplace in `fees` are in another currency than the prices.",
)
WATCH_REFUSED = Kind(
    "watch-refused",
    409,
    "Watch refused",
    "The watch cannot be created: its currency or webhook is not allowed, or there are too many.",
)
REUSED_IDEMPOTENCY_KEY = Kind(
    "reused-idempotency-key",
    409,
    "Idempotency key reused",
    "The `Idempotency-Key` came with another request within a day.",
)
MISFIT = Kind(
    "misfit",
    409,
    "Tensors do not match the model",
    "The V2 request is well-formed, but its tensors do not match the model's metadata.",
)
TOO_LARGE = Kind(
    "too-large", 413, "Body too large", "The body exceeds the limit of bytes or of values."
)
MEDIA_TYPE = Kind(
    "media-type",
    415,
    "Unsupported media type",
    "The body must be uncompressed, and of a type that the operation takes; `detail` says which.",
)
RANGE = Kind(
    "range-not-satisfiable",
    416,
    "Range not satisfiable",
    "The range starts after the end of the file; `Content-Range` has its length.",
)
INVALID = Kind(
    "invalid",
    422,
    "Invalid request",
    "The request is well-formed, but a value is missing or not allowed; `errors` points to it.",
)
RATE_LIMITED = Kind(
    "rate-limited",
    429,
    "Too many requests",
    "The rate limit is exceeded; `Retry-After` is the number of seconds to wait.",
)
INTERNAL = Kind(
    "internal",
    500,
    "Internal error",
    "An unexpected error in the gateway; its log has the details under the request id.",
)
UNSUPPORTED = Kind(
    "unsupported",
    501,
    "Not supported",
    "The request has the method `CONNECT` or a transfer coding other than `chunked`.",
)
UPSTREAM_FAULT = Kind(
    "upstream-fault",
    502,
    "Invalid response from the model server",
    "The model server returned a response that the gateway cannot use.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "Model server unavailable",
    "The model server cannot be reached, or its models are not loaded; of `/ready` also: prices "
    "are too old, or the gateway is stopping.",
)
OVERLOADED = Kind(
    "overloaded",
    503,
    "Overloaded",
    "Too many requests are queued for another one to be answered in time.",
)
PREPARING = Kind(
    "preparing",
    503,
    "Export being prepared",
    "The file is being written: send the request again after `Retry-After` seconds.",
)
KEYS_UNREADABLE = Kind(
    "keys-unreadable",
    503,
    "API keys cannot be verified",
    "The gateway cannot read its key store; `Retry-After` is the number of seconds to wait.",
)
WATCHES_UNAVAILABLE = Kind(
    "watches-unavailable",
    503,
    "Watches unavailable",
    "The gateway cannot use the database of the watches.",
)
UPSTREAM_TIMEOUT = Kind(
    "upstream-timeout",
    504,
    "Model server timeout",
    "The model server did not respond within the time limit.",
)

KINDS = tuple(found for found in list(globals().values()) if isinstance(found, Kind))


class Fault(msgspec.Struct, frozen=True):
    """A value that is not allowed.

    `pointer` is a JSON pointer (RFC 6901) into the body, `?name` for a query parameter, or the name
    of a header.
    """

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[Fault, ...] = ()
    near: tuple[str, ...] = ()
    retry_after: int | None = None
    error: str | None = None


class ProblemError(Exception):
    """An error that the middleware turns into a response. All of it is sent to the client."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        near: Sequence[str] = (),
        retry_after: int | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.near = tuple(near)
        self.retry_after = retry_after
        self.headers = tuple(headers)

    def problem(self, request_id: str, *, v2: bool = False) -> Problem:
        """Return the problem details. `v2` adds the member `error`, which V2 clients read."""
        return Problem(
            type=f"/docs#{self.kind.name}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
            near=self.near,
            retry_after=self.retry_after,
            error=self.detail if v2 else None,
        )


def invalid(pointer: str, detail: str) -> ProblemError:
    return ProblemError(INVALID, f"{pointer or 'body'}: {detail}", errors=[Fault(pointer, detail)])


def misfit(pointer: str, detail: str) -> ProblemError:
    return ProblemError(MISFIT, f"{pointer or 'body'}: {detail}", errors=[Fault(pointer, detail)])


def unknown_card(card: str, near: Sequence[str] = ()) -> ProblemError:
    return ProblemError(UNKNOWN_CARD, f"no card has the id or slug {card!r}", near=near)


def unknown_set(set_id: str) -> ProblemError:
    return ProblemError(UNKNOWN_SET, f"no set has the id {set_id!r}")


def unknown_market(market: str, known: Sequence[str]) -> ProblemError:
    detail = f"no market has the id {market!r}; the markets are {', '.join(known)}"
    return ProblemError(UNKNOWN_MARKET, detail)


def unavailable(detail: str, retry_after: int = 1) -> ProblemError:
    return ProblemError(UNAVAILABLE, detail, retry_after=retry_after)


def keys_unreadable() -> ProblemError:
    detail = "API keys cannot be verified at the moment: try again later"
    return ProblemError(KEYS_UNREADABLE, detail, retry_after=5)


def internal_error() -> ProblemError:
    detail = "an unexpected error occurred: report the request id to the operator"
    return ProblemError(INTERNAL, detail)


def is_outage(problem: ProblemError) -> bool:
    """Return whether the model server caused the problem, so that a cached answer may be used."""
    return problem.kind in (UNAVAILABLE, UPSTREAM_FAULT, UPSTREAM_TIMEOUT)
