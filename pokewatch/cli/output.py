"""Writing to standard output: text, JSON and tables; warnings and progress on standard error."""

import json
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import click

from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.errors import OutputError
from pokewatch.money import in_cents
from pokewatch.wording import age_in_words, pipeline_command, refusal

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_TICK_SECONDS = 0.2
_NEARLY_DONE = 0.99  # a bar is full when its work is done
_INDENT = "  "


# Any control character but a tab or the end of a line; the sequences are those of `click.style`.
_CONTROL = re.compile(r"(\x1b\[(?:0|1|3[123])m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def without_controls(text: str) -> str:
    """Return a text that cannot control the terminal, whatever a file or a source named a card."""
    return _CONTROL.sub(lambda match: match[1] or "?", text)


def print_text(text: str) -> None:
    """Write a line to standard output, without control characters.

    Raise OutputError if it cannot be written, BrokenPipeError if its reader has gone.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        click.echo(without_controls(text), color=_color())
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as error:
        sys.stdout = None  # otherwise Python writes the rest once more as it exits
        raise OutputError(f"standard output cannot be written: {refusal(error)}") from error


def print_wrapped(text: str, indent: str = "") -> None:
    """Write a sentence, on several lines where it is wider than the terminal."""
    print_text(wrap(text, indent))


def print_fields(fields: Iterable[str]) -> None:
    """Write short texts, indented, separated by semicolons; none is broken between two lines."""
    lines: list[str] = []
    for field in fields:
        if lines and len(_INDENT) + len(lines[-1]) + len(field) + 3 <= line_width():
            lines[-1] += f"; {field}"
        else:
            lines.append(field)
    print_text("\n".join(f"{_INDENT}{line}" for line in lines))


def wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        line_width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def line_width() -> int:
    """Return the columns of the terminal, 80 without one."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def paint_signal(signal: str) -> str:
    """Return a signal in the color of a terminal."""
    color = {"BUY": "green", "SELL": "red"}.get(signal)
    return click.style(signal, fg=color, bold=True) if color else signal


def warn(text: str) -> None:
    """Write a warning to standard error."""
    click.echo(
        click.style(wrap(f"warning: {without_controls(text)}"), fg="yellow"),
        err=True,
        color=_color(),
    )


def warn_of_old_prices(
    last_day: date, market: str, valued: str, now: datetime | None = None
) -> None:
    """Write a warning if the newest prices are more than MAX_DATA_AGE_HOURS old.

    `market` and `valued` are as for `pipeline_command`.
    """
    hours = data_age_hours(last_day, now or datetime.now(UTC))
    if hours > MAX_DATA_AGE_HOURS:
        command = pipeline_command(market, valued)
        warn(
            f"the newest prices are of {last_day}, which ended {age_in_words(hours)} ago; "
            f"{command} collects newer ones"
        )


def warn_of_unknown_settings() -> None:
    """Write a warning for each name that looks like a setting but is not one."""
    from pokewatch.settings import unknown_names

    for text in unknown_names():
        warn(text)


def _color() -> bool | None:
    """Return False if colors are not wanted (no-color.org), None to leave it to the terminal."""
    return False if os.environ.get("NO_COLOR") else None


def print_json(value: Any) -> None:
    print_text(json.dumps(value, default=str, indent=2, allow_nan=False))


def print_table(
    rows: Iterable[Mapping[str, Any]],
    header: Sequence[str],
    cells: Callable[[Mapping[str, Any]], Sequence[str]],
) -> None:
    """Write a table, or where it is wider than the terminal its rows one after the other."""
    table = [tuple(header), *(tuple(cells(row)) for row in rows)]
    lines = list(table_lines(table))
    if max(map(len, lines)) <= line_width():
        print_text("\n".join(lines))
        return
    for row in table[1:]:
        print_text(row[0])
        print_fields(f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True))


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


def format_price(price: float | None, currency: str) -> str:
    return "-" if price is None else f"{in_cents(price):,.2f} {currency}"


def format_percent(share: float | None) -> str:
    """Return a share with its sign; one that is shown as 0.0% has none."""
    text = "-" if share is None else f"{share:+z.1%}"
    return "0.0%" if text == "+0.0%" else text


def format_share(share: float | None) -> str:
    return "-" if share is None else f"{share:z.1%}"


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal; yield its update function."""
    stderr = sys.stderr
    bar: ProgressBar[int] = click.progressbar(
        length=length, label=label, file=stderr, hidden=not stderr.isatty(), color=_color()
    )
    with bar:
        yield bar.update


@contextmanager
def share_bar(label: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar; yield the function that takes the share that is done, from 0 to 1."""
    done = 0
    with progress_bar(label, 1_000) as advance:

        def report(share: float) -> None:
            nonlocal done
            now = int(1_000 * share)
            advance(now - done)
            done = now

        yield report


@contextmanager
def waiting_bar(label: str, record: Path, expected: float) -> Iterator[None]:
    """Show a progress bar while the block waits for other processes.

    The estimate is the time that it took the last time, which `record` keeps, or `expected` seconds
    the first time.
    """
    with suppress(OSError, ValueError):
        expected = max(float(record.read_text()), _TICK_SECONDS)
    done, started = Event(), time.monotonic()

    def show() -> None:
        with share_bar(label) as report:
            while not done.wait(_TICK_SECONDS):
                report(min((time.monotonic() - started) / expected, _NEARLY_DONE))
            report(1.0)

    bar = Thread(target=show, daemon=True)
    bar.start()
    try:
        yield
    finally:
        done.set()
        bar.join()
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        record.write_text(f"{time.monotonic() - started:.1f}\n")
