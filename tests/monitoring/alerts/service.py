"""Cases of the alerts about gateways and MLServers: k8s/monitoring/rules/service.yaml."""

from tests.monitoring.series import Case, breaker, mlserver, up

SERVICE = (
    Case("GatewayDown", "the scrape of now failed", up(gateway="1x5 0x10"), 6),
    Case("MLServerDown", "the scrape of now failed", up(mlserver="1x5 0x10"), 6),
    Case("BreakerOpen", "since now", breaker("0x3 2x8"), 5),
    Case(
        "WorkersRestarting",
        "three restarts of a worker in two hours",
        mlserver("pokewatch_runtime_start_time_seconds", "10x30 300x30 600x30 900x30"),
        115,
    ),
    Case(
        "WorkersRestarting",
        "three restarts of a gateway in two hours",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x30 300x30 600x30 900x30"},
        115,
    ),
    Case(
        "WorkersRestarting",
        "one restart of a gateway",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x5 300x15"},
        20,
    ),
    Case("GatewayDown", "the only gateway is down", up(gateway="1x5 0x10", mlserver="1x15"), 9, {}),
    Case("GatewayDown", "there is none to be found", up(mlserver="1x15"), 5, {}),
    Case(
        "GatewayDown",
        "one of two is down",
        {**up(gateway="0x15"), 'up{job="gateway",instance="g2"}': "1x15"},
        9,
    ),
    Case("GatewayDown", "one scrape failed", up(gateway="1x5 0 1x9"), 9),
    Case(
        "MLServerDown", "the only MLServer is down", up(mlserver="1x5 0x10", gateway="1x15"), 9, {}
    ),
    Case(
        "MLServerDown",
        "one of two is down",
        {**up(mlserver="0x15"), 'up{job="mlserver",instance="m2"}': "1x15"},
        9,
    ),
    Case(
        "ReplicaDown",
        "for a quarter of an hour",
        up(mlserver="0x20"),
        15,
        {"job": "mlserver", "instance": "m1"},
    ),
    Case("ReplicaDown", "for five minutes", up(mlserver="1x10 0x5 1x5"), 15),
    Case(
        "BreakerOpen",
        "it opens again after every try",
        breaker("0x3 2 2 1 2 2 2 1 2"),
        9,
        {"upstream": "decision"},
    ),
    Case("BreakerOpen", "for a minute", breaker("0x3 2 0x8"), 6),
    Case("BreakerOpen", "without requests", breaker("0x3 2 1x20"), 20),
    Case(
        "WorkersRestarting",
        "a worker starts three times anew",
        mlserver("pokewatch_runtime_start_time_seconds", "10x5 300x5 600x5 900x5"),
        20,
        {"job": "mlserver", "instance": "m1"},
        "3",
    ),
    Case(
        "WorkersRestarting",
        "a gateway starts three times anew",
        {'process_start_time_seconds{job="gateway",instance="g1"}': "10x5 300x5 600x5 900x5"},
        20,
        {"job": "gateway", "instance": "g1"},
        "3",
    ),
    Case(
        "WorkersRestarting",
        "one restart",
        mlserver("pokewatch_runtime_start_time_seconds", "10x5 300x15"),
        20,
    ),
    Case(
        "KeyGuessing",
        "a hundred a minute",
        {'pokewatch_gateway_keyless_total{job="gateway",instance="g1"}': "0+100x20"},
        15,
        {},
        "1000",
    ),
    Case(
        "KeyGuessing",
        "ten a minute",
        {'pokewatch_gateway_keyless_total{job="gateway",instance="g1"}': "0+10x20"},
        15,
    ),
)
