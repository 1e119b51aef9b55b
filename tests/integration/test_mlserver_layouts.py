"""MLServer with a book inside its models folder, and `mlserver infer`."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.books import make_book
from tests.serving.server import MODELS, columns, infer, models_folder, running, tensor


@pytest.mark.slow
def test_a_book_inside_the_models_folder(tmp_path: Path) -> None:
    """A folder as packed by `mlserver build`: a relative path, listening on all interfaces."""
    models = tmp_path / "models"
    ports = models_folder(models)
    digest = make_book(models / "fair-price" / "book")
    settings = json.loads((MODELS / "fair-price" / "model-settings.json").read_text())
    settings["parameters"] = {"uri": "./book", "extra": {"digest": digest}}
    (models / "fair-price" / "model-settings.json").write_text(json.dumps(settings))
    with running(models, ports, {"MLSERVER_HOST": "0.0.0.0"}) as server:
        for port in ports:
            socket.create_connection(("127.0.0.2", port)).close()
        response = infer(server, "fair-price", tensor("card_id", ["card_4"]))
        assert columns(response)["fair_price"] == [5.04]
        assert response.json()["parameters"]["model_version"] == digest[:12]

        (tmp_path / "in.jsonl").write_text(
            "\n".join(
                json.dumps({"inputs": [tensor("card_id", [card])]}) for card in ("card_4", "card_5")
            )
        )
        program = shutil.which("mlserver", path=str(Path(sys.executable).parent))
        assert program
        command = [program, "infer", "--url", f"127.0.0.1:{ports[0]}", "--model-name", "fair-price"]
        files = [
            "--input-data-path",
            str(tmp_path / "in.jsonl"),
            "--output-data-path",
            str(tmp_path / "out.jsonl"),
        ]
        subprocess.run(
            [*command, *files, "--workers", "1"], check=True, capture_output=True, timeout=120
        )
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    prices = [
        next(o["data"] for o in answer["outputs"] if o["name"] == "fair_price")
        for answer in answers
    ]
    assert sorted(prices) == [[5.04], [6.04]]
