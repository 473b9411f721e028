from __future__ import annotations

from pathlib import Path

import pytest

from germane.encoders import PretrainedText
from germane.training.refreshing import Refreshing


@pytest.mark.parametrize("tuning", ["lora", "top:1"])
def test_vectors_are_worked_out_anew_once_something_learns_and_not_before(tiny_bert: Path, tuning: str) -> None:
    told: list[str] = []
    learning = PretrainedText(model=str(tiny_bert), tuning=tuning, frozen_epochs=1, refreshes=2).learning(["rain", "new war"])
    texts = Refreshing(learning, lambda: told.append("refresh"))
    assert texts.waiting == 1
    counts = []
    for epoch in range(3):
        texts.begin(epoch)
        for done in range(1, 5):
            texts.stepped(done, 4)
        texts.ended()
        counts.append(len(told))
    assert counts == [0, 2, 4]  # in the middle of an epoch, and at its end


def test_a_training_that_goes_on_begins_with_the_vectors_that_it_stopped_with(tiny_bert: Path) -> None:
    for done, anew in ((0, False), (1, False), (2, True), (3, True)):
        awake: list[bool] = []
        learning = PretrainedText(model=str(tiny_bert), tuning="lora", frozen_epochs=1).learning(["rain"])
        assert learning is not None
        learning.begin(0)
        Refreshing(learning, lambda learning=learning, awake=awake: awake.append(learning.awake)).resume(done)
        assert awake == [True] * anew, done  # of what has learnt by then


def test_without_a_language_model_that_learns_nothing_happens() -> None:
    texts = Refreshing(None, lambda: pytest.fail("there are no vectors to be worked out anew"))
    texts.resume(3)
    texts.begin(0)
    texts.stepped(1, 1)
    texts.ended()
    assert texts.waiting == 0
