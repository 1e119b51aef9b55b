"""Option types and options that several commands share."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import click


class Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date such as {datetime.now(UTC).date()}", param, ctx)


class Price(click.ParamType[float]):
    """A finite amount above zero, or from zero on with `zero`."""

    name = "PRICE"

    def __init__(self, zero: bool = False) -> None:
        self._zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            price = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a price", param, ctx)
        if not (0 < price < math.inf or (self._zero and price == 0)):
            lowest = "of at least" if self._zero else "above"
            self.fail(f"{value} is not a price: use a finite number {lowest} zero", param, ctx)
        return price


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def value_errors_as_usage() -> Iterator[None]:
    """Raise the ValueError of a wrong argument as a usage error."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None
