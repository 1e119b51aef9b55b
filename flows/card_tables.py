"""Tables of checks, scores and trades for the cards."""

from collections.abc import Mapping, Sequence
from typing import Any

from metaflow.cards import Markdown, Table

from pokewatch.checks import Check
from pokewatch.monitoring.calibration import Calibration

Evaluation = Mapping[str, Any]

RESULTS = {"passed": "passed", "failed": "**FAILED**", "not judged": "not judged"}


def trades_table(policies: Sequence[Mapping[str, Any]]) -> Table:
    ways = {
        "followed": ("signals followed", "curve"),
        "random": ("random signals", None),
        "buy_everything": ("buy every card", "buy_everything_curve"),
        "sham_same_day": ("same-day (biased)", None),
    }
    rows = [
        [
            each["policy"],
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
    headers = [
        "policy",
        "strategy",
        "trades",
        "mean return",
        "median return",
        f"gain, {policies[0]['currency']}",
        "median gain",
        "hit rate",
        "best 3 of profit",
        "maximum drawdown",
        "p-value against random",
    ]
    return Table(rows, headers=headers)


def values_table(values: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of cards, with the advice in money on each."""
    amounts = ("market_price", "fair_price", "buy_below", "sell_above")
    rows = [
        [
            each["slug"],
            each["currency"],
            *(_amount(each[name]) for name in amounts),
            each["signal"],
            each["reason"],
            _percent(each["chance_to_earn"]),
        ]
        for each in values
    ]
    headers = [
        "card",
        "currency",
        "market",
        "fair",
        "buy below",
        "sell above",
        "signal",
        "reason",
        "chance to earn",
    ]
    return Table(rows, headers=headers)


def calibrations_table(calibrations: Sequence[Calibration]) -> Table:
    names = {
        "rmae_last": "error / last price",
        "mape": "MAPE %",
        "bias": "bias (log)",
        "coverage_90": "inside the 90% interval",
        "n": "card-days",
    }
    rows = [
        ["estimated on", *(str(each.made_on) for each in calibrations)],
        [
            "model version",
            *(f"{each.version}{'' if each.served else ', reconstructed'}" for each in calibrations),
        ],
        *[
            [title, *(_number(each.scores[name]) for each in calibrations)]
            for name, title in names.items()
        ],
        ["confidence error", *(_number(each.reliability_gap) for each in calibrations)],
    ]
    return Table(rows, headers=["", *(f"{each.lag} days later" for each in calibrations)])


def checks_table(checks: Sequence[Check]) -> Table:
    rows = [
        [
            check.name,
            f"{check.actual} (limit: {check.threshold})",
            Markdown(RESULTS[check.result]),
            check.why,
        ]
        for check in checks
    ]
    return Table(rows, headers=["check", "found", "result", "meaning"])


def scores_table(evaluations: Sequence[Evaluation]) -> Table:
    names = {
        "rmae_last": "error / last price",
        "rmae_median7": "error / 7-day median",
        "trimmed_mape": "MAPE % without the largest 1%",
        "mape": "MAPE %",
        "rmse": "RMSE (log)",
        "bias": "bias (log)",
        "coverage_90": "coverage of the 90% interval",
        "winkler_90": "Winkler score (log)",
        "coverage_rate": "share valued",
        "buy_rate": "share BUY",
        "sell_rate": "share SELL",
        "hold_rate": "share HOLD",
        "dataset_size": "card-days",
        "windows": "independent periods",
    }
    rows = [
        [title, *(_number(each[name]) for each in evaluations)] for name, title in names.items()
    ]
    rows.insert(1, ["its 95% interval", *(_interval(each["rmae_last_ci"]) for each in evaluations)])
    rows[:0] = _renewed_rows(evaluations)
    rows.append(["against the last price", *(each["skill"] for each in evaluations)])
    return Table(rows, headers=["", *(each["model"] for each in evaluations)])


def _renewed_rows(evaluations: Sequence[Evaluation]) -> list[list[str]]:
    """Return the scores on renewed quotes: the others are the last price."""
    renewed = [each["fresh"] for each in evaluations]
    return [
        ["renewed within the horizon", *(_percent(each["renewal_rate"]) for each in evaluations)],
        [
            "error / last price, on renewed quotes",
            *(_number(each["rmae_last"]) for each in renewed),
        ],
        ["its 95% interval", *(_interval(each["rmae_last_ci"]) for each in renewed)],
        ["coverage, on renewed quotes", *(_number(each["coverage_90"]) for each in renewed)],
    ]


def groups_table(groups: Sequence[Mapping[str, Any]]) -> Table:
    names = ("n", "rmae_last", "mape", "coverage_90", "width")
    rows = [
        [group["price_band"], group["liquidity"], *(_number(group[name]) for name in names)]
        for group in groups
    ]
    headers = [
        "price",
        "liquidity",
        "card-days",
        "error / last",
        "MAPE %",
        "coverage",
        "width (log)",
    ]
    return Table(rows, headers=headers)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _interval(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else "{:.4f} to {:.4f}".format(*ends)


def _amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
