"""The gateway with spans and events on, against off: python -m tests.bench.tracing [--seconds 8]

One MLServer, without spans; four gateways with the answer cache off, so that each request is a span
of its own and, but for shared calls, two of requests to the models. The collector is on the same
machine.
"""

import argparse
import sys

from tests.bench.gateway import Rounds, Target, bench_servers, report
from tests.tracing.collector import collecting


def measure(seconds: int) -> list[Target]:
    with collecting() as collector, bench_servers() as servers:
        spans = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        sampled = spans | {
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.01",
        }
        settings = {
            "off": {},
            "all spans": spans,
            "1% of spans": sampled,
            "events": {"POKEWATCH_EVENTS": "1"},
        }
        urls = {
            name: servers.start_gateway(POKEWATCH_ANSWER_CACHE="0", **each)
            for name, each in settings.items()
        }
        found = Rounds(urls, 64, seconds, servers.key)
        print(f"spans received: {len(collector.spans):,}", flush=True)
    return [
        Target("all spans / off", found.ratio("all spans", "off"), 0.3),
        Target("1% of spans / off", found.ratio("1% of spans", "off"), 0.5),
        Target("events / off", found.ratio("events", "off"), 0.8),
        Target("errors", sum(map(found.errors, urls)), 0, at_most=True),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="seconds of each load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
