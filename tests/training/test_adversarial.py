from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from germane.batches import EventTable, Timelines, profiles
from germane.data import Dataset
from germane.encoders import ItemContent, PretrainedText
from germane.errors import ConfigError, TrainingError
from germane.features import FeatureSet
from germane.losses import Objective
from germane.models import EASE, ContextTransformer, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import AdversarialOptions, Adversary, TrainingOptions, train_model
from germane.training.adversarial import vector_tables
from germane.worlds import Checkerboard


class Linear:
    """A loss that is linear in its weights: its gradient is the same wherever it is taken."""

    def __init__(self) -> None:
        self.weights = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(2, 2))]
        self.slopes = [torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 12.0]]), torch.zeros(2, 2)]
        self.slopes[1][0, 1] = 2.0

    def __call__(self) -> Tensor:
        return sum(((slope * weight).sum() for slope, weight in zip(self.slopes, self.weights, strict=True)), torch.zeros(()))

    def watched(self, **options: object) -> Adversary:
        adversary = Adversary(self.weights, AdversarialOptions(**options))  # type: ignore[arg-type]
        with adversary.watched():
            self().backward()
        return adversary


@pytest.mark.parametrize("kind", ["fgm", "pgd", "apr", "awp"])
def test_the_disturbance_has_the_stated_length_and_points_uphill(kind: str) -> None:
    torch.manual_seed(0)
    linear = Linear()
    clean = [weight.detach().clone() for weight in linear.weights]
    with linear.watched(kind=kind, size=0.25, steps=4).disturbed(linear):
        for weight, before, slope in zip(linear.weights, clean, linear.slopes, strict=True):
            moved = weight.detach() - before
            if kind == "apr":
                lengths, uphill = moved.norm(dim=1), slope.norm(dim=1) > 0
                assert torch.allclose(lengths[uphill], torch.tensor(0.25), atol=1e-6) and not moved[~uphill].any()
                assert torch.allclose(moved[uphill] / 0.25, nn.functional.normalize(slope[uphill], dim=1), atol=1e-5)
            else:
                length = 0.25 * (before.norm() if kind == "awp" else 1.0)
                assert torch.allclose(moved.norm(), torch.as_tensor(length), atol=1e-6)
                assert torch.allclose(moved, length * slope / slope.norm(), atol=1e-6)
    assert all(torch.equal(weight, before) for weight, before in zip(linear.weights, clean, strict=True))


def test_pgd_stays_in_the_ball_and_climbs_where_the_slope_turns() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, 0.2]]))

    def measure() -> Tensor:
        return -(weight[0, 0] ** 2) - 4 * weight[0, 1].sin()

    adversary = Adversary([weight], AdversarialOptions(kind="pgd", size=0.4, steps=8))
    clean = weight.detach().clone()
    with adversary.watched():
        measure().backward()
    with adversary.disturbed(measure):
        assert float((weight - clean).norm().detach()) <= 0.4 + 1e-6
        far = measure().item()
    assert torch.equal(weight, clean)
    one = Adversary([weight], AdversarialOptions(kind="fgm", size=0.4))
    weight.grad = None
    with one.watched():
        measure().backward()
    with one.disturbed(measure):
        assert far >= measure().item() > float(-(clean[0, 0] ** 2) - 4 * clean[0, 1].sin())


def test_gradients_of_both_losses_are_added_and_those_of_before_stay() -> None:
    weight = nn.Parameter(torch.tensor([[2.0, 0.0]]))

    def measure() -> Tensor:
        return (weight**2).sum() / 2  # its gradient is the weight

    weight.grad = torch.tensor([[10.0, 1.0]])  # of an earlier batch of the group
    adversary = Adversary([weight], AdversarialOptions(size=0.5, weight=3.0))
    with adversary.watched():
        measure().backward()
    assert weight.grad is not None and weight.grad.tolist() == [[12.0, 1.0]]
    adversary.again(measure, lambda loss: loss.backward())
    assert weight.grad.tolist() == [[12.0 + 3 * 2.5, 1.0]]  # half a step along (2, 0), not along what was there before
    assert weight.tolist() == [[2.0, 0.0]]


