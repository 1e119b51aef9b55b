from dataclasses import replace

from pokewatch.checks import Check
from pokewatch.pipeline.model_card import model_card
from pokewatch.registry import LAST_DAY, RegisteredModel
from tests.serving.books import FACTS

MODEL = RegisteredModel("12", "r" * 32, "d" * 64, "dv-1", {LAST_DAY: "2026-02-28"})
CHECKS = [Check("mape", "<= 15%", "4.2% | 5%", True, "mean error")]
EVALUATION = {
    "rmae_last": 0.9123456,
    "rmae_last_ci": [0.85, 0.97],
    "mape": None,
    "dataset_size": 12345,
    "model": "local_level",
}


def test_the_card_has_origin_scores_and_checks() -> None:
    card = model_card(MODEL, FACTS, EVALUATION, CHECKS)
    for line in (
        "# Fair prices of trading cards, version 12",
        "Its prices are those of a simulated market, not of a real one.",
        "| prices | simulated, to 2026-02-28 |",
        "| price book (SHA-256) | " + "d" * 64 + " |",
        "| error relative to that of the last price (below 1 is better) | 0.9123 [0.85, 0.97] |",
        "| card-days evaluated | 12,345 |",
        "| mape | 4.2% / 5%, wanted <= 15%: passed |",
    ):
        assert line in card.splitlines(), line
    assert "mean absolute percentage error" not in card, "it was not measured"


def test_a_real_market_and_a_model_without_evaluation_are_named_so() -> None:
    remark = "registered without evaluation: 3 days of prices, 15 are needed"
    card = model_card(MODEL, replace(FACTS, source="tcgcsv", not_evaluated=remark), {}, [])
    assert "simulated" not in card
    assert f"The model was {remark}." in card
