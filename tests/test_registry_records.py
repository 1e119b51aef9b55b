from pathlib import Path

import pytest

from pokewatch.errors import RegistryError
from pokewatch.registry import Registry
from pokewatch.registry_records import RegistryRecords

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # MLflow's models on SQLAlchemy 2.1


def test_records_are_numbered_in_order_and_keep_their_tags(registry_home: Path) -> None:
    records = RegistryRecords(Registry(), "experiment")
    assert records.newest() == []
    assert [records.create({"what": name}) for name in ("first", "second")] == [1, 2]
    records.set_tag(1, "end", "done")
    records.set_tag(2, "end", "done")
    records.delete_tag(2, "end")
    assert records.newest() == [(2, {"what": "second"}), (1, {"what": "first", "end": "done"})]
    assert records.read(1) == {"what": "first", "end": "done"}
    assert RegistryRecords(Registry(), "deploy").newest() == []
    with pytest.raises(RegistryError, match="the record of experiment 9 cannot be read"):
        records.read(9)
