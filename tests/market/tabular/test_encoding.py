"""Encodings that are found, and bytes that are refused with what would do."""

import gzip

import pytest

from pokewatch.market.tabular.encoding import decoded
from pokewatch.market.tabular.sheet import TableError

TEXT = "card,date,price\nPokémon,2026-09-13,12.5\n"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found(encoding: str, name: str) -> None:
    assert decoded(TEXT.encode(encoding)) == (TEXT, name)


def test_utf16_without_a_mark_is_found_where_most_letters_are_not_ascii() -> None:
    text = "名前,日付,price\n" + "リザードンとピカチュウ,二〇二六年,十二\n" * 9
    for encoding in ("utf-16-le", "utf-16-be"):
        assert decoded(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize(
    "text",
    [
        "Preis 12,50\u00a0€, „Spaß“",
        "Größe, Öl, Ärger",
        "Nürnberg — Größe",
        "naïve £5",
        "Košice, Žižka",
    ],
)
def test_cp1252_is_found_by_its_single_letters(text: str) -> None:
    assert decoded(text.encode("cp1252")) == (text, "cp1252")


def test_letters_of_another_windows_code_page_do_not_look_like_mac_roman() -> None:
    data = "Pokémon, luźny".encode("cp1250")
    assert decoded(data) == (data.decode("cp1252"), "cp1252")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "card,name\na,リザードン\n".encode("shift_jis"),
            "line 2: byte 0x83 cannot be read as utf-8, and the text",
        ),
        (
            "カード,日付,価格\nピカチュウ,2026-09-13,12\n".encode("cp932"),
            "line 1: byte 0x83 cannot be read as utf-8, and the text does not look like CP1252",
        ),
        ("card\nPokémon\n".encode("cp437"), "line 2: byte 0x82 cannot be read"),
        (
            "card\nPokémon, Flabébé\n".encode("mac_roman"),
            "line 2: byte 0x8e cannot be read as utf-8, and the text looks like Mac OS Roman",
        ),
        ("card\nMüller\n".encode("mac_roman"), "looks like Mac OS Roman"),
        (
            "card,name\na,喷火龙\n".encode("gbk"),
            "line 2: byte 0xc5 cannot be read as utf-8, and the text",
        ),
        (
            "a,Pokémon\n".encode() + "b,Pokémon\n".encode("cp1252"),
            "line 2: byte 0xe9 cannot be read",
        ),
        (TEXT.encode("utf-16")[:-1], "cannot be read as utf-16"),
        (b"a,b\n1,\x00\n", "line 2: the file is not text: it holds NUL characters"),
    ],
)
def test_bytes_that_fit_no_encoding_are_refused_with_the_line(data: bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        decoded(data)


@pytest.mark.parametrize("name", ["nonsense", "base64", "undefined"])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    with pytest.raises(TableError, match=f"there is no encoding '{name}'"):
        decoded(TEXT.encode(), name)


def test_a_given_encoding_is_used() -> None:
    assert decoded("リザードン".encode("shift_jis"), "shift_jis") == ("リザードン", "shift_jis")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(TEXT.encode(), mtime=0), "a gzip archive; unpack it"),
        (gzip.compress(TEXT.encode(), mtime=0)[:20], "a gzip archive; unpack it"),
        (b"7z\xbc\xaf\x27\x1c\x00", "a 7z archive; unpack it"),
        (b"%PDF-1.7", "a PDF document; export"),
        (b"<!DOCTYPE html><table>", "HTML or XML; save the table"),
        (b'[{"card_id": "a"}]', "JSON; save the table"),
        (b'{"card_id": "a"}\n{"card_id": "b"}', "JSON; save the table"),
    ],
    ids=["gzip", "cut gzip", "7z", "pdf", "html", "json", "json lines"],
)
def test_other_formats_are_named(data: bytes, message: str) -> None:
    with pytest.raises(TableError, match=f"the file is {message}"):
        decoded(data)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Pokémon", "mac_roman"), ("Pokémon", "cp850"), ("ピカチュウ", "shift_jis")],
)
def test_the_likely_encoding_is_named(text: str, encoding: str) -> None:
    with pytest.raises(TableError, match=f"name its encoding: THE_SETTING={encoding}$"):
        decoded(text.encode(encoding), setting="THE_SETTING")
    assert decoded(text.encode(encoding), encoding) == (text, encoding)


def test_a_setting_is_named_where_there_is_one() -> None:
    data = "名前,日付".encode("shift_jis")
    with pytest.raises(TableError, match="or name its encoding: POKEWATCH_X=shift_jis"):
        decoded(data, setting="POKEWATCH_X")
    with pytest.raises(TableError, match=r"save it as UTF-8$"):
        decoded(data)


@pytest.mark.parametrize(
    "data",
    [
        "Pokémon, Flabébé".encode() + "é".encode("cp1252"),
        "Pokémon".encode("utf-16")[:-1],
        b"\xef\xbb\xbf" + "Pokémon".encode("cp1252"),
    ],
    ids=["a line of another program", "cut off", "a wrong mark"],
)
def test_no_other_encoding_is_proposed_for_a_file_that_has_none(data: bytes) -> None:
    with pytest.raises(TableError, match=r"line 1: byte 0x.. cannot .*; save it as UTF-8$"):
        decoded(data, setting="POKEWATCH_X")
