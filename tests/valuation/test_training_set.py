from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pokewatch.valuation.features import stream_features
from pokewatch.valuation.jumps import Jumps
from pokewatch.valuation.training_set import (
    MIN_TRAINING_DAYS,
    SampledRows,
    TrainingSet,
    build_training_set,
    card_keys,
    concatenate,
    mix_bits,
    sample,
    settled,
    training_date,
    training_date_of,
    training_days,
    training_days_of,
    training_rows,
    without_errors,
)
from tests.valuation.panels import START, market_like, panel_of


def dates(days: int) -> np.ndarray:
    return START + np.arange(days)


@given(days=st.integers(1, 900), horizon=st.integers(1, 60))
def test_every_training_day_has_a_known_outcome(days: int, horizon: int) -> None:
    found = training_days(dates(days), horizon)
    assert found == sorted(set(found))
    assert len(found) <= 96
    assert all(day >= 0 and day + horizon <= days - 1 for day in found)
    if days > horizon * 2 + 96:
        assert len(found) >= 12


@given(days=st.integers(1, 900), more=st.integers(0, 100))
def test_the_training_date_does_not_depend_on_later_days(days: int, more: int) -> None:
    day = days - 1
    assert training_date(dates(days)) == training_date(dates(days + more)[: day + 1])
    assert 0 <= day - training_date(dates(days)) < 28


def test_models_are_trained_daily_at_first_and_rarely_later() -> None:
    trained = [training_date(dates(days)) for days in range(1, 600)]
    assert trained == sorted(trained)
    assert trained[:42] == list(range(42))
    assert {
        later - earlier
        for earlier, later in zip(
            sorted(set(trained))[-10:], sorted(set(trained))[-9:], strict=False
        )
    } == {28}


@given(days=st.integers(20, 500), horizon=st.integers(1, 60), changed=st.integers(-5, 500))
@example(days=197, horizon=1, changed=1)  # a shorter history is trained on more often, not later
def test_after_a_market_change_all_training_days_are_from_after_it(
    days: int, horizon: int, changed: int
) -> None:
    panel = panel_of(np.ones((days, 1)))
    start = panel.dates[0] + changed
    known = replace(panel, changed=start.item())
    day = days - 1
    on, before = training_date_of(known, day, horizon), training_date_of(panel, day, horizon)
    restarts = 0 < changed <= day + 1 - horizon - MIN_TRAINING_DAYS
    assert changed <= on <= day if restarts else on == before
    if 0 < changed <= on + 1 - horizon - MIN_TRAINING_DAYS:
        assert min(training_days_of(known, on, horizon)) >= changed
    else:
        assert training_days_of(known, on, horizon) == training_days(panel.dates[: on + 1], horizon)
    assert all(each + horizon <= on for each in training_days_of(known, on, horizon))


def test_a_value_is_unsettled_around_a_market_change() -> None:
    panel = panel_of(np.ones((60, 1)))
    found = [
        day
        for day in range(60)
        if not settled(replace(panel, changed=panel.dates[30].item()), day, 7)
    ]
    assert found == list(range(23, 30 + 7 + MIN_TRAINING_DAYS - 1))
    for changed in (None, panel.dates[0].item()):
        assert all(settled(replace(panel, changed=changed), day, 7) for day in range(60))


def test_rows_are_cards_quoted_on_both_days() -> None:
    prices = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, 3.0], [2.0, 4.0, 3.0]])
    training_set = build_training_set(panel_of(prices), 2, [0])
    assert training_set.card.tolist() == [0, 1]
    np.testing.assert_allclose(training_set.target, np.log([2.0, 2.0]))
    assert training_set.renewed.tolist() == [True, True]


def test_a_repeated_quote_is_not_renewed() -> None:
    assert build_training_set(panel_of([[1.0], [1.0], [1.0]]), 1, [0, 1]).renewed.tolist() == [
        False,
        False,
    ]


def test_no_days_give_no_rows() -> None:
    training_set = build_training_set(panel_of(market_like(5, 4)), 2, [])
    assert len(training_set) == 0
    assert training_set.values.shape == (0, concatenate([]).values.shape[1])