def test_both_passes_draw_the_same_and_weights_return_when_something_fails() -> None:
    weight, drawn = nn.Parameter(torch.ones(1, 4)), []

    def measure() -> Tensor:
        drawn.append(torch.rand(4))
        return (weight * drawn[-1]).sum()

    adversary = Adversary([weight], AdversarialOptions(kind="pgd", steps=3))
    torch.manual_seed(1)
    with adversary.watched():
        measure().backward()
    after = torch.get_rng_state()
    adversary.again(measure, lambda loss: loss.backward())
    assert len(drawn) == 4 and all(torch.equal(one, drawn[0]) for one in drawn)
    assert torch.equal(torch.get_rng_state(), after)
    with pytest.raises(RuntimeError, match="stop"), adversary.disturbed(measure):
        raise RuntimeError("stop")
    assert torch.equal(weight, torch.ones(1, 4))


def test_a_sparse_gradient_is_a_gradient() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    adversary = Adversary([table.weight], AdversarialOptions(size=1.0))
    before = table.weight.detach().clone()
    with adversary.watched():
        table(torch.tensor([1, 1])).sum().backward()
    with adversary.disturbed(lambda: table(torch.tensor([1])).sum()):
        moved = table.weight.detach() - before
        assert moved[1].tolist() == pytest.approx([2**-0.5] * 2) and not moved[[0, 2, 3, 4]].any()


def world() -> tuple[Dataset, SASRec, Timelines]:
    dataset = Checkerboard(users=24, items=20, seed=0).dataset()
    model = SASRec(width=8, blocks=1, dropout=0.2, length=10)
    model.objective = Objective("sampled_softmax", 16)
    torch.manual_seed(0)
    codes = torch.zeros(dataset.n_items, 0)
    model.prepare(dataset, ItemContent(codes, codes.long(), codes, torch.ones(dataset.n_items, dtype=torch.bool), 1), FeatureSet([]))
    return dataset, model, Timelines(EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users)), 10, 8)


def attacked_loss(model: SASRec, feed: Timelines, options: AdversarialOptions) -> float:
    """The mean loss over the batches at weights disturbed as ``options`` say."""
    told = []
    model.eval()
    for number, batch in enumerate(feed.draw(None)):

        def measure(batch=batch, number=number) -> Tensor:  # type: ignore[no-untyped-def]
            torch.manual_seed(number)
            return model.loss(batch, model.objective)["ranking"]

        adversary = Adversary.of(model, options, feed.table.dataset.n_items, feed.table.dataset.n_users)
        with adversary.watched():
            measure().backward()
        with adversary.disturbed(measure), torch.no_grad():
            told.append(float(measure()))
        model.zero_grad()
    return float(np.mean(told))


def learned(adversarial: AdversarialOptions | None) -> tuple[SASRec, Timelines]:
    _, model, feed = world()
    model.objective = Objective("softmax")
    train_model(model, feed, TrainingOptions(epochs=20, learning_rate=1e-2, warmup=5, adversarial=adversarial, device="cpu"))
    return model, feed


@pytest.fixture(scope="module")
def plainly() -> tuple[SASRec, Timelines]:
    return learned(None)


@pytest.mark.parametrize(("kind", "size"), [("fgm", 0.3), ("pgd", 1.0), ("apr", 0.05), ("awp", 0.3)])
def test_who_learned_under_attack_loses_less_by_it(kind: str, size: float, plainly: tuple[SASRec, Timelines]) -> None:
    attack = AdversarialOptions(kind=kind, size=size)  # type: ignore[arg-type]
    nothing = attack.model_copy(update={"size": 1e-6})
    hardened = learned(attack)
    before, after = (attacked_loss(*one, attack) for one in (plainly, hardened))
    assert after - attacked_loss(*hardened, nothing) < 0.9 * (before - attacked_loss(*plainly, nothing))
    if kind in ("pgd", "awp"):  # those that learn to stand a large disturbance
        assert after < before


