"""TCGCSV's catalogue: the sets of each category, and the products that describe the cards."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import httpx
import pyarrow as pa

from pokewatch.errors import MissingAtSourceError, SourceError
from pokewatch.market.sources.http import shown
from pokewatch.market.sources.tcgcsv_pages import NotDueError, TcgcsvPages
from pokewatch.market.sources.tcgcsv_rows import Listing, card_rows, is_id

BLOCKED = (  # answers after which no more requests are sent
    httpx.codes.UNAUTHORIZED,
    httpx.codes.FORBIDDEN,
    httpx.codes.TOO_MANY_REQUESTS,
)
_MOST_FAILURES = 3  # sets in a row that may fail before no more are requested


class TcgcsvCatalog:
    """The sets and products of one TCGCSV server. `warn` is called for those not available."""

    def __init__(self, pages: TcgcsvPages, warn: Callable[[str], None]) -> None:
        self._pages = pages
        self._warn = warn
        self._groups: dict[int, dict[int, dict[str, Any]]] = {}  # by category and id
        self._failed_categories: set[int] = set()
        self._products: dict[int, dict[str, Any]] = {}
        self._fetched_groups: set[int] = set()
        self._gave_up = False
        self.failures: dict[str, str] = {}  # pages of products that failed, cause by path

    def groups_of(self, category: int, day: date | None = None) -> dict[int, dict[str, Any]]:
        """Return the sets of a category by id. Raise SourceError.

        With `day`, they include those that are new on the day, if they may be requested yet.
        """
        if category not in self._groups:
            rows = self._group_rows(f"/tcgplayer/{category}/groups", day)
            groups = [row for row in rows if isinstance(row, dict) and is_id(row.get("groupId"))]
            if not rows or len(groups) < len(rows):
                self._report_unusable(category, len(rows) - len(groups), len(rows))
            self._groups[category] = {
                group["groupId"]: {**group, "categoryId": category} for group in groups
            }
        return self._groups[category]

    def _report_unusable(self, category: int, unusable: int, count: int) -> None:
        """Warn of sets that cannot be collected, or if there are none at all.

        Raise SourceError if none of them can be collected.
        """
        url = shown(f"{self._pages.url}/tcgplayer/{category}/groups")
        if not count:
            self._warn(f"tcgcsv: {url}: the category has no sets")
            return
        cause = f"{unusable:,} of {count:,} sets have no groupId that is a positive whole number"
        if unusable == count:
            raise SourceError("tcgcsv", url, cause, httpx.codes.OK)
        self._warn(f"tcgcsv: {url}: {cause}: their prices are missing")

    def _group_rows(self, path: str, day: date | None) -> list[Any]:
        try:
            return self._pages.results(path, day)
        except NotDueError:
            return self._pages.results(path)

    def cards(self, listings: Iterable[Listing]) -> pa.Table:
        """Return the cards of `listings`, named by their products where those are available."""
        listings = list(listings)
        groups = self._known_groups(sorted({listing.category for listing in listings}))
        self._fetch_products(groups, {listing.group for listing in listings} & groups.keys())
        return card_rows(listings, self._products, groups)

    def _known_groups(self, categories: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the sets of `categories` by id; one whose sets fail is a warning, once."""
        known: dict[int, dict[str, Any]] = {}
        for category in categories:
            if category in self._failed_categories:
                continue
            try:
                known |= self.groups_of(category)
            except SourceError as error:
                self._failed_categories.add(category)
                self._warn(
                    f"{error}: cards of category {category} have their ids as names "
                    "until the next collection"
                )
        return known

    def _fetch_products(self, known: dict[int, dict[str, Any]], groups: set[int]) -> None:
        """Fetch the products of `groups`, once each; a failure is a warning, not an error."""
        failed = 0
        for group in sorted(groups - self._fetched_groups):
            path = f"/tcgplayer/{known[group]['categoryId']}/{group}/products"
            if self._gave_up:
                self.failures[path] = "not requested"
                continue
            self._fetched_groups.add(group)
            try:
                self._fetch_group(path)
                failed = 0
            except SourceError as error:
                failed += 1
                self._gave_up = failed >= _MOST_FAILURES or error.status in BLOCKED
                if not isinstance(error, MissingAtSourceError):
                    self.failures[path] = error.cause
                self._warn(
                    f"{error}: cards of this set have their ids as names until the next collection"
                )

    def _fetch_group(self, path: str) -> None:
        for product in self._pages.results(path):
            if isinstance(product, dict) and is_id(product.get("productId")):
                self._products[product["productId"]] = product
