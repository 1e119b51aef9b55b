"""Text whose lines are each one quoted cell."""

from pathlib import Path

import pytest

from tests.market.tabular.tables import A_12, found, read


@pytest.mark.parametrize(
    "content",
    [
        '"card_id,date,price"\n"a-1,2026-09-13,12.5"\n',
        '"card_id,date,price"\r\n\r\n"a-1,""2026-09-13"",""12.5"""\r\n',
        '"card_id;date;price"\n"a-1;13.09.2026;12,50"\n',
        '\ufeff"card_id,date,price"\na-1\n"a-1,2026-09-13,12.5"\n',
    ],
)
def test_lines_that_are_quoted_as_a_whole(tmp_path: Path, content: str) -> None:
    assert found(read(tmp_path, content)) == A_12


def test_a_line_that_is_quoted_as_a_whole_is_named_by_its_place(tmp_path: Path) -> None:
    table = read(tmp_path, '"card_id,date,price"\n"a-1,2026-09-13,12.5"\n\n"b,soon,""1,5"""\n')
    assert found(table) == A_12
    assert "(first in line 4: 'soon')" in str(table.left_out[0])
