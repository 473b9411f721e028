from __future__ import annotations

import numpy as np
import pytest
import torch

from germane.data import Dataset
from germane.models.context.popular import DAY, RecentPopularity
from germane.models.context.prior import Prior
from germane.testing.model_contract import small_shop


@pytest.mark.parametrize("half_lives", [(), (3.0, 30.0)])
def test_some_items_are_as_in_the_catalogue(half_lives: tuple[float, ...]) -> None:
    """Values and gradients, with an item asked for twice."""
    dataset = small_shop()
    prior = Prior(dataset.n_items, half_lives)
    prior.fit(dataset)
    torch.nn.init.normal_(prior.bias)
    known = torch.arange(dataset.n_items) % 5 > 0
    times, items = torch.tensor(dataset.times[::37]), torch.tensor([3, 0, 7, 3])
    whole, row = prior.at(times, known)
    snapshots, same = prior.snapshots(times)
    assert torch.equal(row, same)
    gradients = []
    for found in (whole[:, items][row], prior.some(snapshots[:, None], items, known)[row]):
        gradients.append([found, *torch.autograd.grad(found.square().sum(), list(prior.parameters()))])
    torch.testing.assert_close(*gradients)
    pairs = prior.some(snapshots[row[:4]], items, known)
    torch.testing.assert_close(pairs, whole[row[:4], items])


def counts_of(days: list[float], items: str, half_lives: tuple[float, ...] = (10.0,), **columns: list[object]) -> tuple[RecentPopularity, Dataset]:
    """Of events at these days, by two users in turn."""
    said = {"value": "stars", "kind": "kind"} if columns else {}
    events = {"user": [f"u{place % 2}" for place in range(len(days))], "item": list(items), "time": [day * DAY for day in days], **columns}
    rules = {"positive": ">= 4", "kinds": {"buy": 1.0, "view": 0.25, "scroll": 0.0}} if columns else {}
    dataset = Dataset.from_frames(events, columns={"time": "time", **said}, rules=rules)
    popular = RecentPopularity(half_lives, dataset.n_items, snapshots=5)
    popular.fit(dataset)
    return popular, dataset


def test_an_event_never_counts_itself() -> None:
    """Events stand at the very times of the snapshots, and between them: each reads what came before it, and nothing of its own time."""
    _, one, two, three, _ = counts_of([0.0, 40.0], "ab")[0].bounds.div(DAY).tolist()
    days = [0.0, 3.0, one, one, two, 29.0, three, 40.0]
    popular, dataset = counts_of(days, "abcdefgh")  # each item is taken once: whoever reads a count of its own counts itself
    times = torch.tensor(dataset.times)
    assert torch.isin(popular.bounds[:-1], times).all()
    at = popular.snapshot(times)
    assert at.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (popular.counts[at, torch.from_numpy(dataset.item_codes).long(), 0] == 0).all()
    for snapshot in at.tolist():
        counted = {int(item) for item in popular.counts[snapshot, :, 0].nonzero().ravel()}
        assert counted == set(dataset.item_codes[(times < popular.bounds[snapshot]).numpy()].tolist())
    assert (popular.counts[-1] > 0).all()  # after training all are known


def test_counts_fade_by_hand() -> None:
    popular, dataset = counts_of([0.0, 5.0, 20.0, 40.0], "abab")
    half = [0.5 ** (20 / 10), 0.5 ** (15 / 10)]  # of a's first and b's first event, as of day 20, whose own event is not among them
    wanted = np.log1p(1000 * np.array(half) / sum(half))
    found = popular.counts[popular.snapshot(torch.tensor([20 * DAY]))[0], :, 0].numpy()
    assert dataset.items["id"].to_list() == ["a", "b"] and found == pytest.approx(wanted, rel=1e-5)


def test_what_weighs_nothing_or_may_be_no_target_is_not_counted() -> None:
    days = [0.0, 1.0, 2.0, 3.0, 8.0]
    kinds: list[object] = ["buy", "view", "scroll", "buy", "buy"]
    popular, _ = counts_of(days, "abcde", (1e9,), stars=[5, 5, 5, 1, 4], kind=kinds)
    assert popular.counts[-1, :, 0].tolist() == pytest.approx(np.log1p(1000 * np.array([1, 0.25, 0, 0, 1]) / 2.25).tolist(), rel=1e-5)
