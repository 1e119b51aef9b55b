import json
import re

import pytest

from pokewatch.errors import ExperimentError
from pokewatch.experiments.results import compared, document_of, parse_document
from tests.experiments.standings import day_result


def test_results_come_back_as_they_were_stored() -> None:
    days = [day_result(0, 0.25), day_result(1, None), day_result(2, None, excluded="late")]
    document = json.loads(json.dumps(document_of(days)))
    assert parse_document(document) == days


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"version": 2}, "experiment format 2; this PokeWatch reads 1", id="newer"),
        pytest.param({"days": [{}]}, "not the results of an experiment: KeyError", id="no fields"),
        pytest.param({"days": [{"odd": 1}]}, "unknown field odd", id="another field"),
        pytest.param({"days": 3}, "not the results of an experiment: TypeError", id="no list"),
    ],
)
def test_a_document_of_another_form_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(message)):
        parse_document(document_of([]) | change)
    with pytest.raises(ExperimentError, match="not the results of an experiment"):
        parse_document(None)


def test_days_that_can_be_compared_are_in_order() -> None:
    days = [day_result(3, 0.1), day_result(1, 0.2), day_result(2, None, excluded="late")]
    assert compared(days) == [days[1], days[0]]
