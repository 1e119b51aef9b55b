"""Merging the cards of a source into the catalogue of the lake, without losing any of it."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pokewatch.market.catalog import CARD_SCHEMA, GAME_COLUMNS, slugify, unique_slugs


def merge_cards(known: pa.Table | None, found: pa.Table) -> pa.Table | None:
    """Return the catalogue `known` updated with `found`, None if nothing changes. Both CARD_SCHEMA.

    A card that has its id for a name never replaces one with a real name. The slug of a card with
    a real name never changes.
    """
    known = CARD_SCHEMA.empty_table() if known is None else known
    rows = pc.index_in(found["card_id"], value_set=known["card_id"].combine_chunks())
    before = known.take(rows)
    found = _filled(found, before)
    update = found.filter(
        pc.or_(pc.is_null(rows), pc.and_(_is_named(found), _differs(found, before)))
    )
    if not update.num_rows:
        return None
    updated = pc.is_in(known["card_id"], value_set=update["card_id"].combine_chunks())
    unchanged = known.filter(pc.invert(updated))
    return pa.concat_tables(
        [unchanged, _with_slugs(update.sort_by("card_id"), unchanged, known.filter(updated))]
    )


def preferred_slug(name: str, number: str | None) -> str:
    """Return the preferred slug of a card: its name and its number, 199 for "199/165"."""
    return slugify(f"{name} {number.split('/')[0]}" if number else name)


def _filled(found: pa.Table, before: pa.Table) -> pa.Table:
    """Return `found` with the game columns of `before` where it has none."""
    for name in GAME_COLUMNS:
        at, values = CARD_SCHEMA.get_field_index(name), pc.coalesce(found[name], before[name])
        found = found.set_column(at, CARD_SCHEMA.field(name), values)
    return found


def _is_named(cards: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(cards["name"], cards["card_id"])


def _differs(found: pa.Table, before: pa.Table) -> pa.ChunkedArray:
    """Mark the rows of `found` that differ from their row in `before` in more than the slug."""
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


def _with_slugs(update: pa.Table, unchanged: pa.Table, replaced: pa.Table) -> pa.Table:
    """Return `update` with slugs not used in `unchanged`; a named card keeps the one it had."""
    named = replaced.filter(_is_named(replaced))
    existing = dict(zip(named["card_id"].to_pylist(), named["slug"].to_pylist(), strict=True))
    choices = [
        [existing[row["card_id"]]] if row["card_id"] in existing else _candidates(row)
        for row in update.to_pylist()
    ]
    fixed = [[slug] for slug in unchanged["slug"].to_pylist()] + [
        options for options in choices if len(options) == 1
    ]
    slugs = unique_slugs(fixed + [options for options in choices if len(options) > 1])[
        unchanged.num_rows :
    ]
    reused, free = (
        iter(slugs[: len(fixed) - unchanged.num_rows]),
        iter(slugs[len(fixed) - unchanged.num_rows :]),
    )
    column = [next(reused) if len(options) == 1 else next(free) for options in choices]
    return update.set_column(
        CARD_SCHEMA.get_field_index("slug"),
        CARD_SCHEMA.field("slug"),
        pa.array(column, pa.string()),
    )


def _candidates(card: dict[str, Any]) -> list[str]:
    """Return texts for the slug, shortest first."""
    slug, printing, set_name = card["slug"], card["printing"] or "", card["set_name"]
    return [
        slug,
        f"{slug} {printing}",
        f"{slug} {set_name}",
        f"{slug} {set_name} {printing}",
        card["card_id"],
    ]
