from pokewatch.market.tabular.ods_xml import filled_cells, table_xml

CELL = '<table:table-cell office:value-type="float" office:value="1"/>'
EMPTY = '<table:table-cell table:number-columns-repeated="3"/>'


def test_cells_with_a_value_by_rows_and_columns() -> None:
    repeated = CELL.replace("<table:table-cell", '<table:table-cell number-columns-repeated="2"')
    xml = (
        f"<table:table-row>{CELL}{EMPTY}{repeated}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="9">{EMPTY}</table:table-row>'
        f'<table:table-row table:number-rows-repeated="2">{EMPTY}{CELL}</table:table-row>'
    )
    found = [cells[:4] for cells in filled_cells(xml.encode())]
    assert found == [(0, 1, 0, 1), (0, 1, 4, 6), (10, 12, 3, 4)]


def test_a_sheet_by_its_number() -> None:
    content = b'<a><table:table table:name="A">1</table:table><table:table name="B">2</table:table>'
    assert table_xml(content, 0) == b'<table:table table:name="A">1'
    assert table_xml(content, 1) == b'<table:table name="B">2'
    assert table_xml(content, 2) == table_xml(b"", 0) == b""
