from __future__ import annotations

import numpy as np
import pytest
import torch
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from germane.errors import ConfigError
from germane.models import ALS
from germane.models.classics.factors import one_thread_of_blas


def test_a_folded_in_vector_is_that_of_implicit(tiny) -> None:
    """Of histories that training never saw, with an item that comes again and one that nobody took."""
    asked = tiny(ALS(factors=3, l2=0.5, alpha=7.0))
    history = torch.tensor([[-1, 0, 2], [1, 1, 0], [-1, -1, 3], [-1, -1, -1]])
    found = asked.model.user_vectors(history)
    with one_thread_of_blas():
        theirs = AlternatingLeastSquares(3, 0.5, num_threads=1)
        theirs.item_factors = asked.model.factors.numpy()
        confidence = csr_matrix(np.array([[8, 0, 8, 0], [8, 15, 0, 0], [0, 0, 0, 8], [0, 0, 0, 0]], dtype=np.float32))
        expected = theirs.recalculate_user(np.arange(4), confidence)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    assert found[0].abs().max() > 0.1 and found[1].abs().max() > 0.1
    assert not found[2:].any()  # nothing known of them


def test_a_user_is_scored_by_the_history_alone(tiny) -> None:
    asked = tiny(ALS(factors=2))
    assert asked.scores(user="a") == pytest.approx(asked.scores(["v", "w"]), abs=1e-6)
    assert asked.scores(["v", "w"], user="c") == pytest.approx(asked.scores(["v", "w"]), abs=1e-6)


def test_scores_foretell_what_was_taken(tiny) -> None:
    found = tiny(ALS(factors=3, l2=0.01, iterations=30)).scores(["v", "w"])
    assert found["v"] == pytest.approx(1, abs=0.05) and found["w"] == pytest.approx(1, abs=0.05)
    assert abs(found["x"]) < 0.1 and found["nobody's"] == 0


def test_newer_events_may_count_more(tiny) -> None:
    faded, plain = tiny(ALS(factors=3, fade=0.2)), tiny(ALS(factors=3))
    assert faded.scores(["v"]) == pytest.approx(plain.scores(["v"]), abs=1e-6)  # training knows no fading
    assert faded.scores(["x", "w"])["x"] < 0.6 * plain.scores(["x", "w"])["x"]


def test_another_seed_starts_elsewhere(tiny) -> None:
    one, other = tiny(ALS(factors=2, iterations=1), seed=1), tiny(ALS(factors=2, iterations=1), seed=2)
    assert not torch.allclose(one.model.factors, other.model.factors)


@pytest.mark.parametrize("wrong", [{"factors": 0}, {"l2": 0}, {"alpha": 0}, {"iterations": 0}, {"fade": 2}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"ALS option {next(iter(wrong))}"):
        ALS(**wrong)
