from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from germane.training.checkpoints import Trained, resume, save


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))


def stepped(line: Line, optimiser: torch.optim.Optimizer, steps: int) -> Tensor:
    for _ in range(steps):
        optimiser.zero_grad()
        (line.weight - 1).square().sum().backward()
        optimiser.step()
    return line.weight.detach().clone()


def test_what_goes_on_ends_where_it_would_have(tmp_path: Path) -> None:
    line = Line()
    whole = stepped(line, torch.optim.Adam(line.parameters(), lr=0.1), 6)
    line = Line()
    optimiser = torch.optim.Adam(line.parameters(), lr=0.1)
    stepped(line, optimiser, 4)
    best = {"weight": torch.tensor([3.0, 4.0])}
    save(tmp_path, 4, line, [optimiser], None, Trained(2, 0.5, [{"epoch": 1, "loss": 2.0}]), best)  # type: ignore[arg-type]
    again = Line()
    optimiser = torch.optim.Adam(again.parameters(), lr=0.1)
    epoch, trained, kept = resume(tmp_path, again, [optimiser], None)  # type: ignore[arg-type]
    assert (epoch, trained.best_epoch, trained.best, trained.curve) == (4, 2, 0.5, [{"epoch": 1, "loss": 2.0}])
    assert kept is not None and torch.equal(kept["weight"], best["weight"])
    assert torch.equal(stepped(again, optimiser, 2), whole)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["epoch-4.safetensors", "progress.json"]


def test_nothing_kept_is_a_beginning(tmp_path: Path) -> None:
    assert resume(tmp_path / "none", Line(), [], None)[0] == 0  # type: ignore[arg-type]
