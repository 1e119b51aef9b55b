"""What the commands have in common: help, messages and exit codes."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from threading import Thread

import click
import pytest

from pokewatch.cli.main import main
from tests.cli.commands import run


@pytest.mark.parametrize(
    "arguments",
    [("evaluate", "--min-price", "€3.50"), ("backtest", "--postage", "€3.50")],
    ids=["least price", "postage"],
)
def test_an_amount_in_the_currency_of_a_file_names_none(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--prices", "prices.csv")
    assert result.exit_code == 2
    assert "'€3.50' names a currency: write 3.5, which is in the currency" in result.stderr


@pytest.mark.parametrize("command", ["evaluate", "backtest"])
def test_rows_of_a_file_that_are_left_out_are_a_warning(command: str, tmp_path: Path) -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(30)]
    rows = [f"{card},{day},{5 + day.day % 3}" for day in days for card in ("a-1", "b-2")]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["card_id,date,market_price", *rows, f"a-1,{days[-1]},-3"]))
    result = run(command, "--prices", str(path), "--model", "last", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)
    assert "1 row left out: market_price is not above 0" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "the name of the file is empty; give one such as prices.csv"),
        (" ", "the name of the file is empty; give one such as prices.csv"),
        ("-", "results go to a file: give its name, such as prices.csv"),
    ],
    ids=["empty", "blank", "standard output"],
)
@pytest.mark.parametrize(
    "command",
    [
        ("export", "--out"),
        ("collect", "--days", "2", "--cards", "5", "--format", "csv", "--output"),
        ("collection", "value", "cards.csv", "--out"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_to_write_needs_a_name(
    home: Path, command: tuple[str, ...], name: str, why: str
) -> None:
    result = run(*command, name)
    assert result.exit_code == 2
    assert why in " ".join(result.output.split())
    assert not any(home.rglob("*.parquet"))


def test_without_a_champion_the_error_names_the_command_to_run(home: Path) -> None:
    result = run("value", "anything")
    assert result.exit_code == 6
    assert "run the pipeline first" in result.stderr


@pytest.mark.parametrize(
    "command", [("doctor",), ("search", "ex", "--limit", "30"), ("value", "--sample", "30")]
)
def test_output_fits_80_columns(command: tuple[str, ...], champion_home: Path) -> None:
    lines = run(*command).stdout.splitlines()
    assert lines
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("value", "--sample", "1"), id="value"),
        pytest.param(("keys", "list"), id="keys"),
        pytest.param(("doctor",), id="doctor", marks=pytest.mark.slow),
    ],
)
def test_output_that_cannot_be_written_is_one_line(
    command: tuple[str, ...], as_json: tuple[str, ...], champion_home: Path
) -> None:
    arguments = [sys.executable, "-m", "pokewatch.cli.main", *command, *as_json]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            arguments, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
    cause = "standard output cannot be written: No space left on device"
    assert result.stderr == f"Error: {cause}\n"


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("value", "--help")], ids=" ".join
)
def test_help_that_cannot_be_written_is_one_line(arguments: tuple[str, ...], home: Path) -> None:
    command = [sys.executable, "-m", "pokewatch.cli.main", *arguments]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    (line,) = result.stderr.splitlines()
    shown = "Error: No space left on device; free some space or fix it, then run it again"
    assert (result.returncode, line) == (1, shown)


COMMANDS = main.list_commands(click.Context(main))


def test_every_command_and_option_has_a_help_text() -> None:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.help, name
        undescribed = [
            option.name
            for option in command.params
            if isinstance(option, click.Option) and not option.help
        ]
        assert undescribed == [], name


HEAVY = {"numpy", "pyarrow", "pandas", "pydantic", "mlflow", "metaflow", "httpx", "starlette"}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_imports_nothing_heavy(name: str) -> None:
    code = (
        "import sys; from pokewatch.cli.main import main; "
        "main(sys.argv[1:], standalone_mode=False); print('loaded', *sys.modules)"
    )
    command = [sys.executable, "-c", code, *filter(None, [name]), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage:")
    assert set(shown.split("loaded")[-1].split()) & HEAVY == set()


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            RuntimeError("can't start new thread"),
            "no further thread can be started; raise the limit of processes (ulimit -u, or that of "
            "the container), then run it again",
        ),
        (MemoryError(), "there is not enough memory: an allocation failed; free some, then run"),
        (MemoryError("of 9 GiB"), "there is not enough memory: of 9 GiB; free some, then run"),
    ],
    ids=["threads", "memory", "named"],
)
def test_what_the_machine_lacks_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, shown: str
) -> None:
    def refuse(_: Thread) -> None:
        raise error

    monkeypatch.setattr(Thread, "start", refuse)
    done = run("rollback", "--yes")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert done.output.startswith(f"Error: {shown}")
