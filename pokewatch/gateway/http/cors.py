"""Cross-origin requests: which sites may call the API from a browser (the Fetch standard, CORS).

Keys are sent in a header, never in a cookie, so credentials are not allowed.
"""

from collections.abc import Sequence

Header = tuple[bytes, bytes]

ANY = "*"
EXPOSED = (
    b"Accept-Ranges, Content-Disposition, Content-Range, ETag, RateLimit, RateLimit-Policy, "
    b"Retry-After, WWW-Authenticate, X-Request-Id"
)
# The wildcard allows every header but Authorization where no credentials are sent.
_ALLOWED_HEADERS: Header = (b"access-control-allow-headers", b"*, Authorization")
_ALLOWED_METHODS: Header = (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE")
_MAX_AGE: Header = (b"access-control-max-age", b"7200")  # the most that Chromium allows
_EXPOSED: Header = (b"access-control-expose-headers", EXPOSED)
_VARY: Header = (b"vary", b"origin")


class CrossOrigin:
    """The origins whose scripts may read responses. `*` stands for all of them."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origin.lower().encode() for origin in origins)

    def allows(self, origin: bytes) -> bool:
        """Return whether scripts of `origin` may call the API."""
        return self._any or origin.lower() in self._origins

    def response_headers(self, origin: bytes | None) -> tuple[Header, ...]:
        """Return the headers of a response to a request of `origin`, None for one without it."""
        if self._any:
            return (b"access-control-allow-origin", b"*"), _EXPOSED
        if origin is None or not self.allows(origin):
            return (_VARY,)  # a cache must not send this response to an allowed origin
        return (b"access-control-allow-origin", origin), _EXPOSED, _VARY

    def is_preflight(self, method: str, headers: dict[bytes, bytes]) -> bool:
        """Return whether a request asks for permission, and gets it."""
        if method != "OPTIONS" or b"access-control-request-method" not in headers:
            return False
        return self.allows(headers.get(b"origin", b""))


def preflight_headers() -> tuple[Header, ...]:
    """Return what a preflight request is answered besides the headers of every response."""
    return _ALLOWED_METHODS, _ALLOWED_HEADERS, _MAX_AGE
