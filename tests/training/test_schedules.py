from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from germane.training import TrainingOptions
from germane.training.schedules import factor_at, falls


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5]),
        ("cosine", [0.5, 1.0, 1.0, 0.8536, 0.5]),
        ("inverse_sqrt", [0.5, 1.0, (2 / 3) ** 0.5, 0.5**0.5, (2 / 5) ** 0.5]),
        ("plateau", [0.5, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_it_rises_and_then_follows_its_schedule(schedule: str, factors: list[float]) -> None:
    options = TrainingOptions(warmup=2, schedule=schedule, epochs=3)  # type: ignore[arg-type]
    assert [factor_at(options, step, 2) for step in range(5)] == pytest.approx(factors, abs=1e-4)
    if schedule in ("linear", "cosine"):
        assert factor_at(options, 100, 2) == pytest.approx(0.0)  # random cuts may make more steps than foreseen


def test_a_share_of_the_steps_is_so_many_steps() -> None:
    share, steps = (TrainingOptions(warmup=warmup, schedule="linear", epochs=10) for warmup in (0.1, 5))
    assert [factor_at(share, step, 5) for step in range(50)] == [factor_at(steps, step, 5) for step in range(50)]
    assert factor_at(TrainingOptions(warmup=0, epochs=10), 0, 5) == 1.0


@pytest.mark.parametrize("wrong", [-1, 2.5])
def test_a_warmup_is_whole_steps_or_a_share(wrong: float) -> None:
    with pytest.raises(ValidationError, match=r"greater than or equal to 0|whole number of steps, or a share"):
        TrainingOptions(warmup=wrong)
    assert TrainingOptions(warmup=50.0).warmup == 50


def test_a_plateau_is_so_many_epochs_that_bring_nothing() -> None:
    figures = [0.1, 0.2, 0.2, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1]  # falls after the fourth, the seventh and the ninth
    assert [falls(figures[:n], 2, smaller=False) for n in range(10)] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
    assert falls([-figure for figure in figures], 2, smaller=True) == 3
    options = TrainingOptions(schedule="plateau", plateau_factor=0.1, plateau_patience=2, warmup=1)
    assert factor_at(options, 90, 10, figures, smaller=False) == pytest.approx(0.001)


@given(figures=st.lists(st.floats(-1e3, 1e3), max_size=30), patience=st.integers(1, 5))
def test_what_fell_stays_fallen(figures: list[float], patience: int) -> None:
    counts = [falls(figures[:n], patience, smaller=True) for n in range(len(figures) + 1)]
    assert counts == sorted(counts)
    assert counts[-1] <= len(figures) // patience
    better = [float(-place) for place in range(len(figures))]
    assert falls(better, patience, smaller=True) == 0
