"""The `pokewatch` command.

Exit codes: 0 done; 1 something broke; 2 a setting or option is wrong; 3 no such card, day or key; 4 a source, lake, version or
book cannot be used; 5 prices or a model failed their checks; 6 no model, or no registry; 7 a deploy was taken back.
"""

import errno
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pokewatch.errors import OutputError, PokeWatchError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

# Of the years 1 and 9999, in seconds since 1970.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day such as {datetime.now(UTC).date()}", param, ctx)


class _Price(click.ParamType[float]):
    name = "PRICE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            price = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a price", param, ctx)
        if not 0 < price < math.inf:
            self.fail(f"a price is above zero and finite, got {value}", param, ctx)
        return price


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PokeWatchError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # nobody reads the output any more: for click to end
                raise
            click.echo(f"Error: {error}; make room or mend it, and run the same again", err=True)
            ctx.exit(1)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="pokewatch")
def main() -> None:
    """What a trading card is worth: collect prices, value cards, serve the answers.

    Everything is kept in POKEWATCH_HOME (default ~/.pokewatch). A first look, without account or network:

    \b
      pokewatch pipeline run          simulated prices, a model, its evaluation
      pokewatch value --sample 5      what the model says of a few cards
    """


@main.command()
@click.option(
    "--source",
    default="simulated",
    show_default=True,
    help="simulated, tcgcsv, pokemon_price_tracker or file.",
)
@click.option("--from", "start", type=_Day(), help="First day.")
@click.option("--to", "end", type=_Day(), help="Last day. Default: the last day the source has.")
@click.option(
    "--days", type=click.IntRange(1, 36_500), help="That many days up to the last. Default: 30."
)
@click.option(
    "--cards",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Cards of the simulated market.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the simulated market."
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="The file of --source file: CSV or Parquet.",
)
@click.option("--refresh", is_flag=True, help="Ask again for days that are already there.")
@click.option(
    "--format",
    "export_format",
    type=click.Choice(["parquet", "csv"]),
    help="Also write the days into one file of this format.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="That file. Default: a name made of source and days, in POKEWATCH_HOME/exports.",
)
@_AS_JSON
def collect(
    source: str,
    start: date | None,
    end: date | None,
    days: int | None,
    cards: int,
    seed: int,
    path: Path | None,
    refresh: bool,
    export_format: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Collect daily prices into the lake.

    Days that are there already are left alone, so the same command again costs nothing and continues what was interrupted.

    \b
      pokewatch collect --days 400
      pokewatch collect --source tcgcsv --from 2025-10-22 --to 2025-10-26
      pokewatch collect --source file --file my_prices.csv --format parquet
    """
    from pokewatch.market.collect import collect, requested_days
    from pokewatch.market.export import export
    from pokewatch.market.lake import Lake
    from pokewatch.market.sources import open_source
    from pokewatch.pipeline.parameters import check_days
    from pokewatch.settings import Home, prepare

    if path and source != "file":
        raise click.UsageError(f"--file {path}: --source {source} reads no file; add --source file")
    if output and not export_format and output.suffix not in (".parquet", ".csv"):
        raise click.UsageError(
            f"--output {output}: end its name in .parquet or .csv, or add --format"
        )
    prepare()
    opened = open_source(source, cards=cards, seed=seed, path=path)
    check_days(opened, start, end)
    lake = Lake(Home.read().lakes / opened.lake_name)
    asked = requested_days(opened, start, end, days)
    with _progress(f"Collecting {len(asked)} days", len(asked)) as advance:
        report = collect(opened, lake, asked, refresh=refresh, progress=advance)
    exported = None
    if export_format or output:
        export_format = export_format or (output.suffix.removeprefix(".") if output else "parquet")
        exported = (
            output
            or Home.read().home
            / "exports"
            / f"pokewatch-{source}-{asked[0]}-{asked[-1]}.{export_format}"
        )
        export(lake, asked, exported, export_format)
    _tell_collected(report, lake.root, exported, as_json)
    report.require_no_held()


def _tell_collected(report: Any, lake: Path, exported: Path | None, as_json: bool) -> None:
    if as_json:
        _print_json(
            report.to_json() | {"lake": str(lake), "exported": str(exported) if exported else None}
        )
        return
    click.echo(
        f"{len(report.written)} days written, {len(report.unchanged)} already there: {report.rows:,} prices in {lake}"
    )
    for reason, count in sorted(report.quarantined.items()):
        click.echo(f"quarantined: {count:,} rows, {reason}", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if exported:
        click.echo(f"exported to {exported}")


# Their arguments are Metaflow's, down to --help.
_FLOW = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@main.command(context_settings=_FLOW)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pipeline(arguments: tuple[str, ...]) -> None:
    """Run the daily pipeline: from prices to the model that serves.

    ARGUMENTS are those of Metaflow: run, resume, card view STEP, and their options.

    \b
      pokewatch pipeline run --source tcgcsv
      pokewatch pipeline run --help       its parameters
      pokewatch pipeline card view gate   why this model, and how good it is
    """
    _run_flow("flow.py", arguments)


@main.command(context_settings=_FLOW)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def backfill(arguments: tuple[str, ...]) -> None:
    """Fill the lake with history, a month a task. ARGUMENTS are those of Metaflow.

    \b
      pokewatch backfill run --from 2025-01-01 --to 2025-12-31
    """
    _run_flow("backfill.py", arguments)


@main.command(context_settings=_FLOW)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def monitor(arguments: tuple[str, ...]) -> None:
    """Compare past estimates with the prices that followed. ARGUMENTS are those of Metaflow.

    \b
      pokewatch monitor run
    """
    _run_flow("monitor.py", arguments)


def _run_flow(name: str, arguments: Sequence[str]) -> None:
    """Replace this process by the flow's: signals and the exit code are Metaflow's own."""
    from pokewatch.bundled import bundled

    if not arguments:
        raise click.UsageError("say what to do: run, or run --help for the parameters")
    os.execv(sys.executable, [sys.executable, str(bundled("flows") / name), *arguments])  # noqa: S606


@main.command()
@click.argument("cards", nargs=-1)
@click.option(
    "--price", type=_Price(), help="Judge this offered price instead of the market price."
)
@click.option("--date", "day", type=_Day(), help="As of this day. Default: the latest.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    help="Show that many cards of the book, its strongest signals first.",
)
@_AS_JSON
def value(
    cards: tuple[str, ...], price: float | None, day: date | None, sample: int | None, as_json: bool
) -> None:
    """What the champion says CARDS are worth, by id or slug: market, fair price, interval, signal and reason.

    \b
      pokewatch value --sample 5
      pokewatch value emberfox_ex_199 --price 12.50
    """
    from pokewatch.valuation.signals import strongest_signals, value_cards

    if not cards and sample is None:
        raise click.UsageError("name a card (id or slug), or ask for some with --sample N")
    book, model = _champion_book()
    wanted = [*cards, *(strongest_signals(book, sample) if sample else ())]
    rows = [_with_model(row, model) for row in value_cards(book, wanted, day=day, price=price)]
    if as_json:
        _print_json(rows)
        return
    _print_table(
        rows,
        ("card", "date", "market", "fair", "interval", "deviation", "signal", "reason"),
        _value_cells,
    )
    _tell_origin(book.facts, model)


def _tell_origin(facts: Any, model: Any) -> None:
    simulated = "simulated prices" if facts.source == "simulated" else "prices"
    _print(f"{simulated} in {facts.currency}; 90% intervals, {facts.horizon} days ahead")
    _print(f"model version {model.version} ({facts.model}), data version {model.data_version}")


def _champion_book() -> tuple[Any, Any]:
    from pokewatch.registry import Registry

    registry = Registry()
    champion = registry.resolve()
    return registry.open_book(champion), champion


def _with_model(row: Mapping[str, Any], model: Any) -> dict[str, Any]:
    return {**row, "model_version": model.version, "data_version": model.data_version}


def _value_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    interval = (
        "-"
        if None in (row["lower"], row["upper"])
        else f"{row['lower']:,.2f} - {row['upper']:,.2f}"
    )
    prices = (
        _money(row["market_price"]),
        _money(row["fair_price"]),
        interval,
        _percent(row["deviation_pct"]),
    )
    return (row["slug"], row["date"], *prices, row["signal"], row["reason"])


def _money(price: float | None) -> str:
    return "-" if price is None else f"{price:,.2f}"


_PANEL = click.option(
    "--prices",
    type=click.Path(path_type=Path),
    required=True,
    help="Parquet or CSV: card_id, date, market_price; optionally low, mid, set, rarity, stale_days.",
)
_MODEL = click.option("--model", help="rolling_mean, median7, local_level or boosted.")
_HORIZON = click.option(
    "--horizon", type=click.IntRange(min=1), default=7, show_default=True, help="Days ahead."
)
_MIN_PRICE = click.option(
    "--min-price", type=_Price(), help="Only card-days quoted at this or more."
)


@main.command()
@_PANEL
@_HORIZON
@_MODEL
@_MIN_PRICE
@_AS_JSON
def evaluate(
    prices: Path, horizon: int, model: str | None, min_price: float | None, as_json: bool
) -> None:
    """Judge the models on a panel of prices by walking forward.

    Each model is fitted on what was known at an origin and judged on the quotes HORIZON days later, at many origins. An error
    of 0.95 of the last price's means: 5% less absolute error (on the log price) than taking the last price for the next.

    \b
      pokewatch evaluate --prices panel.parquet --horizon 7 --min-price 1
    """
    from pokewatch.valuation.evaluation.runner import evaluate_file

    with _arguments_told():
        found = evaluate_file(prices, horizon, model, min_price)
    if as_json:
        _print_json(found)
        return
    columns = (
        "model",
        "origins",
        "card-days",
        "error / last",
        "95% interval",
        "error / median-7",
        "MAPE %",
        "bias",
        "coverage of 90%",
    )
    _print_table(found, columns, _evaluation_cells)


def _evaluation_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    interval = (
        "-" if found["rmae_last_ci"] is None else "{:.4f} - {:.4f}".format(*found["rmae_last_ci"])
    )
    figures = [_figure(found[name]) for name in ("rmae_median7", "mape", "bias", "coverage_90")]
    return (
        found["model"],
        str(len(found["origins"])),
        f"{found['n']:,}",
        _figure(found["rmae_last"]),
        interval,
        *figures,
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


@main.command()
@_PANEL
@_HORIZON
@click.option(
    "--fees",
    type=click.Choice(["tcgplayer", "ebay", "cardmarket"]),
    default="tcgplayer",
    show_default=True,
    help="Whose fees.",
)
@click.option(
    "--policy",
    type=click.Choice(["threshold", "net_of_fees"]),
    multiple=True,
    help="Which rule to follow. Default: both.",
)
@click.option(
    "--model",
    default="local_level",
    show_default=True,
    help="rolling_mean, median7, local_level or boosted.",
)
@_MIN_PRICE
@_AS_JSON
def backtest(
    prices: Path,
    horizon: int,
    fees: str,
    policy: tuple[str, ...],
    model: str,
    min_price: float | None,
    as_json: bool,
) -> None:
    """What following the signals would have earned after fees.

    Bought at the next fresh price, sold at a 5-day median, fees both ways; against buying everything, and against random signals
    of the same number. The same-day figure beside it is what a naive backtest claims: it cannot be earned.

    \b
      pokewatch backtest --prices panel.parquet --fees tcgplayer
    """
    from pokewatch.decision import FEES
    from pokewatch.valuation.backtest.runner import backtest_file

    policies = policy or ("threshold", "net_of_fees")
    with _arguments_told():
        found = backtest_file(
            prices, model, horizon, FEES[fees], policies=policies, min_price=min_price
        )
    if as_json:
        _print_json(found)
        return
    columns = (
        "policy",
        "BUY signals",
        "trades",
        "mean net",
        "hit rate",
        "random",
        "p",
        "everything",
        "drawdown",
        "same-day sham",
    )
    _print_table(found, columns, _backtest_cells)


def _backtest_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    followed, random = found["followed"], found["random"]
    nets = [
        _percent(each["mean_net"])
        for each in (followed, random, found["buy_everything"], found["sham_same_day"])
    ]
    counts = (
        found["policy"],
        str(found["signals"]),
        str(followed["trades"]),
        nets[0],
        _percent(followed["hit_rate"]),
    )
    return (
        *counts,
        nets[1],
        _figure(random["p_value"]),
        nets[2],
        _percent(found["curve"]["max_drawdown"]),
        nets[3],
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:+.1%}"


@contextmanager
def _arguments_told() -> Iterator[None]:
    """Library code raises ValueError for a wrong argument: here the user gave it."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@main.command()
def serve() -> None:
    """Start MLServer and the gateway together; Ctrl-C ends both, and so does closing the terminal.

    They serve the champion. A pipeline that deploys a new one while they run changes the answers without a restart.
    """
    from pokewatch.cli.local_stack import Stack
    from pokewatch.gateway.auth.key_lease import Lease
    from pokewatch.settings import GatewaySettings, ServingSettings
    from pokewatch.valuation.signals import strongest_signals

    book, champion = _champion_book()
    (card,) = strongest_signals(book, 1)
    for ending in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # whatever a shell that started this in the background has said of them
        signal.signal(ending, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    stack = Stack(ServingSettings.read(), GatewaySettings.read())
    lease = None
    try:
        with stack.running():
            lease = Lease(_key_store(), "serve")
            click.echo(_how_to_ask(stack, champion, card, lease.key))
            stack.wait(lease.renew)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            click.echo("ended")
    finally:
        if lease is not None:
            lease.end()


def _how_to_ask(stack: Any, champion: Any, card: str, key: str) -> str:
    asked = f"-H 'X-API-Key: {key}' -H 'Content-Type: application/json' -d '{json.dumps({'card_id': card})}'"
    return "\n".join(
        (
            f"gateway   {stack.gateway_url}    documentation at {stack.gateway_url}/docs",
            f"MLServer  {stack.mlserver_url}    model version {champion.version}, data version {champion.data_version}",
            "",
            "Ask it what a card is worth:",
            "",
            f"curl -s {stack.gateway_url}/fair_price {asked}",
            "",
            "This key works while this runs; one of your own: pokewatch keys create NAME",
        )
    )


@main.command()
def gateway() -> None:
    """Start the gateway alone; where MLServer is, POKEWATCH_MLSERVER_URL tells."""
    from pokewatch.gateway.server import run
    from pokewatch.settings import GatewaySettings

    run(GatewaySettings.read())


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask, for scripts.")
@_AS_JSON
def rollback(yes: bool, as_json: bool) -> None:
    """Make the previous champion champion again, on every MLServer, each of which must then answer with it.

    What would change is shown first, and has to be confirmed. A deploy that was killed is undone.
    """
    from pokewatch.deploy.rollout import rollback, rollback_target
    from pokewatch.registry import Registry

    registry = Registry()
    target = rollback_target(registry)
    if not yes:
        _tell_rollback(registry, target)
        _confirm(f"Make version {target} champion?")
    version, outcomes = rollback(registry, target=target)
    if as_json:
        _print_json(
            {"model_version": version, "servers": [asdict(outcome) for outcome in outcomes]}
        )
        return
    click.echo(f"model version {version} is champion again")
    for outcome in outcomes:
        click.echo(f"{outcome.address}: {outcome.state}")


def _tell_rollback(registry: Any, target: str) -> None:
    """Show on standard error what the champion is, and what it would be."""
    from pokewatch.deploy.transaction import version_of
    from pokewatch.registry import CHAMPION

    champion = version_of(registry, CHAMPION)
    versions = [("champion now", champion), ("after the rollback", target)]
    cells = [(when, *_described(registry, version)) for when, version in versions if version]
    header = ("", "version", "market", "currency", "cards", "prices of")
    for line in _table_lines([header, *cells]):
        click.echo(line, err=True)


def _described(registry: Any, version: str) -> tuple[str, ...]:
    from pokewatch.deploy.compatibility import summarize
    from pokewatch.errors import BookError, RegistryError

    try:
        found = summarize(registry, version)
    except (BookError, RegistryError, OSError) as error:
        return (version, f"unknown: {error}")
    days = f"{found.first_day} to {found.last_day}"
    return (version, found.market, found.currency, f"{found.cards:,}", days)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for a confirmation: add --yes")
    click.confirm(question, err=True, abort=True)


@main.group()
def keys() -> None:
    """Make, list, revoke and rotate the API keys of the gateway."""


@keys.command()
@click.argument("name")
@click.option(
    "--scopes",
    default="read,batch",
    show_default=True,
    help="What it may do, by comma: read, batch, admin.",
)
@click.option(
    "--rate",
    default="100/minute",
    show_default=True,
    help="Requests it may make, such as 100/minute, or none for no limit.",
)
@click.option("--expires", help="When it ends, such as 90d or 12h. Default: never.")
@_AS_JSON
def create(name: str, scopes: str, rate: str, expires: str | None, as_json: bool) -> None:
    """Make a key called NAME. It is shown this once and stored as a hash.

    It works once the command has ended; where it cannot be shown, none is made.
    """
    from pokewatch.gateway.auth.key_values import parse_duration, parse_scopes

    span = None if expires is None else parse_duration(expires)
    made = _key_store().create(name, parse_scopes(scopes), rate, span, show=_shows_key(as_json))
    _tell_of_key(made, as_json)


@keys.command("list")
@_AS_JSON
def list_keys(as_json: bool) -> None:
    """List the keys, the revoked and expired ones too."""
    rows = [_key_row(key) for key in _key_store().list()]
    if as_json:
        _print_json(rows)
    else:
        columns = ("id", "name", "scopes", "rate", "created", "expires", "state")
        _print_table(rows, columns, lambda row: [str(row[column] or "-") for column in columns])


@keys.command()
@click.argument("key_id")
@_AS_JSON
def revoke(key_id: str, as_json: bool) -> None:
    """End the key with this id at once, on every gateway that shares the store."""
    row = _key_row(_key_store().revoke(key_id))
    if as_json:
        _print_json(row)
    else:
        _print(f"key {key_id} ({row['name']}) is revoked")


@keys.command()
@click.argument("key_id")
@click.option(
    "--grace", default="0s", show_default=True, help="How long the old key still works, such as 1h."
)
@_AS_JSON
def rotate(key_id: str, grace: str, as_json: bool) -> None:
    """Replace the key with this id by a new one of the same name, scopes, rate and end."""
    from pokewatch.gateway.auth.key_values import parse_duration

    span = parse_duration(grace, "grace", least=0)
    made = _key_store().rotate(key_id, span, show=_shows_key(as_json))
    _tell_of_key(made, as_json)


def _key_store() -> Any:
    from pokewatch.gateway.auth.keys import KeyStore
    from pokewatch.settings import Home

    return KeyStore(Home.read().keys)


def _shows_key(as_json: bool) -> Callable[[Any], None]:
    """What prints a key before it is stored: one that was stored and not printed is lost."""

    def show(made: Any) -> None:
        times = {"created_at": _moment(made.created_at), "expires_at": _moment(made.expires_at)}
        try:
            _print_json({**asdict(made), **times}) if as_json else _print(made.key)
        except BrokenPipeError as error:
            sys.stdout = None  # as in _print
            raise OutputError("nobody reads standard output any more; no key was made") from error

    return show


def _tell_of_key(made: Any, as_json: bool) -> None:
    if not as_json:
        scopes = ", ".join(made.scopes)
        told = f"key {made.id} ({made.name}): scopes {scopes}; {made.rate}; shown only this once"
        with suppress(OSError):  # the key is shown and stored
            click.echo(told, err=True)


def _key_row(key: Any) -> dict[str, Any]:
    ended = "revoked" if key.revoked_at is not None else "damaged" if key.damaged else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "scopes": ",".join(sorted(key.scopes)),
        "rate": str(key.rate or "none"),
        "created": _moment(key.created_at),
        "expires": _moment(key.expires_at),
        "state": "live" if key.live(time.time()) else ended,
    }


def _moment(seconds: float | None) -> str | None:
    """The time in ISO 8601; one outside the calendar as its first or last second."""
    if seconds is None:
        return None
    seconds = min(max(seconds, _FIRST_SECOND), _LAST_SECOND)
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@main.command()
@_AS_JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what is wrong with this installation, and how to mend it. Exits with 1 if anything is."""
    from pokewatch.cli.doctor import examine

    findings = list(examine())
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _print(f"{finding.state:8}{finding.name}: {finding.detail}")
            if finding.remedy:
                _print(f"{'':8}  -> {finding.remedy}")
    ctx.exit(1 if any(finding.state == "fault" for finding in findings) else 0)


@contextmanager
def _progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, only where that is a terminal."""
    stderr = sys.stderr
    bar: ProgressBar[int] = click.progressbar(
        length=length, label=label, file=stderr, hidden=not stderr.isatty()
    )
    with bar:
        yield bar.update


def _print(text: str) -> None:
    """Write to standard output.

    Raise OutputError where it cannot be written, BrokenPipeError where its reader has ended.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        sys.stdout = None  # Python writes what is left once more as it ends
        raise OutputError(f"standard output cannot be written: {error}") from error


def _print_json(value: Any) -> None:
    _print(json.dumps(value, default=str, indent=2, allow_nan=False))


def _print_table(
    rows: Iterable[Mapping[str, Any]],
    header: Sequence[str],
    cells: Callable[[Mapping[str, Any]], Sequence[str]],
) -> None:
    for line in _table_lines([tuple(header), *(tuple(cells(row)) for row in rows)]):
        _print(line)


def _table_lines(table: Sequence[Sequence[str]]) -> Iterator[str]:
    columns = max(map(len, table))
    widths = [max(len(row[at]) for row in table if at < len(row)) for at in range(columns)]
    for row in table:
        yield "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=False)
        ).rstrip()


if __name__ == "__main__":
    main()
