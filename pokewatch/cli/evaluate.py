"""`pokewatch evaluate` and `pokewatch backtest`: models and policies on a file of prices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pokewatch.cli.options import PriceOption, json_option, value_errors_as_usage
from pokewatch.cli.output import (
    format_number,
    format_percent,
    format_price,
    format_share,
    print_json,
    print_table,
    print_wrapped,
    share_bar,
    warn,
)
from pokewatch.contract import FEE_CURRENCIES

_MODELS = "last, rolling_mean, median7, local_level or boosted."
_EVALUATION_COLUMNS = (
    "model",
    "origins",
    "card-days",
    "renewed",
    "error / last",
    "95% interval",
    "error / last, renewed",
    "periods",
    "error / 7-day median",
    "MAPE %",
    "bias",
    "coverage of 90%",
    "coverage, renewed",
    "shown",
)
_BACKTEST_COLUMNS = (
    "policy",
    "BUY signals",
    "trades",
    "mean return",
    "median return",
    "gain",
    "median gain",
    "hit rate",
    "best 3 of profit",
    "random",
    "p-value",
    "every card",
    "max drawdown",
    "same-day (biased)",
)

_prices_option = click.option(
    "--prices",
    type=click.Path(path_type=Path),
    required=True,
    help="File of prices, text, a workbook or Parquet, with the columns card_id, date and "
    "market_price; optionally low, mid, avg7, avg30, volume, set, rarity, released and stale_days.",
)
_horizon_option = click.option(
    "--horizon", type=click.IntRange(min=1), default=7, show_default=True, help="Days ahead."
)
_min_price_option = click.option(
    "--min-price",
    type=PriceOption(),
    help="Use only card-days with a market price at or above this.",
)


@click.command()
@_prices_option
@_horizon_option
@click.option("--model", help=f"Evaluate only this model: {_MODELS} Default: all.")
@_min_price_option
@json_option
def evaluate(
    prices: Path, horizon: int, model: str | None, min_price: float | None, as_json: bool
) -> None:
    """Evaluate models by walk-forward validation.

    At each of many origins, a model is fitted on the prices known by then and scored on those
    HORIZON days later. "error / last" is the absolute error of the log price divided by that of
    the last price: 0.95 means 5% less error than predicting no change. Its interval allows for
    common cards and common dates. "renewed" is the share of card-days whose quote was renewed
    within HORIZON days; the other quotes are the last price. "periods" is the number of
    independent periods of HORIZON days that the origins span; under 8 are too few to tell what the
    next one brings.

    \b
      pokewatch evaluate --prices panel.parquet --horizon 7 --min-price 1
    """
    from pokewatch.valuation.evaluation.runner import evaluate_file

    with value_errors_as_usage(), share_bar("Evaluating") as progress:
        found = evaluate_file(prices, horizon, model, min_price, progress, warn)
    if as_json:
        print_json(found)
    else:
        print_table(found, _EVALUATION_COLUMNS, _evaluation_cells)


def _evaluation_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    interval = found["rmae_last_ci"]
    figures = ("rmae_median7", "mape", "bias", "coverage_90")
    return (
        found["model"],
        str(len(found["origins"])),
        f"{found['n']:,}",
        format_share(found["renewal_rate"]),
        format_number(found["rmae_last"]),
        "-" if interval is None else "{:.4f} - {:.4f}".format(*interval),
        format_number(found["fresh"]["rmae_last"]),
        f"{found['windows']:.1f}",
        *(format_number(found[name]) for name in figures),
        format_number(found["fresh"]["coverage_90"]),
        found["skill"],
    )


@click.command()
@_prices_option
@_horizon_option
@click.option(
    "--fees",
    type=click.Choice(list(FEE_CURRENCIES)),
    help="Marketplace whose fees apply. Default: the currency decides.",
)
@click.option(
    "--postage",
    type=PriceOption(zero=True),
    help="Postage of one card. Default: the marketplace's.",
)
@click.option(
    "--a-day",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Most copies bought in one day.",
)
@click.option(
    "--held",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Most copies held at once.",
)
@click.option(
    "--policy",
    type=click.Choice(["threshold", "net_of_fees"]),
    multiple=True,
    help="Trading rule to follow; may be repeated. Default: both.",
)
@click.option("--model", default="local_level", show_default=True, help=_MODELS)
@_min_price_option
@json_option
def backtest(
    prices: Path,
    horizon: int,
    fees: str | None,
    postage: float | None,
    a_day: int,
    held: int,
    policy: tuple[str, ...],
    model: str,
    min_price: float | None,
    as_json: bool,
) -> None:
    """Compute the return, after fees, of following the signals.

    A trade buys one copy at the next renewed market price, or at the lowest ask where that is
    higher, and sells it at a 5-day median, with fees and postage. At most --a-day copies are bought
    in a day and --held are held. "gain" is the sum of all trades in the currency of the prices, and
    "best 3 of profit" the share of all profits that the three best trades made. "random" is the
    same trades made in other cards of about the same price and volatility, on the same days; the
    p-value is the share of such draws that earn as much. "same-day (biased)" trades at the price
    that gave the signal, which nobody can do: it shows what a naive backtest would report.

    \b
      pokewatch backtest --prices panel.parquet --fees tcgplayer
    """
    from pokewatch.valuation.backtest.runner import backtest_file
    from pokewatch.valuation.backtest.trades import Capacity

    policies = tuple(dict.fromkeys(policy)) or ("threshold", "net_of_fees")
    with value_errors_as_usage(), share_bar("Valuing each day") as progress:
        found = backtest_file(
            prices,
            model,
            horizon,
            fees,
            postage,
            warn,
            policies=policies,
            min_price=min_price,
            capacity=Capacity(a_day, held),
            progress=progress,
        )
    if as_json:
        print_json(found)
    else:
        print_table(found, _BACKTEST_COLUMNS, _backtest_cells)
        _print_terms(found)


def _print_terms(found: Sequence[Mapping[str, Any]]) -> None:
    first = found[0]
    asks = ", ".join(f"{each['asks']:.0%}" for each in found if each["asks"] is not None)
    print_wrapped(
        f"{first['dates'][0]} to {first['dates'][-1]}; amounts in {first['currency']}; fees of "
        f"{first['fees']}, postage {first['postage']:.2f} {first['currency']}"
        + (f"; lowest asks known for {asks} of the purchases" if asks else "")
    )


def _backtest_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    followed, random = found["followed"], found["random"]
    return (
        found["policy"],
        str(found["signals"]),
        str(followed["trades"]),
        format_percent(followed["mean_net"]),
        format_percent(followed["median_net"]),
        format_price(followed["total_gain"], found["currency"]),
        format_price(followed["median_gain"], found["currency"]),
        format_share(followed["hit_rate"]),
        format_share(followed["best_three_share"]),
        format_percent(random["mean_net"]),
        format_number(random["p_value"]),
        format_percent(found["buy_everything"]["mean_net"]),
        format_share(found["curve"]["max_drawdown"]),
        format_percent(found["sham_same_day"]["mean_net"]),
    )
