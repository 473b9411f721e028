from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from germane.errors import RunError
from germane.training.checkpoints import Trained, part_of, resume, save, settle


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


class Killed(Exception):
    pass


@pytest.mark.parametrize("place", [0, 1])
def test_processes_that_were_killed_as_they_kept_an_epoch_find_the_same_one(tmp_path: Path, place: int) -> None:
    """Two of them, one of which is killed as it waits for the other: before either has turned to the new epoch, or when one has."""

    def kept(number: int, epoch: int, dies_at: int | None) -> None:
        waits = iter(range(2))

        def wait() -> None:
            if next(waits) == dies_at:
                raise Killed

        line = Line()
        torch.nn.init.constant_(line.weight, epoch)
        save(tmp_path / f"{number}", epoch, line, [], None, Trained(epoch, 0.5, []), None, wait=wait)

    for number in (0, 1):
        kept(number, 4, None)
    for number, dies_at in enumerate((place, 0)):  # the second dies before it turns; the first then too, or behind that
        with pytest.raises(Killed):
            kept(number, 5, dies_at)
    told = [4.0 + place, 4.0]
    found = []
    for number in (0, 1):
        settle(tmp_path / f"{number}", lambda own: told)
        line = Line()
        found.append((resume(tmp_path / f"{number}", line, [], None)[0], line.weight[0].item()))
    assert found == [(4 + place, 4.0 + place)] * 2


def test_another_number_of_processes_is_told_what_was_kept(tmp_path: Path) -> None:
    def kept(folder: Path) -> None:
        save(folder, 1, Line(), [], None, Trained(1, 0.5, []), None)

    parts = [part_of(tmp_path / "two", number, 2) for number in (0, 1)]
    kept(parts[0])
    (parts[1]).mkdir()
    (parts[0] / "progress.json").rename(parts[0] / "progress.json.new")  # killed before any had turned: nothing is kept yet
    assert part_of(tmp_path / "two", 1, 2) == parts[1] and part_of(tmp_path / "two", 0, 1) == tmp_path / "two"
    for part in parts:
        kept(part)
    assert part_of(tmp_path / "two", 0, 2) == parts[0]
    for count in (1, 3):
        with pytest.raises(RunError, match=f"was kept by 2 processes, a part each, and {count} were started: start as many as then"):
            part_of(tmp_path / "two", 0, count)
    kept(part_of(tmp_path / "alone", 0, 1))
    with pytest.raises(RunError, match="was kept by 1 process, a part each, and 2 were started"):
        part_of(tmp_path / "alone", 0, 2)


def test_nothing_kept_is_a_beginning(tmp_path: Path) -> None:
    assert resume(tmp_path / "none", Line(), [], None)[0] == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [50, 450])  # of the weights, and of progress.json
def test_a_full_disk_leaves_the_epoch_before(tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], size: int) -> None:
    line = Line()
    save(tmp_path, 1, line, [], None, Trained(1, 0.5, []), None)
    torch.nn.init.ones_(line.weight)
    curve = [{"epoch": float(epoch), "loss": 2.0} for epoch in range(20)]
    with (
        full_disk(size),
        pytest.raises(RunError, match=r"epoch-2.safetensors could not be written \(File too large\); what was kept before, .* --resume"),
    ):
        save(tmp_path, 2, line, [], None, Trained(2, 0.25, curve), None)
    again = Line()
    assert resume(tmp_path, again, [], None)[0] == 1 and again.weight.sum() == 0
    save(tmp_path, 2, line, [], None, Trained(2, 0.25, curve), None)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["epoch-2.safetensors", "progress.json"]


@pytest.mark.parametrize("name", ["progress.json", "epoch-1.safetensors"])
def test_what_is_torn_is_said_in_a_sentence(tmp_path: Path, name: str) -> None:
    line = Line()
    save(tmp_path, 1, line, [], None, Trained(1, 0.5, []), None)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-2])
    with pytest.raises(RunError, match=r"cannot be read .*: begin anew with --replace"):
        resume(tmp_path, line, [], None)
