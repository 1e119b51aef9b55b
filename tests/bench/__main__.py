"""All measurements behind the figures in the documents: `make bench`."""

import importlib

MEASURES = ("pipeline", "valuation", "serving", "gateway", "soak", "fairness", "keys")

for name in MEASURES:
    print(f"== {name}", flush=True)
    importlib.import_module(f"tests.bench.{name}").main()