def test_row_selection_depends_on_card_and_day_alone() -> None:
    panel = panel_of(np.tile(np.arange(1.0, 41.0), (10, 1)) + np.arange(10)[:, None])
    selected = []
    for day in (2, 3):
        found = training_rows(
            panel, card_keys(panel.card_id), 3, next(stream_features(panel, [day])), max_rows=20
        )
        half = panel.select(np.isin(np.arange(40), found.card) | (np.arange(40) % 2 == 0))
        again = training_rows(
            half, card_keys(half.card_id), 3, next(stream_features(half, [day])), max_rows=20
        )
        assert set(panel.card_id[found.card]) == set(half.card_id[again.card])
        selected.append(set(found.card.tolist()))
    assert len(selected[0]) == len(selected[1]) == 20
    assert selected[0] != selected[1]


def test_a_cards_key_is_the_same_everywhere() -> None:
    assert card_keys(np.array(["tcgplayer-1-normal", "c000"])).tolist() == [2540547985, 2704930001]


def test_too_many_rows_are_sampled_evenly() -> None:
    training_set = build_training_set(
        panel_of(np.tile(np.arange(1.0, 101.0), (30, 1))), 3, list(range(20))
    )
    few = sample(training_set, 500)
    assert len(few) == 500
    assert len(np.unique(few.day)) == 20
    assert len(np.unique(few.card)) > 95
    assert sample(training_set, 2000) is training_set


def test_of_equal_keys_the_first_are_sampled() -> None:
    found = build_training_set(panel_of(np.tile(np.arange(1.0, 9.0), (9, 1))), 3, [2])
    keys = np.array([5, 1, 5, 9, 5, 5, 0, 5], dtype=np.uint32) - found.day.astype(np.uint32)
    repeated = replace(found, key=keys)
    order = np.argsort(mix_bits(keys + found.day.astype(np.uint32)), kind="stable")
    for rows in range(1, 8):
        expected = np.sort(order[:rows])
        np.testing.assert_array_equal(sample(repeated, rows).card, found.card[expected])


def test_a_sample_of_many_days_needs_not_all_their_rows() -> None:
    prices = np.tile(np.arange(1.0, 101.0), (60, 1))
    days = [build_training_set(panel_of(prices), 3, [day]) for day in range(50)]
    found = SampledRows(300)
    for rows in days:
        found.add(rows)
        assert sum(map(len, found._parts)) <= 600
    expected = sample(concatenate(days), 300)
    for field in fields(TrainingSet):
        np.testing.assert_array_equal(
            getattr(found.all(), field.name), getattr(expected, field.name)
        )


@given(
    spans=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 25), st.integers(1, 6)), max_size=12)
)
def test_rows_whose_quote_or_outcome_is_an_error_are_left_out(
    spans: list[tuple[int, int, int]],
) -> None:
    training_set = build_training_set(panel_of(market_like(30, 5)), 3, list(range(25)))
    card, start, length = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    no = np.zeros(len(card))
    errors = Jumps(card, start, start + length, no > 0, no, no, no > 0)
    found = without_errors(training_set, errors, 3)
    kept = [
        row
        for row, (of, day) in enumerate(
            zip(training_set.card.tolist(), training_set.day.tolist(), strict=True)
        )
        if not any(
            of == each and (first <= day < first + days or first <= day + 3 < first + days)
            for each, first, days in spans
        )
    ]
    np.testing.assert_array_equal(found.key, training_set.key[kept])
    np.testing.assert_array_equal(found.day, training_set.day[kept])


def test_rows_can_be_chosen() -> None:
    training_set = build_training_set(panel_of(market_like(20, 10)), 3, [5, 6])
    chosen = training_set.select(training_set.day == 6)
    assert set(chosen.day.tolist()) == {6}
    assert len(chosen.values) == len(chosen.target) == len(chosen)


def test_a_target_beyond_the_panel_raises() -> None:
    with pytest.raises(IndexError):
        build_training_set(panel_of(market_like(5, 3)), 3, [3])
