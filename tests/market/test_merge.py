import re
from datetime import date
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pokewatch.contract import CARD_ID_PATTERN
from pokewatch.market.catalog import CARD_SCHEMA, unique_slugs
from pokewatch.market.merge import merge_cards, preferred_slug


def card(card_id: str, name: str | None = None, **others: Any) -> dict[str, Any]:
    name = name or card_id
    return {
        "card_id": card_id,
        "slug": preferred_slug(name, others.get("number")),
        "name": name,
        "set_id": "s",
        "set_name": "Set",
        **others,
    }


def cards(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=CARD_SCHEMA)


def by_id(catalog: pa.Table | None) -> dict[str, dict[str, Any]]:
    assert catalog is not None
    return {row["card_id"]: row for row in catalog.to_pylist()}


def test_a_first_catalogue() -> None:
    found = cards(card("b", "Charizard ex", number="199/165"), card("a", "Pikachu", number="25"))

    assert {row["slug"] for row in by_id(merge_cards(None, found)).values()} == {
        "charizard_ex_199",
        "pikachu_25",
    }


def test_nothing_new_is_none() -> None:
    known = merge_cards(
        None, cards(card("a", "Pikachu", released=date(2020, 1, 1)), card("b", rarity="Rare"))
    )

    assert known is not None
    assert (
        merge_cards(
            known, cards(card("b", rarity="Rare"), card("a", "Pikachu", released=date(2020, 1, 1)))
        )
        is None
    )


def test_game_columns_are_never_lost() -> None:
    columns = {"game": "Magic", "kind": "single", "language": "English", "set_code": "LEA"}
    known = merge_cards(None, cards(card("a", "Ornithopter", **columns), card("b", "Mox")))

    assert merge_cards(known, cards(card("a", "Ornithopter"))) is None
    catalog = by_id(merge_cards(known, cards(card("a", "Ornithopter", rarity="U"))))
    assert catalog["a"].items() >= (columns | {"rarity": "U"}).items()
    assert by_id(merge_cards(known, cards(card("b", "Mox", **columns))))["b"]["game"] == "Magic"


def test_what_is_known_is_never_lost() -> None:
    known = merge_cards(None, cards(card("a", "Pikachu", rarity="Rare"), card("old", "Gone")))

    assert merge_cards(known, cards(card("a"))) is None
    catalog = by_id(merge_cards(known, cards(card("a"), card("new", "Eevee"))))
    assert {card_id: row["name"] for card_id, row in catalog.items()} == {
        "a": "Pikachu",
        "old": "Gone",
        "new": "Eevee",
    }


def test_a_name_replaces_an_id_and_brings_its_slug() -> None:
    known = merge_cards(None, cards(card("tcgplayer-1-normal")))

    row = by_id(merge_cards(known, cards(card("tcgplayer-1-normal", "Pikachu", number="25"))))[
        "tcgplayer-1-normal"
    ]

    assert (row["name"], row["slug"]) == ("Pikachu", "pikachu_25")


def test_a_slug_stays_when_the_card_is_corrected() -> None:
    known = merge_cards(
        None, cards(card("a", "Pikachu", number="25"), card("b", "Raichu", number="26"))
    )

    catalog = by_id(
        merge_cards(
            known,
            cards(card("a", "Pikachu (Error)", number="25"), card("c", "Pikachu", number="25")),
        )
    )

    assert catalog["a"]["name"] == "Pikachu (Error)"
    assert catalog["a"]["slug"] == "pikachu_25"
    assert catalog["c"]["slug"] not in {"pikachu_25", "raichu_26"}


def test_printings_and_sets_tell_namesakes_apart() -> None:
    found = cards(
        card("a-1", "Pikachu", number="25", printing="Normal"),
        card("a-2", "Pikachu", number="25", printing="Reverse Holofoil"),
        card("b-1", "Pikachu", number="25", printing="Normal", set_id="t", set_name="Other Set"),
    )

    assert [row["slug"] for _, row in sorted(by_id(merge_cards(None, found)).items())] == [
        "pikachu_25",
        "pikachu_25_reverse_holofoil",
        "pikachu_25_normal",
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "Pikachu", "Eevee"])),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_slugs_are_unique_and_named_cards_stay_named(
    found: list[tuple[str, str]], cut: int
) -> None:
    catalog = None
    for part in (found[:cut], found[cut:]):
        table = cards(*(card(card_id, name or None) for card_id, name in dict(part).items()))
        catalog = merge_cards(catalog, table) or catalog
    rows = [] if catalog is None else catalog.to_pylist()

    assert len({row["slug"] for row in rows}) == len(rows) == len({card_id for card_id, _ in found})
    named = {
        card_id
        for card_id, name in [*dict(found[:cut]).items(), *dict(found[cut:]).items()]
        if name
    }
    assert {row["card_id"] for row in rows if row["name"] != row["card_id"]} == named


def test_the_slug_of_a_long_name_is_one_that_can_be_asked_for() -> None:
    long = "Ultra Premium Collection " * 20
    names = [("a", long), ("b", long), ("c", long + " Case"), ("d" * 80, long)]
    rows = [card(card_id, name, printing=card_id[0]) for card_id, name in names]
    slugs = [row["slug"] for row in by_id(merge_cards(None, cards(*rows))).values()]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(CARD_ID_PATTERN, slug) for slug in slugs)
    assert unique_slugs([["x" * 90]] * 3) == ["x" * 80, "x" * 78 + "_2", "x" * 78 + "_3"]
