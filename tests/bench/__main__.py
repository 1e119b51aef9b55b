"""The benchmarks behind the figures in the documentation: `make bench`."""

import importlib

MEASURES = (
    *("pipeline", "valuation", "serving", "gateway", "pages", "collection", "soak", "fairness"),
    *("keys", "portfolios", "watches", "markets", "in_process", "tracing"),
)

for name in MEASURES:
    print(f"== {name}", flush=True)
    importlib.import_module(f"tests.bench.{name}").main()
