"""A gateway whose key store is unreadable."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.problems import assert_problem
from tests.polling import eventually
from tests.serving.server import Server


def test_keys_stay_valid_for_a_while_and_ready_reports_it(
    mlserver: Server,
    make_gateway: Callable[..., Gateway],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = make_gateway(mlserver.url)
    eventually(lambda: gateway.get("/ready"), lambda response: response.status_code == 200)
    assert gateway.get("/ready").json()["keys"] == "current"

    copy = shutil.copy(gateway.store.path, tmp_path / "copy")
    gateway.store.path.unlink()
    eventually(lambda: gateway.get("/ready").json(), lambda ready: ready["keys"] == "stale")
    assert gateway.get("/cards").status_code == 200
    assert_problem(gateway.get("/cards", key="pw_unknown"), 503, "keys-unreadable")

    with monkeypatch.context() as patch:
        patch.setattr("pokewatch.gateway.auth.key_cache.MAX_AGE_SECONDS", 0.0)
        for path in ("/ready", "/v2/health/ready", "/cards"):
            assert_problem(gateway.get(path), 503, "keys-unreadable")
        assert gateway.get("/health").status_code == 200

    Path(copy).replace(gateway.store.path)
    eventually(
        lambda: gateway.get("/ready"),
        lambda response: response.status_code == 200 and response.json()["keys"] == "current",
    )
    assert gateway.get("/cards").status_code == 200
    assert_problem(gateway.get("/cards", key="pw_unknown"), 401, "unauthorized")
