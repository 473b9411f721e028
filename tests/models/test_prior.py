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
    shared, own = torch.tensor([3, 0, 7, 3]), torch.tensor([[3, 0]]).expand(len(times), -1)
    torch.testing.assert_close(prior.of(times, known, shared), prior.of(times, known, None)[:, shared])
    torch.testing.assert_close(prior.of(times, known, own), prior.of(times, known, None).gather(1, own))
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


def written_out(popular: RecentPopularity) -> torch.Tensor:
    """[snapshots, items, half-lives], zeros and all."""
    return popular.of(torch.arange(len(popular.bounds))[:, None], torch.arange(popular.n_items))


def test_an_event_never_counts_itself() -> None:
    """Events stand at the very times of the snapshots, and between them: each reads what came before it, and nothing of its own time."""
    _, one, two, three, _ = counts_of([0.0, 40.0], "ab")[0].bounds.div(DAY).tolist()
    days = [0.0, 3.0, one, one, two, 29.0, three, 40.0]
    popular, dataset = counts_of(days, "abcdefgh")  # each item is taken once: whoever reads a count of its own counts itself
    times = torch.tensor(dataset.times)
    assert torch.isin(popular.bounds[:-1], times).all()
    at = popular.snapshot(times)
    assert at.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (written_out(popular)[at, torch.from_numpy(dataset.item_codes).long(), 0] == 0).all()
    for snapshot in at.tolist():
        counted = {int(item) for item in written_out(popular)[snapshot, :, 0].nonzero().ravel()}
        assert counted == set(dataset.item_codes[(times < popular.bounds[snapshot]).numpy()].tolist())
    assert (written_out(popular)[-1] > 0).all()  # after training all are known


def test_counts_fade_by_hand() -> None:
    popular, dataset = counts_of([0.0, 5.0, 20.0, 40.0], "abab")
    half = [0.5 ** (20 / 10), 0.5 ** (15 / 10)]  # of a's first and b's first event, as of day 20, whose own event is not among them
    wanted = np.log1p(1000 * np.array(half) / sum(half))
    found = written_out(popular)[popular.snapshot(torch.tensor([20 * DAY]))[0], :, 0].numpy()
    assert dataset.items["id"].to_list() == ["a", "b"] and found == pytest.approx(wanted, rel=1e-5)


def test_what_weighs_nothing_or_may_be_no_target_is_not_counted() -> None:
    days = [0.0, 1.0, 2.0, 3.0, 8.0]
    kinds: list[object] = ["buy", "view", "scroll", "buy", "buy"]
    popular, _ = counts_of(days, "abcde", (1e9,), stars=[5, 5, 5, 1, 4], kind=kinds)
    assert written_out(popular)[-1, :, 0].tolist() == pytest.approx(np.log1p(1000 * np.array([1, 0.25, 0, 0, 1]) / 2.25).tolist(), rel=1e-5)


def few_taken(n_items: int, half_lives: tuple[float, ...] = (3.0, 30.0)) -> tuple[Prior, Dataset]:
    """Of many items every third of the first thirty was taken, now and then."""
    rng = np.random.default_rng(0)
    codes, days = 3 * rng.integers(0, 10, 200), np.sort(rng.random(200)) * 50
    events = {"user": [f"u{place % 7}" for place in range(200)], "item": [f"i{code}" for code in codes], "time": days * DAY}
    dataset = Dataset.from_frames(events, {"item": [f"i{code}" for code in range(n_items)]}, columns={"time": "time"})
    prior = Prior(dataset.n_items, half_lives)
    prior.fit(dataset)
    torch.nn.init.normal_(prior.bias, generator=torch.Generator().manual_seed(0))
    return prior, dataset


def test_counts_are_kept_of_items_that_were_taken() -> None:
    """Memory follows what was taken, not the catalogue, at as many snapshots; items never taken read nothing, between those that were and behind."""
    sizes = []
    for n_items in (40, 4000):
        popular, dataset = few_taken(n_items)[0].recent, few_taken(n_items)[1]
        assert popular is not None and popular.taken.tolist() == sorted(set(dataset.item_codes.tolist()))
        sizes.append(sum(held.numel() for held in popular.buffers()))
        counts = written_out(popular)
        assert counts.shape == (128, n_items, 2) and counts[-1].ne(0).any(1).nonzero().ravel().tolist() == popular.taken.tolist()
        items = torch.arange(n_items)
        assert torch.equal(popular.of(torch.arange(128)[:, None], items), counts)
    assert sizes[0] == sizes[1]


def test_what_is_kept_of_few_scores_as_written_out() -> None:
    """Values and gradients of the catalogue, of shared items and of own rows; also of items that are added."""
    prior, dataset = few_taken(50)
    assert prior.recent is not None and prior.recent_weight is not None
    for n_items in (50, 60):
        known, times, shared = torch.ones(n_items, dtype=torch.bool), torch.tensor(dataset.times[::9]), torch.tensor([3, 49, 4, n_items - 1, 27, 0])
        snapshot = prior.recent.snapshot(times)
        written = (prior.bias + written_out(prior.recent) @ prior.recent_weight)[snapshot]
        own = torch.stack([shared.roll(turn) for turn in range(len(times))])
        pairs = [
            (prior.of(times, known, None), written),
            (prior.of(times, known, shared), written[:, shared]),
            (prior.of(times, known, own), written.gather(1, own)),
        ]
        pairs.append((prior.some(snapshot[:, None], shared, known), written[:, shared]))
        for found, wanted in pairs:
            both = [[scores, *torch.autograd.grad(scores.sin().sum(), list(prior.parameters()), retain_graph=True)] for scores in (found, wanted)]
            torch.testing.assert_close(*both)
        prior.grow(60)


def test_state_is_read_whatever_was_taken_before() -> None:
    prior, dataset = few_taken(50)
    fresh, state = Prior(dataset.n_items, (3.0, 30.0)), prior.state_dict()
    fresh.load_state_dict(dict(state))
    assert fresh.state_dict().keys() == state.keys() and all(torch.equal(fresh.state_dict()[name], state[name]) for name in state)


def test_without_events_nothing_is_popular() -> None:
    dataset = few_taken(50)[1]
    popular = RecentPopularity((3.0,), 50)
    popular.fit(dataset.take(np.zeros(0, dtype=np.int64)))
    assert not written_out(popular).any() and not popular.weighed(slice(None), torch.ones(1)).any()
