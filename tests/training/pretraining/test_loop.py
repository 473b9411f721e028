from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from germane.errors import TrainingError
from germane.training.pretraining import PretrainingOptions, pretrain_model
from germane.training.pretraining.task import Task
from germane.training.told import Told


class Line(Task):
    """One number is to become 1, with noise; ``says``: what the looks say instead."""

    chance = 1.0

    def __init__(self, says: Sequence[float] = (), breaks_at: int | None = None) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        self.says, self.breaks_at, self.steps = list(says), breaks_at, 0

    def __len__(self) -> int:
        return 5

    def epoch(self, rng: np.random.Generator) -> list[float]:
        return list(rng.random(5))

    def loss(self, batch: float) -> Tensor:
        self.steps += 1
        miss = self.model(torch.ones(1, 1)) - 1 + 0.01 * (torch.rand(()) + batch)
        return miss.square().sum() * (float("nan") if self.steps == self.breaks_at else 1.0)

    def held_out(self) -> float:
        return self.says.pop(0) if self.says else (self.model.weight.item() - 1) ** 2

    def save(self, folder: Path) -> None:
        raise NotImplementedError


FAST = {"learning_rate": 0.1, "warmup": 0, "look": 2, "epochs": 4, "patience": 9}


def test_it_learns_and_tells() -> None:
    task, heard = Line(), list[Told]()
    trained = pretrain_model(task, "masked_words", PretrainingOptions(**FAST), seed=0, progress=heard.append)
    assert trained.curve[0] == {"step": 0, "held_out": 1.0} and [row["step"] for row in trained.curve] == list(range(0, 21, 2))
    assert trained.best is not None and trained.best < 0.1 and (task.model.weight.item() - 1) ** 2 == trained.best
    assert [(told.epoch, told.step, told.steps, told.ended) for told in heard[:4]] == [
        (1, 1, 2, False),
        (1, 2, 2, False),
        (1, 2, 2, True),
        (2, 1, 2, False),
    ]
    ends = [told for told in heard if told.ended]
    assert len(heard) == 30 and [told.ahead for told in ends] == list(range(9, -1, -1)) and heard[0].rate > heard[-1].rate > 0
    assert [(told.loss, told.figure) for told in ends] == [(row["loss"], row["held_out"]) for row in trained.curve[1:]]
    assert ends[0].loss == pytest.approx((heard[0].loss + heard[1].loss) / 2) and all(told.figure is None for told in heard if not told.ended)


def test_the_best_weights_are_kept_and_patience_ends_it() -> None:
    task = Line(says=[1.0, 0.5, 0.7, 0.6, 0.4])
    trained = pretrain_model(task, "masked_words", PretrainingOptions(**{**FAST, "patience": 2}), seed=0)
    assert (trained.best_epoch, trained.best, trained.curve[-1]["step"]) == (1, 0.5, 6)
    other = Line()
    pretrain_model(other, "masked_words", PretrainingOptions(**{**FAST, "steps": 2}), seed=0)
    assert other.model.weight.item() != task.model.weight.item()  # the rate falls over other steps
    assert 0 < task.model.weight.item() < 0.5


def test_where_nothing_helps_the_weights_are_those_of_before() -> None:
    task = Line(says=[0.1, *[0.5] * 20])
    trained = pretrain_model(task, "masked_words", PretrainingOptions(**FAST), seed=0)
    assert trained.best_epoch == 0 and task.model.weight.item() == 0


@pytest.mark.parametrize("killed_at", [1, 4, 7, 12])
def test_killed_and_resumed_ends_as_if_it_never_had(tmp_path: Path, killed_at: int) -> None:
    whole, options = Line(), PretrainingOptions(**FAST)
    expected = pretrain_model(whole, "masked_words", options, seed=3)

    def kill(told: Told) -> None:
        if (told.epoch - 1) * 2 + told.step == killed_at and told.ended == (killed_at % 2 == 0):  # a look after each second step
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain_model(Line(), "masked_words", options, seed=3, checkpoint=tmp_path, progress=kill)
    again = Line()
    assert pretrain_model(again, "masked_words", options, seed=3, checkpoint=tmp_path) == expected
    assert torch.equal(again.model.weight, whole.model.weight) and again.steps == 20 - killed_at // 2 * 2
    third = Line()
    assert pretrain_model(third, "masked_words", options, seed=3, checkpoint=tmp_path) == expected and third.steps == 0


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_best_weights() -> None:
    task, halfway = Line(breaks_at=8), Line()
    with pytest.raises(TrainingError, match=r"not a number at step 8: lower pretraining\.learning_rate"):
        pretrain_model(task, "masked_words", PretrainingOptions(**FAST), seed=0)
    seen: dict[int, float] = {}
    pretrain_model(
        halfway, "masked_words", PretrainingOptions(**FAST), seed=0, progress=lambda told: seen.update({told.epoch: halfway.model.weight.item()})
    )
    assert task.model.weight.item() == seen[3]  # of the look after six steps
    with pytest.raises(TrainingError, match="weights are broken"):
        pretrain_model(Line(says=[float("nan")]), "masked_words", PretrainingOptions(**FAST), seed=0)
