"""V2 at the gateway: `pokewatch`, the composition as one model; `fair-price` and `decision`, passed through. Nothing else of MLServer."""

import asyncio
from importlib.metadata import version
from typing import Any

import msgspec

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.gateway.api.composition import PRICES, SIGNALS, CardQuery, Composition, Onward
from pokewatch.gateway.api.schemas import (
    MODELS,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    ServerState,
    TensorMetadata,
)
from pokewatch.gateway.api.status import Status
from pokewatch.gateway.http.bodies import decode, finite_float
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import (
    FORBIDDEN,
    MEDIA_TYPE,
    UNKNOWN_MODEL,
    ProblemError,
    invalid,
    misfit,
)
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream import v2_messages
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.reply_checks import UNKNOWN, check_passed
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Column, InferRequest, InferResponse, V2Tensor

_TEXTS = frozenset({"card_id", "date", "status", "signal", "reason"})
_OUTPUTS = (*PRICES, *SIGNALS)
_INPUTS = {"card_id": "BYTES", "date": "BYTES", "market_price": "FP64"}
_COLUMNS: dict[str, Any] = {
    "card_id": list[str],
    "date": list[str],
    "market_price": list[float | None],
}
_OPTIONAL = {"optional": True}
_NO_STORE: Header = (b"cache-control", b"no-store")
_encode = msgspec.json.Encoder().encode
_infer = msgspec.json.Decoder(InferRequest, float_hook=finite_float).decode
_passed = msgspec.json.Decoder(InferResponse).decode

METADATA = ModelMetadata(
    "pokewatch",
    "pokewatch",
    [
        TensorMetadata(name, kind, [-1], None if name == "card_id" else _OPTIONAL)
        for name, kind in _INPUTS.items()
    ],
    [TensorMetadata(name, "BYTES" if name in _TEXTS else "FP64", [-1]) for name in _OUTPUTS],
)


class Inference:
    def __init__(
        self,
        composition: Composition,
        models: dict[str, V2Client],
        status: Status,
        load: QueueLimit,
        seconds: float,
        metrics: Metrics,
    ) -> None:
        self._composition = composition
        self._models = models
        self._status = status
        self._load = load
        self._seconds = seconds
        self._predictions = metrics.predictions

    async def server(self, exchange: RequestContext) -> Answer:
        return _json(ServerMetadata("pokewatch", version("pokewatch"), []))

    async def live(self, exchange: RequestContext) -> Answer:
        return _json(ServerState(live=True))

    async def ready(self, exchange: RequestContext) -> Answer:
        self._status.require_ready()
        return _json(ServerState(ready=True))

    async def metadata(self, exchange: RequestContext) -> Answer:
        name = _model(exchange)
        if name == "pokewatch":
            return _json(METADATA)
        body = await self._send(name, f"/v2/models/{name}", None, exchange)
        try:
            found = msgspec.json.decode(body, type=ModelMetadata)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._models[name].fault(str(error)) from error
        if found.name != name:
            raise self._models[name].fault(f"the metadata of {found.name!r}")
        return _json(found)

    async def model_ready(self, exchange: RequestContext) -> Answer:
        name = _model(exchange)
        if name == "pokewatch":
            self._status.require_ready()
        else:
            await self._send(name, f"/v2/models/{name}/ready", None, exchange)
        return _json(ModelReady(name, True))

    async def infer(self, exchange: RequestContext) -> Answer:
        name = _model(exchange)
        if b"inference-header-content-length" in exchange.headers:
            raise ProblemError(
                MEDIA_TYPE, "tensors must be JSON; clients call it binary_data=False"
            )
        request = decode(_infer, exchange.body)
        rows = max((len(tensor.data) for tensor in request.inputs), default=0)
        if rows > MAX_BATCH_ROWS:
            raise invalid("/inputs", f"{rows} rows are more than {MAX_BATCH_ROWS}")
        if rows > 1 and exchange.key is not None and not exchange.key.allows("batch"):
            raise ProblemError(FORBIDDEN, "more than one row needs a key with the scope 'batch'")
        self._load.enter(max(rows, 1))
        try:
            if name == "pokewatch":
                return _json(await self._composed(request, exchange))
            return 200, [JSON, _NO_STORE], await self._passed(name, request, rows, exchange)
        finally:
            self._load.leave(max(rows, 1))

    async def _composed(self, request: InferRequest, exchange: RequestContext) -> InferResponse:
        asks = asked(request, exchange.onward)
        wanted = _wanted(request)
        try:
            columns, versions = await self._composition.table(asks, self._deadline())
        except RefusedError as refused:
            raise misfit("/inputs", str(refused)) from None
        self._predictions.add_all(
            signal
            for signal, status in zip(columns["signal"], columns["status"], strict=True)
            if status not in UNKNOWN
        )
        outputs = [
            V2Tensor(name, [len(asks)], "BYTES" if name in _TEXTS else "FP64", columns[name])
            for name in wanted
        ]
        return InferResponse(
            "pokewatch",
            outputs,
            request.id,
            versions.model_version,
            msgspec.structs.asdict(versions),
        )

    async def _passed(
        self, name: str, request: InferRequest, rows: int, exchange: RequestContext
    ) -> bytes:
        body = await self._send(name, f"/v2/models/{name}/infer", exchange.body, exchange)
        try:
            check_passed(_passed(body), name, request, rows)
        except ValueError as error:
            raise self._models[name].fault(str(error)) from error
        return body

    async def _send(
        self, name: str, path: str, body: bytes | None, exchange: RequestContext
    ) -> bytes:
        try:
            return await self._models[name].send(path, body, exchange.onward(), self._deadline())
        except RefusedError as refused:
            raise misfit("", str(refused)) from None

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._seconds


