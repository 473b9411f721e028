from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from germane.metrics import bootstrap_interval, holm, paired_t, paired_test
from germane.metrics import significance as module


def test_the_interval_of_normal_values_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(2, 3, 2000)
    low, high = bootstrap_interval(values, draws=4000)
    half = 1.96 * values.std() / math.sqrt(2000)
    assert low == pytest.approx(values.mean() - half, abs=0.02) and high == pytest.approx(values.mean() + half, abs=0.02)
    inner = bootstrap_interval(values, level=0.5)
    assert low < inner[0] < inner[1] < high


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covers = [low <= 0.1 <= high for low, high in (bootstrap_interval((rng.random(200) < 0.1).astype(float), draws=500) for _ in range(200))]
    assert 0.88 <= np.mean(covers) <= 0.99


def test_the_seed_decides_and_chunks_do_not_change_the_kind_of_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)
    whole, p = bootstrap_interval(values), paired_test(values, values[::-1])
    monkeypatch.setattr(module, "CHUNK", 60)
    np.testing.assert_allclose(bootstrap_interval(values), whole)
    assert paired_test(values, values[::-1]) == p


def test_interval_of_one_value_and_of_none() -> None:
    assert bootstrap_interval(np.array([0.3])) == (0.3, 0.3)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval(np.array([]))
    with pytest.raises(ValueError, match="NaN"):
        bootstrap_interval(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="level = 95"):
        bootstrap_interval(np.array([1.0]), level=95)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2])
def test_permutation_agrees_with_scipy(shift: float) -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.random(80) + shift, rng.random(80)
    reference = scipy.stats.permutation_test(
        (ours, theirs), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples", n_resamples=9999, vectorized=True, rng=0
    )
    assert paired_test(ours, theirs) == pytest.approx(reference.pvalue, abs=0.02)


def test_permutation_of_few_pairs_is_near_the_exact_value() -> None:
    ours, theirs = np.array([3.0, 2.0, 4.0, 1.0]), np.zeros(4)  # all signs alike: 2 of 16
    assert paired_test(ours, theirs) == pytest.approx(2 / 16, abs=0.01)


def test_permutation_has_the_size_it_says() -> None:
    rng = np.random.default_rng(0)
    false_alarms = [paired_test(rng.random(40), rng.random(40), draws=300, seed=i) < 0.05 for i in range(400)]
    assert 0.02 < np.mean(false_alarms) < 0.09


def test_permutation_is_symmetric_and_seeded() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(60), rng.random(60)
    assert paired_test(a, b) == paired_test(b, a) == paired_test(a, b, seed=0)
    assert paired_test(a, a) == 1
    assert paired_test(a + 10, b) == pytest.approx(1 / 10_001)


@pytest.mark.parametrize("n", [2, 3, 10, 200, 20_000])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.5])
def test_t_equals_scipy(n: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    ours, theirs = rng.normal(shift, 1, n), rng.normal(0, 1, n)
    assert paired_t(ours, theirs) == pytest.approx(scipy.stats.ttest_rel(ours, theirs).pvalue, rel=1e-6, abs=1e-300)


def test_t_without_spread() -> None:
    assert paired_t(np.ones(3), np.ones(3)) == 1
    assert paired_t(np.ones(3), np.zeros(3)) == 0
    assert math.isnan(paired_t(np.ones(1), np.zeros(1)))


@pytest.mark.parametrize("test", [paired_test, paired_t])
def test_pairs_must_fit(test: object) -> None:
    with pytest.raises(ValueError, match="3 values of ours against 2 values of theirs"):
        test(np.ones(3), np.ones(2))  # type: ignore[operator]
    with pytest.raises(ValueError, match="NaN"):
        test(np.array([1.0, np.nan]), np.ones(2))  # type: ignore[operator]


def test_holm_known_answers() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,) and holm([0.2]).tolist() == [0.2] and holm([0.9, 0.8]).tolist() == [1, 1]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])
    with pytest.raises(ValueError, match="NaN"):
        holm([np.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    raw = np.array(p)
    assert (adjusted >= raw).all() and (adjusted <= np.minimum(raw * len(p), 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()
