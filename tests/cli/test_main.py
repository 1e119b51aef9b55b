"""The command line, on a champion made by the real pipeline."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from pokewatch.cli import card_choice, output
from pokewatch.cli.health_checks import _collect_command
from pokewatch.cli.main import main
from pokewatch.registry import Registry
from pokewatch.valuation.book import PriceBook

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning",  # MLflow's models on SQLAlchemy 2.1
    "ignore:_NoneStep.value will soon raise:DeprecationWarning",  # DVC's use of pygtrie
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def run_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def card_at(book: PriceBook, position: int) -> dict[str, Any]:
    return book.cards.describe(np.array([position]))[0]


@pytest.fixture
def book(champion_home: Path) -> PriceBook:
    champion = Registry().resolve()
    return PriceBook.open(Registry().download_book(champion), champion.digest)


def test_value_agrees_with_the_book(book: PriceBook) -> None:
    card = card_at(book, 5)
    (by_id,) = run_json("value", card["card_id"])
    (by_slug,) = run_json("value", card["slug"])
    quote = book.look_up([card["card_id"]])
    assert by_id == by_slug
    assert by_id["fair_price"] == pytest.approx(float(quote.fair[0]), abs=0)
    assert by_id["date"] == str(book.last_day)
    assert by_id["model_version"] == "1"
    assert len(by_id["data_version"]) == 32
    assert by_id["skill"] == Registry().resolve().tags["skill"]


@pytest.mark.parametrize(
    ("factor", "signal"), [(0.9, "BUY"), (0.95, "HOLD"), (1.1, "HOLD"), (1.15, "SELL")]
)
def test_an_offered_price_is_compared_with_the_fair_price(
    factor: float, signal: str, book: PriceBook
) -> None:
    latest = book.latest()
    position = next(row for row, status in enumerate(latest.status) if status == "ok")
    card = card_at(book, position)["card_id"]
    (row,) = run_json("value", card, "--price", repr(float(latest.fair[position]) * factor))
    assert row["signal"] == signal


def test_a_past_day_is_answered_as_it_was(book: PriceBook) -> None:
    card = card_at(book, 0)["card_id"]
    day = book.last_day - timedelta(days=10)
    (row,) = run_json("value", card, "--date", day.isoformat())
    assert row["date"] == day.isoformat()


def test_an_unknown_card_is_an_error_with_near_matches(book: PriceBook) -> None:
    slug = card_at(book, 3)["slug"]
    result = run("value", slug + "x")
    assert result.exit_code == 3
    assert f"unknown card '{slug}x'; did you mean {slug}" in result.stderr


@pytest.mark.parametrize(
    ("day", "code", "message"),
    [
        ("1999-01-01", 3, "no prices for 1999-01-01: the book runs from"),
        ("yesterday", 2, "'yesterday' is not a date such as"),
    ],
    ids=["outside", "malformed"],
)
def test_a_bad_date_is_an_error(day: str, code: int, message: str, book: PriceBook) -> None:
    result = run("value", card_at(book, 0)["card_id"], "--date", day)
    assert (result.exit_code, message in result.stderr) == (code, True)


@pytest.mark.parametrize("price", ["0", "-3", "nan", "free", "0.0009", "10000001"])
def test_a_bad_price_is_an_error(price: str, champion_home: Path) -> None:
    result = run("value", "anything", "--price", price)
    assert result.exit_code == 2
    assert "--price" in result.stderr


def test_a_sample_shows_the_strongest_first(champion_home: Path) -> None:
    result = run("value", "--sample", "4")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    cards = [line.partition(":") for line in lines if line[0] != " " and "_threshold" in line]
    (first, *_) = run_json("value", "--sample", "4")
    assert len(cards) == 4
    assert cards[0][0] == first["slug"]
    assert cards[0][2].strip().startswith(f"{first['signal']}, ")
    assert f"  {first['date']}: market {first['market_price']:,.2f} USD; fair " in result.stdout
    assert "simulated prices in USD" in result.stdout
    assert f"evaluation of the fair price: {Registry().resolve().tags['skill']}" in result.stdout
    assert max(map(len, lines)) <= 80


def test_a_card_is_found_by_its_name(book: PriceBook) -> None:
    card = card_at(book, 5)
    words = f"{card['set_name']} {card['number']} {card['name']} {card['printing']}".upper()
    (row,) = run_json("value", words)
    assert row["card_id"] == card["card_id"]


def test_a_name_of_several_cards_is_an_error_with_their_ids(book: PriceBook) -> None:
    name = card_at(book, 5)["set_name"]
    result = run("value", name)
    positions = book.cards.search(name, limit=1_000)
    assert result.exit_code == 3
    assert f"{name!r} may be {len(positions)} cards; use the id of one:" in result.stderr
    assert f"  {book.cards.ids[positions[0]]}\n" in result.stderr
    assert f"and {len(positions) - 20} more" in result.stderr


def test_on_a_terminal_the_user_chooses_among_several(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(click, "echo", lambda *_, **__: None)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: 2)
    name = card_at(book, 5)["set_name"]
    found = card_choice.find_cards(book, [name], ask=True)
    assert found == [book.cards.ids[book.cards.search(name, limit=2)[1]]]


@pytest.mark.parametrize("given", [("a", "b"), ("a", "--sample", "1"), ("--sample", "2")])
def test_one_price_is_refused_for_several_cards(given: tuple[str, ...], home: Path) -> None:
    result = run("value", *given, "--price", "3.50")
    assert result.exit_code == 2
    assert "--price 3.5 is the price of one card" in result.stderr


@pytest.mark.parametrize("price", ["$3.50", "3,50", "3.50", "USD 3.50", "3.50 $", "$ 3,50"])
def test_a_price_is_read_as_people_write_it(price: str, book: PriceBook) -> None:
    (row,) = run_json("value", card_at(book, 5)["card_id"], "--price", price)
    assert row["market_price"] == 3.5


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("€3.50", "--price is in EUR, the prices are in USD"),
        ("1,234", "'1,234' may be 1.234 or 1234: write 1234, or 1.2340"),
        ("1.234", "'1.234' may be 1.234 or 1234: write 1234, or 1.2340"),
        ("1_0", "'1_0' is not a price such as 3.50"),
        ("3.50 bananas", "'3.50 bananas' is not a price such as 3.50"),
        ("1.2.3", "'1.2.3' is not a price such as 3.50"),
    ],
)
def test_a_price_that_may_be_another_is_refused(price: str, message: str, book: PriceBook) -> None:
    result = run("value", card_at(book, 5)["card_id"], "--price", price)
    assert result.exit_code == 2
    assert message in result.stderr


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


def test_search_finds_cards_by_words(book: PriceBook) -> None:
    card = card_at(book, 5)
    rows = run_json("search", card["set_name"].lower(), card["number"])
    assert card["card_id"] in [row["card_id"] for row in rows]
    assert {row["currency"] for row in rows} == {"USD"}
    shown = run("search", card["set_name"], "--limit", "3").stdout
    assert "... and more than these 3" in shown
    assert " USD" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_search_shows_similar_cards_where_no_card_has_the_words(book: PriceBook) -> None:
    name = card_at(book, 5)["name"].split()[0]
    misspelt = name[:2] + name[3] + name[2] + name[4:]
    result = run("search", misspelt)
    assert result.exit_code == 0, result.output
    assert "no card has all the words; similar ones:" in result.stdout
    assert name in result.stdout


def test_search_without_any_similar_card_is_an_error(book: PriceBook) -> None:
    result = run("search", "zzzzzz", "qqqqqq")
    assert result.exit_code == 3
    assert "unknown card 'zzzzzz qqqqqq'" in result.stderr


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_export_writes_all_cards(book: PriceBook, tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"cards.{file_format}"
    found = run_json("export", "--out", str(path))
    frame = pd.read_parquet(path) if file_format == "parquet" else pd.read_csv(path)
    assert found["rows"] == len(frame) == len(book.cards)
    assert found["to"] == str(book.last_day)
    day = str(book.dates[-2])
    more = run_json("export", "--out", str(path), "--history", f"{day}..")
    assert (more["rows"], more["from"]) == (2 * len(book.cards), day)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("2026-01", "is not a range of days such as"),
        ("1999-01-01..1999-01-02", "no prices from 1999-01-01 to 1999-01-02"),
        ("2026-01-02..2026-01-01", "the first day, 2026-01-02, is after the last"),
    ],
)
def test_export_names_days_that_do_not_exist(
    history: str, message: str, champion_home: Path, tmp_path: Path
) -> None:
    result = run("export", "--out", str(tmp_path / "x.csv"), "--history", history)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", " "], ids=["empty", "blank"])
@pytest.mark.parametrize(
    "command",
    [
        ("export", "--out"),
        ("collect", "--days", "2", "--cards", "5", "--format", "csv", "--output"),
        ("collection", "value", "cards.csv", "--out"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_to_write_needs_a_name(home: Path, command: tuple[str, ...], name: str) -> None:
    result = run(*command, name)
    assert result.exit_code == 2
    assert "the name of the file is empty; give one such as prices.csv" in result.output
    assert not any(home.rglob("*.parquet"))


def test_export_names_a_format_that_it_does_not_write(champion_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "cards.xlsx"
    result = run("export", "--out", str(path))
    assert result.exit_code == 2
    assert "--out 'cards.xlsx' does not end in .csv or .parquet: rename it, or add" in result.stderr
    assert not path.exists()
    assert run("export", "--out", str(path), "--format", "csv").exit_code == 0
    assert run("export", "--out", str(tmp_path / "cards")).exit_code == 0


def test_export_to_a_folder_that_does_not_exist_is_an_error(champion_home: Path) -> None:
    result = run("export", "--out", "/nowhere/x.csv")
    assert result.exit_code == 1
    assert "/nowhere/x.csv cannot be written: No such file" in result.stderr


def test_without_a_champion_the_error_names_the_command_to_run(home: Path) -> None:
    result = run("value", "anything")
    assert result.exit_code == 6
    assert "run the pipeline first" in result.stderr


def test_collect_shows_what_it_understands_of_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "preise.csv"
    rows = ["Karte;Datum;Preis (€);Notiz", "a-1;13.09.2026;1.012,50;", "b-2;14.09.2026;-;neu"]
    path.write_bytes("\n".join([*rows, "Summe;;1.012,50;"]).encode("cp1252"))
    result = run("collect", "--source", "file", "--file", str(path), "--check")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "read as text (cp1252), separated by semicolons, header in line 1",
        "  card_id: column 'Karte'",
        "  date: column 'Datum'",
        "  market_price: column 'Preis (€)'",
        "  not used: 'Notiz'",
        "dates: day.month.year",
        "numbers: a decimal comma",
        "prices: 1; cards: 1; days: 1, 2026-09-13 to 2026-09-13; currency: EUR",
        "  2026-09-13  a-1  1,012.50 EUR",
        "1 row left out: the row is a total, not a card (first in line 4: 'Summe')",
        "1 row left out: market_price is a placeholder, and the row has no other price "
        "(first in line 3: '-')",
    ]
    assert not (home / "lake").exists()


def test_a_card_before_the_first_run_is_an_error_without_a_traceback(home: Path) -> None:
    program = Path(sys.executable).with_name("pokewatch")
    command = [str(program), "pipeline", "card", "view", "gate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_collect_takes_single_days_and_collects_them_again(home: Path) -> None:
    days = ("--day", "2026-01-08", "--day", "2026-01-10")
    first = run_json("collect", "--cards", "120", *days)
    again = run_json("collect", "--cards", "120", *days, "--refresh")

    assert first["written"] == again["unchanged"] == ["2026-01-08", "2026-01-10"]
    refused = run("collect", "--cards", "120", *days, "--days", "3")
    assert refused.exit_code == 2
    assert "--day cannot be used with --from, --to or --days" in refused.output


def test_collect_twice_changes_nothing(home: Path) -> None:
    arguments = ("collect", "--days", "3", "--cards", "120", "--to", "2026-01-10")
    first, second = run_json(*arguments), run_json(*arguments)
    assert (len(first["written"]), len(second["written"]), len(second["unchanged"])) == (3, 0, 3)


@pytest.mark.parametrize("export_format", ["parquet", "csv"])
def test_collect_exports_one_file(export_format: str, home: Path, tmp_path: Path) -> None:
    output = tmp_path / f"prices.{export_format}"
    result = run(
        "collect",
        "--days",
        "2",
        "--cards",
        "120",
        "--to",
        "2026-01-10",
        "--format",
        export_format,
        "--output",
        str(output),
    )
    assert result.exit_code == 0, result.output
    assert output.stat().st_size > 1000
    found = run_json(
        "collect", "--days", "2", "--cards", "120", "--to", "2026-01-10", "--format", export_format
    )
    assert Path(found["exported"]).parent == home / "exports"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "nowhere"), "--source 'nowhere': "),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "2026-02-02"),
        (("--days", "0"), "--days"),
        (("--source", "file", "--file", "missing.csv"), "missing.csv"),
        (("--source", "pokemon_price_tracker"), "POKEMON_PRICE_API_KEY"),
    ],
    ids=["source", "range", "days", "file", "key"],
)
def test_collect_names_what_is_wrong(arguments: tuple[str, ...], message: str, home: Path) -> None:
    result = run("collect", *arguments)
    assert result.exit_code in (2, 4)
    assert message in result.stderr


def test_the_doctor_finds_no_fault_in_a_healthy_home(champion_home: Path) -> None:
    findings = {finding["name"]: finding for finding in run_json("doctor")}
    assert findings["champion"]["state"] in ("ok", "warning")
    assert findings["prices: simulated-120-0"]["state"] in ("ok", "warning")
    assert "fault" not in {finding["state"] for finding in findings.values()}


@pytest.mark.parametrize(("days", "state"), [(1, "ok"), (395, "warning")], ids=["yesterday", "old"])
def test_the_doctor_warns_of_old_prices(days: int, state: str, home: Path) -> None:
    day = datetime.now(UTC).date() - timedelta(days=days)
    run_json("collect", "--cards", "120", "--day", str(day))
    findings = {finding["name"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    found = findings["prices: simulated-120-0"]
    assert found["state"] == state
    assert ("39" in found["detail"] and "days old" in found["detail"]) == (state == "warning")
    if state == "warning":
        assert found["remedy"].startswith("pokewatch collect --cards 120 --seed 0 fetches")


@pytest.mark.parametrize(
    ("lake", "command"),
    [
        ("tcgcsv", "pokewatch collect --source tcgcsv"),
        ("magic-tcgplayer-usd", "pokewatch collect --market magic-tcgplayer-usd"),
        ("pokemon_price_tracker", "pokewatch collect --source pokemon_price_tracker"),
        ("file-mine-0123abcd", "pokewatch collect --source file --file FILE"),
    ],
)
def test_the_doctor_names_the_command_of_a_lake(lake: str, command: str) -> None:
    assert _collect_command(lake) == command


def test_the_doctor_names_damaged_files_and_the_command_that_replaces_them(home: Path) -> None:
    def found() -> dict[str, dict[str, str]]:
        return {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)}

    for cards in ("5", "6"):
        run("collect", "--cards", cards, "--days", "3")
    days = sorted((home / "lake" / "simulated-5-0" / "raw" / "prices").iterdir())
    (days[1] / "part.parquet").write_bytes(b"PAR1")
    finding = found()["prices: simulated-5-0"]
    assert finding["state"] == "fault"
    assert finding["detail"] == f"{days[1] / 'part.parquet'} cannot be read"
    assert finding["remedy"].startswith("pokewatch collect --cards 5 --seed 0,")
    assert finding["remedy"].endswith(f"delete {days[1].parents[2] / 'damaged'}")
    assert found()["prices: simulated-6-0"]["state"] == "ok"

    report = run_json("collect", "--cards", "5", "--days", "3")
    assert report["written"] == [days[1].name]
    assert found()["prices: simulated-5-0"]["state"] == "ok"


def test_the_doctor_says_what_to_do_about_damaged_databases(home: Path) -> None:
    damaged = {"watches": home / "watches.sqlite", "champion": home / "mlflow" / "mlflow.db"}
    (home / "mlflow").mkdir()
    for path in damaged.values():
        path.write_bytes(b"garbage" * 1000)
    findings = {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)}
    for name, path in damaged.items():
        assert findings[name]["state"] == "fault"
        assert str(path) in findings[name]["detail"]
        assert "restore the file from a backup, or move it away" in findings[name]["detail"]


@pytest.mark.parametrize(
    "command", [("doctor",), ("search", "ex", "--limit", "30"), ("value", "--sample", "30")]
)
def test_output_fits_80_columns(command: tuple[str, ...], champion_home: Path) -> None:
    lines = run(*command).stdout.splitlines()
    assert lines
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []


def test_value_warns_of_old_prices(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_DATA_AGE_HOURS", -1_000_000)
    result = run("value", "--sample", "1", "--json")
    assert f"warning: the newest prices are of {book.last_day}" in result.stderr
    assert json.loads(result.stdout)


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    "command",
    [("value", "--sample", "1"), ("doctor",), ("keys", "list")],
    ids=lambda command: command[0],
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
    assert "Error: standard output cannot be written: " in result.stderr


def test_the_doctor_warns_of_a_home_open_to_others(home: Path) -> None:
    home.chmod(0o755)
    findings = {finding["name"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    assert (findings["home"]["state"], findings["home"]["remedy"]) == (
        "warning",
        f"chmod 700 {home}",
    )


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


def test_value_does_not_import_mlflow(champion_home: Path) -> None:
    """Importing MLflow takes longer than everything else that the command does."""
    Registry().download_book(Registry().resolve())
    code = (
        "import sys; from pokewatch.cli.main import main; "
        "main(['value', '--sample', '1'], standalone_mode=False); sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_current_day_is_never_requested(home: Path) -> None:
    found = run_json("collect", "--days", "1", "--cards", "120")
    assert found["written"][0] < date.today().isoformat()  # only an upper bound  # noqa: DTZ011


def test_the_doctor_warns_of_misspelt_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKEWATCH_PAGE", "key")
    warned = [each for each in json.loads(run("doctor", "--json").stdout) if each["remedy"]]
    (found,) = [each for each in warned if each["name"] == "settings"]
    assert found["state"] == "warning"
    assert found["detail"] == "POKEWATCH_PAGE in the environment is no setting, and is ignored"
    assert found["remedy"] == "did you mean POKEWATCH_PAGES?"
    collected = run("collect", "--cards", "120", "--days", "1")
    assert "warning: POKEWATCH_PAGE in the environment is no setting" in collected.stderr


def test_the_doctor_names_a_settings_file_with_a_colon_in_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cards: mine"
    home.mkdir()
    (home / "settings.env").write_text("POKEWATCH_PAGE=key\n")
    monkeypatch.setenv("POKEWATCH_HOME", str(home))
    warned = [each for each in json.loads(run("doctor", "--json").stdout) if each["remedy"]]
    (found,) = [each for each in warned if each["name"] == "settings"]
    file = home / "settings.env"
    assert found["detail"] == f"POKEWATCH_PAGE in {file} is no setting, and is ignored"
    assert found["remedy"] == "did you mean POKEWATCH_PAGES?"
