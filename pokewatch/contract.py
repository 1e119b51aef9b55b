"""Names and bounds that the gateway and the model server agree on.

Both import them from here: the gateway checks requests and replies against them, the runtimes
declare their tensors with them. This module imports nothing from the package.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Literal, get_args

# Models. A home of one market has `fair-price`; each market that is named has a model of its own.
# While a new version is given traffic in steps, it is a model beside that, the challenger.
FAIR_PRICE = "fair-price"
FAIR_PRICE_CHALLENGER = "fair-price-challenger"
DECISION = "decision"
MARKET_PATTERN = "[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?"  # of ids; anchor it where it is used
MARKET_FORM = "use lower-case letters, digits and hyphens, as in magic-tcgplayer-usd"
MARKETS_PATH = "/catalog/markets"  # of a model server: the markets it serves
RecordKind = Literal["deploy", "experiment"]  # of the records beside a market's registered model
INFERENCES_PATH = "/inferences"  # of a model server: requests to several models in one


def records_model(model: str, kind: RecordKind) -> str:
    """Return the name of the registered model that holds the records beside another one."""
    return f"{model}-{kind}s"


def fair_price_model(market: str) -> str:
    """Return the name of a market's model; "" is the only market, which has no name."""
    return f"{FAIR_PRICE}-{market}" if market else FAIR_PRICE


def challenger_model(market: str) -> str:
    """Return the name of a market's challenger; "" is the only market, which has no name."""
    return f"{FAIR_PRICE_CHALLENGER}-{market}" if market else FAIR_PRICE_CHALLENGER


def market_of_model(model: str) -> str:
    """Return the named market whose model has this name, "" if it is no such model."""
    return "" if is_challenger(model) else _market_after(f"{FAIR_PRICE}-", model)


def market_of_challenger(model: str) -> str:
    """Return the named market whose challenger has this name, "" if it is no such model."""
    return _market_after(f"{FAIR_PRICE_CHALLENGER}-", model)


def is_challenger(model: str) -> bool:
    """Return whether a model is the challenger of a market. No market's id begins like that."""
    return model == FAIR_PRICE_CHALLENGER or model.startswith(f"{FAIR_PRICE_CHALLENGER}-")


def _market_after(prefix: str, model: str) -> str:
    market = model.removeprefix(prefix)
    named = model.startswith(prefix) and re.fullmatch(MARKET_PATTERN, market)
    return market if named else ""


def catalog_path(model: str) -> str:
    """Return the path of a model's catalogue in MLServer."""
    return "/catalog" if model == FAIR_PRICE else f"/v2/models/{model}/catalog"


HASH_BYTES = 8


def card_hash(name: str) -> bytes:
    """Return the hash of a card's id or slug in the list of a market's cards, little-endian."""
    return blake2b(name.encode(), digest_size=HASH_BYTES).digest()


# Statuses of a row. A price book stores indices into STATUSES: append, never reorder.
Status = Literal[
    "ok",
    "stale_price",
    "thin_history",
    "wide_interval",
    "unknown_card",
    "unconfirmed_jump",
]
STATUSES: tuple[Status, ...] = get_args(Status)
UNKNOWN_CARD = "unknown_card"
UNKNOWN_DATE = "unknown_date"
INVALID_PRICE = "invalid_price"
ROW_STATUSES = frozenset({*STATUSES, UNKNOWN_DATE, INVALID_PRICE})

# Signals, and the reason for each: the rule that applied, a missing or invalid value, or the
# status of the row.
Signal = Literal["BUY", "SELL", "HOLD"]
SIGNALS: tuple[Signal, Signal, Signal] = ("BUY", "SELL", "HOLD")

# The event log, which the gateway writes and the monitor reads.
EXPOSURE, OUTCOME = "exposure", "outcome"
CHAMPION_ARM, CHALLENGER_ARM = "champion", "challenger"
EVENT_PROCESS_DIGITS = 8  # of a session's 16 hexadecimal digits, those of its process
Reason = Literal[
    "below_threshold",
    "above_threshold",
    "within_thresholds",
    "clears_fees",
    "inside_fees",
    "no_interval",
    "no_market_price",
    "no_fair_price",
    "invalid_market_price",
    "invalid_fair_price",
    "invalid_lower",
    "invalid_upper",
    "invalid_distribution",
    "invalid_buy_threshold_pct",
    "invalid_sell_threshold_pct",
    "stale_price",
    "thin_history",
    "wide_interval",
    "unknown_card",
    "unconfirmed_jump",
    "unknown_date",
    "invalid_price",
]
REASONS: frozenset[str] = frozenset(get_args(Reason))

