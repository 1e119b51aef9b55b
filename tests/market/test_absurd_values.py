"""One absurd value in what a source answers costs its row, and never the day."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pokewatch.market.collect import collect, requested_days
from pokewatch.market.collect_report import CollectReport
from pokewatch.market.lake import Lake
from pokewatch.market.sources import Source
from pokewatch.market.sources.file import FileSource
from pokewatch.market.sources.pokemon_price_tracker import PokemonPriceTrackerSource
from pokewatch.market.sources.tcgcsv import TcgcsvSource
from pokewatch.settings import SourceSettings
from tests.market.upstream import Reply, Sleeps, Upstream, archive_path, price, running, seven_zip

DAY = date(2025, 10, 22)
NOW = datetime(2025, 10, 23, 1, 0, tzinfo=UTC)
GOOD = 1500  # so many that all the bad rows together are too few to hold the day back
DEEP = "[" * 100_000 + "]" * 100_000
ABSURD = {  # as JSON text
    "cut-emoji": r'"Charizard \ud83d"',
    "lone-low-surrogate": r'"\udca9"',
    "zero-byte": r'"a\u0000b"',
    "huge-text": '"' + "x" * 200_000 + '"',
    "10^300": "1" + "0" * 300,
    "2^53+1": "9007199254740993",
    "10^5000": "1" + "0" * 5000,
    "1e999": "1e999",
    "nan": "NaN",
    "infinity": "-Infinity",
    "negative": "-5",
    "true": "true",
    "null": "null",
    "superscript": '"²"',
    "empty": '""',
    "list": "[1, [2]]",
    "object": '{"a": {}}',
    "number": "17",
    "deep": DEEP,
    "deep-within-limits": "[" * 900 + "]" * 900,
}
VALUES = [pytest.param(text, id=name) for name, text in ABSURD.items()]
QUICK_VALUES = [
    pytest.param(text, id=name, marks=pytest.mark.slow if name == "huge-text" else ())
    for name, text in ABSURD.items()
]


def with_value(record: dict[str, Any], path: tuple[str, ...], text: str) -> str:
    """The record as JSON, with the text in place of the value at `path`."""
    mark = "@absurd@"
    if not path:
        return text
    copy = json.loads(json.dumps(record))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = mark
    return json.dumps(copy).replace(json.dumps(mark), text)


def collected(source: Source, folder: Path, good: set[str]) -> CollectReport:
    """The report of collecting DAY, of which every good row must be in the lake."""
    lake = Lake(folder)
    report = collect(source, lake, [DAY], today=NOW.date())
    assert report.written == [DAY], report
    assert good <= set(lake.day(DAY)["card_id"].to_pylist())
    assert good <= set(lake.catalog()["card_id"].to_pylist())
    assert lake.quarantined(DAY).num_rows == sum(report.quarantined.values())
    return report


def envelope(rows: list[str]) -> bytes:
    return f'{{"success": true, "errors": [], "results": [{", ".join(rows)}]}}'.encode()


def tcgcsv(upstream: Upstream, prices: list[str], products: list[str], groups: list[str]) -> Source:
    member = f"{DAY}/3/1/prices"
    upstream.routes[archive_path(DAY)] = Reply(seven_zip({member: envelope(prices)}))
    upstream.routes["/tcgplayer/3/groups"] = Reply(envelope(groups))
    upstream.routes["/tcgplayer/85/groups"] = Reply(envelope([]))
    upstream.routes["/tcgplayer/3/1/products"] = Reply(envelope(products))
    given = SourceSettings.read(tcgcsv_url=upstream.url, http_attempts=1)
    return TcgcsvSource(given, now=lambda: NOW, sleep=Sleeps().sleep)


ROWS = [json.dumps(price(number)) for number in range(1, GOOD + 1)]
CARDS = {f"tcgplayer-{number}-normal" for number in range(1, GOOD + 1)}
PRODUCT = {
    "productId": 1,
    "name": "Pikachu",
    "imageUrl": "https://images.test/1.jpg",
    "extendedData": [{"name": "Number", "value": "1/9"}],
}
GROUP = {"groupId": 1, "name": "Base", "publishedOn": "2022-11-11T00:00:00"}
PRICE_FIELDS = [(), *((name,) for name in price(1))]


@pytest.mark.integration
@pytest.mark.parametrize("text", VALUES)
def test_absurd_values_of_tcgcsv_cost_only_their_rows(
    text: str, upstream: Upstream, tmp_path: Path
) -> None:
    bad = [with_value(price(5000 + at), path, text) for at, path in enumerate(PRICE_FIELDS)]
    products = [with_value(PRODUCT, path, text) for path in [(), *((name,) for name in PRODUCT)]]
    groups = [with_value(GROUP, path, text) for path in [(), *((name,) for name in GROUP)]]
    source = tcgcsv(upstream, [*ROWS, *bad], products, [*groups, json.dumps(GROUP)])
    report = collected(source, tmp_path, CARDS)
    merged = report.cleaned["identical rows were merged"]
    assert report.rows + merged + sum(report.quarantined.values()) == GOOD + len(bad)


def tracked(number: int) -> dict[str, Any]:
    history = [{"date": f"{DAY}T00:00:00.000Z", "market": 3.5, "volume": 3}]
    card = {"id": f"id-{number}", "tcgPlayerId": str(number), "setId": "s1", "setName": "Base"}
    card |= {
        "name": "Pikachu",
        "cardNumber": "1/9",
        "rarity": "Rare",
        "imageUrl": "https://i.test/1",
    }
    near_mint = {"conditions": {"Near Mint": {"history": history}}}
    return card | {
        "prices": {"market": None, "variants": {"Normal": {}}},
        "priceHistory": near_mint,
    }


def variant(number: int) -> dict[str, Any]:
    history = tracked(number)["priceHistory"]["conditions"]
    return tracked(number) | {"priceHistory": {"variants": {"Normal": history}}}


TRACKED_FIELDS: list[tuple[Any, ...]] = [(), *((name,) for name in tracked(1))]
TRACKED_FIELDS += [("prices", "market"), ("prices", "variants"), ("priceHistory", "conditions")]
TRACKED_FIELDS += [("priceHistory", "conditions", "Near Mint")]
_HISTORY = ("priceHistory", "conditions", "Near Mint", "history")
TRACKED_FIELDS += [
    _HISTORY,
    (*_HISTORY, 0),
    *((*_HISTORY, 0, name) for name in ("date", "market", "volume")),
]
VARIANT_FIELDS = [("priceHistory", "variants"), ("priceHistory", "variants", "Normal")]


@pytest.mark.integration
@pytest.mark.parametrize("text", VALUES)
def test_absurd_values_of_pokemon_price_tracker_cost_only_their_rows(
    text: str, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKEMON_PRICE_API_KEY", "key")
    given = SourceSettings.read(pokemon_price_url=upstream.url, http_attempts=1)
    good = [json.dumps(tracked(number)) for number in range(1, GOOD + 1)]
    bad = [with_value(tracked(5000 + at), path, text) for at, path in enumerate(TRACKED_FIELDS)]
    bad += [with_value(variant(6000 + at), path, text) for at, path in enumerate(VARIANT_FIELDS)]
    bad += [json.dumps(variant(7000)).replace('"Normal"', text if text[0] == '"' else '"²"')]
    body = f'{{"data": [{", ".join([*good, *bad])}], "metadata": {text}}}'
    upstream.routes["/cards"] = lambda request: Reply(
        body.encode() if request.query["setId"] == ["s1"] else b'{"data": []}'
    )
    sets = f'{{"data": [{{"id": "s1"}}, {{"id": {text}}}, {text}]}}'
    upstream.routes["/sets"] = [Reply(sets.encode())]
    source = PokemonPriceTrackerSource(given, now=lambda: NOW, sleep=Sleeps().sleep)
    report = collected(source, tmp_path, CARDS)
    assert report.rows >= GOOD


@pytest.mark.parametrize("text", QUICK_VALUES)
def test_absurd_cells_of_a_csv_cost_only_their_rows(text: str, tmp_path: Path) -> None:
    cell = text.encode("utf-8") + b"\xff" if text == ABSURD["cut-emoji"] else text.encode()
    quoted = b'"' + cell.replace(b'"', b'""') + b'"'
    names = (
        "card_id",
        "date",
        "price",
        "low",
        "volume",
        "currency",
        "name",
        "released",
        "image_url",
    )
    usual = (
        b"x-1",
        str(DAY).encode(),
        b"3.5",
        b"3",
        b"1",
        b"USD",
        b"Pikachu",
        b"2020-01-01",
        b"https://i.test/1",
    )
    good = [b",".join((b"c-%d" % number, *usual[1:])) for number in range(GOOD)]
    bad = []
    for column in range(len(names)):
        row = [b"bad-%d" % column, *usual[1:]]
        row[column] = quoted
        bad.append(b",".join(row))
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\n".join([",".join(names).encode(), *good, *bad, b""]))
    source = FileSource(SourceSettings.read(), path, now=lambda: NOW)
    assert DAY in requested_days(source, None, None, None)
    collected(source, tmp_path / "lake", {f"c-{number}" for number in range(GOOD)})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -5.0, 0.0])
def test_absurd_numbers_of_a_parquet_file_cost_only_their_rows(
    value: float, tmp_path: Path
) -> None:
    ids = [f"c-{number}" for number in range(GOOD)]
    columns = {
        "card_id": [*ids, "bad"],
        "date": [DAY] * (GOOD + 1),
        "market_price": [2.0] * GOOD + [value],
    }
    path = tmp_path / "panel.parquet"
    pq.write_table(pa.table(columns), path)
    collected(FileSource(SourceSettings.read(), path, now=lambda: NOW), tmp_path / "lake", set(ids))


@pytest.mark.parametrize(
    "address",
    ["http://i.test/1", "//i.test/1", "javascript:alert(1)", "https://u:p@i.test/1", "https:// x"],
)
def test_images_are_https_only_and_others_are_counted(
    address: str, upstream: Upstream, tmp_path: Path
) -> None:
    product = json.dumps(PRODUCT | {"imageUrl": address})
    good = json.dumps(PRODUCT | {"productId": 2})
    source = tcgcsv(upstream, ROWS, [product, good], [json.dumps(GROUP)])
    report = collected(source, tmp_path, CARDS)
    images = {row["card_id"]: row["image_url"] for row in Lake(tmp_path).catalog().to_pylist()}
    assert images["tcgplayer-1-normal"] is None
    assert images["tcgplayer-2-normal"] == PRODUCT["imageUrl"]
    assert "1 card without an image: the image URL does not begin with https://" in report.warnings


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(price(1))), inner)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with running() as server:
        yield server


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=JSON, product=JSON, group=JSON)
@pytest.mark.slow
def test_tcgcsv_takes_anything(
    row: Any,
    product: Any,
    group: Any,
    shared_upstream: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    texts = [json.dumps(each) for each in (row, product, group)]
    source = tcgcsv(shared_upstream, [*ROWS, texts[0]], [texts[1]], [json.dumps(GROUP), texts[2]])
    report = collected(source, folder, CARDS)
    assert report.rows == GOOD + 1 or report.quarantined
