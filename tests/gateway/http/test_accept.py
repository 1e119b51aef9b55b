import pytest

from pokewatch.gateway.http.accept import preferred, weights_in


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        (b"text/html", True),
        (b"TEXT/HTML;Q=0.9", True),
        (b"application/json, text/html", False),
        (b"text/html, application/json", True),
        (b"application/json;q=0, text/html;q=0.1", True),
        (b"application/json, text/html;q=0.5", False),
        (b"text/html;q=0", False),
        (b"text/html;q=x", False),
        (b"*/*", False),
        (b"text/*", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_browsers_get_the_page_and_programs_get_json(accept: bytes, html: bool) -> None:
    kinds = (b"application/json", b"text/html")
    assert preferred(accept, kinds) == kinds[html]


def test_a_name_without_a_weight_has_all_of_it_and_one_with_a_bad_weight_none() -> None:
    header = b"gzip, BR;q=0.5, *;level=1;q=0.25, zstd;q=x"
    assert weights_in(header) == {b"gzip": 1.0, b"br": 0.5, b"*": 0.25, b"zstd": 0.0}
