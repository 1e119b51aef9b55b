"""Cases of the alerts about prices and runs: k8s/monitoring/rules/data.yaml."""

from tests.monitoring.series import HOURS, MARKET, Case, canary_stops, mlserver, served, served_b

DATA = (
    # Negative times: the test starts 36 hours after the day's end, 30 after the book was made.
    Case(
        "StaleData",
        "too old for four minutes",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "-216000x20"),
        4,
    ),
    Case(
        "StaleData",
        "too old for ten minutes",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "-216000x20"),
        10,
        MARKET,
        "1d 12h 10m 0s",
    ),
    Case(
        "PipelineMissing",
        "too old for four minutes",
        mlserver("pokewatch_book_created_timestamp_seconds", "-108000x20"),
        4,
    ),
    Case(
        "PipelineMissing",
        "too old for ten minutes",
        mlserver("pokewatch_book_created_timestamp_seconds", "-108000x20"),
        10,
        MARKET,
        "1d 6h 10m 0s",
    ),
    Case(
        "BookRefused",
        "a load failed two hours ago",
        mlserver("pokewatch_book_loads_total", "0x10 1x150", outcome="refused"),
        130,
    ),
    Case(
        "CanaryStopped",
        "two hours ago",
        canary_stops("0x10 1x150"),
        130,
    ),
    # Time begins at 0 here: a book of that moment is as old as the test.
    Case(
        "StaleData",
        "the newest day ended 38 hours ago",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70"),
        62,
        MARKET,
        "1d 14h 0m 0s",
        HOURS,
    ),
    Case(
        "StaleData",
        "the newest day ended 35 hours ago",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70"),
        59,
        step=HOURS,
    ),
    Case(
        "StaleData",
        "one replica still has old data",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "86400x70", instance="m2"),
        62,
        step=HOURS,
    ),
    Case(
        "StaleData",
        "one market has old data, the other new",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x70")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "86400x70", market="b"),
        62,
        MARKET,
        "1d 14h 0m 0s",
        HOURS,
    ),
    Case("ReplicasDisagree", "two markets of a replica", served(m1="7") | served_b("8"), 15),
    Case(
        "PipelineMissing",
        "the last book is 32 hours old",
        mlserver("pokewatch_book_created_timestamp_seconds", "0x40"),
        32,
        MARKET,
        "1d 8h 0m 0s",
        HOURS,
    ),
    Case(
        "PipelineMissing",
        "the last book is 29 hours old",
        mlserver("pokewatch_book_created_timestamp_seconds", "0x40"),
        29,
        step=HOURS,
    ),
    Case(
        "BookRefused",
        "a load failed",
        mlserver("pokewatch_book_loads_total", "0x10 1x30", outcome="refused"),
        20,
        {},
        "1",
    ),
    Case(
        "BookRefused",
        "a load failed long ago, others succeed",
        mlserver("pokewatch_book_loads_total", "3x90", outcome="refused")
        | mlserver("pokewatch_book_loads_total", "0+1x90", outcome="served"),
        80,
    ),
    Case(
        "CanaryStopped",
        "a gateway stopped one",
        canary_stops("0x10 1x30"),
        20,
        MARKET,
        "1",
    ),
    Case(
        "ReplicasDisagree",
        "two versions for a quarter of an hour",
        served(m1="7", m2="8"),
        15,
        MARKET,
        "2",
    ),
    Case("ReplicasDisagree", "two versions for five minutes", served(m1="7", m2="8"), 5),
    Case("ReplicasDisagree", "two replicas of one version", served(m1="8", m2="8"), 15),
    Case(
        "MonitoringMissing",
        "the last look back was five days ago",
        mlserver("pokewatch_monitoring_day_timestamp_seconds", "0x130"),
        5 * 24,
        MARKET,
        "5d 0h 0m 0s",
        HOURS,
    ),
    Case(
        "MonitoringMissing",
        "the last look back was three days ago",
        mlserver("pokewatch_monitoring_day_timestamp_seconds", "0x130"),
        3 * 24,
        step=HOURS,
    ),
)
