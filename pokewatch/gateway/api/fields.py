"""The fields of requests and answers of the API: their bounds and descriptions."""

from typing import Annotated

from msgspec import Meta

from pokewatch.contract import (
    CARD_ID_PATTERN,
    MARKET_PATTERN,
    MAX_BUY_THRESHOLD,
    MAX_PRICE,
    MAX_SELL_THRESHOLD,
    MIN_BUY_THRESHOLD,
    MIN_PRICE,
    MIN_SELL_THRESHOLD,
    AdviceReason,
    Condition,
    Fees,
    Reason,
    Status,
)
from pokewatch.gateway.api.examples import EXAMPLE

CardId = Annotated[
    str,
    Meta(
        pattern=rf"\A{CARD_ID_PATTERN}\Z",
        description="The id or slug of a card.",
        examples=[EXAMPLE.slug],
    ),
]
MarketName = Annotated[
    str,
    Meta(
        pattern=rf"\A{MARKET_PATTERN}\Z",
        description="The id of a market, from `GET /markets`.",
    ),
]
MarketOfCard = Annotated[
    MarketName,
    Meta(description="The id of a market. Default: the first that has the card."),
]
MarketOrFirst = Annotated[
    MarketName, Meta(description="The id of a market. Default: the first of `GET /markets`.")
]
MarketOrAll = Annotated[MarketName, Meta(description="The id of a market. Default: all markets.")]
Day = Annotated[
    str,
    Meta(
        description="A market day (UTC) as YYYY-MM-DD.",
        examples=[EXAMPLE.day],
        extra_json_schema={"format": "date"},
    ),
]
Price = Annotated[
    float,
    Meta(
        ge=MIN_PRICE,
        le=MAX_PRICE,
        description="A price in the currency of the data (see `/ready`).",
        examples=[90.0],
    ),
]
BuyThreshold = Annotated[
    float,
    Meta(
        gt=MIN_BUY_THRESHOLD,
        le=MAX_BUY_THRESHOLD,
        description="BUY at or below this deviation, as a fraction of the fair price.",
        examples=[-0.1],
    ),
]
SellThreshold = Annotated[
    float,
    Meta(
        ge=MIN_SELL_THRESHOLD,
        le=MAX_SELL_THRESHOLD,
        description="SELL at or above this deviation, as a fraction of the fair price.",
        examples=[0.15],
    ),
]

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]

Fair = Annotated[
    float | None,
    Meta(description="The median of the price at the model's horizon; null if unknown."),
]
Lower = Annotated[float | None, Meta(description="The lower bound of the 90% interval.")]
Upper = Annotated[float | None, Meta(description="The upper bound of the 90% interval.")]
Deviation = Annotated[
    float | None,
    Meta(
        description="A fraction, not a percentage: (market_price - fair_price) / fair_price. -0.1 "
        "is 10% below the fair price."
    ),
]
Confidence = Annotated[
    float | None,
    Meta(description="The probability, from the interval, that the signal is right."),
]
SignalReason = Annotated[
    Reason, Meta(description="The rule, missing value or status behind the signal.")
]
PriceStatus = Annotated[
    Status,
    Meta(description="`ok`, or why not to rely on the fair price, such as `stale_price`."),
]
BuyBelow = Annotated[
    float | None,
    Meta(
        description="The highest price at which buying now and selling at the horizon earns, after "
        "fees and postage, with the probability of POKEWATCH_ADVICE_PROBABILITY; 0 if there is "
        "none, null if unknown."
    ),
]
SellAbove = Annotated[
    float | None,
    Meta(
        description="The lowest price at which selling now beats keeping until the horizon, with "
        "that probability; null if unknown."
    ),
]
ChanceToEarn = Annotated[
    float | None,
    Meta(
        description="The probability that buying at the price judged and selling at the horizon "
        "earns, after fees and postage; null if unknown."
    ),
]
WhyNoAdvice = Annotated[
    AdviceReason,
    Meta(description="`ok`, or why the last three are null, such as `no_interval` or `no_fees`."),
]
Market = Annotated[str, Meta(description="The id of the market that the answer is about.")]
Currency = Annotated[str, Meta(description="The currency of the amounts.", examples=["USD"])]
CopyCondition = Annotated[
    Condition,
    Meta(
        description="The condition of the copy: the prices of the card are multiplied by the "
        "server's factor for it, which is an assumption. Default: near mint."
    ),
]
FeeName = Annotated[
    Fees,
    Meta(
        description="The marketplace whose fees apply, in the currency of the prices. Default: the "
        "server's."
    ),
]
ModelVersion = Annotated[str, Meta(description="The version of the registered model.")]
DataVersion = Annotated[str, Meta(description="The hash of the data behind the answer.")]
Stale = Annotated[
    bool,
    Meta(description="True for an earlier answer, sent because the model server is down."),
]
Unavailable = Annotated[
    list[str],
    Meta(description="The markets left out because their model server is down."),
]
RequestId = Annotated[
    str, Meta(description="The id of the request: your `X-Request-Id`, or a generated one.")
]
