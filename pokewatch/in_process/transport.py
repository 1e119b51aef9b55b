"""The gateway's requests answered by models in the same process."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from mlserver.errors import MLServerError
from mlserver.rest.responses import Response
from starlette.responses import Response as PlainResponse

from pokewatch.contract import FAIR_PRICE, INFERENCES_PATH, ExportFormat
from pokewatch.gateway.upstream.http_client import BrokenError, DeadlineError, Reply
from pokewatch.gateway.upstream.transport import first_bytes
from pokewatch.in_process.models import InProcessModels
from pokewatch.serving.fair_price import CanaryEnd

logger = logging.getLogger("pokewatch.serving")

_MODEL = re.compile(r"/v2/models/(?P<name>[^/]+)(?P<rest>/ready|/infer|)")
_INDEX = "/v2/repository/index"
_OF_MODEL = rf"(?:/v2/models/(?P<model>{FAIR_PRICE}-[a-z0-9-]+))?/catalog"
_CATALOG = re.compile(rf"{_OF_MODEL}/(?P<query>\w+)")
_EXPORT = re.compile(rf"{_OF_MODEL}/export\.(?P<format>parquet|csv)")
_RECORD_PIECE = re.compile(rf"{_OF_MODEL}/track_record/piece")
_CANARY_END = re.compile(rf"{_OF_MODEL}/canary/end")
_CARD_IDS = "ids"
_PARTS_AHEAD = 4  # of a stream, held in memory


class InProcessTransport:
    """Answers with the bytes of an MLServer: the same endpoints, called without HTTP.

    The models load with the first request, in the event loop of the gateway.
    """

    def __init__(self, models: InProcessModels) -> None:
        self._models = models
        self._run: asyncio.Task[None] | None = None

    async def send(
        self, path: str, body: bytes | None, seconds: float, headers: bytes = b""
    ) -> Reply:
        """Return the reply to a request. Raise DeadlineError."""
        self._start()
        try:
            async with asyncio.timeout(seconds):
                response = await self._answered(path, body, parse_headers(headers))
        except TimeoutError:
            raise DeadlineError("no complete reply in time") from None
        return Reply(response.status_code, bytes(response.body))

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, headers: bytes, seconds: float
    ) -> AsyncIterator["InProcessReply"]:
        """Yield the reply to GET `path`, whose parts are made as they are read."""
        self._start()
        try:
            async with asyncio.timeout(seconds):
                response = await self._guarded(self._export(path))
        except TimeoutError:
            raise DeadlineError("no complete reply in time") from None
        async with contextlib.aclosing(InProcessReply(response, headers, seconds)) as reply:
            await reply.read_head()
            yield reply

    def close(self) -> None:
        if self._run is not None:
            self._run.cancel()

    def _start(self) -> None:
        if self._run is None:
            self._run = asyncio.create_task(self._models.run())

    async def _answered(
        self, path: str, body: bytes | None, headers: dict[str, str]
    ) -> PlainResponse:
        if path == INFERENCES_PATH:
            several = self._models.endpoints.infer_several(body or b"", headers)
            return await self._guarded(several)
        if path == _INDEX:
            states = self._models.states().items()
            index = [{"name": name, "state": state} for name, state in states]
            return cast(PlainResponse, Response(index))
        if match := _RECORD_PIECE.fullmatch(path):
            return await self._guarded(self._catalog(match, "send_record_piece", body))
        if match := _CANARY_END.fullmatch(path):
            return await self._guarded(self._end_canary(match, body))
        if match := _CATALOG.fullmatch(path):
            return await self._guarded(self._query(match, body))
        if match := _MODEL.fullmatch(path):
            return await self._guarded(self._model(match["name"], match["rest"], body, headers))
        return _error(404, "Not Found")

    async def _model(
        self, name: str, rest: str, body: bytes | None, headers: dict[str, str]
    ) -> PlainResponse:
        endpoints = self._models.endpoints
        if rest == "/ready":
            return await endpoints.model_ready(name)
        if rest == "/infer":
            # Requests that have arrived meanwhile are read first, and coalesced into one call.
            await asyncio.sleep(0)
            await self._models.find(name)
            return cast(PlainResponse, await endpoints.infer_body(body or b"", headers, name, None))
        found = await endpoints.model_metadata(name)
        return cast(
            PlainResponse, Response(found.model_dump(exclude_none=True, exclude_unset=True))
        )

    async def _query(self, match: re.Match[str], body: bytes | None) -> PlainResponse:
        if match["query"] == _CARD_IDS and body is None:
            model: Any = await self._models.find(match["model"] or FAIR_PRICE)
            response: PlainResponse = await model.send_card_hashes()
            return response
        return await self._catalog(match, "query_catalog", body, match["query"])

    async def _catalog(
        self, match: re.Match[str], endpoint: str, body: bytes | None, *names: str
    ) -> PlainResponse:
        model: Any = await self._models.find(match["model"] or FAIR_PRICE)
        response: PlainResponse = await getattr(model, endpoint)(*names, json.loads(body or b""))
        return response

    async def _end_canary(self, match: re.Match[str], body: bytes | None) -> PlainResponse:
        model: Any = await self._models.find(match["model"] or FAIR_PRICE)
        end = CanaryEnd.model_validate_json(body or b"")
        response: PlainResponse = await model.end_canary(end)
        return response

    async def _export(self, path: str) -> PlainResponse:
        parts = urlsplit(path)
        match = _EXPORT.fullmatch(parts.path)
        if match is None:
            return _error(404, "Not Found")
        model: Any = await self._models.find(match["model"] or FAIR_PRICE)
        history = parse_qs(parts.query).get("history", [""])[0]
        response: PlainResponse = await model.export(cast(ExportFormat, match["format"]), history)
        return response

    @staticmethod
    async def _guarded(answer: Any) -> PlainResponse:
        """Return the answer, or the response that MLServer gives for its error."""
        try:
            response: PlainResponse = await answer
        except MLServerError as error:
            return _error(error.status_code, str(error))
        except Exception:
            logger.exception("unexpected error")
            return PlainResponse("Internal Server Error", 500)
        return response


class InProcessReply:
    """A reply that is read part by part while a Starlette response writes it."""

    def __init__(self, response: PlainResponse, headers: bytes, seconds: float) -> None:
        self.status = 0
        self.headers: Mapping[bytes, bytes] = {}
        self._seconds = seconds
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_PARTS_AHEAD)
        names = parse_headers(headers).items()
        scope = {
            "type": "http",
            "method": "GET",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in names],
        }
        self._writing = asyncio.create_task(self._write(response, scope))

    async def read_head(self) -> None:
        """Raise TransportError if there is no head in time."""
        message = await self._next()
        self.status = message["status"]
        self.headers = dict(message["headers"])

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body in parts. Raise TransportError if it ends early or stops arriving."""
        while True:
            message = await self._next()
            if part := message.get("body"):
                yield part
            if not message.get("more_body"):
                return

    async def read(self, most: int) -> bytes:
        """Return the whole body, or its first `most` bytes. Raise TransportError."""
        return await first_bytes(self.body(), most)

    async def aclose(self) -> None:
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self, response: PlainResponse, scope: dict[str, Any]) -> None:
        async def never() -> dict[str, Any]:
            return await asyncio.Future()

        try:
            await response(scope, never, cast(Any, self._messages.put))
        except OSError as error:
            await self._messages.put({"type": "failed", "error": error})

    async def _next(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._messages.get()
        except TimeoutError:
            raise DeadlineError(f"nothing arrived in {self._seconds:g} s") from None
        if message["type"] == "failed":
            raise BrokenError(f"the reply ended early: {message['error']}")
        return message


def parse_headers(lines: bytes) -> dict[str, str]:
    """Return the header lines, each with CRLF, by their names in lower case."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n") if line)
    return {
        name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in pairs
    }


def _error(status: int, message: str) -> PlainResponse:
    return cast(PlainResponse, Response({"error": message}, status))
