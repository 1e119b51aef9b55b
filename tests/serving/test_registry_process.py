from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.serving.registry_process import ask_registry

PROGRAM = """
import os, sys, time
from pokewatch.errors import RegistryError
from pokewatch.serving.registry_process import answering

with answering():
    match sys.argv[1:]:
        case ["market"]:
            print("noise of a library")
            print('"' + os.environ.get("POKEWATCH_MARKET", "") + '"')
        case ["refuse"]:
            raise RegistryError("it has moved\\nto another host")
        case ["exit"]:
            sys.exit(3)
        case ["mumble"]:
            print("a library's last words")
        case ["hang"]:
            time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("POKEWATCH_MARKET", "simulated-1")


@pytest.mark.parametrize(
    ("market", "seen"), [(None, "simulated-1"), ("simulated-2", "simulated-2"), ("", "")]
)
def test_the_last_line_answers_for_the_market(market: str | None, seen: str) -> None:
    assert ask_registry("program", "market", seconds=60, failure="", market=market) == seen


def test_a_program_may_print_nothing() -> None:
    assert ask_registry("program", "none", seconds=60, failure="no answer") is None


@pytest.mark.parametrize(
    ("does", "seconds", "reason"),
    [
        ("refuse", 60, "it has moved to another host"),
        ("exit", 60, "no answer: exit code 3"),
        ("mumble", 60, "no answer: the output is not JSON"),
        ("hang", 1, "no answer within 1 s"),
    ],
)
def test_the_error_says_why_there_is_no_answer(does: str, seconds: float, reason: str) -> None:
    with pytest.raises(RegistryError) as raised:
        ask_registry("program", does, seconds=seconds, failure="no answer")
    assert str(raised.value) == reason
