"""Tables of checks, scores and trades for the cards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import expm1
from typing import TYPE_CHECKING, Any

from card_html import Column, glossary, html_table
from metaflow.cards import Markdown

from pokewatch.checks import Check
from pokewatch.wording import counted

if TYPE_CHECKING:
    from pokewatch.monitoring.calibration import Calibration

Evaluation = Mapping[str, Any]
Format = Callable[[Any], str]

SCORE_WORDS = {
    "error against the last price": "the sum of the errors divided by that of forecasting that the "
    "price stays as it is; below 1 is better",
    "95% interval": "where the score would be on other cards and dates of the same market",
    "renewed quotes": "prices that changed or were traded within the horizon; the others are the "
    "last price, which no model can improve",
    "mean error (MAPE)": "the mean of the errors as a share of the later price; without the "
    "largest 1%, a few wrong quotes do not decide",
    "RMSE and bias": "of the logarithm of the price: 0.05 is about 5%; a bias above 0 is a "
    "forecast that is too high",
    "coverage": "the share of later prices inside the 90% interval; 90% is right",
    "Winkler score": "the width of the interval plus a penalty for the prices outside, of the "
    "logarithm; smaller is better",
    "independent periods": "the days of the forecasts divided by the horizon: forecasts that "
    "overlap have the same outcome",
}
GROUP_WORDS = {
    "liquidity": "how often the quote of a card changes: dormant below 4% of the days, active "
    "above 20%",
    "card-days": "a card on a day of a forecast",
    "width": "of the interval, as a share of the price",
}
EXPERIMENT_WORDS = {
    "evidence": "an e-value, which may be looked at every day: were the challenger no better, it "
    "would reach 20 in fewer than one of twenty experiments",
    "mean difference": "of the errors of the two, as a share of the distance of their forecasts, "
    "from -1 to 1; above 0 the challenger was closer",
}
SIGNAL_WORDS = {
    "buy below, sell above": "prices at which a purchase earns, and a sale beats keeping, after "
    "fees and postage",
    "chance to earn": "by buying at the market price and selling at the horizon",
}
TRADE_WORDS = {
    "return": "of a trade, after fees and postage, as a share of what it cost",
    "hit rate": "the share of trades that earned",
    "best 3 of profit": "the share of all profit that the three best trades made; near 100% it is "
    "luck",
    "maximum drawdown": "the largest fall from an earlier height of the money invested",
    "p-value": "how often random trades in similar cards earn as much; above 5% the signals show "
    "no skill",
}


def trades_table(policies: Sequence[Mapping[str, Any]]) -> Markdown:
    ways = {
        "followed": ("signals followed", "curve"),
        "random": ("random signals", None),
        "buy_everything": ("buy every card", "buy_everything_curve"),
        "sham_same_day": ("same-day (biased)", None),
    }
    rows = [
        [
            each["policy"].replace("_", " "),
            title,
            _number(each[way].get("trades")),
            _percent(each[way]["mean_net"]),
            _percent(each[way].get("median_net")),
            _amount(each[way].get("total_gain")),
            _amount(each[way].get("median_gain")),
            _percent(each[way].get("hit_rate")),
            _percent(each[way].get("best_three_share")),
            _percent(each[curve]["max_drawdown"]) if curve else "-",
            _number(each["random"]["p_value"]) if way == "followed" else "-",
        ]
        for each in policies
        for way, (title, curve) in ways.items()
    ]
    currency = policies[0]["currency"]
    numbers = (
        "trades",
        "mean return",
        "median return",
        f"gain, {currency}",
        f"median gain, {currency}",
        "hit rate",
        "best 3 of profit",
        "maximum drawdown",
        "p-value against random",
    )
    return html_table([Column("policy"), Column("strategy"), *_numbers(numbers)], rows)


def values_table(values: Sequence[Mapping[str, Any]]) -> Markdown:
    """Return a table of cards, with the advice in money on each."""
    amounts = ("market_price", "fair_price", "buy_below", "sell_above")
    rows = [
        [
            each["slug"].replace("_", " "),
            *("no price" if each[name] == 0 else _amount(each[name]) for name in amounts),
            _percent(each["chance_to_earn"]),
            each["signal"],
            each["reason"].replace("_", " "),
        ]
        for each in values
    ]
    currency = values[0]["currency"] if values else ""
    titles = ("market", "fair price", "buy below", "sell above")
    return html_table(
        [
            Column("card"),
            *_numbers([f"{title}, {currency}" for title in titles]),
            Column("chance to earn", number=True),
            Column("signal"),
            Column("reason"),
        ],
        rows,
    )


def experiment_table(found: Mapping[str, Any]) -> Markdown:
    """Return a table of the standing of an experiment that has results."""
    now = found["series"][-1]
    interval = f"{_number(now['low'])} to {_number(now['high'])}"
    rows = [
        ["days of forecasts compared", _number(found["days"])],
        ["prices", _number(found["forecasts"])],
        ["evidence that the challenger is better", f"{now['e_value']:.3g}"],
        ["evidence that it is worse", f"{now['e_opposite']:.3g}"],
        ["evidence that decides", f"{found['threshold']:.3g}"],
        ["mean difference, 95% interval", f"{_number(now['mean'])}, {interval}"],
        ["error less than the champion's by", _percent(found["gain"])],
        ["prices inside the challenger's 90% intervals", _percent(now["coverage"])],
    ]
    return html_table([Column("figure"), Column("value", number=True)], rows)


def calibrations_table(calibrations: "Sequence[Calibration]") -> Markdown:
    names: dict[str, tuple[str, Format]] = {
        "rmae_last": ("error against the last price", _number),
        "mape": ("mean error (MAPE)", _of_hundred),
        "bias": ("bias, log", _number),
        "coverage_90": ("coverage of the 90% interval", _percent),
        "n": ("card-days", _number),
    }
    rows = [
        ["estimated on", *(str(each.made_on) for each in calibrations)],
        [
            "model version",
            *(f"{each.version}{'' if each.served else ', reconstructed'}" for each in calibrations),
        ],
        *[
            [title, *(text(each.scores[name]) for each in calibrations)]
            for name, (title, text) in names.items()
        ],
        [
            "mean gap of confidence and outcome",
            *(_percent(each.reliability_gap) for each in calibrations),
        ],
    ]
    return html_table(
        [
            Column("judged"),
            *_numbers([f"{counted(each.lag, 'day')} later" for each in calibrations]),
        ],
        rows,
    )


def checks_table(checks: Sequence[Check]) -> Markdown:
    rows = [
        [
            check.name.replace("_", " "),
            check.actual,
            check.threshold,
            "FAILED" if check.result == "failed" else check.result,
            check.why,
        ]
        for check in checks
    ]
    columns = ("check", "found", "wanted", "result")
    return html_table([*map(Column, columns), Column("what is measured", kind="why")], rows)


def scores_table(evaluations: Sequence[Evaluation]) -> Markdown:
    names: dict[str, tuple[str, Format]] = {
        "rmae_median7": ("error against the 7-day median", _number),
        "trimmed_mape": ("mean error without the largest 1%", _of_hundred),
        "mape": ("mean error (MAPE)", _of_hundred),
        "rmse": ("RMSE, log", _number),
        "bias": ("bias, log", _number),
        "coverage_90": ("coverage of the 90% interval", _percent),
        "winkler_90": ("Winkler score, log", _number),
        "coverage_rate": ("cards valued", _percent),
        "buy_rate": ("BUY", _percent),
        "sell_rate": ("SELL", _percent),
        "hold_rate": ("HOLD", _percent),
        "dataset_size": ("card-days", _number),
        "windows": ("independent periods", _one_decimal),
    }
    rows = [
        *_error_rows(evaluations),
        *[
            [title, *(text(each[name]) for each in evaluations)]
            for name, (title, text) in names.items()
        ],
        ["against the last price", *(each["skill"] for each in evaluations)],
    ]
    return html_table(
        [Column("score"), *_numbers([each["model"] for each in evaluations])],
        rows,
    )


def score_words() -> Markdown:
    """Return what the scores mean."""
    return glossary(SCORE_WORDS)


def _error_rows(evaluations: Sequence[Evaluation]) -> Iterator[list[str]]:
    """Yield the errors against the last price, of all quotes and of renewed ones."""
    renewed = [each["fresh"] for each in evaluations]
    for title, found in (("", evaluations), (", renewed quotes", renewed)):
        yield [
            f"error against the last price{title}",
            *(_number(each["rmae_last"]) for each in found),
        ]
        yield [f"95% interval{title}", *(_interval(each["rmae_last_ci"]) for each in found)]
    yield ["coverage, renewed quotes", *(_percent(each["coverage_90"]) for each in renewed)]
    yield ["share of renewed quotes", *(_percent(each["renewal_rate"]) for each in evaluations)]


def groups_table(groups: Sequence[Mapping[str, Any]], currency: str) -> Markdown:
    rows = [
        [
            group["price_band"],
            group["liquidity"],
            _number(group["n"]),
            _number(group["rmae_last"]),
            _of_hundred(group["mape"]),
            _percent(group["coverage_90"]),
            _width(group["width"]),
        ]
        for group in groups
    ]
    numbers = ("card-days", "error against the last price", "mean error", "coverage", "width")
    columns = [Column(f"price, {currency}"), Column("liquidity"), *_numbers(numbers)]
    return html_table(columns, rows)


def _numbers(titles: Sequence[str]) -> list[Column]:
    return [Column(title, number=True) for title in titles]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _one_decimal(value: float) -> str:
    return f"{value:.1f}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else "{:.3f}\u00a0to\u00a0{:.3f}".format(*ends)


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _of_hundred(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}%"


def _width(log_width: float | None) -> str:
    """Return the width of an interval of the log price as a share of the price."""
    return "-" if log_width is None else f"{expm1(log_width):.0%}"
