from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from germane.losses import Objective, in_common, next_item, step_draws

CPU = torch.device("cpu")


def drawn(key: tuple[int, ...]) -> torch.Tensor:
    with step_draws(key, CPU):
        return torch.rand(8, generator=in_common())


def test_a_step_draws_by_its_key_alone() -> None:
    assert torch.equal(drawn((0, 1, 2)), drawn((0, 1, 2)))
    assert not torch.equal(drawn((0, 1, 2)), drawn((0, 2, 1)))


def test_it_ends_with_the_step_whatever_happens() -> None:
    with pytest.raises(RuntimeError), step_draws((0,), CPU):
        raise RuntimeError
    assert in_common() is None


def test_parts_of_a_batch_meet_the_same_negatives() -> None:
    met: list[list[int]] = []

    def against(items: torch.Tensor) -> Callable[[slice], torch.Tensor]:
        met.append(items.tolist())
        return lambda part: torch.zeros(1, len(items))[part]

    for dropout in (3, 11):
        with step_draws((5,), CPU):
            torch.rand(dropout)
            one = torch.zeros(1, 1, dtype=torch.int64)
            next_item(
                Objective("bce", negatives=6),
                torch.ones(50, dtype=torch.bool),
                one - 1,
                (one[0], one[0]),
                one[0],
                torch.ones(1),
                against,
                lambda target: target.float(),
            )
    assert met[0] == met[1]
