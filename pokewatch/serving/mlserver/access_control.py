"""Access to MLServer's REST port: programs may call it, web pages in a browser may not.

MLServer has no authentication, and a browser sends requests from any web page to any address it can
reach. Such requests are recognized by their Host (a page may resolve its own domain to this
server's address), by Origin and Sec-Fetch-Site, which a page cannot suppress, and by the content
types that a page may send without a preflight request. MLServer's CORS setting
(SeldonIO/MLServer#386) only restricts reading responses, not sending such requests.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

Headers = dict[bytes, bytes]

_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^\[\]:]*))(?::\d*)?")
_SAME_SITE = (b"same-origin", b"none")
_NO_PREFLIGHT = (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data")


class BrowserRequestFilter:
    """Plain ASGI middleware that rejects requests a web page may have sent.

    `hosts` are the accepted Host names; `*.name` accepts every subdomain. IP addresses and names
    without a dot are always accepted, because no web page can have such a domain.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            rejection = self._rejection(dict(scope["headers"]))
            if rejection is not None:
                status, reason = rejection
                await JSONResponse({"error": reason}, status)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _rejection(self, headers: Headers) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._is_accepted(host):
            return (
                403,
                f"the Host {host[:80]!r} is not accepted; POKEWATCH_MLSERVER_NAMES lists the "
                "accepted names",
            )
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower().partition("://")[2] != host:
            return 403, "web pages may not call this server: the request has another Origin"
        if headers.get(b"sec-fetch-site", b"none") not in _SAME_SITE:
            return 403, "web pages may not call this server: Sec-Fetch-Site is not same-origin"
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind in _NO_PREFLIGHT:
            return 415, f"the body must be application/json, not {kind.decode()}"
        return None

    def _is_accepted(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        if match["address"]:
            return _is_address(match["address"])
        name = match["name"].removesuffix(".")
        if name in self._hosts or name.endswith(self._suffixes):
            return True
        return "." not in name or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