# What the evaluation of the served model shows against forecasting the last price
Skill = Literal[
    "better than the last price", "too few periods to tell", "no better than the last price"
]
BETTER: Skill = "better than the last price"
TOO_FEW_PERIODS: Skill = "too few periods to tell"
NO_BETTER: Skill = "no better than the last price"

# Marketplaces whose fees are known, and the currency of each
Fees = Literal["tcgplayer", "ebay", "cardmarket"]
FEE_CURRENCIES: dict[str, str] = {"tcgplayer": "USD", "ebay": "USD", "cardmarket": "EUR"}

# Conditions of an offered copy: near mint, lightly, moderately and heavily played, damaged
Condition = Literal["NM", "LP", "MP", "HP", "DMG"]
NEAR_MINT: Condition = "NM"
CONDITIONS: tuple[Condition, ...] = (NEAR_MINT, "LP", "MP", "HP", "DMG")

# Why there is advice in money on a row or not: the reason of a HOLD without a decision is one too
AdviceReason = Literal[Reason, "ok", "no_fees"]
ADVICE_REASONS: frozenset[str] = frozenset(get_args(AdviceReason))

# Bounds of requests and queries
MAX_CARD_ID_LENGTH = 80
# Of ids and slugs; anchor it where it is used.
CARD_ID_PATTERN = f"[a-z0-9][a-z0-9_-]{{0,{MAX_CARD_ID_LENGTH - 1}}}"
MAX_BATCH_ROWS = 1_000  # cards in one batch, rows in one V2 request
MAX_PAGE_SIZE = 1_000
DEFAULT_CARDS_LIMIT = 50
DEFAULT_MOVERS_LIMIT = 20
MAX_COLLECTION_LINES = 10_000
MAX_COLLECTION_CELL = 500  # characters
MAX_COST = 1_000_000_000  # of a copy in a collection
COLLECTION_FIELDS = (
    "name",
    "set",
    "number",
    "printing",
    "language",
    "condition",
    "grade",
    "product_id",
    "card_id",
    "quantity",
    "cost",
)
DEFAULT_SUGGESTIONS = 8
MAX_SUGGESTIONS = 20
MAX_NEAR = 50  # unknown cards of one request that similar cards are searched for
MAX_QUERIES = 8  # of a batch of queries of the catalogue
DEFAULT_MIN_PRICE = 1.0  # of price changes, in the currency of the market: below it are pennies
MAX_MIN_PRICE = 1_000_000
ChangeDays = Literal[1, 7, 30]
MIN_PRICE, MAX_PRICE = 0.001, 10_000_000  # of a card, to be judged or watched for
# As fractions: 100 is a price that is 101 times the earlier one.
MIN_WATCH_CHANGE, MAX_WATCH_CHANGE = 0.0001, 100.0
MAX_WATCH_DAYS = 365
MAX_WEBHOOK_LENGTH = 2_000
MAX_TEXT_LENGTH = 200  # of search words and cursors, and of what errors quote
MAX_NAME_LENGTH = 1_000  # of the ids and names of sets, and of rarities
MIN_BUY_THRESHOLD = -1  # exclusive
MAX_BUY_THRESHOLD = 0
MIN_SELL_THRESHOLD = 0
MAX_SELL_THRESHOLD = 100
MoversPrice = Literal["market", "low"]
ChangesSort = Literal["change", "amount", "price"]
MAX_DATA_AGE_HOURS = 36  # from the end of the market day, above which prices are said to be old

# Exports
ExportFormat = Literal["parquet", "csv"]
EXPORT_TYPES: dict[ExportFormat, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
}
EXPORT_PREPARING = "the export is being prepared"
_DAY_PATTERN = r"([0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))?"
MONTH_PATTERN = r"[0-9]{4}-(0[1-9]|1[0-2])"
CURRENCY_PATTERN = "[A-Z]{3}"
HISTORY_PATTERN = rf"{_DAY_PATTERN}\.\.{_DAY_PATTERN}"


