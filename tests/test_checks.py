"""Checks: their results in words, and the failed ones in one line."""

import pytest

from pokewatch.checks import Check, failures


@pytest.mark.parametrize(
    ("passed", "judged", "result"),
    [
        (True, True, "passed"),
        (False, True, "failed"),
        (True, False, "not judged"),
        (False, False, "failed"),
    ],
)
def test_only_what_was_judged_has_passed(passed: bool, judged: bool, result: str) -> None:
    assert Check("days", "15", "3", passed, "of prices", judged).result == result


def test_the_failures_say_what_was_wanted() -> None:
    checks = [
        Check("mape", "15", "20", False, "error"),
        Check("days", "15", "30", True, "of prices"),
        Check("rows", "500", "1", False, "judged"),
    ]
    assert failures(checks) == "mape is 20, wanted 15 (error); rows is 1, wanted 500 (judged)"
    assert failures(checks[1:2]) == ""
