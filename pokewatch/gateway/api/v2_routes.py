"""The operations of the V2 protocol (Open Inference Protocol)."""

from pokewatch.gateway.api import v2_schemas
from pokewatch.gateway.api.examples import EXAMPLE
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.problem_groups import AUTHENTICATED, READINESS, UPSTREAM, WITH_BODY
from pokewatch.gateway.http import problems
from pokewatch.gateway.upstream import v2_messages

_INFERENCE = {
    "inputs": [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": [EXAMPLE.slug]}]
}

V2_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "v2_server",
        "GET",
        "/v2",
        "V2: server metadata",
        v2_schemas.ServerMetadata,
        problems=AUTHENTICATED,
    ),
    Operation(
        "v2_live",
        "GET",
        "/v2/health/live",
        "V2: server liveness",
        v2_schemas.ServerState,
        scope=None,
    ),
    Operation(
        "v2_ready",
        "GET",
        "/v2/health/ready",
        "V2: server readiness",
        v2_schemas.ServerState,
        scope=None,
        problems=READINESS,
    ),
    Operation(
        "v2_model",
        "GET",
        "/v2/models/{model}",
        "V2: model metadata",
        v2_schemas.ModelMetadata,
        problems=(*AUTHENTICATED, problems.UNKNOWN_MODEL, *UPSTREAM),
    ),
    Operation(
        "v2_model_ready",
        "GET",
        "/v2/models/{model}/ready",
        "V2: model readiness",
        v2_schemas.ModelReady,
        problems=(*AUTHENTICATED, problems.UNKNOWN_MODEL, *UPSTREAM),
    ),
    Operation(
        "v2_infer",
        "POST",
        "/v2/models/{model}/infer",
        "V2: inference",
        v2_messages.InferResponse,
        "Tensors are JSON. A request of more than one row needs the scope `batch`.",
        request=v2_messages.InferRequest,
        example=_INFERENCE,
        problems=(
            *AUTHENTICATED,
            *WITH_BODY,
            problems.UNKNOWN_MODEL,
            problems.MISFIT,
            *UPSTREAM,
        ),
        by_variant=True,
    ),
)