def test_the_attack_begins_when_it_is_told_and_an_interrupted_training_goes_on_the_same(tmp_path: Path) -> None:
    def trained(epochs: int, folder: Path | None = None, **attack: object) -> dict[str, Tensor]:
        _, model, feed = world()
        adversarial = AdversarialOptions(**attack) if attack else None  # type: ignore[arg-type]
        train_model(model, feed, TrainingOptions(epochs=epochs, adversarial=adversarial, device="cpu"), checkpoint=folder)
        return model.state()

    plain, late = trained(2), trained(2, from_epoch=3)
    assert all(torch.equal(plain[name], late[name]) for name in plain)
    whole = trained(3, kind="pgd", from_epoch=2)
    trained(2, tmp_path, kind="pgd", from_epoch=2)
    resumed = trained(3, tmp_path, kind="pgd", from_epoch=2)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert any(not torch.equal(whole[name], trained(3)[name]) for name in whole)


def test_what_is_disturbed_is_what_learns_of_its_kind() -> None:
    dataset, model, _ = world()
    assert [id(table) for table in vector_tables(model, {dataset.n_items})] == [id(model.items.weight)]
    every = Adversary.of(model, AdversarialOptions(kind="awp"), dataset.n_items, dataset.n_users)
    assert {id(weight) for weight in every.all} == {id(weight) for weight in model.parameters() if weight.ndim > 1}
    model.items.weight.requires_grad_(False)
    with pytest.raises(TrainingError, match="kind = 'awp'"):
        Adversary.of(model, AdversarialOptions(), dataset.n_items, dataset.n_users)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_language_model_that_learns_is_left_where_it_is(tiny_bert: Path, tuning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No loss of a batch reaches it. Whatever is disturbed has a gradient of one; and where only it would be, that is refused."""
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path))
    dataset = small_shop()

    def ready(**said: object) -> tuple[ContextTransformer, Timelines]:
        text = PretrainedText(model=str(tiny_bert), tuning=tuning, rank=2)
        recommender = Recommender(ContextTransformer(width=8, blocks=1, length=8, text_width=8, **said), text=text, seed=0)
        recommender.prepare(dataset)
        recommender.model.warm(dataset, recommender.content)
        table = recommender.table(dataset)
        return recommender.model, Timelines(table, 8, 64)

    model, feed = ready()
    learning = model.texts_that_learn()
    assert learning is not None
    own = {id(weight) for weight in learning.parameters()}
    for kind in ("fgm", "pgd", "apr", "awp"):
        adversary = Adversary.of(model, AdversarialOptions(kind=kind), dataset.n_items, dataset.n_users)  # type: ignore[arg-type]
        assert adversary.all and not own & {id(weight) for weight in adversary.all}
        batch = next(feed.draw(np.random.default_rng(0)))
        with adversary.watched():
            model.train().loss(batch, model.objective)["ranking"].backward()
        disturbed = [gradient is not None and bool(gradient.any()) for gradient in adversary.gradients]
        assert any(disturbed) if kind == "awp" else all(disturbed)
        assert all(weight.grad is None for weight in learning.parameters())
    bare, _ = ready(identity=False)
    for kind in ("fgm", "pgd", "apr"):
        with pytest.raises(TrainingError, match=r"kind = '\w+' disturbs tables of vectors that learn, and ContextTransformer as it is set has none"):
            Adversary.of(bare, AdversarialOptions(kind=kind), dataset.n_items, dataset.n_users)  # type: ignore[arg-type]


def test_a_model_without_gradient_steps_cannot_be_attacked() -> None:
    options = TrainingOptions(adversarial=AdversarialOptions())
    with pytest.raises(ConfigError, match="EASE takes none"):
        options.objective(EASE())
    assert options.suited(EASE()).adversarial is None and options.suited(SASRec()).adversarial is not None


def test_a_gpu_that_is_not_to_be_used_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask for the state of its generator would take its memory."""

    def asked(*given: object) -> None:
        raise AssertionError("a GPU was asked")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", asked)
    monkeypatch.setattr(torch.cuda, "set_rng_state", asked)
    linear = Linear()
    linear.watched(kind="pgd").again(linear, Tensor.backward)
