"""Access to the pages: open to all, with a session or key, or off."""

from urllib.parse import parse_qs, quote

from starlette.types import Receive

from pokewatch.gateway.auth.authentication import Authenticator, presented_key, unauthorized
from pokewatch.gateway.http.bodies import FormBodies
from pokewatch.gateway.http.middleware import NO_STORE, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import FORBIDDEN, ProblemError
from pokewatch.gateway.web.page_queries import given_parameters
from pokewatch.gateway.web.sessions import Sessions

SIGN_IN = "/sign-in"
UNSENT = "unsent"  # in its query after the session has ended before a form was sent
_SCOPE = "read"
_MAX_TARGET = 2_048  # longer than the addresses that pages link to


class PageAccess:
    """Admits requests of pages, and starts and ends sessions.

    With `open`, no key is needed. Otherwise a request needs a session or a key with the scope
    `read`, or the one that the API asks for what the page does, and counts towards the rate limit
    of the key.
    """

    def __init__(
        self,
        open_to_all: bool,
        authenticator: Authenticator,
        sessions: Sessions,
        bodies: FormBodies,
    ) -> None:
        self.open = open_to_all
        self._authenticator = authenticator
        self._sessions = sessions
        self._bodies = bodies

    async def admit(self, context: RequestContext, scope: str = _SCOPE) -> Answer | None:
        """Return None if the request is admitted, else a redirect to the page for signing in.

        Raise ProblemError with 403, 429 or 503.
        """
        if self.open:
            return None
        presented = presented_key(context.headers)
        key = (
            await self._authenticator.identify(presented, context)
            if presented
            else self._sessions.find(context)
        )
        if key is None:
            if context.scope["method"] == "POST":  # its address may have no page
                return to_sign_in(context, context.route, unsent=True)
            return to_sign_in(context, context.scope["path"])
        await self._authenticator.admit(key, context, scope)
        return None

    async def sign_in(self, context: RequestContext, receive: Receive) -> Answer:
        """Start a session with the key of the form, and return to the page in the query.

        Raise ProblemError with 401, 403, 413, 415, 429 or 503.
        """
        require_same_origin(context)
        form = parse_qs((await self._bodies.read(context, receive)).decode("latin-1"))
        presented = form.get("key", [""])[0].strip()
        if not presented:
            raise unauthorized("enter an API key")
        key = await self._authenticator.identify(presented, context)
        await self._authenticator.admit(key, context, _SCOPE)
        return _see_other(wanted_page(context), self._sessions.cookie(key, context))

    async def sign_out(self, context: RequestContext, receive: Receive) -> Answer:
        """End the session. Raise ProblemError with 403."""
        require_same_origin(context)
        await self._bodies.read(context, receive)
        return _see_other("/", self._sessions.ended(context))


def wanted_page(context: RequestContext) -> str:
    """Return the page to show after signing in, `/` if none of this host is wanted."""
    return _local_target(given_parameters(context).get("next", ["/"])[0])


def is_unsent(context: RequestContext) -> bool:
    """Return whether the visitor was sent to the page for signing in instead of a form's answer."""
    return UNSENT in given_parameters(context)


def _local_target(path: str) -> str:
    """Return `path` if it is one of this host, else `/`: a link cannot lead elsewhere."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def to_sign_in(context: RequestContext, path: str, *, unsent: bool = False) -> Answer:
    """Return a redirect to the page for signing in, which leads to `path` with the query given.

    With `unsent` that page says that the form was not sent. After a very long address the visitor
    returns to the first page.
    """
    query = context.scope["query_string"].decode("latin-1")
    address = f"{quote(path)}?{query}" if query else quote(path)
    target = quote(address if len(address) <= _MAX_TARGET else "/", safe="")
    flag = f"&{UNSENT}=1" if unsent else ""
    return _see_other(f"{SIGN_IN}?next={target}{flag}")


def require_same_origin(context: RequestContext) -> None:
    """Raise ProblemError (403) unless the form was sent from a page of this host.

    Browsers say so in Sec-Fetch-Site, which scripts cannot set, over https alone. They send Origin
    with every POST, which is compared with the host that the proxy, if any, forwards. SameSite
    cookies are the second line of defence.
    """
    if context.headers.get(b"sec-fetch-site") == b"same-origin":
        return
    origin = context.headers.get(b"origin", b"").decode("latin-1")
    host = context.headers.get(b"host", b"").decode("latin-1")
    if not host or origin not in {f"http://{host}", f"https://{host}"}:
        raise ProblemError(FORBIDDEN, "the form was not sent from a page of this host")


def _see_other(target: str, *headers: Header) -> Answer:
    return 303, [(b"location", target.encode("latin-1")), NO_STORE, *headers], b""
