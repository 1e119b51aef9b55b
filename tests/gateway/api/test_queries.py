import pytest

from pokewatch.gateway.api.queries import MAX_FIELDS, CardsQuery, MonthQuery, NoQuery, parse_query
from pokewatch.gateway.http.problems import ProblemError


def test_a_query_is_percent_encoded_utf_8() -> None:
    assert parse_query(CardsQuery, b"q=pok%C3%A9mon+4&limit=3") == CardsQuery("pokémon 4", limit=3)


@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ("limit=3&q=pok%E9mon", "?q", "must be percent-encoded UTF-8, not 'q=pok%E9mon'"),
        ("%FF=1", "?%FF", "must be percent-encoded UTF-8, not '%FF=1'"),
        ("q=pokémon", "?q", "must be percent-encoded UTF-8, not 'q=pokémon'"),
        ("a=1&" * MAX_FIELDS, "?", "must be at most 20 parameters, not 21"),
        ("limit=1&limit=2", "?limit", "repeated parameter, expected it once"),
        ("colour=red", "?colour", "is not a known parameter"),
        ("limit=%D9%A5", "?limit", "must be an integer, not '\u0665'"),
    ],
)
def test_what_is_wrong_is_named(text: str, pointer: str, detail: str) -> None:
    with pytest.raises(ProblemError) as raised:
        parse_query(CardsQuery, text.encode())
    (fault,) = raised.value.errors
    assert (fault.pointer, fault.detail) == (pointer, detail)


def test_a_month_has_ascii_digits() -> None:
    assert parse_query(MonthQuery, b"month=2026-11").month == "2026-11"
    with pytest.raises(ProblemError, match=r"\?month: must be a month like 2026-11"):
        parse_query(MonthQuery, b"month=202%D9%A6-11")


def test_an_operation_without_parameters_takes_none() -> None:
    assert parse_query(NoQuery, b"") == NoQuery()
    with pytest.raises(ProblemError, match=r"\?market: is not a known parameter"):
        parse_query(NoQuery, b"market=file-europe")
