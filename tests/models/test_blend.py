"""Several models as one: what is added up, whose weights are chosen how, and that it saves and loads as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import germane
import germane.models
from germane import Query, Recommender
from germane.data import Dataset, LeaveLastOut, Random
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.evaluation.blending import _likeliest, mix
from germane.jobs.train import fit, judge
from germane.models import Blend, ContextTransformer
from germane.testing.model_contract import small_shop
from germane.training import Told, TrainingOptions


def halves(seed: int = 0) -> Dataset:
    """60 users take what their half takes, so neighbours know it; popularity knows nothing, since one item of the other half is everywhere."""
    rng = np.random.default_rng(seed)
    rows = [(f"u{u}", f"i{2 * int(rng.integers(0, 15)) + u % 2}") for u in range(60) for _ in range(12)]
    loud = [(f"loud{n}", f"i{2 * int(rng.integers(0, 3))}") for n in range(10) for _ in range(40)]
    return Dataset.from_frames(pl.DataFrame(rows + loud, schema=["user", "item"], orient="row"))


def fitted(dataset: Dataset, training: TrainingOptions | None = None, **options: Any) -> tuple[Recommender, Any]:
    recommender = Recommender(Blend(**options), exclude_seen=False)
    split = LeaveLastOut().divide(dataset)
    options_of = EvaluationOptions(exclude_seen=False)
    fit(recommender, dataset, split, training or TrainingOptions(epochs=1), evaluation=options_of)
    return recommender, judge(recommender, dataset, split, options_of, part="validation").value()


@pytest.mark.parametrize("choose", ["metric", "likelihood"])
def test_who_knows_nothing_weighs_little(choose: str) -> None:
    dataset = halves()
    recommender, together = fitted(dataset, members=[{"use": "EASE"}, {"use": "Popular"}], choose=choose)
    model = recommender.model
    assert isinstance(model, Blend)
    assert model.weights[0] == 1 and 0 <= model.weights[1] < 0.5
    alike = {"use": "EASE", "weight": 1.0}, {"use": "Popular", "weight": 1.0}
    _, loud = fitted(dataset, members=alike)
    _, alone = fitted(dataset, members=[{"use": "EASE", "weight": 1.0}, {"use": "Popular", "weight": 0.0}])
    assert together > loud
    assert choose == "likelihood" or together >= alone  # zero is on the grid


def test_weights_that_are_said_stay() -> None:
    recommender, _ = fitted(halves(), members=[{"use": "EASE", "weight": 0.3}, {"use": "Popular", "weight": 2.0}, {"use": "ItemNeighbours"}])
    assert isinstance(recommender.model, Blend)
    assert recommender.model.weights[:2].tolist() == pytest.approx([0.3, 2.0])


def test_stacking_makes_the_likeliest_of_what_is_not_said() -> None:
    """A weight that is said is part of what the free one answers to: under no other weight, at any scale, was what was taken likelier."""
    rng = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 20, (200,), generator=rng)
    truth = torch.nn.functional.one_hot(targets, 20).float()
    told = torch.stack([truth + torch.randn(200, 20, generator=rng) * noise for noise in (0.7, 3.0, 0.5)])
    found = _likeliest(told, targets, torch.tensor([1.0, 4.0, 1.0]), [2])
    assert found[:2].tolist() == [1.0, 4.0]

    def likeliest_scale(weight: float) -> float:
        total = torch.einsum("m,mcn->cn", torch.tensor([1.0, 4.0, weight]), told)
        return min(float(torch.nn.functional.cross_entropy(scale * total, targets)) for scale in torch.logspace(-3, 1, 60))

    best = likeliest_scale(float(found[2]))
    assert all(best <= likeliest_scale(weight) + 1e-3 for weight in (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0))


def test_stacking_takes_new_items_for_nothing() -> None:
    """The weights are those that a catalogue without them gives, though one member would score them high; lists show them all the same."""
    halves_of = halves()
    ids = [halves_of.users["id"].gather(halves_of.user_codes), halves_of.items["id"].gather(halves_of.item_codes)]
    events = pl.DataFrame(ids, schema=["user", "item"])
    found = []
    for new in (0, 40):
        names = [*(f"i{n}" for n in range(30)), *(f"n{n}" for n in range(new))]
        titles = [f"{('sunscreen sandals', 'umbrella boots')[int(name[1:]) % 2]} number{name[1:]}" for name in names]
        dataset = Dataset.from_frames(events, pl.DataFrame({"item": names, "title": titles}), columns={"text": ["title"]})
        members = [{"use": "ContentNeighbours"}, {"use": "EASE"}]
        recommender = Recommender(Blend(members=members, choose="likelihood"), text=HashedText(width=32), exclude_seen=False)
        fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(), evaluation=EvaluationOptions(exclude_seen=False))
        assert isinstance(recommender.model, Blend)
        found.append(recommender.model.weights.tolist())
    assert found[1] == pytest.approx(found[0], rel=1e-3) and 0.05 < found[0][1] < 20
    slate = recommender.recommend(Query(history=(germane.Event("i1"), germane.Event("i3"))), n=20)
    assert any(place.item.startswith("n") for place in slate.items)


def test_it_is_the_weighted_sum_of_standard_scores() -> None:
    recommender, _ = fitted(halves(), members=[{"use": "EASE", "weight": 1.0}, {"use": "ItemNeighbours", "weight": 0.5}])
    model = recommender.model
    assert isinstance(model, Blend)
    queries = recommender.batch([Query(history=(germane.Event("i1"), germane.Event("i3"))), Query()])
    parts = [member.score(queries).double().numpy() for member in model.members]
    assert parts[0][1].std() == 0  # without history neither knows anything, and nothing divides by nothing
    by_hand = sum(w * (s - s.mean()) / s.std(ddof=1) for w, s in zip((1.0, 0.5), (part[0] for part in parts), strict=True))
    np.testing.assert_allclose(model.score(queries)[0].double().numpy(), by_hand, atol=1e-5)
    assert model.score(queries)[1].abs().max() == 0


def test_ranks_are_added_up_by_hand() -> None:
    recommender, _ = fitted(halves(), members=[{"use": "EASE", "weight": 1.0}, {"use": "Popular", "weight": 0.5}], of="ranks")
    queries = recommender.batch([Query(history=(germane.Event("i1"),))])
    model = recommender.model
    assert isinstance(model, Blend)
    scores = [member.score(queries)[0].double().numpy() for member in model.members]
    ranks = [(part[None] > part[:, None]).sum(1) for part in scores]  # how many are better; equals share a rank
    by_hand = 1 / (61 + ranks[0]) + 0.5 / (61 + ranks[1])
    np.testing.assert_allclose(model.score(queries)[0].double().numpy(), by_hand, atol=1e-6)


def test_equal_members_have_seeds_of_their_own() -> None:
    small = {"use": "ContextTransformer", "width": 8, "blocks": 1, "length": 10, "text_width": 8}
    recommender = Recommender(Blend(members=[small, small]), text=HashedText(width=32))
    dataset = small_shop()
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=2, batch=16))
    model = recommender.model
    assert isinstance(model, Blend)
    one, other = (member.state()["items.identity.weight"] for member in model.members)
    assert not torch.equal(one, other)
    blind = model.without_context()
    assert blind is not None and all(isinstance(member, ContextTransformer) and not member.options.context for member in blind.members)


@pytest.mark.parametrize("refit", [False, True])
def test_snapshots_begin_where_the_one_before_ended(refit: bool, tmp_path: Path) -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    member: dict[str, Any] = {"use": "SASRec", "width": 8, "blocks": 1, "length": 10}
    training = TrainingOptions(epochs=4, batch=16, schedule="cosine", warmup=2, learning_rate=2e-2, refit=refit)

    def losses(snapshots: bool, checkpoint: Path | None = None) -> tuple[Recommender, list[list[float]]]:
        told: list[Told] = []
        recommender = Recommender(Blend(members=[member] * 3, snapshots=snapshots), text=HashedText(width=8))
        fit(recommender, dataset, split, training, progress=told.append, checkpoint=checkpoint)
        ended = [one for one in told if one.ended]
        parts = dict.fromkeys(one.part for one in ended)
        return recommender, [[one.loss for one in ended if one.part == part] for part in parts]

    recommender, found = losses(True)
    afresh = losses(False)[1]
    assert len(found) == len(afresh) == (6 if refit else 3)
    for place, (own, other) in enumerate(zip(found, afresh, strict=True)):
        assert (own[0] < other[0] - 0.1) == (place % 3 > 0)  # the first one begins at random, the others go on
    weights = [one.state()["items.weight"] for one in recommender.model.members]
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[2])
    again, _ = losses(True, tmp_path / "kept")
    resumed, left = losses(True, tmp_path / "kept")  # all is trained already
    assert not any(left) and all(
        torch.equal(a.state()["items.weight"], b.state()["items.weight"]) for a, b in zip(again.model.members, resumed.model.members, strict=True)
    )


def test_it_is_saved_and_loaded_as_one_model(tmp_path: Path) -> None:
    small = {"use": "ContextTransformer", "width": 8, "blocks": 1, "length": 10, "text_width": 8}
    dataset = small_shop()
    recommender = Recommender(Blend(members=[small, {"use": "EASE", "weight": 0.2}]), text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=2, batch=16, refit=True))
    recommender.remember(dataset)
    germane.save(recommender, tmp_path / "run")
    back = germane.load(tmp_path / "run")
    query = Query(user="u1", context={"weather": "rain"})
    first, again = recommender.recommend(query, 5), back.recommend(query, 5)
    assert [(place.item, round(place.score, 4)) for place in first.items] == [(place.item, round(place.score, 4)) for place in again.items]
    assert sum(reason.weight for reason in again.items[0].reasons) == pytest.approx(again.items[0].score, abs=1e-4)
    assert back.parameters()["total"] > 0


def starry(seed: int = 0) -> Dataset:
    """Stars hang on the item and, half as much, on the weather."""
    rng = np.random.default_rng(seed)
    user, item, rain = rng.integers(0, 50, 3000), rng.integers(0, 30, 3000), rng.integers(0, 2, 3000)
    stars = np.clip(np.round(3 + (item % 5 - 2) * 0.8 + np.where(rain, 0.8, -0.8) + rng.normal(0, 0.3, 3000)), 1, 5)
    label = (rng.random(3000) < 1 / (1 + np.exp(-(item % 5 - 2) - np.where(rain, 1.5, -1.5)))).astype(int)
    frame = {"user": user.astype(str), "item": item.astype(str), "weather": np.where(rain, "rain", "sun"), "stars": stars, "label": label}
    return Dataset.from_frames(pl.DataFrame(frame), columns={"context": ["weather"], "value": "stars", "label": "label"})


@pytest.mark.parametrize(("head", "figure"), [("rating", "rmse"), ("click", "log_loss")])
def test_heads_are_blended_and_weighed_by_what_they_are_worth(head: str, figure: str, tmp_path: Path) -> None:
    """The factorisation machine sees the weather, the plain factors do not: together no worse than the better one, and most weight is its."""
    dataset, split = starry(), Random(validation=0.2, test=0.2).divide(starry())
    training = TrainingOptions(heads={head: 1.0}, epochs=12, batch=64, learning_rate=1e-2, patience=12)
    options = EvaluationOptions(k=())
    seen, blind = {"use": "FactorisationMachine", "width": 8}, {"use": "BiasedMF", "width": 4}

    def figure_of(*members: dict[str, Any]) -> tuple[Recommender, float]:
        model = Blend(members=members) if len(members) > 1 else getattr(germane.models, members[0]["use"])(width=members[0]["width"])
        recommender = Recommender(model)
        fit(recommender, dataset, split, training, evaluation=options)
        return recommender, judge(recommender, dataset, split, options).value(figure)

    def weights_of(**more: Any) -> list[float]:
        recommender = Recommender(Blend(members=(seen, blind)))
        fit(recommender, dataset, split, training.model_copy(update={"epochs": 4, **more}), evaluation=options)
        return recommender.model.mixed[head].tolist()  # type: ignore[union-attr]

    assert weights_of(refit=True) == weights_of()  # chosen on validation, kept where members learn from all
    recommender, together = figure_of(seen, blind)
    model = recommender.model
    assert isinstance(model, Blend) and model.abilities.gives == {"click", "rating", "conversion"}
    weights = model.mixed[head]
    assert weights[0] > 3 * weights[1] > 0
    assert together < 1.01 * min(figure_of(seen)[1], figure_of(blind)[1])
    queries, items = recommender.batch([Query(user="3", context={"weather": "rain"})]), torch.tensor([[1, 7]])
    parts = [member.predict(queries, items, head).double() for member in model.members]
    parts = [part.logit() if head == "click" else part for part in parts]
    mean = (weights[0] * parts[0] + weights[1] * parts[1]) / weights.sum()
    torch.testing.assert_close(model.predict(queries, items, head).double(), mean.sigmoid() if head == "click" else mean, atol=1e-5, rtol=0)
    whole = torch.arange(len(recommender.catalogue.items))[None]  # lists stand in the order of what is said of their items
    said = model.ratings(queries, whole) if head == "rating" else model.clicks(queries, whole)
    torch.testing.assert_close(model.score(queries), said, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.score(queries, items), said[:, [1, 7]], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.score(queries, items[0]), said[:, [1, 7]], atol=1e-5, rtol=0)
    parts_of = model.reasons(queries, whole)
    torch.testing.assert_close(sum(parts_of.values()), said, atol=1e-5, rtol=0)
    share = weights[0] / weights.sum()  # of the one that sees the moment
    torch.testing.assert_close(parts_of["moment"], share * model.members[0].reasons(queries, whole)["moment"], atol=1e-5, rtol=0)
    recommender.remember(dataset)
    pairs = pl.DataFrame({"user": ["3", "4"], "item": ["1", "7"], "weather": ["rain", "sun"]})
    germane.save(recommender, tmp_path / "run")
    np.testing.assert_allclose(germane.load(tmp_path / "run").score(pairs), recommender.score(pairs), atol=1e-6)


def test_a_loaded_run_leaves_nothing_out_by_chance(tmp_path: Path) -> None:
    """Dropout is of training alone, members' too."""
    dataset = starry()
    recommender = Recommender(Blend(members=[{"use": "DCNv2", "layers": [16], "dropout": 0.5}, {"use": "BiasedMF"}]))
    training = TrainingOptions(heads={"click": 1.0}, epochs=2, batch=64, learning_rate=1e-2)
    fit(recommender, dataset, Random(validation=0.2, test=0.2).divide(dataset), training, evaluation=EvaluationOptions(k=()))
    recommender.remember(dataset)
    germane.save(recommender, tmp_path / "run")
    back, pairs, query = germane.load(tmp_path / "run"), pl.DataFrame({"user": ["3"], "item": ["1"], "weather": ["rain"]}), Query(user="3")
    np.testing.assert_allclose(back.score(pairs), recommender.score(pairs), atol=1e-6)
    first, again = (one.recommend(query, 5).items for one in (recommender, back))
    assert [(place.item, pytest.approx(place.score, abs=1e-5)) for place in first] == [(place.item, place.score) for place in again]


