"""Tables as programs write them: the same prices in any separator, encoding and format."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from hypothesis import strategies as st

DAY_FORMATS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%m/%d/%y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d %b %Y",
    "%B %d, %Y",
    "%Y-%m-%dT00:30:00Z",
    "%Y-%m-%d 23:59:59",
    "%m/%d/%Y 11:15 PM",
    "epoch",
    "serial",
)
QUOTING: tuple[Literal[0, 1], ...] = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
NAMES = (
    "Pikachu",
    "Nidoran ♀",
    "Nidoran ♂",
    'Poké "Ball"',
    "リザードン",
    "Card; with, marks|and\ttabs",
    "Line\nbreak",
    "O'Neil",
    "Farfetch\u2019d",
)


@dataclass(frozen=True)
class Style:
    """How a table is written."""

    separator: str
    decimal: str
    grouping: str
    places: int
    symbol: str
    day_format: str
    encoding: str
    line_end: str
    quoting: Literal[0, 1]
    sep_line: bool
    blank_lines: bool
    total_line: bool
    hole: str

    def price(self, value: float) -> str:
        whole, _, fraction = f"{value:,.{self.places}f}".partition(".")
        text = whole.replace(",", self.grouping) + (self.decimal + fraction if fraction else "")
        return {"": text, "$": f"${text}", "€": f"{text} €"}[self.symbol]

    def day(self, day: date) -> str:
        if self.day_format == "epoch":
            return str((day - date(1970, 1, 1)).days * 86_400 + 3_600)
        if self.day_format == "serial":
            return str((day - date(1899, 12, 30)).days)
        return day.strftime(self.day_format)


def styles() -> st.SearchStrategy[Style]:
    """Return every combination that a program could write."""
    return st.builds(
        Style,
        separator=st.sampled_from([",", ";", "\t", "|"]),
        decimal=st.sampled_from([".", ","]),
        grouping=st.sampled_from(["", ".", ",", "'", " ", "\u00a0"]),
        places=st.integers(0, 4),
        symbol=st.sampled_from(["", "$", "€"]),
        day_format=st.sampled_from(DAY_FORMATS),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
        line_end=st.sampled_from(["\n", "\r\n"]),
        quoting=st.sampled_from(QUOTING),
        sep_line=st.booleans(),
        blank_lines=st.booleans(),
        total_line=st.booleans(),
        hole=st.sampled_from(["", "-", "N/A", "#N/A", " "]),
    ).filter(lambda style: style.grouping != style.decimal)


@dataclass(frozen=True)
class Prices:
    """`quotes` maps (card, day) to a price, None for a hole; `names` names the cards."""

    names: dict[str, str]
    quotes: dict[tuple[str, date], float | None]


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    """Return a small panel."""
    cards = draw(
        st.lists(st.sampled_from(["a-1", "b-2", "c-3", "d-4"]), min_size=1, max_size=4, unique=True)
    )
    first = draw(st.dates(date(2024, 1, 1), date(2026, 10, 1)))
    days = [first + timedelta(days=step) for step in range(draw(st.integers(1, 20)))]
    value = st.one_of(st.floats(0.01, 5), st.floats(5, 100_000)).map(
        lambda number: round(number, 4)
    )
    quotes = {
        (card, day): draw(st.one_of(value, value, value, st.none()))
        for card in cards
        for day in days
    }
    return Prices({card: draw(st.sampled_from(NAMES)) for card in cards}, quotes)


def written(
    panel: Prices, style: Style, header: Sequence[str] = ("card_id", "name", "date", "market_price")
) -> bytes:
    """Return the file. Raises UnicodeEncodeError where the encoding lacks a letter."""
    out = io.StringIO()
    if style.sep_line:
        out.write(f"sep={style.separator}{style.line_end}")
    writer = csv.writer(
        out, delimiter=style.separator, lineterminator=style.line_end, quoting=style.quoting
    )
    writer.writerow(header)
    for number, ((card, day), price) in enumerate(panel.quotes.items()):
        writer.writerow(
            [
                card,
                panel.names[card],
                style.day(day),
                style.hole if price is None else style.price(price),
            ]
        )
        if style.blank_lines and number % 3 == 0:
            out.write(style.line_end)
    if style.total_line:
        writer.writerow(["Total", "", "", style.price(12.34)])
    return out.getvalue().encode(style.encoding)
