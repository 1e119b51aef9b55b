"""What the batch and the online half agree on: the words of V2 answers. Imports nothing."""

STATUSES = (
    "ok",
    "stale_price",
    "thin_history",
    "wide_interval",
    "unknown_card",
)  # a price book stores their indices
UNKNOWN_CARD = "unknown_card"
UNKNOWN_DATE = "unknown_date"
INVALID_PRICE = "invalid_price"
ROW_STATUSES = frozenset({*STATUSES, UNKNOWN_DATE, INVALID_PRICE})

SIGNALS = frozenset({"BUY", "SELL", "HOLD"})
# Why a signal is what it is: the rule, what a row lacks, what is wrong with it, or its status.
REASONS = ROW_STATUSES - {"ok"} | {
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
    "invalid_buy_threshold_pct",
    "invalid_sell_threshold_pct",
}
