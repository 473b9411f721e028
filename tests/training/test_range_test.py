"""Known answers: a noisy bowl, where steps of more than 2 / curvature lead away."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from germane.errors import TrainingError
from germane.losses import Objective
from germane.training import RangeTest, TrainingOptions, range_test


class Bowl(nn.Module):
    """(curvature / 2) (x − noise)², from x = 10."""

    objective = Objective()

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.curvature, self.x = curvature, nn.Parameter(torch.tensor([10.0]))

    def texts_that_learn(self) -> None:
        return None

    def gathered(self) -> None:
        return None

    def loss(self, batch: Noise, objective: Objective) -> dict[str, Tensor]:
        return {"ranking": self.curvature / 2 * (self.x - batch.value).square().mean()}


class Noise:
    """A batch of one number."""

    weight, weights = 1.0, torch.ones(1)

    def counts(self) -> dict[str, float]:
        return {"ranking": 1.0}

    def __init__(self, value: float) -> None:
        self.value = value

    def to(self, device: Any) -> Noise:
        return self


class Feed:
    table = SimpleNamespace(dataset=SimpleNamespace(n_items=5, n_users=5))

    def steps(self, rng: np.random.Generator, batches: int) -> Iterator[list[Noise]]:
        for _ in range(7):
            yield [Noise(float(rng.normal())) for _ in range(batches)]


def tried(curvature: float, **options: Any) -> RangeTest:
    said = {"optimiser": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": 1e9, **options}
    return range_test(Bowl(curvature), Feed(), TrainingOptions(**said), low=1e-4, high=1e3)  # type: ignore[arg-type]


@pytest.mark.parametrize("curvature", [0.1, 1.0, 10.0, 100.0])
def test_it_lies_below_what_leads_away(curvature: float) -> None:
    found, most = tried(curvature), 2 / curvature
    assert found.diverged
    assert most / 20 < found.lowest < 2 * most
    assert found.suggestion < 1.05 * found.steepest  # it is rounded
    assert found.steepest < most
    assert most / 200 < found.suggestion < most / 4


def test_ten_times_the_curvature_is_a_tenth_of_the_rate() -> None:
    rates = [tried(curvature).suggestion * curvature for curvature in (0.1, 1.0, 10.0)]
    assert max(rates) < 3 * min(rates)


def test_the_rate_of_the_options_does_not_matter() -> None:
    """Only the proportion of parts does."""
    one, other = tried(1.0, learning_rate=0.5), tried(1.0, learning_rate=1e-3)
    assert one.suggestion == other.suggestion and one.losses == pytest.approx(other.losses, rel=1e-4)


def test_steps_that_do_no_harm_are_said() -> None:
    said = TrainingOptions(optimiser="sgd", momentum=0.0, weight_decay=0.0)
    found = range_test(Bowl(0.1), Feed(), said, low=1e-4, high=1.0, steps=40)  # type: ignore[arg-type]
    assert not found.diverged and not found.rose and len(found.rates) == 40


def test_a_loss_that_never_was_a_number() -> None:
    with pytest.raises(TrainingError, match="not a number from a learning rate of"):
        tried(float("nan"))


def of(*losses: float) -> RangeTest:
    """After what the luck of the first batches did."""
    every = (*np.linspace(1, 10, 20), *losses)
    return RangeTest(tuple(float(rate) for rate in np.geomspace(1e-4, 1, len(every))), tuple(every), True)


def test_the_suggestion_is_the_smaller_of_the_two() -> None:
    late, early = of(9, 9, 8.5, 8, 4, 3, 2.9, 2.9, 20), of(9, 8.9, 6, 3.1, 3, 2.9, 2.8, 2.7, 20)
    assert late.suggestion == float(f"{min(late.rates[24], late.rates[26] / 10):.1e}") and late.lowest == late.rates[26]
    assert early.steepest == early.rates[22] and early.lowest == early.rates[27]


def test_luck_of_the_first_batches_is_no_lowest_loss_and_no_fall() -> None:
    """The mean begins as the loss of one batch: here far below all others."""
    found = of(10, 9, 6, 3, 2, 1.5, 30)
    assert found.fell and found.rose and found.lowest == found.rates[25] and found.steepest >= found.rates[21]
    never = of(1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert not never.fell and never.steepest == never.rates[20]


def test_rising_at_the_end_is_said_though_it_did_not_rise_far() -> None:
    found = RangeTest(of(3.5, 3.4, 3.35, 3.31, 3.6, 4.4).rates, of(3.5, 3.4, 3.35, 3.31, 3.6, 4.4).losses, False)
    assert found.rose
