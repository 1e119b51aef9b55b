"""The operations that return all cards as one file."""

from pokewatch.contract import EXPORT_TYPES, ExportFormat
from pokewatch.gateway.api import queries
from pokewatch.gateway.api.operation import Operation
from pokewatch.gateway.api.problem_groups import AUTHENTICATED, UPSTREAM
from pokewatch.gateway.http import problems


def _operation(file_format: ExportFormat, name: str, description: str) -> Operation:
    return Operation(
        f"export_{file_format}",
        "GET",
        f"/export.{file_format}",
        f"Export all cards as {name}",
        EXPORT_TYPES[file_format],
        f"Returns a row for each card, with its prices and signal of the latest day, or for each "
        f"card and day of `history`. {description}",
        scope="batch",
        query=queries.ExportQuery,
        problems=(
            *AUTHENTICATED,
            problems.INVALID,
            problems.UNKNOWN_MARKET,
            problems.UNKNOWN_DATE,
            problems.RANGE,
            problems.PREPARING,
            *UPSTREAM,
        ),
        tagged=True,
        ranged=True,
    )


EXPORT_OPERATIONS = (
    _operation("parquet", "Parquet", "Prices are float64, days date32."),
    _operation(
        "csv",
        "CSV",
        "It is UTF-8 with a byte order mark. An apostrophe precedes texts that a spreadsheet would "
        "take for a formula.",
    ),
)
