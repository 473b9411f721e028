from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tomli_w
import torch
from safetensors.torch import load_file

import germane
from germane import Query
from germane.batches import Timelines
from germane.config import Config
from germane.data import LeaveLastOut
from germane.encoders import LearningTexts, PretrainedText
from germane.encoders.language_model import LanguageModel
from germane.errors import ConfigError, FetchError, RunError
from germane.evaluation import Validation
from germane.jobs.check import check
from germane.jobs.estimate import kept_states
from germane.jobs.run import train_run
from germane.jobs.train import evaluate, fit
from germane.jobs.tuning import renewal
from germane.losses import step_draws
from germane.models import Blend, ContentNeighbours, ContextTransformer
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import Told, TrainingOptions
from germane.types import Note
from germane.worlds import Checkerboard

SMALL = {"width": 8, "blocks": 1, "length": 8, "text_width": 8, "dropout": 0.0, "identity_dropout": 0.0, "context_dropout": 0.0}
KINDS = ["top:1", "full", "lora", "adapter", "prefix"]


class Killed(Exception):
    """The process is gone."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))


def made(tiny_bert: Path, tuning: str = "frozen", model: dict[str, object] | None = None, **said: object) -> Recommender:
    return Recommender(
        ContextTransformer(**{**SMALL, **(model or {})}), text=PretrainedText(model=str(tiny_bert), tuning=tuning, rank=2, **said), seed=3
    )


def prepared(tiny_bert: Path, tuning: str, text: dict[str, object] | None = None, **said: object) -> tuple[Recommender, Timelines]:
    """Before the first step."""
    dataset = small_shop()
    recommender = made(tiny_bert, tuning, said, **(text or {}))
    torch.manual_seed(3)
    recommender.prepare(dataset)
    recommender.model.warm(dataset, recommender.content)
    table = recommender.table(dataset)
    return recommender, Timelines(table, 8, 64)


def loss(recommender: Recommender, feed: Timelines) -> torch.Tensor:
    torch.manual_seed(5)
    model = recommender.model
    return model.loss(next(feed.draw(np.random.default_rng(0))), model.objective)["ranking"]


@pytest.mark.parametrize("tuning", KINDS)
def test_at_the_start_the_loss_is_that_of_frozen_and_it_reaches_the_language_model(tiny_bert: Path, tuning: str) -> None:
    frozen, feed = prepared(tiny_bert, "frozen")
    recommender, _ = prepared(tiny_bert, tuning)
    begun = recommender.model.state_dict()
    assert not [name for name, tensor in frozen.model.state_dict().items() if not torch.equal(begun[name], tensor)]
    for one in (frozen, recommender):
        one.model.train()
        one.model.items.learning and one.model.items.learning.eval()  # no dropout
    found = loss(recommender, feed)
    torch.testing.assert_close(found, loss(frozen, feed), atol=1e-6, rtol=0)
    found.backward()
    recommender.model.carry()
    learned = recommender.model.texts_that_learn().learned
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in learned)
    assert not [name for name in recommender.model.state_dict() if "learning" in name and "learned" not in name]  # what is frozen is in no checkpoint


@pytest.mark.parametrize(("tuning", "layers"), [*((kind, None) for kind in KINDS), ("lora", 1), ("adapter", 1), ("prefix", 1)])
def test_the_gradient_of_the_ranking_loss_is_that_of_finite_differences(tiny_bert: Path, tuning: str, layers: int | None) -> None:
    """Also where it rests on kept states of the layer below: with ``top:1``, and with ``layers = 1`` of the kinds that are put in."""
    recommender, feed = prepared(tiny_bert, tuning, {"layers": layers}, context=False, history_context=False, values=False, words=False)
    model = recommender.model.double().train()
    learning = model.texts_that_learn()
    learning.eval()

    def exactly(texts: Sequence[str]) -> torch.Tensor:  # in float64, as ``encode`` does not
        return learning(torch.arange(len(texts))).detach()

    with torch.no_grad():
        for parameter in (*learning.learned, *model.items.text.parameters(), model.items.identity.weight):
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.refresh(exactly)
    loss(recommender, feed).backward()
    model.carry()
    assert (len(learning.lower) > 0) == (tuning == "top:1" or layers == 1)
    parameter = max((one for one in learning.learned if one.grad is not None), key=lambda one: float(one.grad.abs().max()))
    at, step, sides = int(parameter.grad.abs().argmax()), 1e-5, []
    for way in (step, -step):
        with torch.no_grad():
            parameter.view(-1)[at] += way
            model.refresh(exactly)
            sides.append(float(loss(recommender, feed)))
            parameter.view(-1)[at] -= way
    assert float(parameter.grad.view(-1)[at]) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-4)
    assert abs(float(parameter.grad.view(-1)[at])) > 1e-6


def test_all_items_are_read_alike_until_the_epoch_ends(tiny_bert: Path) -> None:
    """Were some read by the language model as it stands, it would learn to tell these, which were taken, from the others."""
    recommender, feed = prepared(tiny_bert, "full", words=False)
    model = recommender.model.train()
    before = loss(recommender, feed)
    with torch.no_grad():
        for parameter in model.texts_that_learn().learned:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    assert torch.equal(loss(recommender, feed), before)
    model.refresh(model.texts_that_learn().encode)
    assert not torch.equal(loss(recommender, feed), before)


def test_a_few_texts_stand_for_all_on_average(tiny_bert: Path) -> None:
    recommender, feed = prepared(tiny_bert, "lora")
    model = recommender.model.train()
    learning = model.texts_that_learn().eval()

    loss(recommender, feed).backward()
    read = model.gathered()

    def gradient(fresh: int, key: int, parts: int = 1) -> torch.Tensor:
        learning.fresh = fresh
        learning.zero_grad()
        for number in range(parts):  # of several processes, one after the other
            model.items.read = read
            with step_draws([key], torch.device("cpu")):
                model.carry(number, parts)
        return torch.cat([parameter.grad.ravel() for parameter in learning.learned if parameter.grad is not None])

    whole = gradient(24, 0)
    few = torch.stack([gradient(6, key) for key in range(100)])
    torch.testing.assert_close(gradient(6, 5, parts=2), gradient(6, 5))
    assert torch.equal(whole, gradient(24, 1)) and not torch.equal(few[0], few[1])
    error = (few.mean(0) - whole).norm()
    assert error < 4 * (few - whole).norm(dim=1).square().mean().sqrt() / 100**0.5 and error < 0.3 * whole.norm()


def test_texts_are_said_otherwise_as_they_are_learnt_from(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    tokens = LanguageModel.tokens
    monkeypatch.setattr(LanguageModel, "tokens", lambda self, texts: (said.extend(texts), tokens(self, texts))[1])
    recommender = made(tiny_bert, "lora", augment=[{"use": "TokenDropout", "share": 0.5}], item_prefix="the ")
    trained = germane.train(recommender, small_shop(), training=TrainingOptions(epochs=1, batch=16))
    titles = set(small_shop().items["title"])
    words = {word for title in titles for word in title.split()}  # each is read by itself, as typed words are
    varied = [text for text in said if text.removeprefix("the ") not in titles and text not in words]
    assert varied and all(text.startswith("the ") and len(text.split()) < 4 for text in varied)
    whole = [text for text in said if text.removeprefix("the ") in titles]
    assert {text.removeprefix("the ") for text in whole} == titles  # answers come of the texts as they are
    assert trained.text.untuned().options.augment == ()


@pytest.mark.parametrize("tuning", ["lora", "top:1"])
def test_a_tuned_run_is_saved_and_answers_as_before(tiny_bert: Path, tmp_path: Path, tuning: str) -> None:
    fast = TrainingOptions(epochs=2, batch=16, learning_rate={"text": 1e-2, "rest": 1e-2}, refit=True)
    recommender = germane.train(made(tiny_bert, tuning, frozen_epochs=0), small_shop(), training=fast)
    assert recommender.model.texts_that_learn() is None and recommender.content.learning is None
    frozen = PretrainedText(model=str(tiny_bert))
    assert not torch.allclose(recommender.text.encode(["umbrella boots"]), frozen.encode(["umbrella boots"]), atol=1e-4)
    torch.testing.assert_close(
        recommender.model.items.z, recommender.model.items.whitened(recommender.content.text), atol=1e-5, rtol=0
    )  # the items' vectors are those of the language model as it was left
    run = germane.save(recommender, tmp_path / "run")
    kept = load_file(run / "text.safetensors")
    about = json.loads((run / "about.json").read_text())
    assert sum(tensor.numel() for tensor in kept.values()) == about["parameters"]["text_trainable"] < about["parameters"]["text_total"]
    assert (run / "tokenizer" / "tokenizer.json").is_file() and "tokenizer/tokenizer.json" in about["files"]
    again = germane.load(run)
    judged = [evaluate(one, small_shop(), split=LeaveLastOut()).value() for one in (recommender, again)]
    assert judged[0] == pytest.approx(judged[1], abs=1e-6) and judged[0] > 0
    for query in (Query(user="u1", words="quiet rain"), Query(history=("i3",)), Query(words="umbrella")):
        first, second = recommender.recommend(query, explore=False), again.recommend(query, explore=False)
        assert [item.item for item in first.items] == [item.item for item in second.items]
        assert [item.score for item in first.items] == pytest.approx([item.score for item in second.items], abs=1e-4)
    assert again.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots number99"]})) == 1


def test_other_weights_than_it_was_tuned_on_are_refused(tiny_bert: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(tiny_bert, tmp_path / "model"))
    recommender = germane.train(made(copy, "lora"), small_shop(), training=TrainingOptions(epochs=1, batch=16))
    run = germane.save(recommender, tmp_path / "run")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(RunError, match="tuned a language model with other weights"):
        germane.load(run)


def test_a_tokenizer_that_was_changed_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    run = germane.save(germane.train(made(tiny_bert, "adapter"), small_shop(), training=TrainingOptions(epochs=1, batch=16)), tmp_path / "run")
    file = run / "tokenizer" / "tokenizer.json"
    whole = file.read_text()
    file.write_text(whole.replace("umbrella", "sunglass"))
    with pytest.raises(RunError, match=r"tokenizer\.json is not the file that was written"):
        germane.load(run)
    file.write_text(whole)
    (run / "tokenizer" / "extra.bin").write_bytes(b"x")
    with pytest.raises(RunError, match="looks like a pickle"):
        germane.load(run)


@pytest.mark.parametrize(
    ("tuning", "said"), [("lora", {"unfreeze": 1}), ("top:1", {"states_memory": 4e-6, "fresh": 3, "batch": 4})], ids=["lora", "little room"]
)
def test_kill_and_resume_is_no_kill(tiny_bert: Path, tmp_path: Path, tuning: str, said: dict[str, object]) -> None:
    """Of texts whose lower states find no room, the layers below drop something out; which these are does not rest on when it was killed."""
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)

    def run(checkpoint: Path, stop: int | None = None) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
        recommender = made(tiny_bert, tuning, **said)

        def progress(told: Told) -> None:
            if told.epoch == stop:
                raise Killed

        options = TrainingOptions(epochs=3, batch=16, average=0.5, learning_rate={"text": 1e-2, "rest": 1e-2})
        trained = fit(recommender, dataset, split, options, checkpoint=checkpoint, progress=progress)
        return {**recommender.model.state(), **recommender.text.state()}, trained["curve"]

    whole, curve = run(tmp_path / "a")
    with pytest.raises(Killed):
        run(tmp_path / "b", stop=3)
    resumed, same = run(tmp_path / "b")
    assert same == curve and all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_layers_begin_to_learn_one_by_one(tiny_bert: Path) -> None:
    learning = PretrainedText(model=str(tiny_bert), tuning="full", unfreeze=2).learning(["rain", ""])
    assert learning is not None and learning.there.tolist() == [True, False]

    def awake() -> list[bool]:
        return [all(parameter.requires_grad for parameter in layer) for layer in learning.layers()]

    found = []
    for epoch in range(5):
        learning.begin(epoch)
        found.append(awake())
    assert found == [[False, False, True], [False, False, True], [False, True, True], [False, True, True], [True, True, True]]


def test_typed_words_and_items_are_read_anew_after_each_epoch(tiny_bert: Path) -> None:
    recommender, feed = prepared(tiny_bert, "lora")
    model, dataset = recommender.model, small_shop()
    renew = renewal(recommender, model, dataset, [feed.table], None)
    before = model.items.z.clone()
    assert renew is not None
    renew()
    torch.testing.assert_close(model.items.z, before, atol=1e-5, rtol=0)
    with torch.no_grad():
        for parameter in model.texts_that_learn().learned:
            parameter.add_(0.3)
    renew()
    assert not torch.allclose(model.items.z, before, atol=1e-3)
    assert renewal(*prepared(tiny_bert, "frozen")[:1], prepared(tiny_bert, "frozen")[0].model, dataset, [feed.table], None) is None


@pytest.mark.parametrize("model", [ContentNeighbours(), Blend(members=[{"use": "ContextTransformer"}, {"use": "Popular"}])], ids=["counted", "blend"])
def test_models_that_do_not_learn_through_texts_say_so(tiny_bert: Path, model: germane.models.Model) -> None:
    recommender = Recommender(model, text=PretrainedText(model=str(tiny_bert), tuning="lora"))
    with pytest.raises(ConfigError, match="does not learn through texts; models that do: ContextTransformer"):
        germane.train(recommender, small_shop())


def test_a_config_says_so_with_its_other_faults(tmp_path: Path) -> None:
    said = {
        "data": {"events": "e.csv", "columns": {"text": ["title"]}},
        "text": {"tuning": "lora"},
        "model": {"use": "SASRec"},
        "training": {"epoch": 3},
    }
    with pytest.raises(ConfigError, match="SASRec does not learn through texts") as found:
        Config.of(said, tmp_path)
    assert len(found.value.faults) == 2


def written(folder: Path, text: dict[str, object]) -> Path:
    """A config whose items have texts, and its data."""
    events, items, _ = Checkerboard(users=10, items=10).frames()
    events.write_csv(folder / "events.csv")
    items.write_csv(folder / "items.csv")
    columns = {"user": "user", "item": "item", "text": [items.columns[1]]}
    said = {"data": {"events": "events.csv", "items": "items.csv", "columns": columns}, "text": text}
    (folder / "shop.toml").write_text(tomli_w.dumps(said))
    return folder / "shop.toml"


def test_what_the_language_model_cannot_do_is_told_before_a_text_is_encoded(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encode = LanguageModel.encode
    monkeypatch.setattr(LanguageModel, "encode", lambda self, texts, *how: (encoded.append(len(texts)), encode(self, texts, *how))[1])
    with pytest.raises(ConfigError, match=r"tuning = 'top:9': this language model has 2 layers"):
        prepared(tiny_bert, "top:9")
    assert not encoded
    prepared(tiny_bert, "top:1")
    assert encoded


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["text.tuning=top:9"], r"tuning = 'top:9': this language model has 2 layers"),
        (["text.tuning=lora", 'text.targets=["nothing"]'], r"targets = \['nothing'\]: .*Linear maps of this model are dense, key, query, value"),
    ],
)
def test_check_says_so_with_the_other_faults(tiny_bert: Path, tmp_path: Path, sets: list[str], says: str) -> None:
    shop = written(tmp_path, {"model": str(tiny_bert)})
    assert check(shop, sets=["text.tuning=top:1"], timed=False).estimate is None
    with pytest.raises(ConfigError, match=says):
        check(shop, sets=sets, timed=False)
    with pytest.raises(ConfigError, match=says) as found:
        check(shop, sets=[*sets, "training.heads={rating = 1.0}"], timed=False)
    assert len(found.value.faults) == 2


def test_check_asks_a_frozen_one_what_its_files_say_and_fetches_nothing(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        raise FetchError(f"{name} is far away")

    monkeypatch.setattr("germane.encoders.text.get_weights", fetch)
    decoder = Path(shutil.copytree(tiny_bert, tmp_path / "decoder"))
    about = json.loads((decoder / "config.json").read_text())
    (decoder / "config.json").write_text(json.dumps({**about, "is_decoder": True}))
    shop = written(tmp_path, {"model": str(decoder), "pooling": "cls"})
    with pytest.raises(ConfigError, match="is a decoder: its first token has seen no other"):
        check(shop, timed=False)
    check(shop, sets=["text.model=some/where"], timed=False)
    assert not asked
    check(shop, sets=["text.model=some/where", "text.tuning=lora"], timed=False)  # of what cannot be had now nothing is known
    assert asked == ["some/where"]


def test_what_it_will_take_is_foreseen_with_the_language_model(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, renewed = [], []
    forward, encode = LearningTexts.forward, LearningTexts.encode
    monkeypatch.setattr(LearningTexts, "forward", lambda self, items, rng=None: (steps.append(len(items)), forward(self, items, rng))[1])
    monkeypatch.setattr(LearningTexts, "encode", lambda self, texts: (renewed.append(len(texts)), encode(self, texts))[1])
    events, items, _ = Checkerboard(users=30, items=20).frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    said = {
        "data": {"events": "events.csv", "items": "items.csv", "columns": {"user": "user", "item": "item", "text": [items.columns[1]]}},
        "text": {"model": str(tiny_bert)},
        "model": {"width": 8, "blocks": 1},
        "training": {"epochs": 2, "device": "cpu"},
    }
    (tmp_path / "shop.toml").write_text(tomli_w.dumps(said))
    tuned = check(tmp_path / "shop.toml", sets=["text.tuning=full"]).estimate
    assert tuned is not None and tuned.epochs == 2 and tuned.epoch > 0
    assert len(steps) >= 2 and len(renewed) >= 1  # timed steps encode texts, and so does the end of an epoch
    steps.clear()
    check(tmp_path / "shop.toml")
    assert not steps


def test_what_will_be_kept_of_all_texts_is_foreseen_from_some(tiny_bert: Path) -> None:
    model = prepared(tiny_bert, "top:1")[0].model
    learning = model.texts_that_learn()
    assert learning is not None and kept_states(model) == 0.0
    learning.encode(learning.texts[:3])
    some, foreseen = learning.lower.taken, kept_states(model)
    learning.encode(learning.texts)
    assert 0.5 * foreseen < learning.lower.taken - some < 2 * foreseen
    learning.lower.room = learning.lower.taken + 1.0
    assert kept_states(model) <= 1.0
    assert kept_states(prepared(tiny_bert, "full")[0].model) == kept_states(prepared(tiny_bert, "frozen")[0].model) == 0.0


def test_nothing_learns_in_the_first_epochs_and_resuming_in_them_is_exact(tiny_bert: Path, tmp_path: Path) -> None:
    """They are those of a frozen training; a run killed in them ends with the same weights."""

    def run(tuning: str, epochs: int, checkpoint: Path | None = None, stop: int = 0, **said: object) -> tuple[dict[str, torch.Tensor], list[float]]:
        dataset = small_shop()
        recommender = made(tiny_bert, tuning, **said)

        def progress(told: Told) -> None:
            if told.epoch == stop and told.step == 1:
                raise Killed

        trained = fit(
            recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=epochs, batch=16), checkpoint=checkpoint, progress=progress
        )
        return {**recommender.model.state(), **recommender.text.state()}, [told["loss"] for told in trained["curve"]]

    waiting = {"frozen_epochs": 2, "fresh": 4}
    whole, losses = run("lora", 4, tmp_path / "a", **waiting)
    at_once, _ = run("lora", 4, **{**waiting, "frozen_epochs": 0})
    never, same = run("lora", 2, **waiting)
    assert losses[:2] == same and len(losses) == 4
    learnt = [name for name in whole if "lora_B" in name]
    assert learnt and all(whole[name].any() for name in learnt) and not all(torch.equal(whole[name], at_once[name]) for name in learnt)
    assert learnt == [name for name in never if "lora_B" in name] and not any(never[name].any() for name in learnt)
    for stop in (2, 4):
        with pytest.raises(Killed):
            run("lora", 4, tmp_path / f"b{stop}", stop=stop, **waiting)
        resumed, _ = run("lora", 4, tmp_path / f"b{stop}", **waiting)
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize(
    ("epochs", "figures", "first", "again", "more"),
    [
        (8, [0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], [False] * 4 + [True] * 2, [False] * 2, {}),
        (8, [0.1, 0.2, 0.1, 0.1, 0.1, 0.3, 0.1, 0.1], [False] * 4 + [True] * 4, [False] * 2 + [True] * 2, {"average": 0.9}),
        (8, [0.1, 0.2, 0.3, 0.4, 0.1, 0.5, 0.1, 0.1], [False] * 4 + [True] * 4, [False] * 4 + [True] * 2, {"schedule": "cosine"}),
        (20, [0.2, 0.1, 0.1, 0.1, 0.3, 0.1, 0.1], [False] * 3 + [True] * 4, [False] + [True] * 2, {}),
    ],
    ids=["it never helps", "half of the epochs", "the last of them is the best", "all else has found its place"],
)
def test_the_language_model_waits_until_all_else_has_found_its_place_and_patience_waits_with_it(
    tiny_bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    figures: list[float],
    first: list[bool],
    again: list[bool],
    more: dict[str, Any],
) -> None:
    """It begins with the weights of the best epoch so far, also where the training was killed just before. A refit goes the way that led to the best
    weights and no other: an epoch before anything learnt gives the frozen model."""
    awake: list[list[bool]] = []
    begin, done = LearningTexts.begin, 0

    def watched(learning: LearningTexts, epoch: int) -> None:
        nonlocal done
        begin(learning, epoch)
        awake.extend([[]] * (epoch == 0))
        awake[-1], done = [*awake[-1], learning.awake], epoch

    monkeypatch.setattr(LearningTexts, "begin", watched)
    monkeypatch.setattr(Validation, "__call__", lambda self: figures[done])
    options = TrainingOptions(epochs=epochs, batch=16, patience=2, refit=True, **more)
    split = LeaveLastOut().divide(small_shop())

    def run(checkpoint: Path | None, stop: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        recommender = made(tiny_bert, "lora", fresh=4)

        def progress(told: Told) -> None:
            if stop and told.epoch == stop and told.step == 1:
                raise Killed

        trained = fit(recommender, small_shop(), split, options, checkpoint=checkpoint, progress=progress)
        return {**recommender.model.state(), **recommender.text.state()}, trained

    whole, trained = run(None)
    best = figures.index(max(figures)) + 1
    assert awake == [first, again] and trained["epochs"] == best and trained["asleep"] == (not any(again))
    assert any(tensor.any() for name, tensor in whole.items() if "lora_B" in name) == any(again)
    woken = first.index(True)
    for stop in (woken + 1, woken + 2):
        with pytest.raises(Killed):
            run(tmp_path / f"{stop}", stop)
        awake.append([])
        resumed, _ = run(tmp_path / f"{stop}")
        assert all(torch.equal(whole[name], resumed[name]) for name in whole), stop


def test_it_learns_from_the_best_of_the_epochs_that_it_waited(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came after the best of them is forgotten, and the loop says nothing of it: the same as if it had waited for the best alone."""
    figures = [0.2, 0.1, 0.1, 0.3, 0.1, 0.1]
    weights: dict[int, dict[str, torch.Tensor]] = {}
    begin, done = LearningTexts.begin, 0

    def watched(learning: LearningTexts, epoch: int) -> None:
        nonlocal done
        begin(learning, epoch)
        done = epoch
        weights[epoch] = {name: tensor.clone() for name, tensor in recommender.model.state().items()}

    monkeypatch.setattr(LearningTexts, "begin", watched)
    monkeypatch.setattr(Validation, "__call__", lambda self: figures[done])
    recommender = made(tiny_bert, "lora", fresh=4)
    options = TrainingOptions(epochs=20, batch=16, patience=2)
    fit(recommender, small_shop(), LeaveLastOut().divide(small_shop()), options)
    assert all(torch.equal(weights[3][name], weights[1][name]) for name in weights[1])  # the first epoch was the best of three
    assert any(not torch.equal(weights[2][name], weights[1][name]) for name in weights[1])