def test_mixing_learns_what_is_not_said_alone() -> None:
    """Of two members that err alike and one that guesses: the free good one gets as much as the good one that is said, the guesser nearly nothing."""
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(4000, generator=rng)
    told = torch.stack([truth + torch.randn(4000, generator=rng) * noise for noise in (0.5, 0.5, 5.0)])
    weights = mix(told, truth, (2.0, None, None), clicks=False)
    assert weights[0] == 2 and weights[1] == pytest.approx(2, rel=0.1) and weights[2] < 0.1
    assert mix(told[:, :0], truth[:0], (2.0, None, None), clicks=False).tolist() == [2, 1, 1]
    assert mix(told.sigmoid(), torch.ones(4000), (None, None, 0.5), clicks=True).tolist() == [1, 1, 0.5]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([{"use": "EASE"}], "at least 2 items"),
        ([{"use": "EASE"}, {"use": "NCF"}], r"NCF \(click, conversion, rating\) have nothing in common"),
        ([{"use": "EASE"}, {"use": "Popular", "weight": -1}], "should be numbers of 0 or more"),
        ([{"use": "EASE"}, {"use": "ItemNeighbors"}], "Did you mean ItemNeighbours"),
        ([{"use": "EASE", "l3": 1}, {"use": "Popular"}], "no option 'l3'"),
    ],
)
def test_what_cannot_be_blended_is_refused(members: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Blend(members=members)


def test_snapshots_of_different_models_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"snapshots are of one model that learns by gradients, and the members are EASE\(\), EASE\(\)"):
        Blend(members=[{"use": "EASE"}, {"use": "EASE"}], snapshots=True)
    with pytest.raises(ConfigError, match="snapshots are of one model"):
        Blend(members=[{"use": "SASRec"}, {"use": "GRU"}], snapshots=True)
