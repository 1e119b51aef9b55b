"""The API that the tools call, and its client over HTTP."""

import asyncio
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


class HttpApi:
    """The API of the gateway at `url`, called with an API key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key

    async def call(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        return await asyncio.to_thread(self._send, method, path, query, body)

    def _send(self, method: str, path: str, query: Json, body: Json | None) -> Json:
        address = self._url + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        request = urllib.request.Request(address, content, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
                found: Json = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(_described(error.status or 0, error.read(65_536))) from None
        except ValueError:
            raise ApiError(f"{self._url} does not answer as a PokeWatch gateway") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ApiError(f"{self._url} cannot be reached: {reason}") from None
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
