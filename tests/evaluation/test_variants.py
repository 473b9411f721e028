from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from germane.bundle import read_json
from germane.data import ByTime, Split
from germane.data.dataset import Dataset
from germane.encoders import HashedText
from germane.encoders.augmentation import Augmenter, RoundTrip, Synonyms, Typos
from germane.errors import ConfigError
from germane.evaluation import READ_OTHERWISE, VARIANTS, Cases, EvaluationOptions, cases_of
from germane.evaluation.variants import paraphrased, reading, shuffled, shuffled_within_users, with_synonyms, with_typos, without_values
from germane.jobs.run import evaluate_run, train_run
from germane.jobs.train import fit, judge, without_context
from germane.models import ContextTransformer, Popular
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.worlds import MomentWorld

WORLD = MomentWorld(users=30, items=20, events=900, words=0.4, seed=1)
ALL = ("without context", "context shuffled", "context missing", "typos in words")


@pytest.fixture(scope="module")
def world() -> tuple[Dataset, Split, Recommender]:
    dataset = WORLD.dataset()
    split = ByTime().divide(dataset)
    recommender = Recommender(ContextTransformer(width=16, blocks=1, length=10), text=HashedText(width=32), exclude_seen=False)
    fit(recommender, dataset, split, TrainingOptions(epochs=1))
    return dataset, split, recommender


@pytest.fixture(scope="module")
def cases(world: tuple[Dataset, Split, Recommender]) -> Cases:
    dataset, split, recommender = world
    return cases_of(recommender, dataset, split, "test", EvaluationOptions(exclude_seen=False))


def test_shuffled_moments_are_the_same_moments_elsewhere(world: tuple[Dataset, Split, Recommender], cases: Cases) -> None:
    asked = shuffled(cases, world[2], 0)
    assert asked is not None and asked.moments is not None
    own = cases.table.moments[torch.from_numpy(cases.rows)]
    assert not torch.equal(asked.moments.codes, own.codes)
    assert sorted(map(tuple, asked.moments.codes.tolist())) == sorted(map(tuple, own.codes.tolist()))


def test_moments_shuffled_within_users_stay_with_their_user(world: tuple[Dataset, Split, Recommender], cases: Cases) -> None:
    asked = shuffled_within_users(cases, world[2], 0)
    assert asked is not None and asked.moments is not None
    users, own = cases.table.users[cases.rows], cases.table.moments[torch.from_numpy(cases.rows)]
    assert not torch.equal(asked.moments.codes, own.codes)
    pairs = [sorted((int(user), *row) for user, row in zip(users, part.codes.tolist())) for part in (own, asked.moments)]
    assert pairs[0] == pairs[1]
    _, first = np.unique(users, return_index=True)
    assert shuffled_within_users(cases.only(np.isin(np.arange(len(users)), first)), world[2], 0) is None  # one case a user


def test_one_value_in_ten_goes_missing_and_the_time_stays(world: tuple[Dataset, Split, Recommender], cases: Cases) -> None:
    asked = without_values(cases, world[2], 0)
    assert asked is not None and asked.moments is not None
    own = cases.table.moments[torch.from_numpy(cases.rows)]
    gone = (asked.moments.codes == 0) & (own.codes != 0)
    assert torch.equal(asked.moments.codes[~gone], own.codes[~gone])
    assert torch.equal(asked.moments.dense, own.dense)  # the circles of hour and weekday
    assert 0.05 < gone.sum().item() / (len(cases.rows) * len(world[2].features.names)) < 0.15


def test_typos_reach_typed_words_only(world: tuple[Dataset, Split, Recommender], cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world[2], "spelling", None)  # which would mend them
    asked = with_typos(cases, world[2], 0)
    assert asked is not None and asked.words is not None
    own = cases.table.words[torch.from_numpy(cases.table.word_rows[cases.rows])]
    assert 0 < own.typed.sum() < len(own)
    assert torch.equal(asked.words.typed, own.typed)
    assert not asked.words.codes[~own.typed].any()
    for ours, theirs in ((asked.words.vectors, own.vectors), (asked.words.codes, own.codes)):
        assert (ours[own.typed] != theirs[own.typed]).any(1).float().mean() > 0.9


