"""Lakes taken up again from the remote alone, a folder and S3."""

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pokewatch.errors import LakeError, VersionError
from pokewatch.market.collect import collect
from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.collect import collect_prices
from pokewatch.pipeline.storage import open_raw_lake
from pokewatch.retention.data_versions import remove_unused_files
from pokewatch.settings import Home, VersionSettings

OLD, NEW = "a" * 32, "b" * 32


def test_the_head_is_what_was_published_last(remote: str) -> None:
    latest_versions = LatestVersions()
    assert latest_versions.read("tcgcsv") is None
    latest_versions.publish("tcgcsv", OLD)
    latest_versions.publish("simulated-100-0", NEW)
    latest_versions.publish("tcgcsv", NEW)
    assert (
        LatestVersions().read("tcgcsv"),
        LatestVersions().read("simulated-100-0"),
        LatestVersions().read("other"),
    ) == (NEW, NEW, None)


def test_an_empty_machine_goes_on_where_the_last_one_stopped(remote: str, home: Path) -> None:
    end = date(2026, 1, 31)
    first = collect_prices("simulated", end=end, days=20, cards=12)
    shutil.rmtree(home)

    second = collect_prices("simulated", end=end, days=22, cards=12)
    assert second.report["written"] == ["2026-01-10", "2026-01-11"]
    assert second.report["unchanged"] == first.report["written"]
    assert LatestVersions().read("simulated-12-0") == second.raw_version != first.raw_version


def test_a_lake_with_days_is_left_alone(remote: str, home: Path) -> None:
    collect_prices("simulated", end=date(2026, 1, 31), days=3, cards=12)
    lake = Lake(Home.read().lakes / "simulated-12-0")
    LatestVersions().publish(lake.root.name, OLD)
    assert LatestVersions().restore(lake) is None
    assert len(lake.days()) == 3


def test_days_that_a_lake_lacks_come_back_from_the_latest_version(remote: str, home: Path) -> None:
    first = collect_prices("simulated", end=date(2026, 1, 30), days=20, cards=12)
    lake = Lake(Home.read().lakes / "simulated-12-0")
    before, cards = lake.days(), lake.catalog()
    shutil.rmtree(lake.root)
    collect(SimulatedSource(cards=12), lake, [date(2026, 1, 31)])
    lake.write_catalog(lake.catalog().slice(0, 3))
    changed = (lake.raw / "prices" / "2026-01-31" / "part.parquet").read_bytes()

    second = collect_prices("simulated", end=date(2026, 1, 31), days=1, cards=12)
    assert lake.days() == [*before, date(2026, 1, 31)]
    assert second.report["unchanged"] == ["2026-01-31"]
    assert (lake.raw / "prices" / "2026-01-31" / "part.parquet").read_bytes() == changed
    assert lake.catalog().equals(cards)
    assert open_raw_lake(second.raw_version).days() == lake.days()
    assert open_raw_lake(first.raw_version).day(before[0]).equals(lake.day(before[0]))


