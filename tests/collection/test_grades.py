"""Graded copies, which have another price than the card."""

import pytest

from pokewatch.collection.grades import split_grade
from pokewatch.collection.matching import Matcher
from pokewatch.collection.worth import value_collection
from pokewatch.valuation.book import PriceBook
from tests.collection.books import hard_book
from tests.collection.test_exports import read


@pytest.mark.parametrize(
    ("name", "plain", "grade"),
    [
        ("Charizard ex (PSA 10)", "Charizard ex", "PSA 10"),
        ("Charizard ex PSA 10", "Charizard ex", "PSA 10"),
        ("PSA10 Charizard ex", "Charizard ex", "PSA10"),
        ("Charizard ex [BGS 9.5] #4", "Charizard ex #4", "BGS 9.5"),
        ("Charizard ex - CGC Pristine 10", "Charizard ex -", "CGC Pristine 10"),
        ("Charizard ex PSA GEM MT 10", "Charizard ex", "PSA GEM MT 10"),
        ("Charizard PSA 4/102", "Charizard PSA 4/102", ""),
        ("Porygon2 10/100", "Porygon2 10/100", ""),
        ("Charizard ex (Graded)", "Charizard ex", "Graded"),
        ("Charizard ex [slab] #4", "Charizard ex #4", "slab"),
        ("Charizard ex (ACE 10)", "Charizard ex", "ACE 10"),
        ("Charizard ex (TAG 9.5)", "Charizard ex", "TAG 9.5"),
        ("Pikachu & Zekrom GX (TAG TEAM)", "Pikachu & Zekrom GX (TAG TEAM)", ""),
        ("Ace 10", "Ace 10", ""),
        ("Psaduck 3", "Psaduck 3", ""),
        ("PSA 10", "PSA 10", ""),
    ],
)
def test_the_grade_in_a_name(name: str, plain: str, grade: str) -> None:
    assert split_grade(name) == (plain, grade)


@pytest.mark.parametrize(
    ("header", "cells", "grade"),
    [
        ("grade,grading company", "10,PSA", "PSA 10"),
        ("grade,grading company", ",PSA", "PSA"),
        ("grade,grading company", "10,PSA 10", "10"),
        ("grade,grading company", "Ungraded,PSA", ""),
        ("grade,grading company", ",None", ""),
        ("grade,graded", "10,yes", "graded 10"),
        ("grade,graded", ",TRUE", "graded"),
        ("grade,graded", ",FALSE", ""),
        ("graded", "yes", "graded"),
        ("graded", "no", ""),
        ("graded", "PSA 10", "PSA 10"),
        ("grade", "1", "1"),
        ("condition", "PSA10", "PSA10"),
        ("condition", "CGC9.5", "CGC9.5"),
        ("condition", "Tagged", ""),
    ],
)
def test_the_grade_in_columns(header: str, cells: str, grade: str) -> None:
    (line,) = read(f"name,set,number,{header}\nCharizard ex,151,199/165,{cells}\n").lines
    assert line.grade == grade


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return hard_book(tmp_path_factory.mktemp("hard"))


def test_a_graded_copy_is_not_valued_as_the_card(book: PriceBook) -> None:
    header = "name,number,grade,grader\n"
    lines = "Charizard ex (PSA 10),199/165,,\nCharizard ex,199,,PSA\nCharizard ex,199/165,,\n"
    worth = value_collection(book, Matcher(book), read(header + lines))
    assert [line["why_unvalued"] for line in worth["lines"]] == [
        "there are no prices of graded copies (PSA 10)",
        "there are no prices of graded copies (PSA)",
        None,
    ]