@pytest.mark.parametrize(("ask", "augmenter"), [(with_synonyms, Synonyms), (paraphrased, RoundTrip)])
def test_typed_words_are_said_otherwise_where_that_can_be_done(
    ask: Callable[[Cases, Recommender, int], Cases | None],
    augmenter: type[Augmenter],
    world: tuple[Dataset, Split, Recommender],
    cases: Cases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(augmenter, "missing", lambda self: None)
    monkeypatch.setattr(augmenter, "vary", lambda self, texts, rng: [text.upper() + " indeed" for text in texts])
    asked = ask(cases, world[2], 0)
    assert asked is not None and asked.words is not None
    own = cases.table.words[torch.from_numpy(cases.table.word_rows[cases.rows])]
    assert torch.equal(asked.words.typed, own.typed) and not torch.equal(asked.words.vectors, own.vectors)
    monkeypatch.setattr(augmenter, "missing", lambda self: "It is not here.")
    assert ask(cases, world[2], 0) is None


def test_typos_in_texts_change_what_is_read_of_items_and_leave_the_model(world: tuple[Dataset, Split, Recommender], cases: Cases) -> None:
    dataset, split, recommender = world
    before = {name: tensor.clone() for name, tensor in recommender.model.state().items()}
    other = READ_OTHERWISE["typos in texts"](cases, recommender, 0)
    assert other is not None
    after = other.state()
    assert {name for name, tensor in before.items() if not torch.equal(tensor, after[name])} == {"items.fixed"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in recommender.model.state().items())
    rows = judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False), variant="typos in texts").rows
    assert {row["variant"] for row in rows} == {"typos in texts"} and rows[0]["name"] == "ContextTransformer"


@pytest.mark.parametrize("variant", ["synonyms in texts", "paraphrased texts"])
def test_texts_are_read_otherwise_where_that_can_be_done(
    variant: str, world: tuple[Dataset, Split, Recommender], cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    augmenter = {"synonyms in texts": Synonyms, "paraphrased texts": RoundTrip}[variant]
    monkeypatch.setattr(augmenter, "missing", lambda self: None)
    monkeypatch.setattr(augmenter, "vary", lambda self, texts, rng: [text.upper() + " indeed" for text in texts])
    other = READ_OTHERWISE[variant](cases, world[2], 0)
    assert other is not None and not torch.equal(other.state()["items.fixed"], world[2].model.state()["items.fixed"])
    monkeypatch.setattr(augmenter, "missing", lambda self: "It is not here.")
    assert READ_OTHERWISE[variant](cases, world[2], 0) is None


def test_the_more_typing_errors_the_less_is_read_alike(world: tuple[Dataset, Split, Recommender], cases: Cases) -> None:
    own = world[2].model.state()["items.fixed"]
    apart = []
    for share in (0.2, 1.0):
        other = reading(Typos(share=share))(cases, world[2], 0)
        assert other is not None
        apart.append((other.state()["items.fixed"] - own).norm())
    assert 0 < apart[0] < apart[1]


@pytest.mark.parametrize("variant", [*VARIANTS, *READ_OTHERWISE])
def test_what_cannot_be_asked_has_no_row(variant: str) -> None:
    dataset = WORLD.dataset()
    split = ByTime().divide(dataset)
    rival = Recommender(Popular(), features=())
    fit(rival, dataset, split, TrainingOptions())
    assert judge(rival, dataset, split, EvaluationOptions(), variant=variant).rows == []
    assert without_context(rival) is None


def test_blind_means_blind(world: tuple[Dataset, Split, Recommender]) -> None:
    dataset, split, recommender = world
    blind = without_context(recommender)
    assert blind is not None
    fit(blind, dataset, split, TrainingOptions(epochs=1))
    assert blind.model.options.width == 16  # type: ignore[attr-defined]
    one = judge(blind, dataset, split, EvaluationOptions(exclude_seen=False)).value()
    table = cases_of(blind, dataset, split, "test", EvaluationOptions()).table
    assert table.moments.codes.shape[1] == table.moments.dense.shape[1] == 0
    assert 0 <= one <= 1


def test_a_run_holds_the_rows_that_its_config_asks_for(tmp_path: Path) -> None:
    events, items, _ = WORLD.frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    (tmp_path / "shop.toml").write_text(f"""
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["weather", "company"]
words = "words"
text = ["title"]
[split]
use = "ByTime"
[text]
use = "HashedText"
[model]
use = "ContextTransformer"
width = 16
blocks = 1
[training]
epochs = 1
[evaluation]
exclude_seen = false
baselines = ["Popular"]
segments = ["all"]
variants = {list(ALL)}
""")
    folder, judged = train_run(tmp_path / "shop.toml", tmp_path / "run")
    named = [("as trained", "ContextTransformer"), ("as trained", "Popular"), *((variant, "ContextTransformer") for variant in ALL)]
    assert [(row["variant"], row["name"]) for row in judged.rows] == named
    assert set(judged.rows[0]["p_against"]) == {"Popular", *ALL}
    again = evaluate_run(folder, sets=['evaluation.variants=["context missing"]'])
    assert [row["variant"] for row in again.rows] == ["as trained", "as trained", "context missing"]
    assert [row["metrics"] for row in again.rows[:2]] == [row["metrics"] for row in judged.rows[:2]]
    assert again.rows == read_json(folder, "metrics.json")["rows"]


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="without context"):
        EvaluationOptions(variants=("upside down",))  # type: ignore[arg-type]
    from germane.config import Config

    with pytest.raises(ConfigError, match="variants"):
        Config.of({"data": {"events": "x.csv"}, "evaluation": {"variants": ["upside down"]}}, Path())
