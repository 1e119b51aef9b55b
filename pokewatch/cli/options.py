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


class Amount(float):
    """A price and the currency that it was given in, None if it had none."""

    currency: str | None = None


class Price(click.ParamType[float]):
    """A finite amount above zero, or from zero on with `zero`, as people write it."""

    name = "PRICE"

    def __init__(self, zero: bool = False) -> None:
        self._zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Amount:
        price = self._amount(str(value), param, ctx)
        if not (0 < price < math.inf or (self._zero and not price)):
            lowest = "of at least" if self._zero else "above"
            self.fail(f"{value} is not a price: use a finite number {lowest} zero", param, ctx)
        return price

    def _amount(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Amount:
        try:
            return Amount(text)
        except ValueError:
            pass
        from pokewatch.market.tabular.numbers import parse_money

        money = parse_money(text)
        if money is None:
            self.fail(f"{text!r} is not a price such as 3.50", param, ctx)
        if len(money.readings) > 1:
            least, most = sorted(money.readings)
            self.fail(f"{text!r} may be {least:.15g} or {most:.15g}: write one of them", param, ctx)
        amount = Amount(money.readings[0])
        amount.currency = money.currency
        return amount


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def value_errors_as_usage() -> Iterator[None]:
    """Raise the ValueError of a wrong argument as a usage error."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None
