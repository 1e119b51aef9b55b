"""Tables as programs and people write them: the same prices in any form."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.market.tabular.workbook import Cell, write_workbook

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
    "%A, %d %B %Y",
    "%Y年%m月%d日",
    "%Y-%m-%dT00:30:00Z",
    "%Y-%m-%dT02:30:00+02:00",
    "%Y-%m-%d 23:59:59",
    "%m/%d/%Y 11:15 PM",
    "epoch",
    "milliseconds",
    "serial",
)
QUOTING: tuple[Literal[0, 1], ...] = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
SYMBOLS = ("", "${}", "{} €", "€ {}", "EUR {}", "{} USD", "US${}", "USD{}")
HOLES = ("", "-", "N/A", "#N/A", " ", "\u2014", "#REF!", "null")
DIGITS = ("0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩")  # noqa: RUF001
TOTALS = ("Total", "Grand total:", "Summe", "合計", "AVERAGE")
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
    "=SUM(A1:A9)",
    "50% off",
)
PREAMBLES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (),
    (("My prices",),),
    (("Report date", "2026-01-01"), ("Owner", "Bob"), ()),
)
COMMENTS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (),
    ((), ("Source: my own",)),
    ((), ("set", "cards", "date", "price"), ("Base", "102", "2024-01-01", "7")),
)
WritePrice = Callable[[float | None], Cell]
WriteDay = Callable[[date], Cell]
Table = tuple[list[Cell], list[list[Cell]]]
HEADER = ("card_id", "name", "date", "market_price")


@dataclass(frozen=True)
class Style:
    """How a table is written."""

    container: Literal["text", "workbook", "parquet"]
    wide: bool
    separator: str
    decimal: str
    grouping: str
    places: int
    symbol: str
    digits: str
    day_format: str
    encoding: str
    line_end: str
    quoting: Literal[0, 1]
    sep_line: bool
    blank_lines: bool
    preamble: tuple[tuple[str, ...], ...]
    comment: tuple[tuple[str, ...], ...]
    repeat_header: bool
    repeat_rows: bool
    total: str | None
    hole: str
    typed: bool  # numbers and dates as a workbook or Parquet types them

    @property
    def currency(self) -> str:
        return "EUR" if "€" in self.symbol or "EUR" in self.symbol else "USD"

    def price(self, value: float) -> str:
        whole, _, fraction = f"{value:,.{self.places}f}".partition(".")
        text = whole.replace(",", self.grouping) + (self.decimal + fraction if fraction else "")
        text = text.translate(str.maketrans(DIGITS[0], self.digits))
        return self.symbol.format(text) if self.symbol else text

    def day(self, day: date) -> str:
        since = (day - date(1970, 1, 1)).days * 86_400 + 3_600
        if self.day_format == "epoch":
            return str(since)
        if self.day_format == "milliseconds":
            return str(since * 1000)
        if self.day_format == "serial":
            return str((day - date(1899, 12, 30)).days)
        return day.strftime(self.day_format).translate(str.maketrans(DIGITS[0], self.digits))


def styles() -> st.SearchStrategy[Style]:
    """Return every combination that a program or a person could write."""
    return st.builds(
        Style,
        container=st.sampled_from(["text", "text", "text", "workbook", "parquet"]),
        wide=st.booleans(),
        separator=st.sampled_from([",", ";", "\t", "|"]),
        decimal=st.sampled_from([".", ","]),
        grouping=st.sampled_from(["", "", ".", ",", "'", " ", "\u00a0"]),
        places=st.integers(0, 4),
        symbol=st.sampled_from(SYMBOLS),
        digits=st.sampled_from([DIGITS[0], DIGITS[0], DIGITS[0], *DIGITS]),
        day_format=st.sampled_from(DAY_FORMATS),
        encoding=st.sampled_from(
            ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
        ),
        line_end=st.sampled_from(["\n", "\r\n", "\r"]),
        quoting=st.sampled_from(QUOTING),
        sep_line=st.booleans(),
        blank_lines=st.booleans(),
        preamble=st.sampled_from(PREAMBLES),
        comment=st.sampled_from(COMMENTS),
        repeat_header=st.booleans(),
        repeat_rows=st.booleans(),
        total=st.one_of(st.none(), st.sampled_from(TOTALS)),
        hole=st.sampled_from(HOLES),
        typed=st.booleans(),
    ).filter(lambda style: style.grouping != style.decimal)


@dataclass(frozen=True)
class Prices:
    """`quotes` maps (card, day) to a price, None for a hole; `names` names the cards."""

    names: dict[str, str]
    quotes: dict[tuple[str, date], float | None]

    @property
    def days(self) -> list[date]:
        return sorted({day for _, day in self.quotes})


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    """Return a small panel."""
    cards = draw(
        st.lists(st.sampled_from(["a-1", "b-2", "c-3", "d-4"]), min_size=1, max_size=4, unique=True)
    )
    first = draw(st.dates(date(2024, 1, 1), date(2026, 10, 1)))
    days = [first + timedelta(days=step) for step in range(draw(st.integers(1, 20)))]
    value = st.one_of(
        st.floats(0.01, 5), st.floats(5, 100_000), st.floats(0.01, 500), st.floats(-50, -0.01)
    ).map(lambda number: round(number, 4))
    quotes = {
        (card, day): draw(st.one_of(value, value, value, st.none()))
        for card in cards
        for day in days
    }
    return Prices({card: draw(st.sampled_from(NAMES)) for card in cards}, quotes)


def written(panel: Prices, style: Style) -> bytes:
    """Return the file. Raises UnicodeEncodeError where the encoding lacks a letter."""
    if style.container == "parquet":
        return _parquet(panel, style)
    if style.container == "workbook":
        out = io.BytesIO()
        write_workbook(out, {"Notes": [["nothing here"]], "Prices": list(_records(panel, style))})
        return out.getvalue()
    return _text(panel, style).encode(style.encoding)


def is_wide(panel: Prices, style: Style) -> bool:
    """Whether the table has a column a day, which takes two days."""
    return style.wide and len(panel.days) > 1


def _text(panel: Prices, style: Style) -> str:
    out = io.StringIO()
    if style.sep_line:
        out.write(f"sep={style.separator}{style.line_end}")
    # With a lone carriage return, Python's writer leaves other line breaks in cells unquoted.
    quoting = csv.QUOTE_ALL if style.line_end == "\r" else style.quoting
    writer = csv.writer(
        out, delimiter=style.separator, lineterminator=style.line_end, quoting=quoting
    )
    for number, record in enumerate(_records(panel, style)):
        writer.writerow(record)
        if style.blank_lines and number % 3 == 0:
            out.write(style.line_end)
    return out.getvalue()


def _records(panel: Prices, style: Style) -> Iterator[Sequence[Cell]]:
    typed = style.typed and style.container == "workbook"

    def price(value: float | None) -> Cell:
        if value is None:
            return style.hole
        return round(value, style.places) if typed else style.price(value)

    def day(value: date) -> Cell:
        return value if typed else style.day(value)

    yield from style.preamble
    header, body = _long(panel, price, day)
    if is_wide(panel, style):
        header, body = _wide(panel, price, day)
    yield header
    for number, record in enumerate(body):
        yield record
        if style.repeat_rows and number % 4 == 0:
            yield record
        if style.repeat_header and number == 1:
            yield header
    if style.total:
        filler: list[Cell] = ["", *(price(12.34) for _ in header[2:])]
        yield [style.total, *filler]
    yield from style.comment


def _long(panel: Prices, price: WritePrice, day: WriteDay) -> Table:
    rows: list[list[Cell]] = [
        [card, panel.names[card], day(on), price(value)]
        for (card, on), value in panel.quotes.items()
    ]
    return list(HEADER), rows


def _wide(panel: Prices, price: WritePrice, day: WriteDay) -> Table:
    days = panel.days
    rows: list[list[Cell]] = [
        [card, name, *(price(panel.quotes[card, on]) for on in days)]
        for card, name in panel.names.items()
    ]
    return ["card_id", "name", *map(day, days)], rows


def _parquet(panel: Prices, style: Style) -> bytes:
    keys = list(panel.quotes)
    values = [panel.quotes[key] for key in keys]
    prices_of: list[float | None] | list[str] = (
        [None if value is None else round(value, style.places) for value in values]
        if style.typed
        else [style.hole if value is None else style.price(value) for value in values]
    )
    table = pa.table(
        {
            "card_id": [card for card, _ in keys],
            "name": [panel.names[card] for card, _ in keys],
            "date": [day if style.typed else style.day(day) for _, day in keys],
            "market_price": prices_of,
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()
