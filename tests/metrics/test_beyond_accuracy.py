from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from germane.metrics import coverage, gini, intra_list_diversity, novelty


def test_coverage() -> None:
    assert coverage(np.array([[0, 1], [1, 0]]), 8) == 0.25
    assert coverage(np.array([[-1, -1]]), 8) == 0
    assert math.isnan(coverage(np.zeros((2, 0), dtype=int), 0))


def test_gini() -> None:
    assert gini(np.arange(12).reshape(3, 4), 12) == pytest.approx(0)
    assert gini(np.zeros((10, 1), dtype=int), 100) == pytest.approx(0.99)
    assert gini(np.array([[0, 1], [1, -1]]), 2) == pytest.approx(1 / 6)
    assert math.isnan(gini(np.array([[-1]]), 4))
    rng = np.random.default_rng(0)
    lists = rng.integers(0, 30, (50, 5)) * rng.integers(0, 2, (50, 5))
    shown = np.bincount(lists.ravel(), minlength=30)
    pairs = np.abs(shown[:, None] - shown[None, :]).sum() / (2 * 30 * shown.sum())  # by the definition
    assert gini(lists, 30) == pytest.approx(pairs)


def test_novelty_is_higher_for_rarer_items() -> None:
    counts = np.array([7, 0, 0])  # shares 8/10, 1/10, 1/10
    values = novelty(np.array([[0, -1], [1, 2], [0, 1], [-1, -1]]), counts)
    np.testing.assert_allclose(values[:3], [-np.log2(0.8), -np.log2(0.1), -np.log2(0.08) / 2])
    assert np.isnan(values[3])


def test_diversity_equals_the_mean_over_pairs() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6))
    lists = np.array([rng.permutation(40)[:8] for _ in range(20)])
    lists[0, 5:] = -1
    lists[1, 1:] = -1
    values = intra_list_diversity(lists, vectors)
    for row, value in zip(lists, values):
        there = row[row >= 0]
        if len(there) < 2:
            assert np.isnan(value)
            continue
        alike = cosine_similarity(vectors[there])
        assert value == pytest.approx(1 - alike[~np.eye(len(there), dtype=bool)].mean())
    one, other = np.array([[0, 1]]), np.array([[1.0, 0], [-1, 0]])
    assert intra_list_diversity(one, other)[0] == pytest.approx(2)


def test_an_item_without_a_vector_is_like_no_other() -> None:
    assert intra_list_diversity(np.array([[0, 1, 2]]), np.array([[1.0, 0], [1, 0], [0, 0]]))[0] == pytest.approx(2 / 3)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="codes 0 to 9: the catalogue has 0 to 4"):
        coverage(np.array([[0, 9]]), 5)
    with pytest.raises(ValueError, match="codes -2"):
        gini(np.array([[-2]]), 5)
    with pytest.raises(ValueError, match=r"item codes \[queries, k\]"):
        coverage(np.array([[0.5]]), 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counts are below 0"):
        novelty(np.array([[0]]), np.array([-1]))
    with pytest.raises(ValueError, match="NaN"):
        intra_list_diversity(np.array([[0]]), np.array([[np.nan]]))
