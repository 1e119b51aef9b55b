"""Sessions of the pages: a key that was entered once, as a signed cookie.

The cookie has the id of the key and an expiry, signed with the key's hash, which only the gateway
has. Any gateway with the same key store accepts it, nothing is stored, and revoking or rotating the
key ends the session.
"""

import hmac
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.keys import Key
from pokewatch.gateway.http.middleware import Header, RequestContext

_COOKIE = "pokewatch_session"
SESSION_SECONDS = 12 * 3_600

_SESSION = re.compile(rf"(?:^|;)[ \t]*({_COOKIE}(?:_[0-9]+)?)=([^;]*)".encode())


class Sessions:
    """Signs cookies and finds their keys."""

    def __init__(self, keys: KeyCache, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    def cookie(self, key: Key, context: RequestContext) -> Header:
        """Return the header that starts a session of `key`."""
        expires = str(int(self._clock()) + SESSION_SECONDS)
        value = f"{key.id}.{expires}.{_signature(key, expires)}"
        return _set_cookie(value, SESSION_SECONDS, context)

    def ended(self, context: RequestContext) -> Header:
        """Return the header that ends the session."""
        return _set_cookie("", 0, context)

    def find(self, context: RequestContext) -> Key | None:
        """Return the live key of the session, None without a valid one."""
        key_id, _, rest = _session_value(context).partition(".")
        expires, _, signature = rest.partition(".")
        key = self._keys.by_id(key_id)
        if key is None or not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return None
        same = hmac.compare_digest(signature.encode(), _signature(key, expires).encode())
        return key if same and self._clock() < int(expires) else None


def _name(context: RequestContext) -> str:
    """Return the name of the cookie, which has the port that the browser has asked.

    Browsers send a cookie to every port of its host, so those of two gateways need two names.
    """
    port = context.headers.get(b"host", b"").rpartition(b":")[2]
    return f"{_COOKIE}_{port.decode()}" if port.isdigit() else _COOKIE


def _session_value(context: RequestContext) -> str:
    """Return the value of the session's cookie, the last of several, "" if there is none.

    Those of other servers are not read. `http.cookies` and what is built on it take time with the
    square of the length of a quoted one, up to Python 3.11.9 and 3.12.5 (CVE-2024-7592).
    """
    cookies, name = context.headers.get(b"cookie", b""), _name(context).encode()
    found = [value for each, value in _SESSION.findall(cookies) if each == name]
    return found[-1].strip().decode("latin-1") if found else ""


def _signature(key: Key, expires: str) -> str:
    signed = hmac.digest(key.hash, f"pokewatch pages {key.id} {expires}".encode(), "sha256")
    return urlsafe_b64encode(signed).decode().rstrip("=")


def _set_cookie(value: str, seconds: int, context: RequestContext) -> Header:
    cookie = f"{_name(context)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    # Each of several proxies may add a value: the first is of the connection of the browser.
    forwarded = context.headers.get(b"x-forwarded-proto", b"").partition(b",")[0].strip()
    if forwarded == b"https" or context.scope["scheme"] == "https":
        cookie += "; Secure"
    return b"set-cookie", cookie.encode()
