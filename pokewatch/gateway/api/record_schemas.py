"""Answers about the track record: past forecasts and the prices that followed."""

from typing import Annotated

import msgspec
from msgspec import Meta

from pokewatch.contract import MONTH_PATTERN, Skill
from pokewatch.gateway.api.experiment_schemas import RecordExperiment
from pokewatch.gateway.api.fields import (
    Count,
    Currency,
    DataVersion,
    Market,
    ModelVersion,
    Share,
    Stale,
)

_FROM_TO = {"first": "from", "last": "to"}


class RecordEstimate(msgspec.Struct, frozen=True):
    """A figure with its 95% interval, which allows for common cards and common dates.

    The ends are null where there are fewer than two independent periods, or than ten cards.
    """

    value: float
    low: float | None
    high: float | None


Error = Annotated[
    RecordEstimate | None,
    Meta(
        description="The sum of the absolute errors, on the log price, relative to that of "
        "forecasting the last price: below 1 is better than the last price."
    ),
]
Coverage = Annotated[
    RecordEstimate | None,
    Meta(description="The share of later prices inside the 90% interval: 0.9 is right."),
]
Mape = Annotated[
    float | None,
    Meta(description="The mean absolute difference between fair price and later price, in %."),
]
Bias = Annotated[
    float | None, Meta(description="The mean of the log fair price less the log later price.")
]
Periods = Annotated[
    float | None,
    Meta(description="The number of independent periods, each as long as the horizon."),
]


class RecordScores(msgspec.Struct, frozen=True, rename=_FROM_TO):
    """How forecasts compare with the prices that followed."""

    first: Annotated[str, Meta(description="The first day on which they were issued.")]
    last: Annotated[str, Meta(description="The last day on which they were issued.")]
    issues: Annotated[Count, Meta(description="The number of times forecasts were issued.")]
    periods: Periods
    cards: Annotated[Count, Meta(description="The number of cards that were judged.")]
    forecasts: Count
    judged: Annotated[
        Count,
        Meta(description="Those of them whose card had a price then and later. Scores are theirs."),
    ]
    error: Error
    coverage: Coverage
    mape: Mape
    bias: Bias


class RecordPart(RecordScores, frozen=True, rename=_FROM_TO):
    """The scores of a month of issue, a model version or a price band."""

    key: Annotated[str, Meta(description="The month, the version or the price band.")]


class RecordBin(msgspec.Struct, frozen=True, rename=_FROM_TO):
    """The signals that were stated with a confidence in one tenth."""

    signal: str
    first: Share
    last: Share
    n: Count
    confidence: Annotated[Share, Meta(description="The mean confidence that was stated.")]
    observed: Annotated[Share, Meta(description="The share of them that came true.")]
    observed_ci: Annotated[
        list[Share] | None,
        Meta(description="The 95% interval of that share; null as for other figures."),
    ]


class RecordMiss(msgspec.Struct, frozen=True):
    """The forecast of a card that was furthest from the price that followed."""

    card_id: str
    slug: str
    name: str
    set_name: str
    issued_on: str
    model_version: str
    last_price: float
    fair_price: float
    outcome: Annotated[float, Meta(description="The price of the day the forecast was for.")]
    inside: Annotated[bool, Meta(description="Whether it was inside the 90% interval.")]


class RecordTrades(msgspec.Struct, frozen=True):
    """The trades of one strategy, one copy each, after fees; null without trades."""

    trades: Count
    mean_net: float | None
    median_net: float | None
    hit_rate: float | None
    total_cost: float
    total_gain: float


class RecordRandom(msgspec.Struct, frozen=True):
    """The same trades in other cards of a similar price and volatility, drawn at random."""

    mean_net: float | None
    low: float | None
    high: float | None
    p_value: float | None