def parse_iso_day(text: str) -> date:
    """Return the day written as YYYY-MM-DD, and in no other form of ISO 8601. Raise ValueError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"{text[:40]!r} is not a day such as 2026-11-20")
    return date.fromisoformat(text)


def parse_history(text: str) -> tuple[date | None, date | None]:
    """Return the first and the last day of a range such as 2026-01-01..2026-01-31.

    A side without a day is None, which is open: `..` is all days. Raise ValueError.
    """
    match = re.fullmatch(HISTORY_PATTERN, text)
    try:
        days = match.groups() if match else ("?",)
        first, last = [date.fromisoformat(day) if day else None for day in days]
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is not a range of days such as 2026-01-01..2026-01-31"
        ) from None
    if first and last and first > last:
        raise ValueError(f"the first day, {first}, is after the last, {last}")
    return first, last


def data_age_hours(last_day: date, now: datetime) -> float:
    """Return the hours since the end of a market day (UTC)."""
    end = datetime.combine(last_day + timedelta(days=1), time(), UTC)
    return (now - end).total_seconds() / 3_600


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A declared input or output of a model. `datatype` is BYTES (text) or FP64.

    A `nullable` input accepts any number, and null where a row gives none. A `per_request` input
    may have one value for all rows. An `on_request` output is returned only when it is named.
    `width` is the number of values in a row: the shape is [n], or [n, width] where it is above 1.
    """

    name: str
    datatype: str
    optional: bool = False
    nullable: bool = False
    per_request: bool = False
    on_request: bool = False
    width: int = 1


# A predictive distribution in one row: the last quote, the probability that the price at the
# horizon is the same, the smallest probability that may be claimed, and the logarithms of the
# quantiles of a price that is not the same.
DISTRIBUTION = "distribution"
DISTRIBUTION_WIDTH = 10

FAIR_PRICE_INPUTS = (
    TensorSpec("card_id", "BYTES"),
    TensorSpec("date", "BYTES", optional=True),
    TensorSpec("market_price", "FP64", optional=True, nullable=True),
    TensorSpec("condition", "BYTES", optional=True),
)
FAIR_PRICE_OUTPUTS = (
    TensorSpec("card_id", "BYTES"),
    TensorSpec("date", "BYTES"),
    TensorSpec("market_price", "FP64"),
    TensorSpec("fair_price", "FP64"),
    TensorSpec("lower", "FP64"),
    TensorSpec("upper", "FP64"),
    TensorSpec("status", "BYTES"),
    TensorSpec("slug", "BYTES", on_request=True),
    TensorSpec(DISTRIBUTION, "FP64", on_request=True, width=DISTRIBUTION_WIDTH),
)
DECISION_INPUTS = (
    TensorSpec("market_price", "FP64", nullable=True),
    TensorSpec("fair_price", "FP64", nullable=True),
    TensorSpec("lower", "FP64", optional=True, nullable=True),
    TensorSpec("upper", "FP64", optional=True, nullable=True),
    TensorSpec("status", "BYTES", optional=True),
    TensorSpec(DISTRIBUTION, "FP64", optional=True, nullable=True, width=DISTRIBUTION_WIDTH),
    TensorSpec("buy_threshold_pct", "FP64", optional=True, nullable=True, per_request=True),
    TensorSpec("sell_threshold_pct", "FP64", optional=True, nullable=True, per_request=True),
    TensorSpec("fees", "BYTES", optional=True, per_request=True),
    TensorSpec("currency", "BYTES", optional=True, per_request=True),
)
DECISION_OUTPUTS = (
    TensorSpec("signal", "BYTES"),
    TensorSpec("deviation_pct", "FP64"),
    TensorSpec("confidence", "FP64"),
    TensorSpec("reason", "BYTES"),
    TensorSpec("buy_below", "FP64", on_request=True),
    TensorSpec("sell_above", "FP64", on_request=True),
    TensorSpec("chance_to_earn", "FP64", on_request=True),
    TensorSpec("advice", "BYTES", on_request=True),
)
