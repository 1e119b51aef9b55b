"""Option types and options that several commands share."""

import math
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pokewatch.contract import MAX_PRICE, MIN_PRICE, parse_iso_day
from pokewatch.money import Price, typed_price

Ending = TypeVar("Ending", bound=str)


class Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return parse_iso_day(value)
        except ValueError:
            self.fail(f"{value!r} is not a date such as {datetime.now(UTC).date()}", param, ctx)


class OutputFile(click.Path):
    """A file to write, which may not exist yet."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value).strip():
            self.fail("the name of the file is empty; give one such as prices.csv", param, ctx)
        if os.fspath(value) == "-":  # standard output, for many programs
            self.fail("results go to a file: give its name, such as prices.csv", param, ctx)
        return super().convert(value, param, ctx)


def ending_of(path: Path, option: str, endings: Collection[Ending]) -> Ending | None:
    """Return which of `endings` the name of a file has, or None for a name without an ending.

    Raise UsageError for another: a spreadsheet would open a Parquet file named `cards.xlsx`, and
    call it damaged.
    """
    found = path.suffix.lower().removeprefix(".")
    for ending in endings:
        if ending == found:
            return ending
    if found:
        known = " or ".join(f".{ending}" for ending in endings)
        more = ", or add --format" if len(endings) > 1 else ""
        raise click.UsageError(f"{option} {path.name!r} does not end in {known}: rename it{more}")
    return None


class PriceOption(click.ParamType[float]):
    """A price as people write it, above zero, or from zero on with `zero`.

    With `of_card`, it is one to be judged or watched for: it has the bounds of the API and may name
    its currency, which the command must check.
    """

    name = "PRICE"

    def __init__(self, *, zero: bool = False, of_card: bool = False) -> None:
        least = 0.0 if zero else None
        self._bounds = (MIN_PRICE, MAX_PRICE) if of_card else (least, math.inf)
        self._currency = of_card

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Price:
        try:
            price = typed_price(str(value), *self._bounds)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if price.currency and not self._currency:
            detail = f"write {price:.15g}, which is in the currency of the prices"
            self.fail(f"{value!r} names a currency: {detail}", param, ctx)
        return price


def check_currency(price: float | None, option: str, currency: str) -> None:
    """Raise click.UsageError for a price that was typed in another currency than the prices."""
    given = price.currency if isinstance(price, Price) else None
    if given not in (None, currency):
        raise click.UsageError(f"{option} is in {given}, the prices are in {currency}")


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def value_errors_as_usage() -> Iterator[None]:
    """Raise the ValueError of a wrong argument as a usage error."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None
