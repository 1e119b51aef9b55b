import json
from pathlib import Path

import numpy as np

from pokewatch.contract import card_hash
from pokewatch.serving.card_hashes import card_hashes
from pokewatch.serving.loaded_books import LoadedBook
from pokewatch.serving.record_reader import RecordReader
from pokewatch.valuation.book import PriceBook
from tests.serving.books import make_book


def test_both_names_of_each_card_are_listed(tmp_path: Path) -> None:
    book = PriceBook.open(tmp_path / "book", make_book(tmp_path / "book", 30))
    loaded = LoadedBook(book, "7", "dv-1", "run-1", RecordReader(tmp_path / "record"))
    head, _, binary = card_hashes(loaded).partition(b"\n")
    assert json.loads(head) == loaded.versions()
    hashes = np.frombuffer(binary, dtype="<u8")
    assert (np.diff(hashes.astype(object)) > 0).all()
    names = [f"card_{i}" for i in range(30)] + [f"tcgplayer-{i}-normal" for i in range(30)]
    assert set(hashes.tolist()) == {int.from_bytes(card_hash(name), "little") for name in names}
