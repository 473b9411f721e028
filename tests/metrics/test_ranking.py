from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from germane.metrics import average_precision, hit, mrr, ndcg, precision, rank_of, recall

QUERIES, ITEMS = 60, 40


@pytest.fixture(scope="module")
def judged() -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Scores without ties, relevance [queries, items], hits in order of score, number of relevant items."""
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(float(ITEMS)), (QUERIES, 1)), axis=1)
    relevance = rng.random((QUERIES, ITEMS)) < rng.uniform(0.02, 0.5, (QUERIES, 1))
    relevance[np.arange(QUERIES), rng.integers(0, ITEMS, QUERIES)] = True
    hits = np.take_along_axis(relevance, np.argsort(-scores, axis=1), axis=1)
    return scores, relevance, hits, relevance.sum(axis=1)


@pytest.mark.parametrize("k", [1, 5, 10, 30, 40])
def test_equal_to_trec_eval(judged: tuple[NDArray, ...], k: int) -> None:
    scores, relevance, hits, relevant = judged
    truth = {f"q{q:03d}": {f"i{i}": int(relevance[q, i]) for i in range(ITEMS)} for q in range(QUERIES)}
    run = {f"q{q:03d}": {f"i{i}": float(scores[q, i]) for i in range(ITEMS)} for q in range(QUERIES)}
    measures = {f"ndcg_cut.{k}", f"recall.{k}", f"P.{k}", f"map_cut.{k}", f"success.{k}", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)

    def column(name: str) -> NDArray[np.float64]:
        return np.array([theirs[f"q{q:03d}"][name] for q in range(QUERIES)])

    np.testing.assert_allclose(ndcg(hits, relevant, k), column(f"ndcg_cut_{k}"), atol=1e-6)
    np.testing.assert_allclose(recall(hits, relevant, k), column(f"recall_{k}"), atol=1e-6)
    np.testing.assert_allclose(precision(hits, k), column(f"P_{k}"), atol=1e-6)
    np.testing.assert_allclose(average_precision(hits, relevant, k), column(f"map_cut_{k}"), atol=1e-6)
    np.testing.assert_allclose(hit(hits, k), column(f"success_{k}"), atol=1e-6)
    np.testing.assert_allclose(mrr(hits, ITEMS), column("recip_rank"), atol=1e-6)


@pytest.mark.parametrize("k", [1, 10, 40])
def test_equal_to_scikit_learn(judged: tuple[NDArray, ...], k: int) -> None:
    scores, relevance, hits, relevant = judged
    assert ndcg(hits, relevant, k).mean() == pytest.approx(ndcg_score(relevance, scores, k=k), abs=1e-6)


def test_known_answers() -> None:
    hits = np.array([[False, True, False, True], [False, False, False, False], [True, True, True, True]])
    relevant = np.array([3, 2, 4])
    np.testing.assert_allclose(recall(hits, relevant, 4), [2 / 3, 0, 1])
    np.testing.assert_allclose(precision(hits, 3), [1 / 3, 0, 1])
    np.testing.assert_allclose(precision(hits, 8), [2 / 8, 0, 4 / 8])
    np.testing.assert_allclose(mrr(hits, 4), [1 / 2, 0, 1])
    np.testing.assert_allclose(mrr(hits, 1), [0, 0, 1])
    np.testing.assert_allclose(hit(hits, 1), [0, 0, 1])
    np.testing.assert_allclose(average_precision(hits, relevant, 4), [(1 / 2 + 2 / 4) / 3, 0, 1])
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    np.testing.assert_allclose(ndcg(hits, relevant, 4), [(1 / np.log2(3) + 1 / np.log2(5)) / ideal, 0, 1])


def test_one_target_needs_its_rank_only() -> None:
    scores = np.random.default_rng(0).random((30, 20))
    targets = np.arange(30) % 20
    ranks = rank_of(scores, targets)
    hits = np.argsort(-scores, axis=1) == targets[:, None]
    assert np.array_equal(hits.argmax(axis=1) + 1, ranks)
    np.testing.assert_allclose(ndcg(hits, np.ones(30, dtype=int), 10), np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0))


def test_ties_count_against_the_target() -> None:
    scores = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0], [-np.inf, 0.0, -np.inf], [0.0, -np.inf, -np.inf]])
    assert rank_of(scores, np.array([0, 2, 2, 0])).tolist() == [3, 3, 3, 1]


def test_no_queries_and_short_lists() -> None:
    nothing = np.zeros((0, 5), dtype=bool)
    assert ndcg(nothing, np.zeros(0, dtype=int), 5).shape == hit(nothing, 5).shape == (0,)
    assert rank_of(np.zeros((0, 3)), np.zeros(0, dtype=int)).shape == (0,)
    empty = np.zeros((2, 0), dtype=bool)
    assert mrr(empty, 5).tolist() == ndcg(empty, np.array([1, 0]), 5).tolist() == [0, 0]


def test_bad_input() -> None:
    hits = np.array([[True, False]])
    with pytest.raises(ValueError, match="k = 0"):
        hit(hits, 0)
    with pytest.raises(ValueError, match="booleans"):
        precision(np.array([[1, 0]]), 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="booleans"):
        hit(np.array([True]), 1)
    with pytest.raises(ValueError, match="one number of relevant items a query"):
        recall(hits, np.array([1, 2]), 1)
    with pytest.raises(ValueError, match="more hits than relevant"):
        ndcg(hits, np.array([0]), 1)
    with pytest.raises(ValueError, match="NaN"):
        rank_of(np.array([[0.0, np.nan]]), np.array([0]))
    with pytest.raises(ValueError, match="one target a query"):
        rank_of(np.zeros((2, 3)), np.array([0]))


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 5), st.integers(1, 15))
def test_every_figure_lies_between_0_and_1_and_earlier_is_better(row: list[bool], more: int, k: int) -> None:
    hits = np.array([row, sorted(row, reverse=True)])
    relevant = np.full(2, sum(row) + more)
    for values in (
        ndcg(hits, relevant, k),
        recall(hits, relevant, k),
        precision(hits, k),
        average_precision(hits, relevant, k),
        mrr(hits, k),
        hit(hits, k),
    ):
        assert 0 <= values[0] <= values[1] + 1e-12 and values[1] <= 1 + 1e-12
