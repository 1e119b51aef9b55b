"""`pokewatch mcp`, a real process with the SDK's client on its standard input and output."""

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pokewatch.cli.main import main
from tests.gateway.conftest import Gateway, gateway, mlserver
from tests.gateway.mcp.answers import check_answers
from tests.gateway.mcp.sessions import error_of, record, run, stdio_session

pytestmark = pytest.mark.integration

__all__ = ["gateway", "mlserver"]

COMMAND = [sys.executable, "-m", "pokewatch.cli.main", "mcp"]


def environment(gateway: Gateway, **more: str) -> dict[str, str]:
    return {
        "POKEWATCH_GATEWAY_URL": gateway.url,
        "POKEWATCH_API_KEY": gateway.key.key,
        **more,
    }


def test_a_recorded_session_agrees_with_the_api(gateway: Gateway) -> None:
    found = run(stdio_session(COMMAND, environment(gateway)), record)
    check_answers(found, gateway)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no card has the id or slug 'nothing'"),
        ({"POKEWATCH_API_KEY": "pw_0_wrong"}, "send a valid API key"),
        ({"POKEWATCH_GATEWAY_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
    ],
    ids=["card", "key", "gateway"],
)
def test_what_is_wrong_is_said(gateway: Gateway, settings: dict[str, str], message: str) -> None:
    session = stdio_session(COMMAND, environment(gateway, **settings))
    found = run(session, lambda client: error_of(client, "fair_price", {"card": "nothing"}))
    assert message in found
    assert "pw_0_wrong" not in found


def test_without_a_key_it_says_which_command_makes_one() -> None:
    result = CliRunner().invoke(main, ["mcp"])
    assert result.exit_code == 2
    assert "POKEWATCH_API_KEY is not set: pokewatch keys create NAME" in result.stderr


def test_an_interrupt_ends_it_while_it_waits_for_input(gateway: Gateway) -> None:
    about = {"protocolVersion": "2025-06-18", "capabilities": {}}
    client = {"clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about | client}
    with subprocess.Popen(
        COMMAND,
        env=os.environ | environment(gateway),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            assert b"serverInfo" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == -signal.SIGINT
        finally:
            process.kill()
