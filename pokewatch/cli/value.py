"""`pokewatch value`."""

from collections.abc import Mapping, Sequence
from datetime import date
from math import inf
from typing import TYPE_CHECKING, Any

import click

from pokewatch.cli.card_choice import find_cards
from pokewatch.cli.market_choice import champion_book, chosen_registry, market_option
from pokewatch.cli.options import (
    Day,
    PriceOption,
    check_currency,
    json_option,
    value_errors_as_usage,
)
from pokewatch.cli.output import (
    format_percent,
    format_price,
    format_share,
    paint_signal,
    print_fields,
    print_json,
    print_text,
    print_wrapped,
    warn_of_old_prices,
)
from pokewatch.contract import CONDITIONS, FEE_CURRENCIES, NEAR_MINT, NO_BETTER, Condition, Fees
from pokewatch.money import in_cents
from pokewatch.valuation.skill import skill_of
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.registry import RegisteredModel


@click.command()
@click.argument("cards", nargs=-1)
@click.option(
    "--price",
    type=PriceOption(of_card=True),
    help="Judge this price of one card, such as 3.50 or $3.50, not the market price.",
)
@click.option(
    "--condition",
    type=click.Choice(CONDITIONS),
    help="Condition of the copy. Default: NM, near mint.",
)
@click.option(
    "--fees",
    type=click.Choice(list(FEE_CURRENCIES)),
    help="Marketplace whose fees apply. Default: POKEWATCH_FEES, else the currency decides.",
)
@click.option("--date", "day", type=Day(), help="Day of the estimate. Default: the latest.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    help="Also show this many cards, those with the strongest signals first.",
)
@market_option
@json_option
def value(
    cards: tuple[str, ...],
    price: float | None,
    condition: Condition | None,
    fees: Fees | None,
    day: date | None,
    sample: int | None,
    as_json: bool,
) -> None:
    """Show the fair price of CARDS, given by id, slug or name.

    For each card: market price, fair price, interval, signal and reason, by the champion model.
    "buy below" is the highest price at which buying now and selling at the horizon earns, after
    fees and postage, with the probability of POKEWATCH_ADVICE_PROBABILITY, "sell above" the lowest
    at which selling now beats keeping, and "chance to earn" that of buying at the price judged.
    The fair price of a copy in another condition than near mint is that times a factor, which is
    an assumption (POKEWATCH_CONDITION_LP and so on).

    \b
      pokewatch value --sample 5
      pokewatch value emberfox_ex_199 --price 12.50 --condition LP
      pokewatch value "emberfox ex 199"
    """
    from pokewatch.valuation.signals import strongest_signals, value_cards

    if not cards and sample is None:
        raise click.UsageError("no card given: add an id, slug or name, or --sample N")
    if price is not None and len(cards) + (sample or 0) > 1:
        raise click.UsageError(f"--price {price:.15g} is the price of one card: give one card")
    registry = chosen_registry()
    book, model = champion_book(registry)
    check_currency(price, "--price", book.facts.currency)
    wanted = find_cards(book, cards, ask=not as_json)
    wanted += strongest_signals(book, sample) if sample else []
    versions = {
        "model_version": model.version,
        "data_version": model.data_version,
        "skill": skill_of(book.facts.metrics),
        "not_evaluated": book.facts.not_evaluated or None,
    }
    with value_errors_as_usage():
        values = value_cards(
            book, wanted, day=day, price=price, condition=condition or NEAR_MINT, fees=fees
        )
    rows = [{**row, **versions} for row in values]
    if as_json:
        print_json(rows)
    else:
        _print_values(rows, book.facts, model, "market" if price is None else "asked")
    warn_of_old_prices(book.last_day, registry.market, book.facts.market)


def _print_origin(facts: Any, model: "RegisteredModel") -> None:
    prices = "simulated prices" if facts.source == "simulated" else "prices"
    ahead = counted(facts.horizon, "day")
    print_wrapped(f"{prices} in {facts.currency}; 90% intervals, {ahead} ahead")
    print_wrapped(
        f"model version {model.version} ({facts.model}), data version {model.data_version}"
    )
    if facts.not_evaluated:
        print_wrapped(facts.not_evaluated)
        return
    skill = skill_of(facts.metrics)
    what = ": only the interval and offered prices add information" * (skill == NO_BETTER)
    print_wrapped(f"evaluation of the fair price: {skill}{what}")


def _print_terms(value: Mapping[str, Any]) -> None:
    from pokewatch.settings import DecisionSettings
    from pokewatch.valuation.signals import configured_fees

    settings = DecisionSettings.read()
    fees = configured_fees(value["currency"], value["fees"])
    print_wrapped(
        f"buy below, sell above: with a probability of {settings.advice_probability:.0%}, after "
        f"the fees of {fees.name} and {fees.postage:.2f} {fees.currency} postage"
    )
    condition = value["condition"]
    if condition != NEAR_MINT:
        factor = settings.condition_factors()[condition]
        print_wrapped(
            f"condition {condition}: {factor:g} of the near mint fair price, an assumption"
        )


def _print_values(
    rows: Sequence[Mapping[str, Any]], facts: Any, model: "RegisteredModel", judged: str
) -> None:
    for row in rows:
        _print_value(row, judged)
    _print_origin(facts, model)
    _print_terms(rows[0])
    if any(row["signal"] == "BUY" and (row["chance_to_earn"] or 0.0) < 0.5 for row in rows):
        print_wrapped(
            "BUY compares the price with the fair price; where the chance to earn is small, fees "
            "and postage are likely to cost more than the difference"
        )
    if any(
        row["reason"] == "within_thresholds" and row["market_price"] >= (row["sell_above"] or inf)
        for row in rows
    ):
        print_wrapped(
            'HOLD compares the price with the fair price; at or above the price of "sell above", '
            "selling a copy of yours is likely to beat keeping it"
        )


def _print_value(row: Mapping[str, Any], judged: str) -> None:
    """Print the value of a card; `judged` is the price that it judges, of the market or asked."""
    currency, lower, upper = row["currency"], row["lower"], row["upper"]
    interval = "no interval"
    if None not in (lower, upper):
        interval = f"interval {in_cents(lower):,.2f} - {format_price(upper, currency)}"
    print_text(f"{row['slug']}: {paint_signal(row['signal'])}, {row['reason']}")
    buy_below = format_price(row["buy_below"], currency)
    print_fields(
        [
            f"{row['date']}: {judged} {format_price(row['market_price'], currency)}",
            f"fair {format_price(row['fair_price'], currency)}",
            interval,
            f"deviation {format_percent(row['deviation_pct'])}",
            "buy at no price" if row["buy_below"] == 0 else f"buy below {buy_below}",
            f"sell above {format_price(row['sell_above'], currency)}",
            f"chance to earn {format_share(row['chance_to_earn'])}",
        ]
    )
