"""Two models as one: what the second can do that the first cannot, whose order stays where nothing was learnt, and how both are saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import germane
from germane import Query, Recommender
from germane.component import Options
from germane.config import Config
from germane.data import ByTime, Dataset, LeaveLastOut, NoSplit
from germane.encoders import HashedText
from germane.errors import AbilityError, ConfigError, TrainingError
from germane.evaluation import EvaluationOptions
from germane.jobs.check import check
from germane.jobs.describe import describe
from germane.jobs.fitting import Fitting, first_alone
from germane.jobs.run import evaluate_run, train_run
from germane.jobs.train import fit, judge, newest_apart
from germane.models import Blend, ContextTransformer, TwoStage
from germane.models.candidate_features import Candidates
from germane.models.rankers import BoostedTrees, Lessons, Ranker, boosted_trees
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.worlds import MomentWorld

LISTS = EvaluationOptions(exclude_seen=False, segments=("all",), variants=())
SMALL = {"use": "ContextTransformer", "width": 8, "blocks": 1, "length": 10, "text_width": 8}
QUICK: Mapping[str, dict[str, Any]] = {
    "BoostedTrees": {"use": "BoostedTrees", "trees": 60, "learning_rate": 0.15, "patience": 15},
    "CrossNetwork": {"use": "CrossNetwork", "epochs": 8, "patience": 3, "learning_rate": 5e-3},
}


class Keeps(Ranker):
    """Learns nothing."""

    options: Options

    def learn(self, taught: Lessons, aside: Lessons, seed: int) -> int:
        self.lessons = taught, aside
        return 1

    def score(self, pairs: Candidates) -> torch.Tensor:
        return pairs.first

    def state(self) -> dict[str, torch.Tensor]:
        return {}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        pass


class Turns(Keeps):
    """The first order upside down."""

    def score(self, pairs: Candidates) -> torch.Tensor:
        return -pairs.first


@pytest.fixture(scope="module")
def moments() -> Dataset:
    world = MomentWorld(users=120, items=60, events=6_000)
    return Dataset.from_frames(*world.frames(), columns={**world.columns, "text": []})


def fitted(dataset: Dataset, seed: int = 0, training: TrainingOptions | None = None, **options: Any) -> tuple[Recommender, dict[str, Any]]:
    recommender = Recommender(TwoStage(**options), seed=seed, exclude_seen=False)
    told = fit(recommender, dataset, ByTime(validation=0.2, test=0.2).divide(dataset), training or TrainingOptions(epochs=1), evaluation=LISTS)
    return recommender, told


def kept(ranker: type[Ranker], among: int = 10, first: str = "EASE") -> Recommender:
    recommender = Recommender(TwoStage(first={"use": first}, ranker={"use": f"{__name__}:{ranker.__name__}"}, among=among), exclude_seen=False)
    dataset = small_shop()
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(), evaluation=LISTS)
    recommender.remember(dataset)
    return recommender


@pytest.mark.parametrize("name", QUICK)
def test_the_second_sees_what_the_first_cannot(name: str, moments: Dataset) -> None:
    """Popularity knows no moments, and here the moment decides."""
    recommender, told = fitted(moments, first={"use": "Popular"}, ranker=QUICK[name])
    split = ByTime(validation=0.2, test=0.2).divide(moments)
    alone, both = (judge(one, moments, split, LISTS).value() for one in (first_alone(recommender), recommender))
    assert both > 1.4 * alone
    taught = told["ranker"]
    assert taught.better and taught.found == 1 and taught.cases + taught.aside == len(split.validation)
    assert "with the ranker" in str(taught)
    blind = TwoStage(first={"use": "Popular"}, ranker=QUICK[name], context=False)
    other = Recommender(blind, features=(), exclude_seen=False)
    fit(other, moments, split, TrainingOptions(epochs=1), evaluation=LISTS)
    assert both > 1.15 * judge(other, moments, split, LISTS).value()


@pytest.mark.parametrize("among", [1, 5, 10, 24, 1000])
def test_where_nothing_is_learnt_the_first_order_stays(among: int) -> None:
    recommender = kept(Keeps, among)
    queries = recommender.batch([Query(user="u0"), Query(user="u3"), Query()])
    both, first = recommender.model.score(queries), first_alone(recommender).model.score(queries)
    assert torch.equal(both.argsort(dim=1, stable=True, descending=True), first.argsort(dim=1, stable=True, descending=True))


def test_the_best_are_turned_and_stand_above_the_rest() -> None:
    """Among how many is said, and what the user took before is ordered beside them."""
    recommender = kept(Turns, among=5)
    model = recommender.model
    assert isinstance(model, TwoStage)
    queries = recommender.batch([Query(user="u0"), Query()])
    first, both = model.first.score(queries), model.score(queries)
    had = torch.isin(torch.arange(24), queries.history[0])
    order, new = (scores[0].argsort(descending=True, stable=True) for scores in (first, both))
    n = int(((~had[order]).cumsum(0) < 5).sum()) + 1  # to the fifth that is new to the user
    assert 5 < n < 24
    assert set(new[:n].tolist()) == set(order[:n].tolist()) and torch.equal(first[0][new[:n]], first[0][order[:n]].flip(0))
    assert torch.equal(new[n:], order[n:])
    assert set(both[1].argsort(descending=True)[:5].tolist()) == set(range(5))  # nothing known: all are equal, and the lowest codes are taken


def test_those_that_lists_leave_out_take_no_ones_place() -> None:
    recommender = kept(Turns, among=3)
    recommender.exclude_seen = True
    model = recommender.model
    slate = recommender.recommend(Query(user="u0"), n=3)
    first = model.first.score(recommender.batch([Query(user="u0")]))[0]  # type: ignore[attr-defined]
    codes = [recommender.catalogue.codes[place.item] for place in slate.items]
    unseen = [c for c in first.argsort(descending=True, stable=True).tolist() if recommender.catalogue.items["id"][c] not in _seen("u0")]
    assert set(codes) == set(unseen[:3])


def _seen(user: str) -> set[str]:
    dataset = small_shop()
    return {dataset.items["id"][int(dataset.item_codes[row])] for row in dataset.timelines.rows(dataset.user_index[user])}


def test_new_items_are_no_negatives_and_stay_in_lists() -> None:
    """Eight items have no training events. Where one of them was taken it is a target; lists, and the cases kept aside, show them as before."""
    rng = np.random.default_rng(0)
    known = [(f"u{u}", f"i{2 * int(rng.integers(0, 15)) + u % 2}", step) for u in range(60) for step in range(8)]
    later = [(f"u{u}", f"n{2 * int(rng.integers(0, 4)) + u % 2}" if u % 3 else f"i{u % 30}", 8) for u in range(60)]
    titles = {
        f"{kind}{n}": f"{('sunscreen sandals', 'umbrella boots')[n % 2]} number{n}" for kind, most in (("i", 30), ("n", 8)) for n in range(most)
    }
    dataset = Dataset.from_frames(
        pl.DataFrame(known + later, schema=["user", "item", "time"], orient="row"),
        pl.DataFrame({"item": list(titles), "title": list(titles.values())}),
        columns={"time": "time", "text": ["title"]},
    )
    model = TwoStage(first={"use": "ContentNeighbours"}, ranker={"use": f"{__name__}:Keeps"})
    recommender = Recommender(model, text=HashedText(width=32), exclude_seen=False)
    fit(recommender, dataset, LeaveLastOut(test=0).divide(dataset), TrainingOptions(), evaluation=LISTS)
    assert isinstance(model.ranker, Keeps)
    new = torch.from_numpy(dataset.items["id"].str.starts_with("n").to_numpy())
    taught, aside = model.ranker.lessons
    at = torch.arange(taught.pairs.items.shape[1]) == taught.targets[:, None]
    assert taught.pairs.there[at].all() and new[taught.pairs.items[at]].any()
    assert not (new[taught.pairs.items] & taught.pairs.there & ~at).any()
    assert (taught.pairs.there.sum(1) >= 30).all()
    assert (new[aside.pairs.items] & aside.pairs.there).sum(1).eq(8).all()
    recommender.remember(dataset)
    shown = recommender.recommend(Query(words="umbrella", history=("i1", "i3")), n=38)
    assert sum(place.item.startswith("n") for place in shown.items) == 8
    assert any(place.item.startswith("n") for place in shown.items[:10])


def test_a_ranker_that_makes_it_worse_is_told_and_kept() -> None:
    dataset = small_shop()
    recommender = Recommender(TwoStage(first={"use": "EASE"}, ranker={"use": f"{__name__}:Turns"}), exclude_seen=True)
    told = fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions())["ranker"]
    assert not told.better and told.ranker < told.first
    assert "no better than the first model alone" in str(told) and told.as_json()["better"] is False
    assert isinstance(recommender.model, TwoStage) and isinstance(recommender.model.ranker, Turns)


def test_it_learns_from_what_the_first_has_not_seen(moments: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The users of the lessons and those kept aside are different ones, and no count holds an event that is learnt from."""
    split = ByTime(validation=0.2, test=0.2).divide(moments)
    recommender, _ = fitted(moments, first={"use": "Popular"}, ranker={"use": f"{__name__}:Keeps"})
    model = recommender.model
    assert isinstance(model, TwoStage) and isinstance(model.ranker, Keeps)
    taught, aside = model.ranker.lessons
    assert not set(taught.users) & set(aside.users)
    assert len(set(aside.users)) == pytest.approx(0.3 * len(set(taught.users) | set(aside.users)), abs=1)
    assert model.features.lift.of_items.tolist() == np.bincount(moments.item_codes[split.train], minlength=60).tolist()
    assert int(model.features.lift.total) == len(split.train)


