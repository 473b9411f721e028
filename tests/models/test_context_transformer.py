from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from germane.data import Dataset, LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError, TrainingError
from germane.evaluation import EvaluationOptions
from germane.features import Categories, FeatureSet, Moments, Numbers, Place, Time
from germane.jobs.train import evaluate, fit, judge, train
from germane.losses import Objective, sampled
from germane.models import ContextTransformer
from germane.models.context.moment import MomentEncoder
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}
LONG = TrainingOptions(epochs=12, batch=8, warmup=5, learning_rate=1e-2, patience=12)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return train(Recommender(ContextTransformer(**SMALL), text=HashedText(width=64)), small_shop(), training=LONG)


def test_the_moment_leans_to_its_half(shop: Recommender) -> None:
    """Nobody known, nothing done: the weather alone moves the scores of the half of the shop that it goes with."""
    items = torch.arange(24)[None]
    codes = np.array([int(name[1:]) % 2 for name in shop.catalogue.items["id"][:24]])
    moved = {}
    for weather in ("rain", "sun"):
        with torch.inference_mode():
            part = shop.model.reasons(shop.batch([Query(context={"weather": weather})]), items)["moment"][0].numpy()
        moved[weather] = part[codes == 1].mean() - part[codes == 0].mean()
    assert moved["rain"] > moved["sun"]


def test_history_decides_without_context(shop: Recommender) -> None:
    slate = shop.recommend(Query(history=("i1", "i3", "i5")), n=5)
    assert sum(int(place.item[1:]) % 2 for place in slate.items) >= 4


def test_a_new_item_is_placed_by_its_text(shop: Recommender) -> None:
    import polars as pl

    shop.add_items(pl.DataFrame({"item": ["wet", "dry"], "title": ["umbrella boots", "sunscreen sandals"]}))
    slate = shop.recommend(Query(history=("i1", "i3", "i5"), context={"weather": "rain"}, candidates=("wet", "dry")))
    assert [place.item for place in slate.items] == ["wet", "dry"]


def test_missing_context_gives_back_the_history_exactly() -> None:
    from germane.models.context.moment import GatedCross

    cross = GatedCross(8, 0.0)
    h = torch.randn(3, 8)
    assert torch.equal(cross(h, torch.zeros(3, 8)), h)


def test_unknown_items_are_never_negatives() -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=32))
    recommender.prepare(dataset.take(split.train))
    model = recommender.model
    assert isinstance(model, ContextTransformer)
    model.items.known[5] = False
    from germane.batches import Timelines

    table = recommender.table(dataset, visible=split.train)
    for loss in ("softmax", "sampled_softmax", "bce", "gbce", "bpr"):
        model.zero_grad()
        for batch in Timelines(table, 10, 16).draw(np.random.default_rng(0)):
            keep = (batch.targets != 5) & (batch.queries.history != 5).all(1, keepdim=True)
            from dataclasses import replace

            total = model.loss(replace(batch, targets=batch.targets.where(keep, -1)), Objective(loss, 64))["ranking"]  # type: ignore[arg-type]
            total.backward()
        assert model.items.identity is not None
        gradient = model.items.identity.weight.grad
        assert gradient is not None and gradient[5].abs().max() == 0
        assert gradient[4].abs().max() > 0


@pytest.mark.parametrize(("average", "rowwise"), [(0.0, False), (0.9, False), (0.9, True)])
def test_kill_and_resume_is_no_kill(tmp_path, average, rowwise) -> None:  # type: ignore[no-untyped-def]
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)

    class Killed(Exception):
        pass

    def run(checkpoint, stop=None):  # type: ignore[no-untyped-def]
        recommender = Recommender(ContextTransformer(**{**SMALL, "dropout": 0.2}), text=HashedText(width=32), seed=3)

        def progress(told):  # type: ignore[no-untyped-def]
            if stop is not None and told.epoch == stop:
                raise Killed

        options = TrainingOptions(epochs=4, batch=8, patience=4, average=average, rowwise=rowwise)
        fit(recommender, dataset, split, options, checkpoint=checkpoint, progress=progress)
        return recommender.model.state()

    whole = run(tmp_path / "a")
    with pytest.raises(Killed):
        run(tmp_path / "b", stop=3)
    resumed = run(tmp_path / "b")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_accumulation_covers_every_batch() -> None:
    dataset = small_shop()
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, batch=8, accumulate=3))


