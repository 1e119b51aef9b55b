"""How soon a revoked key is refused everywhere, and what the time of a refusal tells: python -m tests.bench.keys [--rounds 20]

Two gateways, each a process, share one key store. Exits with 1 where a figure misses its target.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from statistics import median

import httpx

from pokewatch.gateway.auth.keys import KeyStore
from tests.bench.gateway import Field, Target, field, report

TRIES = 3_000


def revoked(servers: Field, urls: Sequence[str], rounds: int) -> float:
    """The longest time, in seconds, from a key's revocation to its refusal at the slowest gateway."""
    store = KeyStore(servers.home / "keys.sqlite")
    times = []
    with httpx.Client() as client:

        def statuses(key: str) -> set[int]:
            return {
                client.get(f"{url}/cards?limit=1", headers={"X-API-Key": key}).status_code
                for url in urls
            }

        for number in range(rounds):
            made = store.create(f"round {number}", rate="none")
            assert statuses(made.key) == {200}, "a key works from the moment it is made"
            time.sleep(
                number / rounds / 4
            )  # at any point of the time between two looks at the store
            store.revoke(made.id)
            at = time.perf_counter()
            while statuses(made.key) != {401}:
                pass
            times.append(time.perf_counter() - at)
    return max(times)


def refused(servers: Field, url: str) -> float:
    """The median time that a wrong secret of a known key takes, over that of a key nobody knows; the two in turn."""
    known = servers.key[:16] + "x" * (len(servers.key) - 16)
    unknown = known.replace(servers.key[3:15], "0" * 12)
    times: dict[str, list[float]] = {known: [], unknown: []}
    with httpx.Client(base_url=url) as client:
        for _ in range(TRIES):
            for key, found in times.items():
                started = time.perf_counter()
                assert client.get("/cards?limit=1", headers={"X-API-Key": key}).status_code == 401
                found.append(time.perf_counter() - started)
    return median(times[known]) / median(times[unknown])


def measured(rounds: int) -> list[Target]:
    with field() as servers:
        urls = [servers.gateway(POKEWATCH_FAILED_KEY_RATE="none") for _ in range(2)]
        slowest = revoked(servers, urls, rounds)
        ratio = refused(servers, urls[0])
    return [
        Target("a revoked key is refused everywhere, s", slowest, 1, at_most=True),
        Target(
            "refusing a known key's wrong secret / an unknown key: most", ratio, 1.03, at_most=True
        ),
        Target("refusing a known key's wrong secret / an unknown key: least", ratio, 0.97),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many keys are revoked")
    return report(measured(parser.parse_args(arguments).rounds))


if __name__ == "__main__":
    sys.exit(main())
