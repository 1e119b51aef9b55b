"""Problems: every error the gateway answers, RFC 9457 `application/problem+json` in one shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. `type` in the answer is `/docs#<name>`, where the kind is described."""

    name: str
    status: int
    title: str
    meaning: str


MALFORMED = Kind(
    "malformed",
    400,
    "Malformed request",
    "The request is not well-formed HTTP/1.1, or its body is cut off.",
)
NOT_JSON = Kind("not-json", 400, "Not JSON", "The body is not well-formed JSON.")
UNAUTHORIZED = Kind(
    "unauthorized",
    401,
    "No valid API key",
    "The key is missing, unknown, expired or revoked; which, is not told.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "Scope missing",
    "The key is valid but lacks the scope that the route asks for.",
)
NOT_FOUND = Kind("not-found", 404, "No such resource", "The gateway has nothing at this address.")
UNKNOWN_CARD = Kind(
    "unknown-card",
    404,
    "Unknown card",
    "No card of that id or slug; `near` lists the most similar ones.",
)
UNKNOWN_DATE = Kind(
    "unknown-date",
    404,
    "No price for that day",
    "The card is known but the price book has no row for that day.",
)
UNKNOWN_PAGE = Kind(
    "unknown-page", 404, "Unknown page", "The cursor is not one that this search gave."
)
UNKNOWN_MODEL = Kind(
    "unknown-model", 404, "Unknown model", "The gateway has no V2 model of that name."
)
METHOD = Kind(
    "method-not-allowed",
    405,
    "Method not allowed",
    "The address exists; the `Allow` header lists its methods.",
)
SLOW_REQUEST = Kind("slow-request", 408, "Request too slow", "The body did not arrive in time.")
MISFIT = Kind(
    "misfit",
    409,
    "Tensors do not fit the model",
    "The V2 request is valid, but not for this model; its metadata tells what is.",
)
TOO_LARGE = Kind("too-large", 413, "Body too large", "The body is larger than the gateway reads.")
MEDIA_TYPE = Kind(
    "media-type",
    415,
    "Unsupported media type",
    "The body must be `application/json`, uncompressed.",
)
INVALID = Kind(
    "invalid",
    422,
    "Invalid request",
    "The request is well-formed but a value is not allowed; `errors` points at it.",
)
RATE_LIMITED = Kind(
    "rate-limited",
    429,
    "Too many requests",
    "The limit is used up; `Retry-After` tells when to come back.",
)
INTERNAL = Kind(
    "internal",
    500,
    "Internal error",
    "A defect of the gateway. The request id finds it in the log.",
)
UNSUPPORTED = Kind(
    "unsupported",
    501,
    "Not supported",
    "A transfer coding other than `chunked`, or the method `CONNECT`.",
)
UPSTREAM_FAULT = Kind(
    "upstream-fault",
    502,
    "Bad answer from the model server",
    "The model server answered what cannot be used.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "Model server unavailable",
    "The model server is down or its models are not loaded.",
)
OVERLOADED = Kind(
    "overloaded", 503, "Overloaded", "More requests are waiting than can be answered in time."
)
KEYS_UNREADABLE = Kind(
    "keys-unreadable",
    503,
    "Keys cannot be checked",
    "The key store has not been readable for a while.",
)
UPSTREAM_TIMEOUT = Kind(
    "upstream-timeout",
    504,
    "Model server too slow",
    "The model server did not answer within the deadline.",
)

KINDS: tuple[Kind, ...] = (
    MALFORMED,
    NOT_JSON,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    UNKNOWN_CARD,
    UNKNOWN_DATE,
    UNKNOWN_PAGE,
    UNKNOWN_MODEL,
    METHOD,
    SLOW_REQUEST,
    MISFIT,
    TOO_LARGE,
    MEDIA_TYPE,
    INVALID,
    RATE_LIMITED,
    INTERNAL,
    UNSUPPORTED,
    UPSTREAM_FAULT,
    UNAVAILABLE,
    OVERLOADED,
    KEYS_UNREADABLE,
    UPSTREAM_TIMEOUT,
)


class Fault(msgspec.Struct, frozen=True):
    """One value at fault: `pointer` is a JSON pointer (RFC 6901) into the body, or `?name` for a query parameter."""

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
    """Raised anywhere in the gateway, answered in one place. Holds nothing secret: all of it goes to the caller."""

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
        """What is answered. V2 clients read the member `error`, so routes under /v2 have it as well."""
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


def unavailable(detail: str, retry_after: int = 1) -> ProblemError:
    return ProblemError(UNAVAILABLE, detail, retry_after=retry_after)


def keys_unreadable() -> ProblemError:
    return ProblemError(KEYS_UNREADABLE, "keys cannot be checked at the moment", retry_after=5)


def is_outage(problem: ProblemError) -> bool:
    """Whether the model server is to blame, so that an earlier answer may stand in."""
    return problem.kind in (UNAVAILABLE, UPSTREAM_FAULT, UPSTREAM_TIMEOUT)
