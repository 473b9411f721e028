from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from germane.metrics import reliability


@pytest.mark.parametrize("bins", [1, 7, 10])
@pytest.mark.parametrize("decimals", [1, 16])  # with many ties, without
def test_equal_to_scikit_learn(bins: int, decimals: int) -> None:
    rng = np.random.default_rng(bins)
    p = rng.beta(1, 4, 3000).round(decimals)
    y = rng.random(3000) < p
    found = reliability(p, y, bins)
    share, predicted = calibration_curve(y, p, n_bins=bins, strategy="quantile")
    np.testing.assert_allclose(found.share, share, atol=1e-12)
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)
    assert found.count.sum() == 3000


def test_bins_hold_as_many_rows_each() -> None:
    p = np.random.default_rng(0).beta(1, 20, 1000)
    assert reliability(p, p > 0.05).count.tolist() == [100] * 10


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Also where the share is near 0."""
    rng = np.random.default_rng(0)
    for truth in (0.02, 0.3):
        held = []
        for _ in range(2000):
            found = reliability(np.full(150, truth), rng.random(150) < truth)
            held.append(found.low[0] <= truth <= found.high[0])
        assert 0.92 <= np.mean(held) <= 0.985


def test_wilsons_own_figures() -> None:
    """Newcombe, Two-Sided Confidence Intervals for the Single Proportion, 1998, table I, method 3."""
    for taken, of, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        found = reliability(np.full(of, 0.5), np.arange(of) < taken)
        assert (found.low[0], found.high[0]) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40), st.integers(1, 12))
def test_bins_ascend_and_hold_everything(rows: list[tuple[float, bool]], bins: int) -> None:
    p, y = np.array([p for p, _ in rows]), np.array([y for _, y in rows], dtype=float)
    found = reliability(p, y, bins)
    assert found.count.sum() == len(rows) and (found.count > 0).all() and len(found.count) <= bins
    assert (np.diff(found.predicted) > -1e-12).all()
    assert (found.low <= found.share).all() and (found.share <= found.high).all() and (found.low >= 0).all() and (found.high <= 1).all()
    assert (found.predicted * found.count).sum() == pytest.approx(p.sum())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="bins = 0"):
        reliability([0.5], [1], bins=0)
    with pytest.raises(ValueError, match="level = 95"):
        reliability([0.5], [1], level=95)
    with pytest.raises(ValueError, match=r"run from 0\.5 to 1\.5"):
        reliability([0.5, 1.5], [1, 0])
    with pytest.raises(ValueError, match="labels are 0 or 1"):
        reliability([0.5, 0.6], [1, 2])
