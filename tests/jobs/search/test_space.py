from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import polars as pl
import pytest

from germane.config import Config
from germane.errors import ConfigError
from germane.jobs.search.space import Space, space_of
from germane.search_space import Searched

Writes = Callable[..., Path]


def space(path: Path) -> Space:
    config = Config.read(path)
    return space_of(config, config.dataset())


def test_options_say_how_they_are_searched_and_hold_the_configs_own(learned: Writes) -> None:
    made = space(learned(""))
    assert made.ranges["model.width"] == Searched(choices=(8, 32, 64, 96, 128)) and made.ranges["model.dropout"] == Searched(0.0, 0.6)
    assert made.ranges["training.batch"].choices == (16, 32, 64, 128, 256) and made.own["training.batch"] == 32
    assert set(made.own_params()) == set(made.ranges)  # so the config as it stands is a point of the space


def test_what_nothing_would_read_is_left_out(learned: Writes, counted: Writes) -> None:
    assert "model.text_width" in space(learned("")).ranges
    path = learned("")
    path.write_text(path.read_text().replace('text = ["title"]', "").replace('use = "HashedText"\nwidth = 32', 'use = "NoText"'))
    assert "model.text_width" not in space(path).ranges
    assert not any(key.startswith("training.") for key in space(counted()).ranges)


def test_counts_of_lists_are_searched_where_lists_are_learned(learned: Writes) -> None:
    path = learned("")
    assert {"model.co_occurrence", "model.co_occurrence_shrink"} <= set(space(path).ranges)
    path.write_text(path.read_text().replace("[training]", "[training]\nheads = {click = 1.0}"))
    assert not any("co_occurrence" in key for key in space(path).ranges) and "model.width" in space(path).ranges


def test_models_of_rows_have_larger_batches(learned: Writes) -> None:
    path = learned("")
    path.write_text(path.read_text().replace("width = 8\nblocks = 1\nlength = 10\ntext_width = 8\nco_occurrence = 0.0", 'use = "TwoEmbeddings"'))
    made = space(path)
    assert {"model.width", "model.hidden", "model.l2", "training.learning_rate"} <= set(made.ranges)
    assert made.ranges["training.batch"].choices == (128, 512, 1024, 4096) and made.own["training.batch"] == 1024


def test_batches_are_searched_up_to_what_a_step_can_hold(learned: Writes) -> None:
    config = Config.read(learned(""))
    dataset = config.dataset()
    known = dataset.take(np.flatnonzero(dataset.user_codes == 0))
    heavy = replace(dataset, events=pl.concat([known.events] * 300))  # one user, thousands of events
    assert space_of(config, dataset).ranges["training.batch"].choices == (16, 32, 64, 128, 256)
    assert space_of(config, heavy).ranges["training.batch"].choices == (16, 32, 64)  # 64 stretches of 200 events


def test_only_and_fixed(learned: Writes) -> None:
    made = space(learned('only = ["training", "model.dropout"]\nfixed = ["training.batch"]\nspace = {"model.heads" = [1, 2]}'))
    assert set(made.ranges) == {"training.learning_rate", "training.weight_decay", "model.dropout", "model.heads"}
    with pytest.raises(ConfigError) as found:
        space(learned('only = ["trainin"]\nfixed = ["model.heads", "model.width"]\nspace = {"model.heads" = [1, 2]}'))
    assert len(found.value.faults) == 2 and "'trainin'" in found.value.faults[0] and "leave one out" in found.value.faults[1]
    with pytest.raises(ConfigError, match="nothing of this ContextTransformer is searched"):
        space(learned("only = []"))


def test_numbers_are_short_and_stay_within(learned: Writes) -> None:
    narrow = '"training.learning_rate" = {low = 0.00123456, high = 0.00123457}'
    made = space(learned(f'only = []\nspace = {{{narrow}, "model.length" = {{low = 5, high = 7}}}}'))
    trial = optuna.create_study().ask()
    drawn = made.draw(trial, own=False)
    assert 0.00123456 <= drawn["training.learning_rate"] <= 0.00123457 and drawn["model.length"] in (5, 6, 7)


def test_what_lies_outside_is_tried_first_all_the_same(learned: Writes) -> None:
    made = space(learned('only = []\nspace = {"training.learning_rate" = [0.5, 0.6], "model.half_lives" = [[1.0], [3.0, 30.0]]}'))
    study = optuna.create_study()
    study.enqueue_trial(made.own_params())
    drawn = made.draw(study.ask(), own=True)
    assert drawn == {"training.learning_rate": 0.002, "model.half_lives": [3.0, 30.0]}
    assert made.size == 4
