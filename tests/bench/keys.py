"""Time to revoke a key, and the timing of refusals: python -m tests.bench.keys [--rounds 20]

Two gateway processes share one key store. Exits with 1 if a figure misses its target.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from statistics import median

import httpx

from pokewatch.gateway.auth.keys import KeyStore
from tests.bench.gateway import BenchServers, Target, bench_servers, report

TRIES = 3_000


def revocation_seconds(servers: BenchServers, urls: Sequence[str], rounds: int) -> float:
    """Return the longest time from a revocation until all gateways refuse the key."""
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
            assert statuses(made.key) == {200}, "a new key is valid at once"
            time.sleep(number / rounds / 4)  # at varying times between two polls of the store
            store.revoke(made.id)
            at = time.perf_counter()
            while statuses(made.key) != {401}:
                pass
            times.append(time.perf_counter() - at)
    return max(times)


def refusal_ratio(servers: BenchServers, url: str) -> float:
    """Return the time to refuse a known key's wrong secret over that of an unknown key.

    Both are medians; the two alternate.
    """
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


def measure(rounds: int) -> list[Target]:
    with bench_servers() as servers:
        urls = [servers.start_gateway(POKEWATCH_FAILED_KEY_RATE="none") for _ in range(2)]
        slowest = revocation_seconds(servers, urls, rounds)
        ratio = refusal_ratio(servers, urls[0])
    return [
        Target("a revoked key is refused everywhere, s", slowest, 1, at_most=True),
        Target(
            "refusing a known key's wrong secret / an unknown key: most", ratio, 1.03, at_most=True
        ),
        Target("refusing a known key's wrong secret / an unknown key: least", ratio, 0.97),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="number of keys to revoke")
    return report(measure(parser.parse_args(arguments).rounds))


if __name__ == "__main__":
    sys.exit(main())
