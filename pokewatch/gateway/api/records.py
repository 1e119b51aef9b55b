"""GET /track-record.csv and /track-record.parquet: every forecast of the record, piece by piece."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET

from pokewatch.gateway.api.catalog import record_call
from pokewatch.gateway.api.catalog_reader import CatalogReader
from pokewatch.gateway.api.changes_csv import CSV_HEADER
from pokewatch.gateway.api.queries import MonthQuery, RequiredMonthQuery, parse_query
from pokewatch.gateway.api.record_schemas import RecordFile
from pokewatch.gateway.http.middleware import Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, unavailable
from pokewatch.gateway.http.streams import BrokenBodyError, StreamedAnswer
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client

PARQUET = "application/vnd.apache.parquet"
_PARQUET_HEADER: Header = (b"content-type", PARQUET.encode())
_NO_STORE: Header = (b"cache-control", b"no-store")
_encode = msgspec.json.Encoder().encode

Format = Literal["csv", "parquet"]


class RecordDownloads:
    """Downloads of the track record. Each reads a few megabytes at a time."""

    def __init__(self, reader: CatalogReader, upstream: V2Client) -> None:
        self._reader = reader
        self._upstream = upstream

    async def csv(self, context: RequestContext) -> StreamedAnswer:
        """Return the forecasts of a month, or of all months."""
        query = parse_query(MonthQuery, context.scope["query_string"])
        month = None if query.month is UNSET else query.month
        files = await self._files(context, month)
        headers = [CSV_HEADER, _NO_STORE, _file_name(month, "csv")]
        return await self._download(context, headers, files, "csv")

    async def parquet(self, context: RequestContext) -> StreamedAnswer:
        """Return the file of a month."""
        query = parse_query(RequiredMonthQuery, context.scope["query_string"])
        files = await self._files(context, query.month)
        headers = [_PARQUET_HEADER, _NO_STORE, _file_name(query.month, "parquet")]
        headers += [(b"content-length", b"%d" % file.bytes) for file in files]
        return await self._download(context, headers, files, "parquet")

    async def _files(self, context: RequestContext, month: str | None) -> list[RecordFile]:
        """Return the file of a month, or those of all."""
        found = await self._reader.read(record_call(), context.forwarded_headers())
        return [file for file in found.files if month in (None, file.month)]

    async def _download(
        self,
        context: RequestContext,
        headers: Sequence[Header],
        files: Sequence[RecordFile],
        kind: Format,
    ) -> StreamedAnswer:
        pieces = self._pieces(files, kind, context.forwarded_headers())
        return StreamedAnswer(200, headers, _parts(await anext(pieces), pieces))

    async def _pieces(
        self, files: Sequence[RecordFile], kind: Format, headers: bytes
    ) -> AsyncIterator[bytes]:
        if not files:
            yield await self._piece("", kind, 0, True, headers)
        header = True
        for file in files:
            number = 0
            while piece := await self._piece(file.name, kind, number, header, headers):
                yield piece
                number, header = number + 1, False

    async def _piece(
        self, name: str, kind: Format, number: int, header: bool, headers: bytes
    ) -> bytes:
        """Return a piece of a file, b"" after its last one. The file "" has no forecasts."""
        payload = {"name": name, "format": kind, "number": number, "header": header}
        try:
            return await self._upstream.send(
                "/catalog/track_record/piece", _encode(payload), headers
            )
        except RefusedError:
            # A newer record may have replaced it, or another replica may not have it yet.
            raise unavailable(f"{name} is not there any more: try again", 5) from None


async def _parts(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in pieces:
            yield piece
    except ProblemError as problem:  # its status cannot be sent any more
        raise BrokenBodyError(problem.detail) from problem


def _file_name(month: str | None, ending: str) -> Header:
    name = f"pokewatch-track-record{f'-{month}' if month else ''}.{ending}"
    return b"content-disposition", f'attachment; filename="{name}"'.encode()
