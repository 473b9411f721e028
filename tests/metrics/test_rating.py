from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics

from germane.metrics import mae, rmse


def test_equal_to_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    ours, truth = rng.normal(3, 1, 1000), rng.integers(1, 6, 1000)
    assert rmse(ours, truth) == pytest.approx(sklearn.metrics.root_mean_squared_error(truth, ours), abs=1e-6)
    assert mae(ours, truth) == pytest.approx(sklearn.metrics.mean_absolute_error(truth, ours), abs=1e-6)


def test_known_answers() -> None:
    assert rmse([1, 2, 3], [1, 2, 7]) == pytest.approx(4 / math.sqrt(3))
    assert mae([1, 2, 3], [1, 2, 7]) == pytest.approx(4 / 3)
    assert rmse([2.5], [2.5]) == mae([2.5], [2.5]) == 0


@pytest.mark.parametrize("figure", [rmse, mae])
def test_bad_input(figure: Callable[..., float]) -> None:
    assert math.isnan(figure([], []))
    with pytest.raises(ValueError, match="predicted ratings are NaN"):
        figure([np.nan], [1])
    with pytest.raises(ValueError, match="1 predicted ratings against 2 given ratings"):
        figure([1], [1, 2])
