"""The V2 endpoints.

The model `pokewatch` combines the others; those of the markets and `decision` are passed through to
MLServer, nothing else is.
"""

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

import msgspec

from pokewatch.contract import (
    DECISION,
    DECISION_INPUTS,
    DECISION_OUTPUTS,
    DISTRIBUTION,
    DISTRIBUTION_WIDTH,
    FAIR_PRICE_INPUTS,
    FAIR_PRICE_OUTPUTS,
    MAX_BATCH_ROWS,
    MAX_TEXT_LENGTH,
    Condition,
    Fees,
)
from pokewatch.gateway.api.composition import (
    DECISION_COLUMNS,
    PRICE_COLUMNS,
    CardQuery,
    ForwardedHeaders,
)
from pokewatch.gateway.api.markets.assignment import chosen_variant
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.schemas import POKEWATCH
from pokewatch.gateway.api.status import StatusEndpoints
from pokewatch.gateway.api.v2_schemas import (
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    ServerState,
    TensorMetadata,
)
from pokewatch.gateway.http.bodies import decode, finite_float
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.middleware import JSON, NO_STORE, Answer, RequestContext
from pokewatch.gateway.http.problems import (
    FORBIDDEN,
    MEDIA_TYPE,
    UNKNOWN_MODEL,
    ProblemError,
    invalid,
    misfit,
)
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.reply_checks import UNKNOWN, check_passthrough
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import (
    Column,
    InferRequest,
    InferResponse,
    V2Tensor,
    flatten,
)

_OUTPUTS = (*PRICE_COLUMNS, *DECISION_COLUMNS)
_ON_REQUEST = {tensor.name for tensor in DECISION_OUTPUTS if tensor.on_request}
_DEFAULT_OUTPUTS = [name for name in _OUTPUTS if name not in _ON_REQUEST]
_FEES = next(tensor for tensor in DECISION_INPUTS if tensor.name == "fees")
_DECLARED_INPUTS = (*FAIR_PRICE_INPUTS, _FEES)
_INPUTS = {tensor.name: tensor.datatype for tensor in _DECLARED_INPUTS}
_DATATYPES = {tensor.name: tensor.datatype for tensor in (*FAIR_PRICE_OUTPUTS, *DECISION_OUTPUTS)}
_COLUMNS: dict[str, Any] = {
    "card_id": list[str],
    "date": list[str],
    "market_price": list[float | None],
    "condition": list[Condition | Literal[""]],
    "fees": list[Fees | Literal[""]],
}
_OPTIONAL = {"optional": True}
_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(InferRequest, float_hook=finite_float).decode
_decode_response = msgspec.json.Decoder(InferResponse).decode

METADATA = ModelMetadata(
    POKEWATCH,
    "pokewatch",
    [
        TensorMetadata(tensor.name, tensor.datatype, [-1], _OPTIONAL if tensor.optional else None)
        for tensor in _DECLARED_INPUTS
    ],
    [
        TensorMetadata(name, _DATATYPES[name], [-1], _OPTIONAL if name in _ON_REQUEST else None)
        for name in _OUTPUTS
    ],
)


