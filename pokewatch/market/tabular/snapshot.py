"""Tables of one day, whose day is in a heading or nowhere."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pyarrow as pa

from pokewatch.market.tabular.column_names import FIELDS
from pokewatch.market.tabular.columns import day_columns
from pokewatch.market.tabular.dates import day_of
from pokewatch.market.tabular.header_rows import simplified
from pokewatch.market.tabular.sheet import Sheet

_AS_OF = re.compile(
    r"(?P<name>.+?) ?\((?:as of|at|on|am|vom|stand) (?P<day>[^()]+)\)", re.IGNORECASE
)


def with_day(sheet: Sheet, given: Mapping[str, str], day: date | None) -> Sheet:
    """Return the sheet with a column of its day, where it has no column of dates.

    The day is `day`, or that of a heading like "Market Price (As of 2026-11-24)".
    """
    dated = any(simplified(name) in FIELDS["date"] for name in sheet.names)
    if dated or "date" in given or day_columns(sheet.names):
        return sheet
    headings = [_AS_OF.fullmatch(" ".join(name.split())) for name in sheet.names]
    heading_day = next(filter(None, (day_of(match["day"]) for match in headings if match)), None)
    found = day or heading_day
    if found is None:
        return sheet
    names = [
        match["name"] if match and day_of(match["day"]) else name
        for name, match in zip(sheet.names, headings, strict=True)
    ]
    dates = pa.chunked_array([pa.repeat(pa.scalar(found), sheet.rows)])
    form = f"{sheet.form}, of one day, {found}"
    return replace(sheet, names=(*names, "date"), cells=(*sheet.cells, dates), form=form, added=1)
