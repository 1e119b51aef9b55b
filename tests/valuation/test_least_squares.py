import numpy as np
import pytest

from pokewatch.valuation.least_squares import solve, weighted_products, weighted_sum


@pytest.mark.parametrize("size", [1, 2, 9])
def test_equations_are_solved_as_numpy_solves_them(size: int) -> None:
    rng = np.random.default_rng(size)
    terms = rng.normal(size=(size, 50)) * np.logspace(-2, 2, size)[:, None]
    matrix, right = terms @ terms.T + np.eye(size), rng.normal(size=size)
    original = matrix.copy()
    np.testing.assert_allclose(solve(matrix, right), np.linalg.solve(matrix, right), rtol=1e-9)
    np.testing.assert_array_equal(matrix, original)


def test_products_are_those_of_matrices() -> None:
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(4, 50)), rng.uniform(0, 2, 50)
    np.testing.assert_allclose(weighted_products(rows, weights), (rows * weights) @ rows.T)


def test_a_sum_does_not_depend_on_the_number_of_rows() -> None:
    rng = np.random.default_rng(0)
    terms, weights = list(rng.normal(size=(5, 1_000))), rng.normal(size=5)
    every = weighted_sum(terms, weights)
    np.testing.assert_allclose(every, np.stack(terms, axis=1) @ weights)
    for rows in (1, 2, 3, 7, 999):
        one = weighted_sum([term[:rows] for term in terms], weights)
        np.testing.assert_array_equal(one, every[:rows])
