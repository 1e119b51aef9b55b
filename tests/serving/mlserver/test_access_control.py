import grpc
import httpx
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

from tests.serving.server import Server, tensor

INFER = "/v2/models/fair-price/infer"
LOAD = "/v2/repository/models/fair-price/load"
BODY = {"inputs": [tensor("card_id", ["card_4"])]}
PATHS = [
    ("POST", INFER),
    ("POST", LOAD),
    ("POST", "/v2/repository/index"),
    ("POST", "/catalog/status"),
    ("GET", "/v2"),
    ("GET", "/v2/docs"),
]


def ask(server: Server, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    body = BODY if path == INFER else {}
    return httpx.request(
        method, server.url + path, json=body, headers=headers, timeout=60, verify=False
    )


@pytest.mark.parametrize(("method", "path"), PATHS, ids=[path for _, path in PATHS])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "cards.example.com"},
        {"Host": "cards.example.com:8080"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "svc.example.com"},
        {"Host": "[::1].example.com."},
        {"Origin": "https://cards.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_requests_from_web_pages_are_rejected(
    server: Server, method: str, path: str, headers: dict[str, str]
) -> None:
    response = ask(server, method, path, headers)
    assert response.status_code == 403, response.text
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("path", [INFER, LOAD, "/v2/repository/index", "/catalog/status"])
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "Text/Plain; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_content_types_without_preflight_are_rejected(server: Server, path: str, kind: str) -> None:
    response = ask(server, "POST", path, {"Content-Type": kind})
    assert response.status_code == 415, response.text
    assert "application/json" in response.json()["error"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "10.1.2.3:8080",
        "[::1]:8080",
        "[fd00::7]",
        "mlserver:8080",
        "mlserver.pokewatch.svc:8080",
        "mlserver.pokewatch.svc.cluster.local.",
    ],
)
def test_accepted_hosts(server: Server, host: str) -> None:
    assert ask(server, "POST", INFER, {"Host": host}).status_code == 200


def test_pages_of_the_server_itself_are_accepted(server: Server) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert ask(server, "POST", INFER, own).status_code == 200


@pytest.mark.parametrize("model", ["fair-price", "decision"])
def test_models_cannot_be_unloaded(server: Server, model: str) -> None:
    response = httpx.post(f"{server.url}/v2/repository/models/{model}/unload")
    assert (response.status_code, "stop the server" in response.json()["error"]) == (405, True)
    assert httpx.get(f"{server.url}/v2/models/{model}/ready").status_code == 200


def test_models_cannot_be_unloaded_over_grpc(server: Server) -> None:
    with (
        grpc.insecure_channel(server.grpc) as channel,
        pytest.raises(grpc.RpcError, match="stop the server"),
    ):
        GRPCInferenceServiceStub(channel).RepositoryModelUnload(
            pb.RepositoryModelUnloadRequest(model_name="decision")
        )
    assert httpx.get(f"{server.url}/v2/models/decision/ready").status_code == 200
