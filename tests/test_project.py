"""The project's files: a lock with hashes, metadata, and a test file for every module."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

# Modules without a test file of their own, and what tests them instead.
TESTED_ELSEWHERE = {
    "contract.py": "the words of V2 answers; tests/gateway/upstream/test_reply_checks.py",
    "deploy/reload.py": "by the deploys that use it; tests/deploy/test_rollout.py",
    "deploy/publication.py": "by what publishes; tests/deploy/test_experiment_traffic.py",
    "deploy/records.py": "by deploys that wait for each other; tests/deploy/test_lock.py",
    "gateway/api/catalog_checks.py": "tests/gateway/upstream/test_reply_checks.py",
    "gateway/api/fields.py": "by the schemas; tests/contract/test_openapi.py",
    "gateway/auth/key_file.py": "by the store; tests/gateway/auth/test_keys.py",
    "gateway/auth/key_values.py": "by the store; tests/gateway/auth/test_keys.py",
    "gateway/http/responses.py": "by the protocol; tests/gateway/http/test_uvicorn_protocol.py",
    "serving/mlserver/startup.py": "by a real MLServer; tests/integration/test_mlserver_models.py",
    "valuation/book/rows.py": "records; tests/valuation/book/test_writer.py",
    "registry_client.py": "by the registry; tests/test_registry.py",
    "cli/health_checks.py": "by the command that runs them; tests/cli/test_doctor.py",
    "cli/lake_checks.py": "by the command that runs them; tests/cli/test_doctor.py",
    "cli/findings.py": "a record; tests/cli/test_doctor.py",
    "cli/model_checks.py": "by the command that runs them; tests/cli/test_market_choice.py",
    "cli/evaluate.py": "by its commands; tests/valuation/evaluation/test_runner.py",
    "cli/card_choice.py": "by the commands that use it; tests/cli/test_value.py",
    "cli/options.py": "by the commands that use them; tests/cli/test_main.py",
    "cli/serve.py": "by its commands; tests/integration/test_serve.py",
    "cli/tidy.py": "by its command; tests/retention/test_tidy.py",
    "retention/sizes.py": "by the checks and the rules; tests/retention/test_tidy.py",
    "pipeline/monitored_market.py": "by the monitoring run; tests/pipeline/test_monitor.py",
    "pipeline/storage.py": "by the steps; tests/pipeline/test_processing.py",
    "settings/events.py": "by the log; tests/gateway/events/test_event_log.py",
    "settings/gateway.py": "by the settings; tests/test_settings.py",
    "settings/home.py": "by the settings; tests/test_settings.py",
    "settings/market.py": "by the settings; tests/test_settings.py",
    "settings/models.py": "by the settings; tests/test_settings.py",
    "settings/retention.py": "by what they retain; tests/retention/test_tidy.py",
    "settings/monitoring.py": "by the settings; tests/test_settings.py",
    "settings/section.py": "by the settings; tests/test_settings.py",
    "settings/serving.py": "by the settings; tests/test_settings.py",
    "settings/tracing.py": "by the tracer; tests/tracing/test_open_tracer.py",
    "settings/watches.py": "by the settings; tests/watches/test_database.py",
    "settings/unknown.py": "by the settings; tests/test_settings.py",
    "settings/values.py": "by the settings; tests/test_settings.py",
    "errors.py": "the exceptions that others raise; tests/cli/test_main.py",
    "gateway/assembly.py": "by the application it makes; tests/gateway/test_app.py",
    "gateway/api/card_prices.py": "by the routes that use it; tests/gateway/api/test_prices.py",
    "gateway/api/card_schemas.py": "by the routes' document; tests/contract/test_openapi.py",
    "gateway/api/catalog_calls.py": "by the routes that use it; tests/gateway/api/test_catalog.py",
    "gateway/api/status_routes.py": "tests/contract/test_openapi.py",
    "gateway/api/status_schemas.py": "by the routes' document; tests/contract/test_openapi.py",
    "decision/rows.py": "by the rule; tests/decision/test_rule.py",
    "gateway/api/request_tensors.py": "by the composition; tests/gateway/api/test_prices.py",
    "gateway/api/composition.py": "by the routes that use it; tests/gateway/api/test_prices.py",
    "gateway/api/v2_schemas.py": "by the V2 routes; tests/gateway/api/test_inference.py",
    "gateway/api/schemas.py": "by the routes' document; tests/contract/test_openapi.py",
    "gateway/api/openapi.py": "tests/contract/test_openapi.py",
    "gateway/api/routes.py": "tests/contract/test_openapi.py",
    "gateway/http/problems.py": "tests/contract/test_problems.py",
    "gateway/api/status.py": "by the application; tests/gateway/test_app.py",
    "gateway/upstream/transport.py": "interfaces; tests/in_process/test_same_answers.py",
    "gateway/upstream/version_poller.py": "by its client; tests/gateway/upstream/test_v2_client.py",
    "market/catalog.py": "a schema; tests/market/test_lake.py",
    "market/tabular/cards.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/cells.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/kinds.py": "by the reader; tests/market/tabular/test_rows.py",
    "market/tabular/date_columns.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/numbers.py": "by the reader; tests/market/tabular/test_price_table.py",
    "market/tabular/options.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/row_reader.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/sheet.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/tabular/summary.py": "by the command; tests/cli/test_collect.py",
    "market/tabular/text.py": "by the reader; tests/market/tabular/test_price_table.py",
    "market/tabular/wide.py": "by the reader; tests/market/tabular/test_reading.py",
    "market/prices.py": "a schema; tests/market/quality/test_days.py",
    "market/quality/rows.py": "tests/market/quality/test_days.py",
    "market/quality/cleaning.py": "tests/market/quality/test_days.py",
    "market/tabular/column_names.py": "a table; tests/market/tabular/test_columns.py",
    "market/sources/parsing.py": "by the sources; tests/market/sources/test_tcgcsv_rows.py",
    "market/sources/unpack.py": "by its caller; tests/market/sources/test_archive.py",
    "gateway/api/forecast.py": "types; tests/gateway/api/test_catalog.py",
    "gateway/api/market_schemas.py": "types; tests/contract/test_openapi.py",
    "gateway/api/experiment_schemas.py": "types; tests/contract/test_openapi.py",
    "gateway/api/record_schemas.py": "types; tests/contract/test_openapi.py",
    "gateway/api/records.py": "by its pages; tests/gateway/web/test_record_page.py",
    "gateway/web/site.py": "by the pages; tests/gateway/web/test_pages.py",
    "serving/catalog_cards.py": "by the queries; tests/serving/test_catalog.py",
    "gateway/api/problem_groups.py": "constants; tests/contract/test_openapi.py",
    "gateway/canary_metrics.py": "by canaries; tests/gateway/api/markets/test_canary.py",
    "gateway/api/markets/fallback.py": "by canaries; tests/gateway/api/markets/test_canary.py",
    "gateway/api/changes_csv.py": "tests/gateway/web/test_pages.py, tests/test_csv_cells.py",
    "gateway/web/visits.py": "tests/gateway/web/test_pages.py",
    "plain_text.py": "by the readers of files, and by money; tests/test_money.py",
    "gateway/web/page_charts.py": "tests/gateway/web/test_pages.py",
    "gateway/api/collection_schemas.py": "types; tests/gateway/api/test_collections.py",
    "gateway/api/watch_routes.py": "a table; tests/contract/test_openapi.py",
    "gateway/api/watch_schemas.py": "types; tests/gateway/api/test_watches.py",
    "collection/printings.py": "by the matcher; tests/collection/test_variants.py",
    "valuation/asks.py": "by the features; tests/valuation/test_features.py",
    "valuation/level_filter.py": "by the features; tests/valuation/test_features.py",
    "valuation/spread.py": "by the intervals; tests/valuation/test_intervals.py",
    "valuation/book/quotes.py": "by the reader; tests/valuation/book/test_reader.py",
    "gateway/mcp/tools.py": "by sessions; tests/gateway/mcp/test_endpoint.py",
    "gateway/api/export_routes.py": "a table; tests/contract/test_openapi.py",
    "gateway/api/v2_routes.py": "a table; tests/contract/test_openapi.py",
    "serving/mlserver/error_responses.py": "tests/serving/mlserver/test_patches.py",
    "serving/mlserver/request_bodies.py": "tests/serving/mlserver/test_patches.py",
    "serving/validation.py": "by the endpoints; tests/serving/test_catalog.py",
    "serving/runtime.py": "by the runtimes; tests/serving/test_fair_price.py",
}
EMPTY = "__init__.py"


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def modules() -> list[str]:
    package = ROOT / "pokewatch"
    paths = (path for path in package.rglob("*.py") if path.name != EMPTY)
    return sorted(path.relative_to(package).as_posix() for path in paths)


def has_tests(module: str) -> bool:
    """Return whether a/b.py has a/test_b.py, or several a/test_b_*.py."""
    folder = ROOT / "tests" / Path(module).parent
    name = Path(module).stem.removeprefix("_")
    return any(folder.glob(f"test_{name}.py")) or any(folder.glob(f"test_{name}_*.py"))


def test_every_module_has_tests_or_a_reason() -> None:
    untested = {module for module in modules() if not has_tests(module)}
    assert sorted(untested - TESTED_ELSEWHERE.keys()) == [], "no tests and no reason"
    assert sorted(TESTED_ELSEWHERE.keys() - untested) == [], "listed, but tested or gone"


def test_a_reason_names_tests_that_exist() -> None:
    for module, reason in TESTED_ELSEWHERE.items():
        named = re.findall(r"tests/[\w/]+(?:\.py)?", reason)
        assert named, f"{module}: {reason}"
        assert [path for path in named if not (ROOT / path).exists()] == [], module


def test_every_locked_requirement_has_a_hash_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert len(entries) > 100
    assert [
        entry for entry in entries if not re.match(r"\S+==\S+ .*\\\n    --hash=sha256:", entry)
    ] == []
    assert "://" not in lock


def test_set_up_and_images_install_by_hash() -> None:
    assert "--require-hashes --requirements requirements.lock" in (ROOT / "Makefile").read_text()
    assert "--require-hashes --constraint requirements.lock" in (ROOT / "Dockerfile").read_text()


def test_the_metadata_names_licence_and_authors_without_addresses() -> None:
    found = project()
    assert found["license"] == "Apache-2.0"
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
    assert found["authors"]
    assert "://" not in str(found)


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".editorconfig"]
)
def test_the_files_a_contributor_looks_for_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 100


def test_mypy_reads_flows_and_tests_too() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"]
    assert {"pokewatch", "flows", "tests"} <= set(settings["files"])


def test_fixtures_of_a_package_are_in_one() -> None:
    """Elsewhere pytest keeps them until the session ends."""
    folders = {
        path.parent
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r'^@pytest\.fixture\(.*scope="package"', path.read_text(), re.MULTILINE)
    }
    assert folders
    assert [each for each in folders if not (each / "__init__.py").exists()] == []


def test_no_test_or_run_has_left_a_file_with_a_blank_name() -> None:
    listed = ["git", "ls-files", "-z"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in files.split("\0") if name]
    assert "pyproject.toml" in names
    assert [name for name in names if name != name.strip()] == []


def test_no_generated_file_is_part_of_the_project() -> None:
    """Such as the cards of runs that Metaflow copies into the current folder to show them."""
    ignored = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    found = subprocess.run(ignored, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == []
    cards = ["git", "check-ignore", "metaflow_card_cache/PokeWatchFlow/card.html"]
    subprocess.run(cards, cwd=ROOT, capture_output=True, check=True)
