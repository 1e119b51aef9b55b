"""The capacity figures of docs/kubernetes.md follow from the format of books and the settings."""

import re

from pokewatch.pipeline.registration import BOOK_DAYS
from pokewatch.settings import RegistrySettings, RetentionSettings
from pokewatch.valuation.book.latest import LATEST_SCHEMA
from pokewatch.valuation.book.layout import COLUMNS
from tests.conftest import ROOT
from tests.k8s.rendering import APPLIED, rendered_overlay
from tests.k8s.rules import bytes_of, cores

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
CARDS = (43_000, 430_000, 43_000_000)


def _gigabytes(row: str) -> list[float]:
    (line,) = re.findall(rf"^\| {re.escape(row)} \|(.*)$", PAGE, re.MULTILINE)
    return [float(cell) for cell in re.findall(r"([\d.,]+) GB", line.replace(",", ""))]


def test_the_size_of_a_book_is_that_of_its_columns(home: object) -> None:
    per_day = sum(dtype.itemsize for dtype in COLUMNS.values())
    per_card = per_day * BOOK_DAYS
    assert f"{per_day} bytes per card-day, {per_card / 1e3:.1f} kB per card" in PAGE.replace(
        "\n", " "
    )
    last_day = sum(field.type.bit_width // 8 for field in LATEST_SCHEMA)
    assert f"stored once more, {last_day} bytes per card" in PAGE.replace("\n", " ")
    books = [cards * per_card / 1e9 for cards in CARDS]
    assert _matches(_gigabytes("price book"), books)
    kept = RegistrySettings.read().books_kept + 1
    name = "books on the disk of a replica, POKEWATCH_BOOKS_KEPT and one more during a load"
    assert _matches(_gigabytes(name), [kept * book for book in books])
    days = RetentionSettings.read().keep_days
    name = "books in the registry, POKEWATCH_KEEP_DAYS and one a day"
    assert _matches(_gigabytes(name), [days * book for book in books])


def test_one_node_of_the_documented_size_holds_the_overlay_and_a_step() -> None:
    stated = re.search(
        r"When idle that is ([\d.]+) CPUs and ([\d.]+) GiB requested, "
        r"and one node of (\d+) CPUs and (\d+) GB",
        PAGE,
    )
    assert stated is not None
    idle_cpus, idle_gib, cpus, gigabytes = map(float, stated.groups())
    manifests = rendered_overlay(APPLIED["production"])
    replicas = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["minReplicas"]
        for each in manifests
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    found = [0.0, 0.0]
    for each in manifests:
        if each["kind"] in ("Deployment", "StatefulSet"):
            count = replicas.get(each["metadata"]["name"], 1)
            for container in each["spec"]["template"]["spec"]["containers"]:
                requests = container["resources"]["requests"]
                found[0] += count * cores(requests["cpu"])
                found[1] += count * bytes_of(requests["memory"]) / 2**30
    assert [round(each, 1) for each in found] == [idle_cpus, idle_gib]
    steps = re.findall(
        r"@kubernetes\(cpu=([\d.]+), memory=(\d+)", (ROOT / "flows" / "flow.py").read_text()
    )
    assert idle_cpus + max(float(cpu) for cpu, _ in steps) < cpus
    assert idle_gib + max(int(mib) for _, mib in steps) / 1024 < gigabytes * 1e9 / 2**30


def _matches(printed: list[float], expected: list[float]) -> bool:
    return len(printed) == len(expected) and all(
        abs(given - wanted) <= max(0.005 * wanted, 0.05)
        for given, wanted in zip(printed, expected, strict=True)
    )