class InferenceEndpoints:
    """Metadata, health and inference of the V2 protocol."""

    def __init__(
        self, markets: Markets, status: StatusEndpoints, load: QueueLimit, seconds: float
    ) -> None:
        self._markets = markets
        self._status = status
        self._load = load
        self._seconds = seconds

    async def server(self, context: RequestContext) -> Answer:
        return _json(ServerMetadata("pokewatch", version("pokewatch"), []))

    async def live(self, context: RequestContext) -> Answer:
        return _json(ServerState(live=True))

    async def ready(self, context: RequestContext) -> Answer:
        self._status.require_ready()
        return _json(ServerState(ready=True))

    async def metadata(self, context: RequestContext) -> Answer:
        name, client = self._model(context)
        if client is None:
            return _json(METADATA)
        body = await self._send(client, f"/v2/models/{name}", None, context)
        try:
            found = msgspec.json.decode(body, type=ModelMetadata)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise client.bad_reply(str(error)) from error
        if found.name != name:
            raise client.bad_reply(f"metadata of the model {found.name!r}")
        return _json(found)

    async def model_ready(self, context: RequestContext) -> Answer:
        name, client = self._model(context)
        if client is None:
            self._status.require_ready()
        else:
            await self._send(client, f"/v2/models/{name}/ready", None, context)
        return _json(ModelReady(name, True))

    async def infer(self, context: RequestContext) -> Answer:
        name, client = self._model(context)
        if b"inference-header-content-length" in context.headers:
            raise ProblemError(
                MEDIA_TYPE, "tensors must be JSON: set binary_data=False in the client"
            )
        chosen_variant(context)  # 422 for an unknown one, whichever model is named
        request = decode(_decode_request, context.body)
        rows = max(map(_rows, request.inputs), default=0)
        if rows > MAX_BATCH_ROWS:
            raise invalid("/inputs", f"expected at most {MAX_BATCH_ROWS} rows, got {rows}")
        if rows > 1 and context.key is not None and not context.key.allows("batch"):
            raise ProblemError(
                FORBIDDEN, "requests of more than one row need a key with the scope 'batch'"
            )
        self._load.enter(max(rows, 1))
        try:
            if client is None:
                return _json(await self._compose(request, context))
            body = await self._send(client, f"/v2/models/{name}/infer", context.body, context)
            try:
                check_passthrough(_decode_response(body), name, request, rows)
            except ValueError as error:
                raise client.bad_reply(str(error)) from error
            return 200, [JSON, NO_STORE], body
        finally:
            self._load.leave(max(rows, 1))

    async def _compose(self, request: InferRequest, context: RequestContext) -> InferResponse:
        cards = card_queries(request, context.forwarded_headers)
        names = _output_names(request)
        market = self._market(request, cards).for_request(context)
        try:
            columns, versions = await market.composition.infer(cards, self._deadline())
        except RefusedError as refused:
            raise misfit("/inputs", str(refused)) from None
        misfits = filter(None, (card.fees_misfit(versions.currency) for card in cards))
        if reason := next(misfits, None):
            raise misfit("/inputs", reason)
        market.prices.predictions.update(
            signal
            for signal, status in zip(columns["signal"], columns["status"], strict=True)
            if status not in UNKNOWN
        )
        outputs = [V2Tensor(name, [len(cards)], _DATATYPES[name], columns[name]) for name in names]
        return InferResponse(
            POKEWATCH,
            outputs,
            request.id,
            versions.model_version,
            msgspec.structs.asdict(versions),
        )

    def _market(self, request: InferRequest, cards: Sequence[CardQuery]) -> MarketBackend:
        """Return the market of the request's parameter `market`, else that of its cards.

        Raise ProblemError (409) for cards of several markets, as an answer has one version.
        """
        if self._markets.only is not None and "market" not in (request.parameters or {}):
            return self._markets.only
        named = (request.parameters or {}).get("market")
        if named is not None:
            return self._markets.named(str(named)[:MAX_TEXT_LENGTH])
        found = {self._markets.of_card(card.card_id) for card in cards}
        if len(found) > 1:
            raise misfit("/inputs", "the cards are of several markets; send a request for each")
        return found.pop()

    def _model(self, context: RequestContext) -> tuple[str, V2Client | None]:
        """Return the model of the path and its client, None for `pokewatch`."""
        name: str = context.scope["path_params"]["model"]
        if name == POKEWATCH:
            return name, None
        if name == DECISION:
            return name, self._markets.reachable().decision
        for backend in self._markets.backends:
            if backend.model == name:
                return name, backend.fair_price
        known = (POKEWATCH, *(backend.model for backend in self._markets.backends), DECISION)
        raise ProblemError(UNKNOWN_MODEL, f"the models are {', '.join(known)}")

    async def _send(
        self, client: V2Client, path: str, body: bytes | None, context: RequestContext
    ) -> bytes:
        try:
            return await client.send(path, body, context.forwarded_headers(), self._deadline())
        except RefusedError as refused:
            raise misfit("", str(refused)) from None

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._seconds


def _rows(tensor: V2Tensor) -> int:
    """Return the rows of an input, whatever shape it claims."""
    flat = tensor.name == DISTRIBUTION and not isinstance(next(iter(tensor.data), None), list)
    return -(-len(tensor.data) // (DISTRIBUTION_WIDTH if flat else 1))


def card_queries(request: InferRequest, headers: ForwardedHeaders) -> list[CardQuery]:
    """Return the rows of a request to `pokewatch`.

    Raise ProblemError (409) with a pointer to the tensor at fault.
    """
    columns: dict[str, Column] = {}
    for number, tensor in enumerate(request.inputs):
        if tensor.name not in _INPUTS or tensor.name in columns:
            raise misfit(
                f"/inputs/{number}/name",
                f"expected {', '.join(_INPUTS)}, each at most once, got {tensor.name[:40]!r}",
            )
        columns[tensor.name] = _column(tensor, f"/inputs/{number}")
    if "card_id" not in columns or not columns["card_id"]:
        raise misfit("/inputs", "card_id is required, with at least one row")
    cards = columns["card_id"]
    if any(len(column) != len(cards) for column in columns.values()):
        raise misfit("/inputs", "the inputs must have the same number of rows")
    dates = columns.get("date", [""] * len(cards))
    offers = columns.get("market_price", [None] * len(cards))
    conditions = columns.get("condition", [""] * len(cards))
    fees = columns.get("fees", [""] * len(cards))
    rows = zip(cards, dates, offers, conditions, fees, strict=True)
    return [CardQuery(*row, headers) for row in rows]


def _column(tensor: V2Tensor, pointer: str) -> Column:
    datatype = _INPUTS[tensor.name]
    if tensor.datatype != datatype:
        raise misfit(f"{pointer}/datatype", f"expected {datatype}, got {tensor.datatype!r}")
    values = flatten(tensor.data)
    try:
        column: Column = msgspec.convert(values, _COLUMNS[tensor.name])
    except msgspec.ValidationError as error:
        row, detail = located(str(error), _COLUMNS[tensor.name], values)
        raise misfit(f"{pointer}/data{row}", detail) from None
    if tensor.shape not in ([len(column)], [len(column), 1]):
        raise misfit(
            f"{pointer}/shape",
            f"expected [{len(column)}] or [{len(column)}, 1], got {tensor.shape}",
        )
    return column


def _output_names(request: InferRequest) -> list[str]:
    names = [output.name for output in request.outputs or ()] or _DEFAULT_OUTPUTS
    for number, name in enumerate(names):
        if name not in _OUTPUTS or name in names[:number]:
            raise misfit(
                f"/outputs/{number}/name",
                f"expected one of {', '.join(_OUTPUTS)}, each at most once, got {name[:40]!r}",
            )
    return names


def _json(found: Any) -> Answer:
    return 200, [JSON, NO_STORE], _encode(found)
