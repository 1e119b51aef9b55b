"""Registering a book once: the same run and data give one version, however often it is attempted.

The version is the last thing written, after the run and its artifacts are complete, so an attempt
that was killed leaves a whole version, a whole run that only lacks one, or a run nobody refers to.
"""

import hashlib

from pokewatch.registry import RegisteredModel, Registry

REGISTRATION = "registration"  # tag of a run and of its version
DIGEST = "digest"  # tag of a run, too: the book among its artifacts


def registration_of(run: str, *parts: object) -> str:
    """Return what identifies the registration of a flow's run; "" where there is no run to tell."""
    if not run:
        return ""
    return hashlib.sha256("\n".join(map(str, (run, *parts))).encode()).hexdigest()


def registered(registry: Registry, registration: str) -> RegisteredModel | None:
    """Return the version of an earlier attempt; a run logged to its end is given its version."""
    if not registration:
        return None
    if found := _versions(registry, registration):
        return found[0]
    with registry.client("the runs cannot be searched") as client:
        experiment = client.get_experiment_by_name(registry.name)
        if experiment is None:
            return None
        wanted = f"tags.{REGISTRATION} = '{registration}' and attributes.status = 'FINISHED'"
        runs = client.search_runs([experiment.experiment_id], wanted)
    if not runs:
        return None
    return register_once(registry, runs[0].info.run_id, runs[0].data.tags[DIGEST])


def register_once(registry: Registry, run_id: str, digest: str) -> RegisteredModel:
    """Register a run's book; where another attempt was first, return that one's version."""
    made = registry.register(run_id, digest)
    registration = made.tags.get(REGISTRATION)
    if not registration:
        return made
    first = _versions(registry, registration)[0]
    if first.version != made.version:
        with registry.client(f"model version {made.version} cannot be deleted") as client:
            client.delete_model_version(registry.name, made.version)
    return first


def _versions(registry: Registry, registration: str) -> list[RegisteredModel]:
    """Return the versions of one registration, the first one first."""
    return registry.versions(f"tags.{REGISTRATION} = '{registration}'")[::-1]
