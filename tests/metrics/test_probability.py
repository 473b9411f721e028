from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from germane.metrics import auc, ece, log_loss, normalised_entropy


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 16])  # with many ties, without
def test_equal_to_scikit_learn(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random(500).round(decimals)
    y = rng.random(500) < p
    assert auc(p, y) == pytest.approx(sklearn.metrics.roc_auc_score(y, p), abs=1e-6)
    assert log_loss(p, y) == pytest.approx(sklearn.metrics.log_loss(y, p, labels=[0, 1]), abs=1e-6)


def test_known_answers() -> None:
    assert auc([3, 2, 1], [1, 0, 0]) == 1 and auc([1, 2, 3], [1, 0, 0]) == 0 and auc([5, 5, 5], [1, 0, 1]) == 0.5
    assert log_loss([0.5, 0.5], [0, 1]) == pytest.approx(math.log(2))
    assert log_loss([1.0], [0]) == pytest.approx(-math.log(np.finfo(float).eps))
    assert normalised_entropy([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(1)
    assert normalised_entropy([0.9, 0.1, 0.1, 0.1], [1, 0, 0, 0]) < 0.3
    assert ece([0.0, 0.0, 1.0], [0, 0, 1]) == 0
    assert ece([0.9, 0.9, 0.1, 0.1], [1, 0, 0, 0], bins=2) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_calibrated_predictions_have_little_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    y = rng.random(50_000) < p
    assert ece(p, y) < 0.01 < 0.1 < ece(p**3, y)


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_one_class_is_undefined(y: list[int]) -> None:
    assert math.isnan(auc([0.1, 0.2, 0.3], y))
    assert math.isnan(normalised_entropy([0.1, 0.2, 0.3], y))
    assert math.isfinite(log_loss([0.1, 0.2, 0.3], y))


@pytest.mark.parametrize("figure", [auc, log_loss, ece, normalised_entropy])
def test_bad_input(figure: Callable[..., float]) -> None:
    assert math.isnan(figure([], []))
    with pytest.raises(ValueError, match=r"1 of 2 .* are NaN"):
        figure([0.5, np.nan], [0, 1])
    with pytest.raises(ValueError, match="NaN"):
        figure([0.5, 0.5], [0, np.nan])
    with pytest.raises(ValueError, match=r"2 .* against 3 labels"):
        figure([0.5, 0.5], [0, 1, 1])
    with pytest.raises(ValueError, match="labels are 0 or 1"):
        figure([0.5, 0.5], [1, 2])
    with pytest.raises(ValueError, match="flat array"):
        figure([[0.5, 0.5]], [0, 1])


@pytest.mark.parametrize("figure", [log_loss, ece, normalised_entropy])
def test_probabilities_lie_between_0_and_1(figure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        figure([0.5, 1.5], [0, 1])
    with pytest.raises(ValueError, match="bins = 0"):
        ece([0.5], [1], bins=0)


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_reads_order_only(pairs: list[tuple[int, bool]]) -> None:
    scores, y = np.array([s for s, _ in pairs], dtype=float), np.array([label for _, label in pairs])
    if y.all() or not y.any():
        return
    assert auc(scores, y) == pytest.approx(auc(np.exp(scores), y))
    assert auc(scores, y) + auc(-scores, y) == pytest.approx(1)
