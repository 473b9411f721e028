from __future__ import annotations

import numpy as np
import pytest
import torch

from germane.errors import AbilityError, ConfigError, TrainingError
from germane.models import EASE
from germane.testing.model_contract import small_shop

# With l2 = 1 and rows v, w, x:  G = [[4, 2, 1], [2, 3, 0], [1, 0, 2]],  13 G⁻¹ = [[6, -4, -3], [-4, 7, 2], [-3, 2, 8]].


def test_weights_by_hand(tiny) -> None:
    asked = tiny(EASE(l2=1))
    found = asked.scores(["v"])
    assert found == pytest.approx({"v": 0, "w": 4 / 7, "x": 3 / 8, "nobody's": 0}, abs=1e-6)
    assert asked.scores(["w"]) == pytest.approx({"v": 4 / 6, "w": 0, "x": -2 / 8, "nobody's": 0}, abs=1e-6)  # who took w did not take x
    assert asked.scores(["w", "x"]) == pytest.approx({"v": 4 / 6 + 3 / 6, "w": -2 / 7, "x": -2 / 8, "nobody's": 0}, abs=1e-6)
    assert set(asked.scores([]).values()) == {0}


def test_newer_events_may_count_more(tiny) -> None:
    assert tiny(EASE(l2=1, fade=0.5)).scores(["w", "x"])["v"] == pytest.approx(4 / 6 / 2 + 3 / 6, abs=1e-6)


def test_what_comes_again_counts_once_where_it_came_last(tiny) -> None:
    asked = tiny(EASE(l2=1, fade=0.5))
    assert asked.scores(["w", "x", "w"]) == pytest.approx(asked.scores(["x", "w"]), abs=1e-6)
    events = {"user": list("aaabbcc"), "item": ["v", "v", "w", "v", "w", "v", "x"], "time": [1, 2, 3, 4, 5, 6, 7]}
    assert tiny(EASE(l2=1), events).scores(["v"]) == pytest.approx(tiny(EASE(l2=1)).scores(["v"]), abs=1e-6)


def test_weighted_takes_the_events_weights(tiny) -> None:
    events = {"user": list("aaabbcc"), "item": ["v", "v", "w", "v", "w", "v", "x"], "time": [1, 2, 3, 4, 5, 6, 7], "kind": list("ooooopo")}
    asked = tiny(EASE(l2=1, weighted=True), events, columns={"kind": "kind"}, rules={"kinds": {"p": 0.5}})
    taken = np.array([[2, 1, 0], [1, 1, 0], [0.5, 0, 1]])
    inverse = np.linalg.inv(taken.T @ taken + np.eye(3))
    weights = -inverse / np.diag(inverse)
    assert asked.scores(["v"])["w"] == pytest.approx(weights[0, 1], abs=1e-6)
    assert asked.scores(["v", "v", "w"])["x"] == pytest.approx(2 * weights[0, 2] + weights[1, 2], abs=1e-6)


def test_the_formula_on_more_items() -> None:
    dataset = small_shop()
    model = EASE(l2=3)
    model.n_items = dataset.n_items
    model.fit(dataset)
    taken = np.zeros((dataset.n_users, dataset.n_items))
    taken[dataset.user_codes, dataset.item_codes] = 1
    inverse = np.linalg.inv(taken.T @ taken + 3 * np.eye(dataset.n_items))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(model.weights.numpy(), expected, atol=1e-6)
    assert model.items.tolist() == list(range(24)) and model.weights.dtype == torch.float32


def test_too_large_a_catalogue_is_refused_before_anything_is_fitted(tiny) -> None:
    with pytest.raises(AbilityError, match=r"3 items with events .* most_items = 2 .* ItemNeighbours or ALS"):
        tiny(EASE(most_items=2))
    assert tiny(EASE(most_items=3)).scores(["v"])["w"] > 0  # the item that nobody took needs no room


def test_a_ridge_lost_among_the_weights_is_refused(tiny) -> None:
    events = {"user": list("aabb"), "item": list("vwvw"), "time": [1, 2, 3, 4], "kind": list("oooo")}
    with pytest.raises(TrainingError, match=r"l2 = 0.01 is lost beside"):
        tiny(EASE(l2=0.01, weighted=True), events, columns={"kind": "kind"}, rules={"kinds": {"o": 1e9}})


@pytest.mark.parametrize("wrong", [{"l2": 0}, {"fade": 0}, {"fade": 1.1}, {"most_items": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"EASE option {next(iter(wrong))}"):
        EASE(**wrong)