def test_a_remote_out_of_reach_leaves_a_lake_with_days_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the monitor, which reads what this machine has."""
    lake = Lake(Home.read().lakes / "simulated-12-0")
    collect(SimulatedSource(cards=12), lake, [date(2026, 1, 31)])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("POKEWATCH_DVC_REMOTE", "s3://data/none")
    monkeypatch.setenv("POKEWATCH_DVC_ENDPOINT_URL", "http://127.0.0.1:1")
    assert LatestVersions().restore(lake) is None
    assert lake.days() == [date(2026, 1, 31)]
    with pytest.raises(VersionError, match=r"s3://data/none cannot be tidied: .*credentials"):
        list(remove_unused_files([], datetime.now(UTC), dry_run=True))
    with pytest.raises(VersionError, match=r"cannot be saved to s3://data/none: .*credentials"):
        LatestVersions().save(lake)


def test_a_version_without_its_data_is_an_error_and_leaves_nothing(remote: str, home: Path) -> None:
    LatestVersions().publish("simulated-12-0", OLD)
    with pytest.raises(VersionError, match=OLD):
        collect_prices("simulated", end=date(2026, 1, 31), days=3, cards=12)
    assert Lake(home / "lake" / "simulated-12-0").days() == []


@pytest.mark.parametrize(
    ("content", "shown"), [(b"<html>", "'<html>'"), (b"\xff\xfe", "'\ufffd\ufffd'")]
)
def test_a_damaged_head_is_no_version(content: bytes, shown: str, tmp_path: Path) -> None:
    settings = VersionSettings(dvc_remote=str(tmp_path))
    (tmp_path / "heads/").mkdir()
    (tmp_path / "heads/tcgcsv").write_bytes(content)
    with pytest.raises(VersionError, match=f"is not a data version: {shown}"):
        LatestVersions(settings).read("tcgcsv")


@pytest.mark.parametrize("name", ["", "../keys", "a/b", "A"])
def test_a_name_that_is_a_path_is_refused(name: str) -> None:
    with pytest.raises(VersionError, match="is not the name of a lake"):
        LatestVersions().read(name)


def test_a_reader_sees_the_old_head_or_the_new_one(tmp_path: Path) -> None:
    latest_versions = LatestVersions(VersionSettings(dvc_remote=str(tmp_path)))
    latest_versions.publish("tcgcsv", OLD)
    seen: set[str | None] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(latest_versions.read("tcgcsv"))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        latest_versions.publish("tcgcsv", (OLD, NEW)[turn % 2])
    stop.set()
    reader.join()
    assert seen <= {OLD, NEW}


def test_a_lake_is_saved_while_nobody_writes_to_it(home: Path) -> None:
    lake = Lake(Home.read().lakes / "simulated-5-0")
    collect(SimulatedSource(5), lake, [date(2026, 1, 1)])
    latest = LatestVersions()
    versions = [latest.save(lake)]
    saving = threading.Thread(target=lambda: versions.append(latest.save(lake)))
    with lake.locked():
        saving.start()
        saving.join(2)
        assert saving.is_alive()
    saving.join()
    assert versions == [latest.read("simulated-5-0")] * 2


def test_processes_that_restore_one_lake_at_once_all_succeed(home: Path) -> None:
    lake = Lake(Home.read().lakes / "simulated-5-0")
    collect(SimulatedSource(5), lake, [date(2026, 1, 1)])
    version = LatestVersions().save(lake)
    shutil.rmtree(lake.root)
    with ThreadPoolExecutor(3) as pool:
        restored = list(pool.map(lambda _: LatestVersions().restore(lake), range(3)))
    assert sorted(filter(None, restored)) == [version]
    assert lake.days() == [date(2026, 1, 1)]


def damage(lake: Lake, *names: str) -> dict[str, bytes]:
    """Cut files of a lake short. Return what they held."""
    whole = {}
    for name in names:
        path = lake.raw / name / "part.parquet"
        whole[name] = path.read_bytes()
        path.unlink()  # a version may have the same file
        path.write_bytes(whole[name][:100])
    return whole


def test_unreadable_files_are_restored_from_the_latest_version(home: Path) -> None:
    end = date(2026, 1, 31)
    first = collect_prices("simulated", end=end, days=3, cards=12)
    lake = Lake(Home.read().lakes / "simulated-12-0")
    whole = damage(lake, "prices/2026-01-30", "catalog")
    second = collect_prices("simulated", end=end, days=3, cards=12)
    assert second.report["written"] == []
    assert second.raw_version == first.raw_version
    for name, content in whole.items():
        assert (lake.raw / name / "part.parquet").read_bytes() == content
        assert (lake.damaged / name / "part.parquet").read_bytes() == content[:100]
    assert lake.lost() == []


@pytest.mark.parametrize("remote_lost", [False, True])
def test_unreadable_files_that_no_version_has_are_collected_again(
    home: Path, remote_lost: bool
) -> None:
    days = [date(2026, 1, day) for day in (29, 30, 31)]
    lake = Lake(Home.read().lakes / "simulated-12-0")
    collect(SimulatedSource(12), lake, days)
    prices, cards = lake.day(days[1]).drop_columns(["observed_at"]), lake.catalog()
    if remote_lost:
        LatestVersions().publish(lake.root.name, OLD)
    damage(lake, "prices/2026-01-30", "catalog")
    found = collect_prices("simulated", end=days[-1], days=3, cards=12)
    assert found.report["written"] == ["2026-01-30"]
    assert lake.day(days[1]).drop_columns(["observed_at"]).equals(prices)
    assert lake.catalog().equals(cards)
    assert LatestVersions().read(lake.root.name) == found.raw_version


def test_a_version_without_a_lost_file_is_not_fetched(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(Home.read().lakes / "simulated-12-0")
    collect(SimulatedSource(12), lake, [date(2026, 1, 30)])
    LatestVersions().save(lake)
    collect(SimulatedSource(12), lake, [date(2026, 1, 31)])
    damage(lake, "prices/2026-01-31")
    fetched = []
    monkeypatch.setattr(DataVersions, "materialise", lambda *given: fetched.append(given))
    assert LatestVersions().restore(lake) is None
    assert fetched == []
    assert lake.lost() == [Path("prices/2026-01-31/part.parquet")]


def test_a_catalogue_alone_that_is_lost_is_collected_again(home: Path) -> None:
    lake = Lake(Home.read().lakes / "simulated-12-0")
    collect(SimulatedSource(12), lake, [date(2026, 1, 31)])
    cards = lake.catalog()
    damage(lake, "catalog")
    collect_prices("simulated", end=date(2026, 1, 31), days=1, cards=12)
    assert lake.catalog().equals(cards)


def test_a_lake_whose_first_collection_was_killed_is_filled(home: Path) -> None:
    end = date(2026, 1, 31)
    first = collect_prices("simulated", end=end, days=3, cards=12)
    lake = Lake(Home.read().lakes / "simulated-12-0")
    shutil.rmtree(lake.raw / "prices")  # the catalogue is written before the first day
    second = collect_prices("simulated", end=end, days=3, cards=12)
    assert (second.report["written"], second.raw_version) == ([], first.raw_version)


def test_a_file_that_may_not_be_opened_is_not_damaged(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(Home.read().lakes / "simulated-12-0")
    collect(SimulatedSource(12), lake, [date(2026, 1, 31)])
    path = lake.raw / "catalog" / "part.parquet"
    path.unlink()
    monkeypatch.chdir(path.parent)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as unopened:  # as without permissions
        unopened.bind(path.name)
        with pytest.raises(LakeError, match="cannot be read"):
            LatestVersions().restore(lake)
    assert path.is_socket()
