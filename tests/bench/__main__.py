"""The benchmarks behind the figures in the documentation: `make bench`."""

import importlib
import sys

MEASURES = (
    *("pipeline", "valuation", "serving", "gateway", "canary", "pages", "collection", "soak"),
    *("fairness", "keys", "portfolios", "watches", "markets", "search", "in_process"),
    *("scale", "tracing"),
)

missed = []
for name in MEASURES:
    print(f"== {name}", flush=True)
    if importlib.import_module(f"tests.bench.{name}").main():
        missed.append(name)
if missed:
    sys.exit(f"targets missed: {', '.join(missed)}")
