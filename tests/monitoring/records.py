"""Cases of the recording rules on synthetic series."""

from tests.monitoring.series import (
    HOURS,
    TENS,
    Record,
    answers,
    covered,
    evaluated,
    evaluated_coverage,
    look_back,
    mlserver,
    requests,
    times,
)

_HOUR = 3600

_WINDOWS = {"5m": (10, 1), "30m": (40, 1), "1h": (70, 1), "6h": (37, TENS), "3d": (72, HOURS)}
_TWO_MODELS = {
    **covered(0.89, 0.91),
    **evaluated_coverage(0.86, 0.9),
    **mlserver("pokewatch_evaluation", "0.87x120", "m2", metric="coverage_90"),
    **mlserver("pokewatch_evaluation", "0.95x120", "m2", metric="renewed_coverage_90_low"),
}
_MANY_AND_FEW = {  # the figures of m2 are of 400 answers
    **look_back("n", "600x10"),
    **mlserver("pokewatch_monitoring", "400x10", "m2", metric="n"),
}
RECORDS = (
    Record(
        "pokewatch:coverage_90:ratio",
        covered(0.88, 0.92)
        | mlserver("pokewatch_monitoring", "0.5x10", "m2", metric="interval_coverage")
        | mlserver("pokewatch_monitoring", "400x10", "m2", metric="interval_coverage_n"),
        5,
        {'{market="simulated-0",measured="live"}': 0.9},
    ),
    Record(
        "pokewatch:rmae_last:ratio",
        _MANY_AND_FEW
        | look_back("rmae_last", "0.9x10")
        | mlserver("pokewatch_monitoring", "2x10", "m2", metric="rmae_last"),
        5,
        {'{market="simulated-0",measured="live"}': 0.9},
    ),
    Record("pokewatch:answers_6h:ratio", answers((5, 5, 40), (5, 5, 40)), 168, {}, HOURS),
    *(
        Record(f"pokewatch:gateway_errors:ratio_rate{w}", requests(98, 2, n), n, {"{}": 0.02}, step)
        for w, (n, step) in _WINDOWS.items()
    ),
    *(
        Record(f"pokewatch:gateway_slow:ratio_rate{w}", times(75, 25, n), n, {"{}": 0.25}, step)
        for w, (n, step) in _WINDOWS.items()
    ),
    Record(
        "pokewatch:data_age:seconds",
        mlserver("pokewatch_book_last_day_timestamp_seconds", "0x25")
        | mlserver("pokewatch_book_last_day_timestamp_seconds", "-3600x25", market="b"),
        25,
        {'{market="b"}': 2 * _HOUR, '{market="simulated-0"}': _HOUR},
        HOURS,
    ),
    Record(
        "pokewatch:book_age:seconds",
        mlserver("pokewatch_book_created_timestamp_seconds", "600x60"),
        60,
        {'{market="simulated-0"}': _HOUR - 600},
    ),
    Record(
        "pokewatch:coverage_90:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.9,
            '{market="simulated-0",measured="evaluation"}': 0.88,
        },
    ),
    Record(
        "pokewatch:renewed_coverage_90_low:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.89,
            '{market="simulated-0",measured="evaluation"}': 0.86,
        },
    ),
    Record(
        "pokewatch:coverage_90_high:ratio",
        _TWO_MODELS,
        5,
        {
            '{market="simulated-0",measured="live"}': 0.91,
            '{market="simulated-0",measured="evaluation"}': 0.9,
        },
    ),
    Record(
        "pokewatch:rmae_last:ratio",
        {**look_back("rmae_last", "0.9x10"), **evaluated("rmae_last", 0.8)},
        5,
        {
            '{market="simulated-0",measured="live"}': 0.9,
            '{market="simulated-0",measured="evaluation"}': 0.8,
        },
    ),
    Record(
        "pokewatch:answers_6h:ratio",
        answers((10, 10, 80), (10, 10, 80)),
        168,
        {'{signal="BUY"}': 0.1, '{signal="SELL"}': 0.1, '{signal="HOLD"}': 0.8},
        HOURS,
    ),
)