def test_a_run_says_that_its_language_model_never_learned(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or who compares it with the frozen run would judge tuning by a run that is frozen."""
    events, items, _ = Checkerboard(users=40, items=20).frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    columns = {"user": "user", "item": "item", "text": [items.columns[1]]}
    said = {
        "data": {"events": "events.csv", "items": "items.csv", "columns": columns},
        "text": {"model": str(tiny_bert), "tuning": "lora", "rank": 2},
        "model": SMALL,
        "training": {"epochs": 6, "patience": 2},
        "evaluation": {"baselines": [], "variants": []},
    }
    for better, codes in ((-1, ["never_tuned"]), (1, [])):
        figures = iter(range(100, 100 + 100 * better, better))
        monkeypatch.setattr(Validation, "__call__", lambda self, figures=figures: float(next(figures)))
        heard: list[Note] = []
        run, _ = train_run(Config.of(said, tmp_path), tmp_path / f"run{better}", noted=heard.append)
        told = json.loads((run / "about.json").read_text())["notes"]
        assert [note.code for note in heard if note.code == "never_tuned"] == codes
        assert [note["code"] for note in told if note["code"] == "never_tuned"] == codes


def test_a_language_model_that_would_never_learn_is_refused(tmp_path: Path) -> None:
    data = {"events": "e.csv", "items": "i.csv", "columns": {"text": ["title"]}}
    said = {"data": data, "text": {"tuning": "lora", "frozen_epochs": 6}, "training": {"epochs": 6}}
    with pytest.raises(ConfigError, match=r"\[text\] frozen_epochs = 6: of \[training\] epochs = 6 none is left to learn in"):
        Config.of(said, tmp_path)
    for fine in ({**said, "training": {"epochs": 7}}, {**said, "text": {"frozen_epochs": 6}}):
        Config.of(fine, tmp_path)


def test_texts_are_encoded_anew_as_often_as_is_said(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learning = PretrainedText(model=str(tiny_bert), tuning="lora", refreshes=3, frozen_epochs=1).learning(["rain", ""])
    assert learning is not None
    learning.begin(0)
    assert not learning.awake and not any(learning.due(done, 10) for done in range(1, 11))
    learning.begin(1)
    assert learning.awake and [done for done in range(1, 11) if learning.due(done, 10)] == [4, 8]
    renewed = []
    encode = LearningTexts.encode
    monkeypatch.setattr(LearningTexts, "encode", lambda self, texts: (renewed.append(len(texts)), encode(self, texts))[1])
    counts = []
    for refreshes in (1, 2):
        renewed.clear()
        recommender = made(tiny_bert, "lora", refreshes=refreshes)
        fit(recommender, small_shop(), LeaveLastOut().divide(small_shop()), TrainingOptions(epochs=2, batch=8))
        counts.append(len(renewed))
    assert counts[1] > counts[0]


def test_epochs_in_which_nothing_learns_are_timed_apart(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events, items, _ = Checkerboard(users=60, items=40).frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    said = {
        "data": {"events": "events.csv", "items": "items.csv", "columns": {"user": "user", "item": "item", "text": [items.columns[1]]}},
        "text": {"model": str(tiny_bert), "tuning": "full"},
        "model": {"width": 8, "blocks": 1},
        "training": {"epochs": 40, "device": "cpu"},
    }
    (tmp_path / "shop.toml").write_text(tomli_w.dumps(said))
    timed, begin = [], LearningTexts.begin
    monkeypatch.setattr(LearningTexts, "begin", lambda self, epoch: (timed.append(self.frozen_epochs), begin(self, epoch))[1])
    for waits, found in ((0, {0}), (3, {0, 1})):
        timed.clear()
        told = check(tmp_path / "shop.toml", sets=[f"text.frozen_epochs={waits}"]).estimate
        assert told is not None and told.epochs == 40 and told.epoch > 0 and told.train > 0 and set(timed) == found
