"""Dates and times as people write them, as moments in UTC.

The order of day and month is inferred from a whole column, never from one cell.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

from pokewatch.market.tabular.numbers import WHOLE_AS_DECIMAL
from pokewatch.plain_text import plain, without_apostrophe

Order = Literal["ymd", "dmy", "mdy"]
YEAR_FIRST = "year-month-day"
ORDERS: tuple[Order, ...] = ("ymd", "dmy", "mdy")
ORDER_NAMES: Mapping[Order, str] = {"ymd": "year first", "dmy": "day first", "mdy": "month first"}

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier janv enero ene gennaio gen janeiro januari января",
            "feb february februar février fevrier févr fevr febrero febbraio fevereiro fev "
            "februari февраля",
            "mar march märz mär mrz mars marzo março maart mrt marts марта",
            "apr april avril avr abril abr aprile апреля",
            "may mai mayo maggio mag maio mei maj мая",
            "jun june juni juin junio giugno giu junho июня",
            "jul july juli juillet juil julio luglio lug julho июля",
            "aug august août aout agosto ago augustus augusti августа",
            "sep sept september septembre septiembre settembre set setembro сентября",
            "oct october okt oktober octobre octubre ottobre ott outubro out октября",
            "nov november novembre noviembre novembro ноября",
            "dec december dez dezember décembre diciembre dic dicembre dezembro des desember "
            "декабря",
        ),
        start=1,
    )
    for name in names.split()
}
_ZONES = {"EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_ZONES |= {"CET": 1, "CEST": 2}  # of hours; other abbreviations have several meanings
_OFFSET = r"(?:UTC|GMT)[+-]\d{1,2}(?::?\d{2})?|[+-]\d{2}(?::?\d{2})?"
# Its name may follow an offset, as JavaScript and Java write it.
_ZONE = rf"(?P<zone>{_OFFSET}|Z|z|UTC|GMT|{'|'.join(_ZONES)})(?:\s?[\[(][^()\[\]]{{3,60}}[)\]])?"
_CLOCK = (
    r"(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    rf"\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?(?:\s?Uhr)?\s*(?:{_ZONE})?"
)
_TIME = rf"(?:[T\s,]\s*(?:(?:um|at|à)\s)?{_CLOCK})?"
_TIME_OF_DAY = re.compile(_CLOCK)
_TIME_AT_END = re.compile(rf"[T\s,]\s*{_CLOCK}$")
_HOUR = re.compile(r"\d{1,2}")
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\s+)?"
_NUMERIC = re.compile(
    rf"{_WEEKDAY}(?P<a>\d{{1,4}})(?P<mark>[-/]|\.\s?)(?P<b>\d{{1,2}})(?P=mark)(?P<c>\d{{1,4}})"
    rf"\.?{_TIME}"
)
_DAY_MONTH = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|[.º°])?[\s/-]*(?:(?:de|of)\s)?"
    rf"(?P<month>[^\W\d_]{{3,10}})\.?,?[\s/-]*(?:del? )?(?P<year>\d{{4}}|\d{{2}}){_TIME}"
)
_MONTH_DAY = re.compile(
    rf"{_WEEKDAY}(?P<month>[^\W\d_]{{3,10}})\.?[\s-]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    rf",?[\s-]+(?P<year>\d{{4}}|\d{{2}}){_TIME}"
)
_YEAR_MONTH_DAY = re.compile(
    rf"(?P<year>\d{{4}})[\s/-](?P<month>[^\W\d_]{{3,10}})\.?[\s/-](?P<day>\d{{1,2}}){_TIME}"
)
_UNIX = re.compile(  # as `date` and ctime write it
    rf"(?:[^\W\d_]{{3}}\s)?(?P<month>[^\W\d_]{{3}})\s(?P<day>\d{{1,2}})\s{_CLOCK}"
    r"\s(?P<year>\d{4})"
)
_CJK = re.compile(
    rf"(?P<year>\d{{4}})\s?[年년]\s?(?P<month>\d{{1,2}})\s?[月월]\s?(?P<day>\d{{1,2}})\s?[日일]{_TIME}"
)
_COMPACT = re.compile(rf"(?P<year>(?:19|20)\d{{2}})(?P<month>\d{{2}})(?P<day>\d{{2}}){_TIME}")
_COMPACT_TIME = re.compile(r"(?<=^\d{8})T(\d{2})(\d{2})(\d{2})?")  # of ISO 8601
_DASHES = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")
_EPOCH = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}  # digits: units a second
_SECONDS = re.compile(r"\d{10}\.\d+")
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"^(\d{5,}),(\d+)$")
# Excel counts days from here, and 1900-02-29 among them.
_SERIAL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_SERIALS = (32_874, 73_050)  # 1990 to 2099


@dataclass(frozen=True, slots=True)
class DateCell:
    """The moment of one cell under each order that makes a day of it, and the cell's form.

    The moment of a day without a time is its midnight.
    """

    moments: Mapping[Order, datetime]
    kind: str

    @property
    def certain(self) -> bool:
        """Whether every order that reads it reads the same day, and all of them read it."""
        days = {moment.date() for moment in self.moments.values()}
        return len(self.moments) == len(ORDERS) and len(days) == 1


def parse_date(text: str) -> DateCell | None:
    """Return what a cell says, None where it is no date."""
    written = without_apostrophe(" ".join(plain(text).translate(_DASHES).split()))
    written = _COMPACT_TIME.sub(lambda at: "T" + ":".join(filter(None, at.groups())), written)
    written = re.sub(WHOLE_AS_DECIMAL, r"\1", _DECIMAL_COMMA.sub(r"\1.\2", written))
    for pattern, read in _FORMS:
        match = pattern.fullmatch(written)
        if match is not None:
            found = read(match)
            return found if found is not None and found.moments else None
    return _counted(written)


def day_of(text: str) -> date | None:
    """Return the day of a text, None for one that is no date, or may be one of two."""
    cell = parse_date(text)
    return next(iter(cell.moments.values())).date() if cell is not None and cell.certain else None


def order_of(cells: Iterable[DateCell]) -> frozenset[Order]:
    """Return the orders under which every cell is a day."""
    orders = frozenset(ORDERS)
    for cell in cells:
        orders &= cell.moments.keys()
    return orders


def serial_moment(serial: float) -> datetime | None:
    """Return the moment of an Excel serial number, None outside 1990 to 2099."""
    if not _SERIALS[0] <= serial <= _SERIALS[1]:
        return None
    return _SERIAL_EPOCH + timedelta(seconds=round(serial * 86_400))


def parse_time(text: str) -> timedelta | None:
    """Return the time since midnight UTC of "10:05", "3:30 PM", "13" or 0.4375, else None."""
    written = " ".join(plain(text).split())
    if match := _TIME_OF_DAY.fullmatch(written):
        try:
            return _moment("2000", "1", "1", match) - datetime(2000, 1, 1, tzinfo=UTC)
        except (ValueError, OverflowError):
            return None
    if _HOUR.fullmatch(written):
        return timedelta(hours=int(written)) if int(written) < 24 else None
    try:
        share = float(written)
    except ValueError:
        return None
    return timedelta(seconds=round(share * 86_400)) if 0 <= share < 1 else None


def has_time(text: str) -> bool:
    """Return whether a cell with a day has a time as well, other than midnight where it is."""
    match = _TIME_AT_END.search(" ".join(plain(text).split()))
    if match is None:
        cell = parse_date(text)
        return cell is not None and any(each.time() != time() for each in cell.moments.values())
    hour = int(match["hour"]) % (12 if match["half"] else 24)
    late = (match["half"] or "a")[0] in "Pp"
    return bool(hour or late or int(match["minute"]) or int(match["second"] or 0))


def _numeric(match: re.Match[str]) -> DateCell | None:
    a, b, c = match["a"], match["b"], match["c"]
    if len(a) == 4 and len(c) <= 2:
        return _any_order(_known(a, b, c, match), YEAR_FIRST)
    if len(a) > 2 or len(c) == 3 or (len(c) == 1 and len(a) != 4):
        return None
    if match["mark"][0] == ".":  # the mark of countries that write the day first
        return _any_order(_known(c, b, a, match), "day.month.year")
    orders: list[tuple[Order, tuple[str, str, str]]] = [("dmy", (c, b, a)), ("mdy", (c, a, b))]
    if len(a) == len(c) == 2:
        orders.append(("ymd", (a, b, c)))
    found = {order: _known(*parts, match) for order, parts in orders}
    moments = {order: moment for order, moment in found.items() if moment is not None}
    return DateCell(moments, f"numbers with {match['mark']}")


def _named(match: re.Match[str]) -> DateCell | None:
    month = _MONTHS.get(match["month"].casefold())
    return (
        _any_order(_known(match["year"], str(month), match["day"], match), "month names")
        if month
        else None
    )


def _compact(match: re.Match[str]) -> DateCell | None:
    kind = "yyyymmdd" if match[0].isascii() else "year, month and day in words"
    return _any_order(_known(match["year"], match["month"], match["day"], match), kind)


def _counted(text: str) -> DateCell | None:
    """Return the moment of seconds since 1970, or of Excel's days since 1899."""
    digits = text.partition(".")[0] if _SECONDS.fullmatch(text) else text
    if digits.isascii() and digits.isdigit() and len(digits) in _EPOCH:
        seconds = float(text) / _EPOCH[len(digits)]
        return _any_order(datetime.fromtimestamp(seconds, UTC), "seconds since 1970")
    if _SERIAL.fullmatch(text):
        return _any_order(serial_moment(float(text)), "Excel serial numbers")
    return None


