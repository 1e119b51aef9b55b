"""Checks of a market's champion and deploys, each with a suggested fix."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pokewatch.cli.findings import Finding, not_checked
from pokewatch.contract import MAX_DATA_AGE_HOURS, data_age_hours
from pokewatch.errors import BookError, NoChampionError, PokeWatchError, SettingsError
from pokewatch.settings import RegistrySettings, ServingSettings
from pokewatch.wording import age_in_words, pipeline_command

if TYPE_CHECKING:
    from pokewatch.deploy.records import DeployRecord
    from pokewatch.registry import RegisteredModel, Registry

_DAY_HOURS = 24
_ANSWERS_WITHIN = 2.0  # seconds
_UNFINISHED = (
    "if it is no longer running, the next deploy resolves it: run the pipeline, or pokewatch "
    "rollback"
)


def unreadable_champion_remedy(market: str, champion: "RegisteredModel") -> str:
    """Return what to do if the book of a market's champion cannot be opened, as it was fetched."""
    from pokewatch.registry import MARKET

    run = pipeline_command(market, champion.tags.get(MARKET, ""))
    return (
        "pokewatch rollback restores the previous champion, and "
        f"{run} --replace true makes a new one"
    )


def market_findings(market: str) -> Iterator[Finding]:
    """Yield the findings about a market, "" for the only one. What fails is one of them."""
    from pokewatch.registry import Registry

    registry = Registry(RegistrySettings.read(market=market))
    for check in (_champion, _deploys, _servers):
        name = f"{check.__name__.removeprefix('_').rstrip('s')}{_of(registry)}"
        try:
            yield from check(registry)
        except ModuleNotFoundError as error:
            yield not_checked(name, error)
        except (PokeWatchError, OSError) as error:
            yield Finding(name, "fault", str(error))


def _of(registry: "Registry") -> str:
    return f": {registry.market}" if registry.market else ""


def _champion(registry: "Registry") -> Iterator[Finding]:
    name, run = f"champion{_of(registry)}", pipeline_command(registry.market)
    try:
        champion = registry.resolve()
    except NoChampionError as error:
        if unknown := _why_unknown(registry.market):
            yield Finding(name, "fault", unknown)
        else:
            yield Finding(name, "warning", str(error).split(":")[0], run)
        return
    try:
        book = registry.open_book(champion)
    except BookError as error:
        remedy = unreadable_champion_remedy(registry.market, champion)
        yield Finding(name, "fault", str(error), remedy)
        return
    last, run = book.last_day, pipeline_command(registry.market, book.facts.market)
    detail = f"version {champion.version} on data {champion.data_version[:12]} up to {last}"
    hours = data_age_hours(last, datetime.now(UTC))
    if hours > MAX_DATA_AGE_HOURS:
        detail += f", which ended {age_in_words(hours)} ago"
        yield Finding(name, "warning", detail, run)
    elif hours < -_DAY_HOURS:
        detail += ", in the future: no run may replace it until then. The clock was ahead"
        yield Finding(name, "warning", detail, f"once the clock is right: {run} --replace true")
    else:
        yield Finding(name, "ok", detail)


def _why_unknown(market: str) -> str:
    """Return why no run can value a market, "" if one can."""
    from pokewatch.market.markets import source_of

    try:
        if market:
            source_of(market)
    except SettingsError as error:
        return str(error).removeprefix("--market ")
    return ""


def _deploys(registry: "Registry") -> Iterator[Finding]:
    from pokewatch.deploy.records import DeployRecords
    from pokewatch.deploy.versions import version_of
    from pokewatch.registry import CHALLENGER, CHAMPION

    name = f"deploy{_of(registry)}"
    champion = version_of(registry, CHAMPION)
    # Without either there was no deploy. Where there is no registry, the records would create it.
    begun = champion or version_of(registry, CHALLENGER)
    newest = DeployRecords(registry).newest() if begun else []
    unfinished = [record for record in reversed(newest) if not record.outcome]
    for record in unfinished:
        yield Finding(name, "warning", f"{record}, {_state(record, champion)}", _UNFINISHED)
    if not unfinished and newest and newest[0].champion != (champion or ""):
        left = newest[0].champion or "none"
        detail = (
            f"version {champion or 'none'} is champion, but the last deploy ended with version "
            f"{left}"
        )
        yield Finding(name, "warning", detail, "the alias was moved by hand: deploy or roll back")
    elif not unfinished:
        ended = f"; the last one: {_ended(newest[0])}" if newest else ""
        yield Finding(name, "ok", f"none is running{ended}")


def _servers(registry: "Registry") -> Iterator[Finding]:
    """Yield the MLServers that run and do not serve the champion."""
    import httpx

    from pokewatch.contract import fair_price_model
    from pokewatch.deploy.addresses import replica_addresses
    from pokewatch.deploy.reload import is_foreign, other_versions
    from pokewatch.deploy.versions import version_of
    from pokewatch.registry import CHAMPION

    champion = version_of(registry, CHAMPION)
    if champion is None:
        return
    addresses = replica_addresses(ServingSettings.read().addresses(registry.branch))
    model = fair_price_model(registry.market)
    with httpx.Client(timeout=_ANSWERS_WITHIN) as client:
        own = [each for each in addresses if not is_foreign(client, each, registry)]
        for text in other_versions(client, champion, own, model):
            remedy = (
                "unless it is just starting, restart it, or run the pipeline or pokewatch "
                "rollback: a deploy reloads every MLServer"
            )
            yield Finding(f"server{_of(registry)}", "warning", text, remedy)


def _ended(record: "DeployRecord") -> str:
    """Describe how a deploy ended: its outcome, and the reason for one that was undone."""
    from pokewatch.deploy.records import DEPLOYED

    said = (record.decision, record.outcome)
    return "; ".join(text for text in said if text not in ("", DEPLOYED))


def _state(record: "DeployRecord", champion: str | None) -> str:
    """Describe how far an unfinished deploy got, and which version is champion."""
    how = "was killed" if record.owner.is_gone else "has not ended"
    if record.before is None:
        return f"{how}: no alias was moved, version {champion or 'none'} is champion"
    former = record.before.champion or "none"
    which = "the new" if champion == record.target else "the old"
    return f"{how}: {which} version, {champion or 'none'}, is champion; it was {former} before"
