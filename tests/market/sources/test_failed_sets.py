import pytest

from pokewatch.errors import SourceError
from pokewatch.market.sources.failed_sets import not_collected, too_many


def failed(count: int) -> dict[str, SourceError]:
    return {
        f"set-{n}": SourceError(
            "tcgcsv", f"https://example.com/{n}", f"answered {500 + n}", 500 + n
        )
        for n in range(count)
    }


@pytest.mark.parametrize(
    ("count", "sets", "expected"),
    [(0, 0, False), (1, 1, True), (2, 4, False), (3, 4, True)],
    ids=["no sets", "the only one", "half", "more than half"],
)
def test_nothing_is_collected_without_half_of_the_sets(
    count: int, sets: int, expected: bool
) -> None:
    assert too_many(failed(count), sets) is expected


def test_the_error_has_the_last_cause_and_how_many_failed() -> None:
    error = not_collected(failed(3), "; try again")
    assert error.cause == "answered 502 (3 sets failed); try again"
    assert (error.source, error.url, error.status) == ("tcgcsv", "https://example.com/2", 502)
    assert not_collected(failed(1)).cause == "answered 500"
