"""The pages of PokemonPriceTracker's answers: all entries of `data`, or a reason why not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pokewatch.errors import SourceError
from pokewatch.market.sources.http import HttpClient, shown
from pokewatch.market.sources.pokemon_price_tracker_rows import as_object, identifier
from pokewatch.wording import counted

_MOST_PAGES = 500


class PriceTrackerPages:
    """The pages below `url`. `warn` is called for entries that the server does not send."""

    def __init__(self, http: HttpClient, url: str, warn: Callable[[str], None]) -> None:
        self._http = http
        self._url = url
        self._warn = warn

    def entries(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        """Yield the entries of `data` on all pages. Raise SourceError."""
        url = self._url + path
        of_set = f" of set {params['setId']}" if "setId" in params else ""
        offset, seen, repeats, total = 0, set[str](), False, 0
        for _ in range(_MOST_PAGES):
            body = self._http.json(url, {**params, "offset": str(offset)} if offset else params)
            data = self._data(url, of_set, body)
            metadata = as_object(as_object(body).get("metadata"))
            ids = {identifier(as_object(entry).get("id")) or repr(entry) for entry in data}
            if ids and ids <= seen:
                raise self._failure(url, f"the page at {offset:,} repeats another")
            repeats = repeats or bool(ids & seen)
            seen |= ids
            yield from data
            offset += len(data)
            total = max(total, _total(body, metadata))
            more = metadata.get("hasMore")
            if more and not data:
                cause = f"the page at {offset:,} is empty, and says that more follow it"
                raise self._failure(url, cause)
            if not more:
                self._check_total(url, of_set, len(seen) if repeats else offset, total)
                return
        raise self._failure(url, f"the answer has more than {_MOST_PAGES} pages")

    def _data(self, url: str, of_set: str, body: Any) -> list[Any]:
        """Return the entries of an answer. Raise SourceError, with the cause that it gives."""
        answer = as_object(body)
        data = answer.get("data")
        said = answer.get("error") or answer.get("message")
        reason = f": {self._http.without_secrets(str(said))[:200]}" if said else ""
        if answer.get("success") is False or (answer.get("error") and not data):
            raise self._failure(url, f"the answer reports a failure{reason}")
        if not isinstance(data, list | dict):
            raise self._failure(url, "the answer has no data")
        if answer.get("error"):
            self._warn(
                f"{self._http.source}: {shown(url)}: the answer has data{of_set} and reports a "
                f"failure{reason}"
            )
        return data if isinstance(data, list) else [data]

    def _check_total(self, url: str, of_set: str, count: int, total: int) -> None:
        if total > count:
            self._warn(
                f"{self._http.source}: {shown(url)}: {counted(count, 'entry', 'entries')}{of_set}, "
                f"of a total of {total:,}: the others are missing"
            )

    def _failure(self, url: str, cause: str) -> SourceError:
        return SourceError(self._http.source, shown(url), cause)


def _total(body: Any, metadata: Mapping[str, Any]) -> int:
    """Return the number of all entries that a page gives, 0 if it gives none."""
    total = metadata.get("total", as_object(body).get("total"))
    return total if type(total) is int else 0
