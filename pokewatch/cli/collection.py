"""`pokewatch collection`."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pokewatch.atomic_file import atomic_file
from pokewatch.cli.card_choice import described
from pokewatch.cli.market_choice import champion_book, chosen_registry, market_option
from pokewatch.cli.options import OutputFile, ending_of, json_option, value_errors_as_usage
from pokewatch.cli.output import (
    format_price,
    format_share,
    print_json,
    print_table,
    print_wrapped,
    progress_bar,
    warn_of_old_prices,
)
from pokewatch.collection.headers import ALONE, EXAMPLE, KNOWN_HEADERS, REFUSED
from pokewatch.contract import FEE_CURRENCIES, Fees
from pokewatch.csv_cells import BYTE_ORDER_MARK, safe_cell
from pokewatch.errors import OutputError
from pokewatch.money import in_cents
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.collection.exports import CollectionLine
    from pokewatch.valuation.book import PriceBook

_COLUMNS = ("line", "card", "copies", "cond", "market", "fair", "worth", "advice", "chance of fall")
_SHOWN = 20
_LINE = 5  # the time to match a line, in that to index a card
# With those of the line as the file has them, so that what is written can be valued again.
_FIELDS = (
    "line",
    "name",
    "set",
    "set_code",
    "number",
    "printing",
    "language",
    "game",
    "product_id",
    "idproduct",
    "card_id",
    "quantity",
    "condition",
    "grade",
    "cost",
    "cost_currency",
    "outcome",
    "reason",
    "card",
    "candidates",
    "market_price",
    "fair_price",
    "lower",
    "upper",
    "status",
    "signal",
    "market_total",
    "fair_total",
    "proceeds_now",
    "gain_of_selling",
    "chance_of_fall",
    "sell_above",
    "cost_total",
    "profit",
    "advice",
    "why_unvalued",
)


@click.group()
def collection() -> None:
    """Value a collection that an app has exported."""


@collection.command("value")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--fees",
    type=click.Choice(list(FEE_CURRENCIES)),
    help="Marketplace whose fees apply. Default: POKEWATCH_FEES, else the currency decides.",
)
@click.option(
    "--out",
    type=OutputFile(),
    help="Also write every line with its worth to this CSV file, which can be corrected and valued "
    "again. Lines that were left out are read once they have a number of copies.",
)
@market_option
@json_option
def value(file: Path, fees: Fees | None, out: Path | None, as_json: bool) -> None:
    """Show what the cards in FILE are worth, and which to sell.

    FILE is an export of Collectr, the TCGplayer app or seller portal, TCG Collector, PriceCharting,
    Cardmarket's stock (where its prices are served), Dragon Shield, Deckbox, ManaBox, Moxfield,
    Archidekt, Delver Lens or Card Ladder, any table with the columns name, set, number, printing,
    condition and quantity, or a list of names or ids, one a line, or of a deck. Lines that fit
    several cards or none are listed, and never valued by a guess. Cards to sell are shown first:
    their price is at or above the one at which selling now beats keeping, with the probability of
    POKEWATCH_ADVICE_PROBABILITY. Where FILE says what the copies cost, the profit of selling them
    now is shown; it changes no advice. The price of a copy that is not near mint is a share of the
    market price, which is an assumption (POKEWATCH_CONDITION_LP and so on).

    \b
      pokewatch collection value collectr.csv --fees tcgplayer --out worth.csv
    """
    from pokewatch.collection.exports import read_collection
    from pokewatch.collection.matching import Matcher
    from pokewatch.collection.worth import value_collection
    from pokewatch.market.tabular.reading import read_sheet
    from pokewatch.market.tabular.sheet import TableError

    if out is not None:
        ending_of(out, "--out", ["csv"])
    try:
        names = sorted(KNOWN_HEADERS)
        found = read_collection(read_sheet(file, names=names, alone=ALONE, example=EXAMPLE))
    except TableError as error:
        raise click.UsageError(f"{file}: {error}") from None
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from None
    registry = chosen_registry()
    book, model = champion_book(registry)
    cards, lines = len(book.cards), len(found.lines)
    with value_errors_as_usage(), progress_bar("Valuing", cards + _LINE * lines) as advance:
        matcher = Matcher(book, advance)
        worth = value_collection(book, matcher, found, fees, lambda done: advance(_LINE * done))
    worth |= {"model_version": model.version, "data_version": model.data_version}
    if out is not None:
        valued = map(_valued_row, worth["lines"], found.lines)
        _write(out, [*valued, *map(_refused_row, worth["refused"])])
    if as_json:
        print_json(worth)
    else:
        _print(worth, book, out)
    warn_of_old_prices(book.last_day, registry.market, book.facts.market)


def _print(worth: Mapping[str, Any], book: "PriceBook", out: Path | None) -> None:
    valued = [row for row in worth["lines"] if row["why_unvalued"] is None]
    valued.sort(key=lambda row: (not _gains(row), -row["market_total"]))
    print_table(valued[:_SHOWN], _COLUMNS, lambda row: _cells(row, worth["currency"]))
    if len(valued) > _SHOWN:
        more = counted(len(valued) - _SHOWN, "more line")
        print_wrapped(f"... and {more}; --json or --out has every line")
    _print_totals(worth)
    if valued:
        _print_sales([row for row in valued if _gains(row)], worth)
    unvalued = [row for row in worth["lines"] if row["why_unvalued"]]
    _print_some(unvalued, lambda row: _why_unvalued(row, book))
    for note in worth["notes"]:
        print_wrapped(f"note: {note}")
    _print_some(worth["refused"], lambda row: f"line {row['line']}: left out: {row['reason']}")
    if out is not None:
        print_wrapped(f"written to {out}")


def _print_some(
    rows: Sequence[Mapping[str, Any]], text: Callable[[Mapping[str, Any]], str]
) -> None:
    for row in rows[:_SHOWN]:
        print_wrapped(text(row))
    if len(rows) > _SHOWN:
        print_wrapped(f"... and {counted(len(rows) - _SHOWN, 'more such line')}")


def _why_unvalued(row: Mapping[str, Any], book: "PriceBook") -> str:
    slugs = row["candidates"][:3]
    known = book.cards.describe(book.cards.positions(slugs))
    cards = [f"{described(card)} ({slug})" for card, slug in zip(known, slugs, strict=True)]
    near = f"; is it {' or '.join(cards)}?" if cards else ""
    why = row["reason"] if row["outcome"] != "matched" else row["why_unvalued"]
    return f"line {row['line']}: {row['name']}: not valued: {why}{near}"


def _print_totals(worth: Mapping[str, Any]) -> None:
    counts, totals, currency = worth["counts"], worth["totals"], worth["currency"]
    parts = [
        f"{counted(counts[name]['lines'], 'line')} "
        f"({counted(counts[name]['copies'], 'copy', 'copies')}) {name}"
        for name in ("matched", "ambiguous", "unmatched")
        if counts[name]["lines"] or name == "matched"
    ]
    unvalued = sum(
        row["outcome"] == "matched" and row["why_unvalued"] is not None for row in worth["lines"]
    )
    if unvalued:
        parts[0] += f" ({counted(unvalued, 'line')} of them not valued)"
    print_wrapped(", ".join(parts))
    print_wrapped(
        f"{counted(totals['copies'], 'copy', 'copies')} worth "
        f"{totals['market']:,.2f} {currency} at market prices of "
        f"{worth['date']}; {totals['proceeds_now']:z,.2f} {currency} after the fees of "
        f"{worth['fees']}"
    )
    interval = "too few days of prices for an interval"
    if totals["lower"] is not None:
        interval = f"90% interval {totals['lower']:,.2f} to {totals['upper']:,.2f} {currency}"
    if totals["cost"] is not None:
        print_wrapped(
            f"paid {totals['cost']:,.2f} {currency} for "
            f"{counted(totals['copies_with_cost'], 'copy', 'copies')} of known cost: "
            f"{_profit(totals['profit'], currency)} if they are sold now"
        )
    print_wrapped(
        f"in {counted(worth['horizon'], 'day')}: {totals['fair']:,.2f} {currency}, {interval}"
    )


def _profit(amount: float, currency: str) -> str:
    return f"a {'loss' if amount < 0 else 'profit'} of {abs(amount):,.2f} {currency}"


def _gains(row: Mapping[str, Any]) -> bool:
    """Return whether the advice is to sell, for a gain of a cent or more."""
    return bool(row["advice"] == "sell" and row["gain_of_selling"] > 0)


def _print_sales(sold: Sequence[Mapping[str, Any]], worth: Mapping[str, Any]) -> None:
    if not sold:
        print_wrapped("no card is better sold now than kept")
        return
    copies, currency = sum(row["quantity"] for row in sold), worth["currency"]
    now, gain = (sum(row[name] for row in sold) for name in ("proceeds_now", "gain_of_selling"))
    print_wrapped(
        f"to sell now: {counted(len(sold), 'line')} ({counted(copies, 'copy', 'copies')}), "
        f"{now:,.2f} {currency} after fees, {gain:,.2f} {currency} more than at the fair prices "
        f"in {counted(worth['horizon'], 'day')}"
    )


def _cells(row: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    return (
        f"line {row['line']}",
        row["card"],
        str(row["quantity"]),
        row["condition"],
        format_price(row["market_price"], currency),
        format_price(row["fair_price"], currency),
        format_price(row["market_total"], currency),
        row["advice"],
        format_share(row["chance_of_fall"]),
    )


def _valued_row(worth: Mapping[str, Any], line: "CollectionLine") -> dict[str, Any]:
    """Return the row of a line: its worth, and the line as the file has it."""
    return {
        **worth,
        "name": line.name or worth["card_name"],
        "set": line.set_name,
        "set_code": line.set_code,
        "number": line.number,
        "printing": line.printing,
        "language": line.language,
        "game": line.game,
        "product_id": line.product_id,
        "idproduct": line.market_id,
        "card_id": line.card_id,  # not that of the match, which would outweigh what users correct
        "condition": line.condition or line.condition_text,
        "cost": _written_cost(worth["cost"]),
        # A cell with a question mark would say nothing when it is read again.
        "cost_currency": worth["cost_currency"] and worth["cost_currency"].replace("?", "another"),
    }


def _written_cost(cost: float | None) -> str | None:
    """Return a cost with decimals that are not three, which could be read as thousands."""
    if cost is None:
        return None
    return f"{cost:.2f}" if in_cents(cost) == cost else f"{cost:.9f}"


def _refused_row(refused: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a line that was left out: of no copies, until a user writes how many."""
    given = {"line": refused["line"], "name": refused["text"], "reason": refused["reason"]}
    return dict.fromkeys(_FIELDS) | given | {"outcome": REFUSED, "quantity": 0}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows as CSV, whole or not at all. Raise OutputError."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_FIELDS)
    for row in rows:
        writer.writerow([safe_cell(row[name]) for name in _FIELDS])
    try:
        with atomic_file(path) as file:
            file.write(BYTE_ORDER_MARK + text.getvalue().encode())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
