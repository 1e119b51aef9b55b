import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from pokewatch.cli import output
from pokewatch.registry import CHAMPION, Registry
from pokewatch.settings import RegistrySettings
from tests.cli.commands import run
from tests.deploy.versions import register_book
from tests.polling import eventually

ROWS = [{"name": f"row {number}"} for number in (1, 2)]


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_table_that_fits_is_one(width: None, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(ROWS, ("name", "cell"), lambda row: (row["name"], "x"))
    assert capsys.readouterr().out == "name   cell\nrow 1  x\nrow 2  x\n"


def test_a_table_that_is_too_wide_becomes_records(
    width: None, capsys: pytest.CaptureFixture[str]
) -> None:
    header = ("name", *(f"column {number}" for number in range(12)))
    output.print_table(ROWS, header, lambda row: (row["name"], *(["value"] * 12)))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line[0] != " "] == ["row 1", "row 2"]
    assert lines[1].startswith("  column 0 value; column 1 value")


def test_sentences_are_broken_between_words(
    width: None, capsys: pytest.CaptureFixture[str]
) -> None:
    output.print_wrapped("word " * 40)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert out.split() == ["word"] * 40


def test_a_field_is_never_broken(width: None, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_fields([f"field {number} of several" for number in range(8)])
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= 80
        assert line.startswith("  field ")
        assert line.endswith(" of several")


@pytest.mark.parametrize(
    ("terminal", "no_color", "colored"),
    [(True, "", True), (True, "1", False), (False, "", False)],
    ids=["terminal", "NO_COLOR", "pipe"],
)
def test_only_a_terminal_gets_colors(
    terminal: bool,
    no_color: str,
    colored: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    output.print_text(output.paint_signal("BUY"))
    assert ("\x1b[" in capsys.readouterr().out) == colored


def test_a_hold_has_no_color() -> None:
    assert output.paint_signal("HOLD") == "HOLD"
    assert click.unstyle(output.paint_signal("SELL")) == "SELL"


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (datetime(2026, 1, 7, 11, 59, tzinfo=UTC), ""),
        (datetime(2026, 1, 7, 12, 1, tzinfo=UTC), "of 2026-01-05, which ended 36 hours ago"),
        (datetime(2027, 2, 4, 3, tzinfo=UTC), "of 2026-01-05, which ended 394 days ago"),
    ],
)
def test_old_prices_are_warned_of_on_standard_error(
    now: datetime, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output.warn_of_old_prices(date(2026, 1, 5), "", "simulated-0", now)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err.replace("\n", " ")
    assert bool(captured.err) == bool(text)


def test_a_warning_of_old_prices_names_the_market_found(
    registry_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_champion(market: str) -> None:
        registry = Registry(RegistrySettings.read(market=market))
        folder = tmp_path / f"book-{market}"
        registry.set_alias(CHAMPION, register_book(registry, folder, market="file-mine"))

    def warning() -> str:
        return " ".join(run("value", "card_1").stderr.split())

    make_champion("file-mine")
    named = "pokewatch pipeline run --market file-mine collects newer ones"
    assert named in warning(), "the only market of the home"
    make_champion("")
    assert "pokewatch pipeline run --source file --file FILE collects newer ones" in warning()
    monkeypatch.setenv("POKEWATCH_MARKET", "file-mine")
    assert named in warning()


def test_an_amount_has_its_currency() -> None:
    assert output.format_price(1234.5, "EUR") == "1,234.50 EUR"
    assert output.format_price(None, "EUR") == "-"


def test_a_bar_of_shares_reaches_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    class Bar:
        def __enter__(self) -> Any:
            return steps.append

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(output, "progress_bar", lambda label, length: Bar())
    with output.share_bar("label") as report:
        for share in (0.1, 0.5, 0.5, 1.0):
            report(share)
    assert steps == [100, 400, 0, 500]


def test_no_bar_is_written_to_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with output.share_bar("label") as report:
        report(1.0)
    assert capsys.readouterr().err == ""


@contextmanager
def recorded(shares: list[float]) -> Iterator[Callable[[float], None]]:
    yield shares.append


def test_a_wait_is_estimated_by_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    monkeypatch.setattr(output, "share_bar", lambda label: recorded(shares))
    record = tmp_path / "logs" / "start.seconds"
    for kept in (None, "", "1000", "0.001"):
        if kept is not None:
            record.write_text(kept)
        shares.clear()
        with output.waiting_bar("label", record, 2_000.0):
            eventually(lambda: len(shares), bool)
        first, last = shares[0], shares[-1]
        assert last == 1.0
        assert (first == 0.99) if kept == "0.001" else (0 < first < 0.5)
        assert float(record.read_text()) < 100


def test_a_wait_that_failed_is_no_estimate(tmp_path: Path) -> None:
    record = tmp_path / "start.seconds"
    record.write_text("7")
    with pytest.raises(KeyError), output.waiting_bar("label", record, 1.0):
        raise KeyError
    assert record.read_text() == "7"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.1234, "+12.3%"), (-0.05, "-5.0%"), (-0.0004, "0.0%"), (0.0004, "0.0%"), (None, "-")],
)
def test_a_change_that_is_shown_as_zero_has_no_sign(share: float | None, text: str) -> None:
    assert output.format_percent(share) == text


def test_an_amount_that_is_shown_as_zero_has_no_sign() -> None:
    assert output.format_price(-0.004, "USD") == "0.00 USD"
    assert output.format_price(-0.006, "USD") == "-0.01 USD"
    assert output.format_share(-0.0004) == "0.0%"


def test_names_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x1b]0;title\x07\x9b2J\rname"
    output.print_text(hostile)
    output.warn(hostile)
    found = capsys.readouterr()
    for text in (found.out, found.err):
        assert "name" in text
        assert text.rstrip("\n").isprintable()


def test_colors_and_lines_stay() -> None:
    painted = output.paint_signal("BUY")
    assert output.without_controls(f"{painted}\n\tx") == f"{painted}\n\tx"
