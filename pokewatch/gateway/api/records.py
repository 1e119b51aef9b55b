"""GET /track-record.csv and /track-record.parquet: every forecast of the record, piece by piece."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from pokewatch.gateway.api.catalog_calls import record_call
from pokewatch.gateway.api.changes_csv import CSV_HEADER
from pokewatch.gateway.api.downloads import DownloadLimit
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import MonthQuery, RequiredMonthQuery, parse_query
from pokewatch.gateway.api.record_schemas import RecordFile
from pokewatch.gateway.http.middleware import NO_STORE, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, unavailable
from pokewatch.gateway.http.streams import BrokenBodyError, StreamedAnswer
from pokewatch.gateway.upstream.v2_client import RefusedError

PARQUET = "application/vnd.apache.parquet"
_PARQUET_HEADER: Header = (b"content-type", PARQUET.encode())
_encode = msgspec.json.Encoder().encode

Format = Literal["csv", "parquet"]


class RecordDownloads:
    """Downloads of the track record. Each reads a few megabytes at a time."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self.limit = DownloadLimit()

    async def csv(self, context: RequestContext) -> StreamedAnswer:
        """Return the forecasts of a month, or of all months."""
        query = parse_query(MonthQuery, context.scope["query_string"])
        month = None if query.month is UNSET else query.month
        market = self._markets.chosen(query.market)
        files = await _files(market, context, month)
        headers = [CSV_HEADER, NO_STORE, _file_name(market, month, "csv")]
        return await self._download(market, context, headers, files, "csv")

    async def parquet(self, context: RequestContext) -> StreamedAnswer:
        """Return the file of a month."""
        query = parse_query(RequiredMonthQuery, context.scope["query_string"])
        market = self._markets.chosen(query.market)
        files = await _files(market, context, query.month)
        headers = [_PARQUET_HEADER, NO_STORE, _file_name(market, query.month, "parquet")]
        headers += [(b"content-length", b"%d" % file.bytes) for file in files]
        return await self._download(market, context, headers, files, "parquet")

    async def _download(
        self,
        market: MarketBackend,
        context: RequestContext,
        headers: Sequence[Header],
        files: Sequence[RecordFile],
        kind: Format,
    ) -> StreamedAnswer:
        async with AsyncExitStack() as stack:
            stack.enter_context(self.limit.counted(context))
            pieces = _pieces(market, files, kind, context.forwarded_headers())
            parts = _parts(await anext(pieces), pieces)
            return StreamedAnswer(200, headers, parts, stack.pop_all().aclose)


async def _files(
    market: MarketBackend, context: RequestContext, month: str | None
) -> list[RecordFile]:
    """Return the file of a month, or those of all."""
    found = await market.reader.read(record_call(), context.forwarded_headers())
    return [file for file in found.files if month in (None, file.month)]


async def _pieces(
    market: MarketBackend, files: Sequence[RecordFile], kind: Format, headers: bytes
) -> AsyncIterator[bytes]:
    if not files:
        yield await _piece(market, _payload("", kind, 0, True), headers)
    header = True
    for file in files:
        number = 0
        while piece := await _piece(market, _payload(file.name, kind, number, header), headers):
            yield piece
            number, header = number + 1, False


def _payload(name: str, kind: Format, number: int, header: bool) -> dict[str, Any]:
    return {"name": name, "format": kind, "number": number, "header": header}


async def _piece(market: MarketBackend, payload: dict[str, Any], headers: bytes) -> bytes:
    """Return a piece of a file, b"" after its last one. The file "" has no forecasts."""
    try:
        path = f"{market.catalog}/track_record/piece"
        return await market.records.send(path, _encode(payload), headers)
    except RefusedError:
        # A newer record may have replaced it, or another replica may not have it yet.
        raise unavailable(f"{payload['name']} no longer exists: try again", 5) from None


async def _parts(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in pieces:
            yield piece
    except ProblemError as problem:  # its status cannot be sent any more
        raise BrokenBodyError(problem.detail) from problem


def _file_name(market: MarketBackend, month: str | None, ending: str) -> Header:
    name = "-".join(filter(None, ("pokewatch-track-record", market.name, month))) + f".{ending}"
    return b"content-disposition", f'attachment; filename="{name}"'.encode()