def test_no_future_in_a_history() -> None:
    """A model that saw the target in its history would be perfect; shuffled labels must not be learnable."""
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=32))
    recommender.prepare(dataset.take(split.train))

    table = recommender.table(dataset)
    queries = table.queries(split.test, 20)
    times = queries.times[:, None] - queries.ages
    assert bool((times[queries.history >= 0] < queries.times[:, None].expand_as(times)[queries.history >= 0]).all())


def test_judging_says_how_sure() -> None:
    recommender = train(Recommender(ContextTransformer(**SMALL), text=HashedText(width=32)), small_shop(), training=TrainingOptions(epochs=1))
    judged = evaluate(recommender, small_shop())
    row = judged.rows[0]
    assert row["metrics"]["ndcg@10"]["low"] <= row["metrics"]["ndcg@10"]["value"] <= row["metrics"]["ndcg@10"]["high"]
    assert row["segment"] == "all" and row["n"] <= 40


def test_shuffled_context_costs() -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    options = EvaluationOptions(exclude_seen=False, k=(10,))
    recommender = Recommender(ContextTransformer(**SMALL, popularity=False), text=HashedText(width=32), exclude_seen=False)
    fit(recommender, dataset, split, LONG)
    true = judge(recommender, dataset, split, options).value()
    shuffled = judge(recommender, dataset, split, options, variant="context shuffled").value()
    assert true > shuffled


def test_heads_must_divide_width() -> None:
    with pytest.raises(ConfigError, match="not a multiple of heads"):
        train(Recommender(ContextTransformer(width=10, heads=4)), small_shop())


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(TrainingError, match="use auto, cpu or cuda"):
        train(Recommender(ContextTransformer(**SMALL)), small_shop(), training=TrainingOptions(device="tpu9"))


def test_sampled_softmax_by_hand() -> None:
    loss = sampled(
        "sampled_softmax", torch.zeros(1), torch.zeros(1, 3), torch.tensor([[False, False, True]]), torch.ones(1), torch.zeros(3), catalogue=10
    )
    assert loss.item() == pytest.approx(np.log(3))


SWITCHES = ("identity", "text", "side", "profile", "context", "history_context", "words", "content", "popularity", "relative_time")


@pytest.mark.parametrize("off", [*((name,) for name in SWITCHES), ("words", "content"), ("text", "popularity", "context"), SWITCHES[1:]])
def test_any_part_can_be_switched_off_and_reasons_still_sum_to_the_score(off: tuple[str, ...]) -> None:
    recommender = Recommender(ContextTransformer(**SMALL, **dict.fromkeys(off, False)), text=HashedText(width=32))
    train(recommender, small_shop(), training=TrainingOptions(epochs=1))
    queries = recommender.batch([Query(user="u0", context={"weather": "rain"}, words="umbrella"), Query()])
    items = torch.arange(24).expand(2, -1)
    with torch.inference_mode():
        whole = recommender.model.score(queries)
        reasons = recommender.model.reasons(queries, items)
        np.testing.assert_allclose(torch.stack(list(reasons.values())).sum(0), whole, atol=1e-4)
        np.testing.assert_allclose(recommender.model.score(queries, items), whole, atol=1e-5)
        np.testing.assert_allclose(recommender.model.score(queries, items[0]), whole, atol=1e-5)


def test_item_vectors_that_are_kept_follow_the_weights(shop: Recommender) -> None:
    """Scores of the whole catalogue read vectors that were computed once: they must not outlive the weights they came from."""
    model = shop.model
    assert isinstance(model, ContextTransformer)
    queries = shop.batch([Query(user="u0")])
    before = {name: tensor.clone() for name, tensor in model.state().items()}
    with torch.inference_mode():
        first = model.score(queries)
    changed = {name: tensor * 1.5 if name == "items.identity.weight" else tensor for name, tensor in before.items()}
    model.load_state(changed)
    with torch.inference_mode():
        assert not torch.allclose(model.score(queries), first)
    model.load_state(before)
    with torch.inference_mode():
        assert torch.equal(model.score(queries), first)
    model.train()
    with torch.no_grad():
        for weight in model.items.parameters():
            weight.mul_(1.5)
    model.eval()
    with torch.inference_mode():
        assert not torch.allclose(model.score(queries), first)
    model.load_state(before)
    scores = model.score(queries)  # with gradients: nothing is kept that could not be learnt through
    scores.sum().backward()
    assert model.items.identity is not None and model.items.identity.weight.grad is not None
    model.zero_grad()


