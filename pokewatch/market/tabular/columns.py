"""Which column holds which field: as the user says, by its usual names, or a column a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pokewatch.market.prices import PRICE_COLUMNS
from pokewatch.market.tabular.column_names import FIELDS, OWN_IDS
from pokewatch.market.tabular.dates import parse_date
from pokewatch.market.tabular.header_rows import simplified, with_number
from pokewatch.market.tabular.sheet import TableError

NEEDED = ("card_id", "date", "market_price")
_LEAST_DAY_COLUMNS = 2
_OTHERWISE = {
    "card_id": ", or, where each column is a card, exchange rows and columns",
    "date": ", or give the day of all rows: POKEWATCH_FILE_DAY=2025-10-22",
}
COUNTS = {"volume": "sales", "stale_days": "days"}  # what whole numbers count
NUMERIC_FIELDS = (*PRICE_COLUMNS, *COUNTS)
_CENTS = frozenset({"cent", "cents", "pennies"})
_MONEY_WORDS = (
    frozenset({"usd", "us", "eur", "euro", "ca", "gbp", "jpy", "cad", "aud", "in"}) | _CENTS
)


@dataclass(frozen=True, slots=True)
class Columns:
    """`named` maps a field to its column; `other` are the columns that hold no field.

    `days` are the day columns of a table that has a column per day, else ().
    """

    named: Mapping[str, str]
    days: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def named_cards(self) -> bool:
        """Whether cards are identified by a column such as `Card`, which may hold names alone."""
        column = simplified(self.named.get("card_id", ""))
        return column in FIELDS["card_id"] and column not in OWN_IDS

    @property
    def has_market_ids(self) -> bool:
        """Whether the ids of the cards are those of Cardmarket's products."""
        return simplified(self.named.get("card_id", "")) == "idproduct"


def find_columns(names: Sequence[str], given: Mapping[str, str], key: Sequence[str]) -> Columns:
    """Return which of the columns `names` holds each field; `given` names some of them outright.

    `key` names columns that distinguish cards with the same id. In a table with conditions, an id
    of TCGplayer stands for one condition of a product, not for the product.

    Raise TableError if a column of `given` or `key` is missing, if no column holds a required
    field, or if two columns hold the same field.
    """
    for name in key:
        _given(names, {"POKEWATCH_FILE_KEY": name})
    named = _given(names, given)
    taken = set(named.values())
    skus = "condition" in map(simplified, names)
    for field, usual in FIELDS.items():
        if field in named:
            continue
        sku = field == "product_id" and skus
        aliases = [alias for alias in usual if not (sku and alias.startswith("tcgplayer"))]
        fitting = [name for name in names if name not in taken and _plain(name) in aliases]
        fitting = [name for name in fitting if not in_cents(name)] or fitting
        if fitting:
            usual_name = min(map(_plain, fitting), key=aliases.index)
            named[field] = _only(field, [name for name in fitting if _plain(name) == usual_name])
            taken.add(named[field])
    days = day_columns([name for name in names if name not in taken])
    if "date" in named and days and "market_price" not in named and "date" not in given:
        taken.discard(named.pop("date"))  # the day of the export, beside a column a day
    if "date" in named:
        days = ()
    _check_days(days)
    found = Columns(
        named, days, tuple(name for name in names if name not in taken and name not in days)
    )
    _check_needed(found, names)
    return found


def _only(field: str, fitting: Sequence[str]) -> str:
    """Return the one column that holds a field. Raise TableError where there are several."""
    first, *others = fitting
    if others:
        raise TableError(
            f"two columns are called {first!r}"
            if first in others
            else f"the columns {first!r} and {others[0]!r} both hold the {field.replace('_', ' ')}",
            line=1,
            remedy=f"rename one, or name the right one: POKEWATCH_FILE_COLUMNS={field}=...",
        )
    return first


def day_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are days, () for fewer than two."""
    days = tuple(name for name in names if parse_date(name) is not None)
    return days if len(days) >= _LEAST_DAY_COLUMNS else ()


def in_cents(name: str) -> bool:
    """Return whether a column's name says that its prices are in cents."""
    return not _CENTS.isdisjoint(simplified(name).split("_"))


def _plain(name: str) -> str:
    """Return the name without a currency or unit: "Preis (€)" and "price_eur" are prices."""
    words = with_number(name, FIELDS["number"]).split("_")
    words_left = [word for word in words if word not in _MONEY_WORDS]
    return "_".join(words_left or words)


def _given(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    for field, name in given.items():
        if name not in names:
            raise TableError(
                f"there is no column {name!r} for {field}; the columns are {', '.join(names)}"
            )
        if list(names).count(name) > 1:
            raise TableError(
                f"two columns are called {name!r}", line=1, remedy="rename one of them"
            )
    return dict(given)


def _check_days(days: Sequence[str]) -> None:
    repeated = next((name for number, name in enumerate(days) if name in days[:number]), None)
    if repeated is not None:
        raise TableError(
            f"two columns are called {repeated!r}", line=1, remedy="remove one of them"
        )


def _check_needed(found: Columns, names: Sequence[str]) -> None:
    for field in NEEDED:
        if field in found.named or (found.days and field in ("date", "market_price")):
            continue
        if field == "card_id" and ("product_id" in found.named or "name" in found.named):
            continue
        columns = ", ".join(filter(None, names))
        raise TableError(
            f"no column holds the {field.replace('_', ' ')}; the columns are {columns}",
            remedy=f"name it: POKEWATCH_FILE_COLUMNS={field}=COLUMN" + _OTHERWISE.get(field, ""),
        )
