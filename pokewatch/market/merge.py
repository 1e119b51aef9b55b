"""Merging what a source says of its cards into the catalogue of the lake: nothing known is ever lost."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.catalog import CARD_SCHEMA, slugify, unique_slugs


def merged(known: pa.Table | None, found: pa.Table) -> pa.Table | None:
    """The catalogue `known` with what `found` adds or corrects; None where it adds nothing. Both CARD_SCHEMA.

    A card that goes by its id, because the source could not name it, never replaces one with a name. A slug, once given
    to a card with a name, stays.
    """
    known = CARD_SCHEMA.empty_table() if known is None else known
    rows = pc.index_in(found["card_id"], value_set=known["card_id"].combine_chunks())
    before = known.take(rows)
    update = found.filter(
        pc.or_(pc.is_null(rows), pc.and_(_is_named(found), _differs(found, before)))
    )
    if not update.num_rows:
        return None
    updated = pc.is_in(known["card_id"], value_set=update["card_id"].combine_chunks())
    kept = known.filter(pc.invert(updated))
    return pa.concat_tables(
        [kept, _with_slugs(update.sort_by("card_id"), kept, known.filter(updated))]
    )


def short_slug(name: str, number: str | None) -> str:
    """The slug a card would like best: its name and its number within the set, "199/165" being 199."""
    return slugify(f"{name} {number.split('/')[0]}" if number else name)


def _is_named(cards: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(cards["name"], cards["card_id"])


def _differs(found: pa.Table, before: pa.Table) -> pa.ChunkedArray:
    """Which rows of `found` say something other than their row in `before`, their slug aside."""
    differs = pa.scalar(False)
    for name in CARD_SCHEMA.names:
        if name != "slug":
            new, old = found[name], before[name]
            unequal = pc.if_else(
                pc.and_(pc.is_valid(new), pc.is_valid(old)),
                pc.not_equal(new, old),
                pc.xor(pc.is_valid(new), pc.is_valid(old)),
            )
            differs = pc.or_(differs, unequal)
    return differs


def _with_slugs(update: pa.Table, kept: pa.Table, replaced: pa.Table) -> pa.Table:
    """`update` with slugs that nobody in `kept` has; a replaced card with a name keeps its own."""
    named = replaced.filter(_is_named(replaced))
    given = dict(zip(named["card_id"].to_pylist(), named["slug"].to_pylist(), strict=True))
    ours = [
        [given[row["card_id"]]] if row["card_id"] in given else _candidates(row)
        for row in update.to_pylist()
    ]
    settled = [[slug] for slug in kept["slug"].to_pylist()] + [
        options for options in ours if len(options) == 1
    ]
    slugs = unique_slugs(settled + [options for options in ours if len(options) > 1])[
        kept.num_rows :
    ]
    held, free = (
        iter(slugs[: len(settled) - kept.num_rows]),
        iter(slugs[len(settled) - kept.num_rows :]),
    )
    column = [next(held) if len(options) == 1 else next(free) for options in ours]
    return update.set_column(
        CARD_SCHEMA.get_field_index("slug"),
        CARD_SCHEMA.field("slug"),
        pa.array(column, pa.string()),
    )


def _candidates(card: dict[str, Any]) -> list[str]:
    """Texts for the slug, shortest first."""
    slug, printing, set_name = card["slug"], card["printing"] or "", card["set_name"]
    return [
        slug,
        f"{slug} {printing}",
        f"{slug} {set_name}",
        f"{slug} {set_name} {printing}",
        card["card_id"],
    ]