@pytest.mark.parametrize(("exclude", "said", "stand"), [(True, None, False), (False, None, True), (("buy",), None, True), (True, True, True)])
def test_what_lists_leave_out_is_no_negative(exclude: bool, said: bool | None, stand: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"u{n % 6}", f"i{n % 9}", n, "buy" if n % 3 else "view") for n in range(60)]
    events = pl.DataFrame(rows, schema=["user", "item", "time", "kind"], orient="row")
    dataset = Dataset.from_frames(events, columns={"time": "time", "kind": "kind"})
    heard = []
    monkeypatch.setattr(ContextTransformer, "loss", lambda self, batch, objective: heard.append(objective) or {"ranking": self.scale * 0})
    recommender = Recommender(ContextTransformer(**SMALL), exclude_seen=exclude)
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, seen_as_negatives=said))
    assert {objective.seen_as_negatives for objective in heard} == {stand}


def test_a_request_reads_its_history_once(shop: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores and reasons of one answer rest on one pass; the next answer, and one after new weights, on a pass of its own."""
    model = shop.model
    assert isinstance(model, ContextTransformer)
    passes = []
    own = model.history.forward
    monkeypatch.setattr(model.history, "forward", lambda *given: passes.append(1) or own(*given))
    first = shop.recommend(Query(user="u0"), n=3)
    assert len(passes) == 1 and first.items[0].reasons
    shop.recommend(Query(user="u1"), n=3)
    assert len(passes) == 2


def test_a_number_goes_missing_in_training_with_its_flag() -> None:
    """As a category does, and a place with all that tells of it; the circles of time stay, since the time is never missing."""
    events = {"degrees": [1.0, 2.0, 3.0], "lat": [1.0, 2.0, 3.0], "lon": [4.0, 5.0, 6.0], "weather": ["rain", "sun", "rain"], "time": [0.0, 9e4, 1e6]}
    types = {"degrees": "number", "lat": "place", "lon": "place", "weather": "category", "time": "time"}
    features = FeatureSet.fit([Time(), Categories(), Numbers(), Place()], pl.DataFrame(events), types)
    codes, dense = features.told_by
    assert (len(codes), len(dense)) == features.shape
    moments = features.encode(pl.DataFrame(events)[[0] * 4000])
    encoder = MomentEncoder(features, 8, dropout=0.25).train()
    seen: list[Moments] = []
    encoder.table.register_forward_hook(lambda part, given, out: seen.append(given[0]))  # type: ignore[union-attr]
    encoder.numbers.register_forward_hook(lambda part, given, out: seen.append(given[0]))  # type: ignore[union-attr]
    torch.manual_seed(0)
    encoder(moments)
    there = torch.cat([(part != 0) | (whole == 0) for part, whole in zip(seen, (moments.codes, moments.dense))], dim=1)
    owner = np.array([*codes, *dense])
    told = torch.cat([moments.codes[0], moments.dense[0]]).ne(0).numpy()  # a cell of the map that holds too few says nothing anyway
    for value in set(owner.tolist()) - {-1}:
        columns = there[:, (owner == value) & told]
        assert bool((columns == columns[:, :1]).all())  # together
        assert columns.float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert bool(there[:, owner == -1].all())
    assert [owner[len(codes) :].tolist().count(value) for value in (owner[-5], owner[-1])] == [2, 4]  # a number and its flag, a place
    encoder.eval()
    torch.testing.assert_close(encoder(moments)[0], encoder(moments[:1])[0])


def test_all_that_is_known_of_a_user_goes_missing_in_training() -> None:
    """So that a stranger is normal. Whole profiles and not their values, of which a stranger has none."""
    users = {"user": ["u0", "u1"], "age": [20.0, 40.0], "town": ["Ulm", "Köln"]}
    dataset = Dataset.from_frames({"user": ["u0", "u1", "u0"], "item": ["a", "b", "b"]}, users=users, columns={"user_side": ["age", "town"]})
    shop = Recommender(ContextTransformer(width=8, blocks=1, profile_dropout=0.25))
    shop.prepare(dataset)
    profile, rows = shop.model.profile, shop.table(dataset).queries(np.zeros(2000, dtype=np.int64), 5).profile
    torch.manual_seed(0)
    known = profile.train()(rows).detach()
    kept = profile.eval()(rows).detach()
    there = (known != 0).any(dim=1)
    assert there.float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(known[there], kept[there]) and bool((kept != 0).all())
