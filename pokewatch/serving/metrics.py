"""What the runtimes tell Prometheus.

MLServer's own `mlserver.register` puts metrics into a registry that its endpoint shows only when there are worker processes:
theirs are read from files. The default registry used here is shown with and without workers. This module must be imported only
by the runtimes: with workers, MLServer chooses the kind of storage just before it loads them.
"""

from datetime import UTC, datetime, time

from prometheus_client import Counter, Gauge, Histogram

from pokewatch.serving.editions import Edition
from pokewatch.valuation.book import STATUSES

ROWS = Counter("pokewatch_rows", "Rows valued by fair-price, by status.", ["status"])
DECISIONS = Counter("pokewatch_decisions", "Rows judged by decision, by signal.", ["signal"])
REFUSED = Counter("pokewatch_refused_requests", "Malformed requests.", ["model"])
SECONDS = Histogram(
    "pokewatch_request_seconds",
    "Time inside the runtime.",
    ["model"],
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0),
)
LOADS = Counter("pokewatch_book_loads", "Loads of a price book.", ["outcome"])
BOOK_CREATED = Gauge("pokewatch_book_created_timestamp_seconds", "When the served book was made.", multiprocess_mode="livemax")
BOOK_LAST_DAY = Gauge("pokewatch_book_last_day_timestamp_seconds", "Midnight (UTC) of the book's last day.", multiprocess_mode="livemax")
BOOK_CARDS = Gauge("pokewatch_book_cards", "Cards in the served book.", multiprocess_mode="livemax")
MODEL_INFO = Gauge(
    "pokewatch_model_info",
    "1 for the version being served, 0 for one served before.",
    ["model_version", "data_version"],
    multiprocess_mode="livemax",
)
EVALUATION = Gauge("pokewatch_evaluation", "Evaluation figures of the served model.", ["metric"], multiprocess_mode="livemax")

_ROWS_OF = {status: ROWS.labels(status) for status in (*STATUSES, "unknown_date", "invalid_price")}


def rows_of(status: str) -> Counter:
    """The counter of rows with `status`."""
    return _ROWS_OF[status]


def tell_edition(edition: Edition, former: Edition | None) -> None:
    """Set what is known of the served edition; the figures of the one before it go."""
    facts = edition.book.facts
    BOOK_CREATED.set(facts.created_at.timestamp())
    BOOK_LAST_DAY.set(datetime.combine(edition.book.last_day, time(), UTC).timestamp())
    BOOK_CARDS.set(len(edition.book.cards))
    if former is not None:
        # Files shared by worker processes cannot forget a label, so the former version is told apart by its value.
        MODEL_INFO.labels(former.model_version, former.data_version).set(0)
    MODEL_INFO.labels(edition.model_version, edition.data_version).set(1)
    for name, value in facts.metrics.items():
        EVALUATION.labels(name).set(value)