def _any_order(moment: datetime | None, kind: str) -> DateCell | None:
    return None if moment is None else DateCell(dict.fromkeys(ORDERS, moment), kind)


def _known(year: str, month: str, day: str, match: re.Match[str]) -> datetime | None:
    """Return the moment of a local date and time, None where there is no such moment."""
    try:
        return _moment(year, month, day, match)
    except (ValueError, OverflowError):
        return None


def _moment(year: str, month: str, day: str, match: re.Match[str]) -> datetime:
    full = int(year) if len(year) == 4 else 2000 + int(year)
    midnight = datetime(full, int(month), int(day), tzinfo=UTC)
    if match["hour"] is None:
        return midnight
    local = midnight.replace(
        hour=_hour(int(match["hour"]), match["half"]),
        minute=int(match["minute"]),
        second=int(match["second"] or 0),
        microsecond=int((match["fraction"] or "")[:6].ljust(6, "0")),
        tzinfo=_zone(match["zone"]),
    )
    return local.astimezone(UTC)


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} is no hour of a twelve-hour clock")
    return hour % 12 + (12 if half[0] in "Pp" else 0)


def _zone(text: str | None) -> timezone:
    if text is None or text in ("Z", "z", "UTC", "GMT"):
        return UTC
    if text in _ZONES:
        return timezone(timedelta(hours=_ZONES[text]))
    number = text.removeprefix("UTC").removeprefix("GMT")
    digits = number[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if number[0] == "-" else offset)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], DateCell | None]], ...] = (
    (_NUMERIC, _numeric),
    (_COMPACT, _compact),
    (_CJK, _compact),
    (_DAY_MONTH, _named),
    (_MONTH_DAY, _named),
    (_YEAR_MONTH_DAY, _named),
    (_UNIX, _named),
)
