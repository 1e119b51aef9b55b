"""Sums and equations of regressions, whose last digits do not depend on the machine.

Those of `np.linalg.solve` and of a matrix product depend on the machine's BLAS kernel and on the
number of rows, and with them every forecast and interval would: sums are by `einsum` or term by
term instead.
"""

from collections.abc import Sequence

import numpy as np

from pokewatch.valuation.panel import Floats


def weighted_sum(terms: Sequence[Floats], weights: Floats) -> Floats:
    """Return the sum of `terms` [k, m], each times its weight, [m]."""
    total, product = np.zeros(len(terms[0])), np.empty(len(terms[0]))
    for term, weight in zip(terms, weights.tolist(), strict=True):
        total += np.multiply(term, weight, out=product)
    return total


def weighted_products(rows: Floats, weights: Floats) -> Floats:
    """Return the weighted sums of products of each two `rows` [n, m], which are symmetric."""
    products = np.empty((len(rows), len(rows)))
    for number, row in enumerate(rows):
        sums = np.einsum("jm,m->j", rows[number:], row * weights)
        products[number, number:] = products[number:, number] = sums
    return products


def solve(matrix: Floats, right: Floats) -> Floats:
    """Solve `matrix` x = `right` by Gauss-Jordan elimination; positive definite: no pivoting."""
    rows = np.column_stack((matrix, right))
    for number in range(len(rows)):
        rows[number] /= rows[number, number]
        others = np.arange(len(rows)) != number
        rows[others] -= rows[others, number, None] * rows[number]
    return rows[:, -1]
