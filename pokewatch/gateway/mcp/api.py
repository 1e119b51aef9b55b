"""The API that the tools call, and its client over HTTP."""

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Protocol
from urllib.parse import urlencode

Json = dict[str, Any]

_SECONDS = 30.0


class ApiError(Exception):
    """The API refused a call, or could not be reached. The text is for the caller."""


class Api(Protocol):
    async def call(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        """Return the answer of an operation. Raise ApiError."""
        ...


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would take the API key to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


class HttpApi:
    """The API of the gateway at `url`, called with an API key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirects)

    async def call(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        return await asyncio.to_thread(self._send, method, path, query, body)

    def _send(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        address = self._url + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ApiError("the API key has characters that no key has")
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(address, content, headers, method=method)  # noqa: S310
            with self._opener.open(request, timeout=_SECONDS) as response:
                found = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(_described(error.status or 0, error.read(65_536))) from None
        except (ValueError, http.client.HTTPException):
            raise ApiError(f"{self._url} does not answer as a PokeWatch gateway") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ApiError(f"{self._url} cannot be reached: {reason}") from None
        if not isinstance(found, dict):
            raise ApiError(f"{self._url} does not answer as a PokeWatch gateway")
        return found


def _described(status: int, content: bytes) -> str:
    """Return the text of a problem response, or the status of another one."""
    try:
        problem = json.loads(content)
        return refusal_text(str(problem["detail"]), problem.get("near", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the gateway answered with the status {status}"


def refusal_text(detail: str, near: Any = ()) -> str:
    """Return the text of a problem, with the cards that may have been meant."""
    return f"{detail}; did you mean {', '.join(near)}?" if near else detail