def asked(request: InferRequest, onward: Onward) -> list[CardQuery]:
    """The rows of a request to `pokewatch`. Raises ProblemError (409) with a pointer to the tensor at fault."""
    columns: dict[str, Column] = {}
    for number, tensor in enumerate(request.inputs):
        if tensor.name not in _INPUTS or tensor.name in columns:
            raise misfit(f"/inputs/{number}/name", f"expected {', '.join(_INPUTS)}, each once")
        columns[tensor.name] = _column(tensor, f"/inputs/{number}")
    if "card_id" not in columns or not columns["card_id"]:
        raise misfit("/inputs", "card_id is required, with at least one row")
    cards = columns["card_id"]
    if any(len(column) != len(cards) for column in columns.values()):
        raise misfit("/inputs", "the inputs differ in their numbers of rows")
    dates = columns.get("date", [""] * len(cards))
    offers = columns.get("market_price", [None] * len(cards))
    return [CardQuery(*row, onward) for row in zip(cards, dates, offers, strict=True)]


def _column(tensor: V2Tensor, pointer: str) -> Column:
    kind = _INPUTS[tensor.name]
    if tensor.datatype != kind:
        raise misfit(f"{pointer}/datatype", f"expected {kind}")
    try:
        column: Column = msgspec.convert(v2_messages.flat(tensor.data), _COLUMNS[tensor.name])
    except msgspec.ValidationError as error:
        raise misfit(f"{pointer}/data", str(error)) from None
    if tensor.shape not in ([len(column)], [len(column), 1]):
        raise misfit(f"{pointer}/shape", f"expected [{len(column)}] or [{len(column)}, 1]")
    return column


def _wanted(request: InferRequest) -> list[str]:
    names = [output.name for output in request.outputs or ()] or list(_OUTPUTS)
    for number, name in enumerate(names):
        if name not in _OUTPUTS or name in names[:number]:
            raise misfit(
                f"/outputs/{number}/name", f"expected one of {', '.join(_OUTPUTS)}, each once"
            )
    return names


def _model(exchange: RequestContext) -> str:
    name: str = exchange.scope["path_params"]["model"]
    if name not in MODELS:
        raise ProblemError(UNKNOWN_MODEL, f"the models are {', '.join(MODELS)}")
    return name


def _json(found: Any) -> Answer:
    return 200, [JSON, _NO_STORE], _encode(found)
