"""Who may call MLServer's REST port: programs, and no web page that a browser on the same network happens to show.

A browser sends requests of any page to any address that it reaches. They are told by the Host they were addressed to (a
page may make its own name mean our address), by Origin and Sec-Fetch-Site, which a page cannot leave out, and by the
content types that a page may send without asking first.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

Headers = dict[bytes, bytes]

_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^\[\]:]*))(?::\d*)?")
_OWN = (b"same-origin", b"none")
_UNASKED = (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data")


class ProgramsOnly:
    """Plain ASGI middleware that refuses what a web page may have sent.

    `names` are the hosts that requests may be addressed to, `*.name` each one below it. Addresses and names without a
    dot always are among them: no page can have one of those for its name.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app = app
        self._names = frozenset(name.lower() for name in names if not name.startswith("*."))
        self._domains = tuple(name[1:].lower() for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(dict(scope["headers"]))
            if refusal is not None:
                status, reason = refusal
                await JSONResponse({"error": reason}, status)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._is_ours(host):
            return (
                403,
                f"{host[:80]!r} is not a name of this server; POKEWATCH_MLSERVER_NAMES lists them",
            )
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower().partition("://")[2] != host:
            return 403, "web pages may not call this server: the request has a foreign Origin"
        if headers.get(b"sec-fetch-site", b"none") not in _OWN:
            return (
                403,
                "web pages may not call this server: the request has a foreign Sec-Fetch-Site",
            )
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind in _UNASKED:
            return 415, f"the body must be application/json, not {kind.decode()}"
        return None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        if match["address"]:
            return _is_address(match["address"])
        name = match["name"].removesuffix(".")
        known = name in self._names or name.endswith(self._domains)
        return known or "." not in name or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
