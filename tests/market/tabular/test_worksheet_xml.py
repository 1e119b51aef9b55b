from pokewatch.market.tabular.worksheet_xml import attributes, cell_position, column_number


def test_columns_by_their_letters() -> None:
    assert [column_number(each) for each in ("A", "Z", "AA", "XFD")] == [1, 26, 27, 16_384]


def test_positions_by_the_names_of_cells() -> None:
    assert [cell_position(each) for each in ("A1", "XFD1048576")] == [(0, 0), (1_048_575, 16_383)]
    assert [cell_position(each) for each in ("", "A", "1", "$A$1", "a1")] == [None] * 5


def test_attributes_are_unescaped_and_without_a_namespace() -> None:
    assert attributes(b'r:id="r1" formatCode="0.00&quot; \xe2\x82\xac&quot;"') == {
        "id": "r1",
        "formatCode": '0.00" \u20ac"',
    }
