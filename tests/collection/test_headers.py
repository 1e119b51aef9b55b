import pytest

from pokewatch.collection.headers import (
    HEADERS,
    KNOWN_HEADERS,
    OTHER_HEADERS,
    app_of,
    columns_of,
    header_of,
)
from pokewatch.market.tabular.header_rows import simplified
from tests.collection import hard_formats


@pytest.mark.parametrize("app", hard_formats.HEADERS)
def test_an_app_is_known_by_its_columns_in_any_order(app: str) -> None:
    headers = [simplified(name) for name in hard_formats.HEADERS[app].split(",")]
    assert app_of(headers) == app
    assert app_of([*reversed(headers), "another"]) == app
    assert {"name", "subject"} & columns_of(headers, app).keys()


def test_no_header_is_that_of_two_fields() -> None:
    assert len(KNOWN_HEADERS) == len(OTHER_HEADERS) + sum(map(len, HEADERS.values()))
    assert {simplified(name) for name in KNOWN_HEADERS} == KNOWN_HEADERS


def test_the_better_of_two_columns_is_used() -> None:
    assert columns_of(["no", "card_number", "name"], "")["number"] == 1


def test_an_edition_is_the_set_unless_there_is_another_column_of_it() -> None:
    assert columns_of(["name", "edition"], "") == {"name": 0, "set_name": 1}
    assert columns_of(["name", "edition", "set"], "")["print_run"] == 1


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Card #", "card_number"),
        ("Collector # ", "collector_number"),
        ("Set #", "set_number"),
        ("N\u00b0", "no"),
        ("Nr.", "nr"),
        ("Graded Cert #", "graded_cert"),
        ("Card", "card"),
        ("#", ""),
    ],
)
def test_a_number_sign_after_what_it_numbers_is_part_of_the_name(name: str, header: str) -> None:
    assert header_of(name) == header


def test_nombre_is_a_name_in_spanish_and_a_number_in_french() -> None:
    assert columns_of(["nombre", "cantidad"], "") == {"name": 0, "quantity": 1}
    assert columns_of(["nom", "nombre"], "") == {"name": 0, "quantity": 1}
    assert columns_of(["nom", "nombre", "quantité"], "")["quantity"] == 2
