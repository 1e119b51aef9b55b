"""Writing to standard output: text, JSON and tables; a progress bar on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pokewatch.errors import OutputError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar


def print_text(text: str) -> None:
    """Write a line to standard output.

    Raise OutputError if it cannot be written, BrokenPipeError if its reader has gone.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        sys.stdout = None  # otherwise Python writes the rest once more as it exits
        raise OutputError(f"standard output cannot be written: {error}") from error


def print_json(value: Any) -> None:
    print_text(json.dumps(value, default=str, indent=2, allow_nan=False))


def print_table(
    rows: Iterable[Mapping[str, Any]],
    header: Sequence[str],
    cells: Callable[[Mapping[str, Any]], Sequence[str]],
) -> None:
    for line in table_lines([tuple(header), *(tuple(cells(row)) for row in rows)]):
        print_text(line)


def table_lines(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows with their columns aligned."""
    columns = max(map(len, table))
    widths = [max(len(row[at]) for row in table if at < len(row)) for at in range(columns)]
    for row in table:
        yield "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=False)
        ).rstrip()


def format_size(size: int) -> str:
    """Return a size in MB or GB."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def format_price(price: float | None) -> str:
    return "-" if price is None else f"{price:,.2f}"


def format_percent(share: float | None) -> str:
    return "-" if share is None else f"{share:+.1%}"


def format_share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal; yield its update function."""
    stderr = sys.stderr
    bar: ProgressBar[int] = click.progressbar(
        length=length, label=label, file=stderr, hidden=not stderr.isatty()
    )
    with bar:
        yield bar.update
