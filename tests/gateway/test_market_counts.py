from prometheus_client import CollectorRegistry, generate_latest

from pokewatch.gateway.market_counts import CountsByMarket


def test_all_values_of_a_market_start_at_0() -> None:
    counts = CountsByMarket("looked_up", "Look-ups.", "result", ("hit", "miss"))
    registry = CollectorRegistry()
    registry.register(counts)
    counts.of("a")["miss"] += 2
    counts.of("a").update(["miss"])
    counts.of("")
    lines = [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]
    assert sorted(lines) == [
        'looked_up_total{market="",result="hit"} 0.0',
        'looked_up_total{market="",result="miss"} 0.0',
        'looked_up_total{market="a",result="hit"} 0.0',
        'looked_up_total{market="a",result="miss"} 3.0',
    ]