class RecordBacktest(msgspec.Struct, frozen=True, rename=_FROM_TO):
    """The trades that the signals as stated would have led to, after fees.

    An order is filled at the next fresh price and sold a horizon later at the median of five days.
    """

    min_price: Annotated[float, Meta(description="Cards cheaper than this are left out.")]
    first: str
    last: str
    cards: Count
    fees: str
    capacity_a_day: Count
    capacity_held: Count
    signals: Annotated[Count, Meta(description="The number of BUY signals.")]
    unfilled: Count
    overlapping: Count
    over_capacity: Count
    unfinished: Count
    followed: RecordTrades
    buy_everything: RecordTrades
    random: RecordRandom
    dates: list[str]
    equity: Annotated[list[float], Meta(description="The equity by day, 1 at the start.")]


class RecordOfHorizon(msgspec.Struct, frozen=True):
    """The track record of the forecasts of one horizon."""

    horizon: Annotated[Count, Meta(description="The days between forecast and outcome.")]
    overall: RecordScores
    months: list[RecordPart]
    versions: list[RecordPart]
    price_bands: list[RecordPart]
    reliability: list[RecordBin]
    worst_misses: Annotated[
        list[RecordMiss], Meta(description="Each card once; cards below 1.00 are left out.")
    ]
    backtests: list[RecordBacktest]


class RecordIssue(msgspec.Struct, frozen=True):
    """Forecasts whose outcome is not known yet."""

    model_version: str
    issued_on: str
    due_on: str
    horizon: Count
    forecasts: Count


class RecordFile(msgspec.Struct, frozen=True):
    """The forecasts that were issued in a month and have their outcome."""

    month: Annotated[str, Meta(pattern=rf"\A{MONTH_PATTERN}\Z", examples=["2026-11"])]
    name: Annotated[str, Meta(pattern=r"\A\d{4}-\d{2}-[0-9a-f]{16}\.parquet\Z")]
    sha256: str
    bytes: Count
    rows: Count
    issues: Count


class FailedCheck(msgspec.Struct, frozen=True):
    """A check of the last monitoring run that failed."""

    name: str
    actual: str
    wanted: str
    why: str


class RecordEvaluation(msgspec.Struct, frozen=True):
    """The walk-forward evaluation of the served model: forecasts that were never published."""

    model: str
    horizon: Count
    skill: Skill
    not_evaluated: str | None
    card_days: Count | None
    periods: Periods
    error: Error
    coverage: Coverage
    mape: Mape
    bias: Bias


class TrackRecordAnswer(msgspec.Struct, frozen=True):
    """Every past forecast that has its outcome, those that are open, and the evaluation."""

    record: Annotated[str, Meta(description="The SHA-256 of the record; empty before the first.")]
    source: Annotated[str, Meta(description="The price source; `simulated` is not a real market.")]
    measured_on: Annotated[
        str | None,
        Meta(description="The last day of prices of the last monitoring run; null before one."),
    ]
    served: Annotated[RecordIssue, Meta(description="The forecasts that are being served.")]
    open: Annotated[
        list[RecordIssue], Meta(description="Forecasts whose outcome is not known yet.")
    ]
    unvalued: Annotated[
        Count,
        Meta(description="Cards that had a price and no forecast, summed over the past issues."),
    ]
    late: Annotated[
        Count,
        Meta(
            description="Versions deployed only after the day they forecast: they are left out, as "
            "nobody could read them in time."
        ),
    ]
    other_market: Annotated[
        Count,
        Meta(description="Versions of another market, such as another file or currency: left out."),
    ]
    unread: Annotated[
        Count, Meta(description="Versions that the next monitoring runs will add to the record.")
    ]
    horizons: list[RecordOfHorizon]
    failed_checks: list[FailedCheck]
    experiments: Annotated[
        list[RecordExperiment],
        Meta(description="The newest experiments with other models, newest first."),
    ]
    files: Annotated[
        list[RecordFile], Meta(description="The files of `/track-record.parquet`, by month.")
    ]
    evaluation: RecordEvaluation
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False