@pytest.mark.parametrize("name", QUICK)
def test_it_may_learn_from_the_last_training_events(name: str, moments: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a validation part; the first is then trained again on all."""
    seen: list[int] = []
    one = Fitting.one
    monkeypatch.setattr(Fitting, "one", lambda fitting: (seen.append(len(fitting.split.train)), one(fitting))[1])
    recommender = Recommender(TwoStage(first={"use": "Popular"}, ranker=QUICK[name], learns_from="last", share=0.25), exclude_seen=False)
    split = ByTime(validation=0, test=0.2).divide(moments)
    told = fit(recommender, moments, split, TrainingOptions(epochs=1), evaluation=LISTS)
    apart = newest_apart(moments, split, 0.25)
    assert seen == [len(apart.train), len(split.train)]
    assert len(apart.validation) == pytest.approx(0.25 * len(split.train), rel=0.05)
    assert moments.times[apart.train].max() < moments.times[apart.validation].min()
    assert told["ranker"].better
    alone, both = (judge(one, moments, split, LISTS).value() for one in (first_alone(recommender), recommender))
    assert both > 1.4 * alone
    assert recommender.model.features.lift.of_items.sum() == len(split.train)  # type: ignore[attr-defined]


def test_a_refit_keeps_what_the_second_learnt(moments: Dataset) -> None:
    """And the meaning of the codes that it reads, though other events would number them otherwise."""
    once, _ = fitted(moments, first={"use": "Popular"}, ranker=QUICK["CrossNetwork"])
    again, _ = fitted(moments, first={"use": "Popular"}, ranker=QUICK["CrossNetwork"], training=TrainingOptions(epochs=1, refit=True))
    one, other = once.model, again.model
    assert isinstance(one, TwoStage) and isinstance(other, TwoStage)
    assert all(torch.equal(tensor, other.ranker.state()[name]) for name, tensor in one.ranker.state().items())
    assert other.first.state()["counts"].sum() > one.first.state()["counts"].sum()
    assert once.features.vocabulary() == again.features.vocabulary()


def test_above_a_blend_it_reads_each_members_score(moments: Dataset) -> None:
    first = {"use": "Blend", "members": [{"use": "EASE"}, {"use": "Popular"}]}
    recommender, _ = fitted(moments, first=first, ranker={"use": f"{__name__}:Keeps"})
    model = recommender.model
    assert isinstance(model, TwoStage) and isinstance(model.first, Blend) and not torch.equal(model.first.weights, torch.ones(2))
    queries = recommender.batch([Query(user="u1"), Query()])
    told = model.told(queries)
    assert told.shape == (3, 2, 60)
    pairs = model.pairs(queries, told)
    torch.testing.assert_close(pairs.numbers[..., :3], told.permute(1, 2, 0).gather(1, pairs.items[..., None].expand(-1, -1, 3)))
    with pytest.raises(ConfigError, match="TwoStage is made of several: put a \\[ranker\\] above the blend"):
        Blend(members=[{"use": "TwoStage"}, {"use": "EASE"}])


def test_the_first_is_the_model_that_it_would_be_alone() -> None:
    dataset, training = small_shop(), TrainingOptions(epochs=2, batch=16)
    two = Recommender(TwoStage(first=SMALL, ranker=QUICK["CrossNetwork"]), text=HashedText(width=32))
    one = Recommender(ContextTransformer(**{name: value for name, value in SMALL.items() if name != "use"}), text=HashedText(width=32))
    for recommender in (two, one):
        fit(recommender, dataset, LeaveLastOut().divide(dataset), training)
    alone, below = one.model.state(), first_alone(two).model.state()
    assert all(torch.equal(below[name], tensor) for name, tensor in alone.items())


def test_seeds() -> None:
    dataset = small_shop()
    found = []
    for seed in (0, 0, 1):
        recommender = Recommender(TwoStage(first=SMALL, ranker=QUICK["CrossNetwork"]), text=HashedText(width=32), seed=seed)
        fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, batch=16))
        found.append(recommender.model.state())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    for name in ("first.items.identity.weight", "ranker.out.weight"):
        assert not torch.equal(found[0][name], found[2][name])


@pytest.mark.parametrize("name", QUICK)
def test_it_is_saved_and_loaded_bit_for_bit(name: str, tmp_path: Path) -> None:
    """Also after items were added: these are scored like known ones, by what is known of them."""
    dataset = small_shop()
    recommender = Recommender(TwoStage(first=SMALL, ranker={**QUICK[name], "patience": 3}, among=6), text=HashedText(width=32))
    germane.train(recommender, dataset, training=TrainingOptions(epochs=2, batch=16, refit=True))
    recommender.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots"]}))
    germane.save(recommender, tmp_path / "run")
    back = germane.load(tmp_path / "run")
    asked = [Query(user="u1", context={"weather": "rain"}), Query(user="nobody", words="umbrella"), Query(history=("i3", "i5")), Query()]
    with torch.inference_mode():
        assert torch.equal(back.model.score(back.batch(asked)), recommender.model.score(recommender.batch(asked)))
    told = back.recommend(asked[0], 5)
    assert sum(reason.weight for reason in told.items[0].reasons) == pytest.approx(told.items[0].score, abs=1e-4)
    assert "the second model" in {reason.what for reason in told.items[0].reasons}
    assert "new" in {place.item for place in back.recommend(Query(user="u1"), 24).items}
    ours = back.model
    assert isinstance(ours, TwoStage)
    first = sum(p.numel() for p in ours.first.parameters())  # type: ignore[attr-defined]
    assert (back.parameters()["total"] > first) == (name == "CrossNetwork")


def shop_config(folder: Path, ranker: str, model: str = 'use = "EASE"', split: str = "", training: str = "epochs = 1") -> Path:
    events, items = small_shop().events, small_shop().items
    ids = {"user": small_shop().users["id"].gather(events["user"]), "item": items["id"].gather(events["item"])}
    events.select(pl.col("time"), pl.col("context:weather").alias("weather")).with_columns(**ids).write_csv(folder / "events.csv")
    columns = 'user = "user"\nitem = "item"\ntime = "time"\ncontext = ["weather"]'
    sections = f"[model]\n{model}\n[ranker]\n{ranker}\n[training]\n{training}\n[split]\n{split}\n[evaluation]\nvariants = []"
    sections = sections.replace("[split]\n\n", "")
    (folder / "shop.toml").write_text(f'[data]\nevents = "events.csv"\n[data.columns]\n{columns}\n{sections}\n')
    return folder / "shop.toml"


@pytest.mark.parametrize("name", QUICK)
def test_a_section_makes_two_of_one(name: str, tmp_path: Path) -> None:
    """From the config to answers, with what the ranker is worth in the run."""
    path = shop_config(tmp_path, f'use = "{name}"\namong = 12\npatience = 3')
    assert "fitting" in str(check(path))
    run, judged = train_run(path, tmp_path / "run")
    rows = [(row["name"], row["variant"]) for row in judged.rows if row["segment"] == "all"]
    assert rows == [("TwoStage", "as trained"), ("EASE", "without ranker")]
    assert "without ranker" in judged.rows[0]["p_against"] and "NDCG@10" in str(judged)
    about = json.loads((run / "about.json").read_text())["ranker"]
    assert about["cases"] > 0 and about["aside"] > 0 and 0 < about["found"] <= 1 and about["rounds"] > 0
    assert about["note"] == describe(run)["ranker"] and "TwoStage" in describe(run)["model"]
    slate = germane.load(run).recommend(Query(user="u0", context={"weather": "rain"}), 5)
    assert len(slate.items) == 5 and slate.model_version.startswith("TwoStage")
    before = [row["metrics"] for row in judged.rows]
    assert [row["metrics"] for row in evaluate_run(run).rows] == before
    assert Config.read(path, ["ranker.among=7"]).model.options.among == 7  # type: ignore[attr-defined]


def test_without_context_both_are_blind() -> None:
    model = TwoStage(first=SMALL, ranker={"use": "CrossNetwork", "epochs": 3}, among=9)
    blind = model.without_context()
    assert isinstance(blind, TwoStage) and isinstance(blind.first, ContextTransformer) and not blind.first.options.context
    assert blind.options.among == 9 and blind.ranker.settings() == {"epochs": 3}
    blind = TwoStage(first={"use": "EASE"}).without_context()
    assert blind is not None and "context" not in blind.abilities.reads and blind.without_context() is None
    dataset = small_shop()
    recommender = Recommender(TwoStage(first={"use": "Popular"}, ranker=QUICK["CrossNetwork"], context=False))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions())
    rain, sun = (recommender.model.score(recommender.batch([Query(user="u1", context={"weather": w})])) for w in ("rain", "sun"))
    assert torch.equal(rain, sun)


def test_other_heads_are_those_of_the_first() -> None:
    dataset = small_shop()
    heads = TrainingOptions(epochs=1, batch=16, heads={"ranking": 1.0, "rating": 0.5})
    recommender = Recommender(TwoStage(first=SMALL, ranker=QUICK["CrossNetwork"]), text=HashedText(width=32))
    germane.train(recommender, dataset, training=heads)
    pairs = pl.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"]})
    rating, ranking = recommender.score(pairs), recommender.score(pairs, "ranking")
    assert (rating >= 1).all() and (rating <= 5).all() and not np.allclose(rating, ranking)
    with pytest.raises(ConfigError, match="trains rating only: add ranking"):
        only = Recommender(TwoStage(first=SMALL), text=HashedText(width=32))
        germane.train(only, dataset, training=TrainingOptions(epochs=1, heads={"rating": 1.0}))


@pytest.mark.parametrize(
    ("ranker", "model", "said"),
    [
        ('use = "Popular"', 'use = "EASE"', r"\[ranker\] use = 'Popular': choose from BoostedTrees, CrossNetwork"),
        ('use = "CrossNetwork"', 'use = "DCNv2"', "DCNv2 gives no ranking: choose a \\[model\\] that ranks"),
        ('use = "CrossNetwork"\namong = 0', 'use = "EASE"', r"\[ranker\] option among = 0"),
        ('use = "CrossNetwork"\namogn = 5', 'use = "EASE"', r"no option 'amogn'.*learns_from.*Did you mean among\?"),
        ('use = "CrossNetwork"\nwidth = 0', 'use = "EASE"', r"\[ranker\] CrossNetwork option width = 0"),
        ("among = 5", 'use = "EASE"', r"\[ranker\] needs use = one of BoostedTrees, CrossNetwork"),
        ('use = "CrossNetwork"\nlearns_from = "test"', 'use = "EASE"', "learns_from = 'test'"),
        ('use = "CrossNetwork"', 'use = "TwoStage"', "TwoStage has a second model already"),
    ],
)
def test_what_cannot_stand_together_is_refused(ranker: str, model: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        Config.read(shop_config(tmp_path, ranker, model))


def test_no_validation_part(tmp_path: Path) -> None:
    path = shop_config(tmp_path, 'use = "CrossNetwork"', split='use = "LeaveLastOut"\nvalidation = 0')
    for asks in (lambda: check(path, timed=False), lambda: train_run(path, tmp_path / "run")):
        with pytest.raises(TrainingError, match=r"this split has none: hold some out in \[split\], or say learns_from = \"last\""):
            asks()
    assert not (tmp_path / "run").exists()


def test_nothing_to_learn_from() -> None:
    dataset = small_shop()
    alone = dataset.take(dataset.timelines.rows(0))
    for data, said in ((alone, "two users at least"), (dataset.take(dataset.timelines.rows(0)[:1]), "leave nothing on one side")):
        last = {"learns_from": "last"} if data is not alone else {}
        recommender = Recommender(TwoStage(first={"use": "Popular"}, **last), exclude_seen=False)
        split = LeaveLastOut(test=0) if data is alone else NoSplit()
        with pytest.raises(TrainingError, match=said):
            fit(recommender, data, split.divide(data), TrainingOptions())


def test_without_the_library_nothing_is_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    with pytest.raises(AbilityError, match="pip install 'germane\\[trees\\]'"):
        check(shop_config(tmp_path, 'use = "BoostedTrees"'), timed=False)
    assert BoostedTrees().settings() == {}
