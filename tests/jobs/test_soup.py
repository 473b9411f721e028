from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from germane.bundle import load, read_json
from germane.errors import RunError
from germane.jobs import soup as module
from germane.jobs.run import train_run
from germane.jobs.soup import averaged, soup
from germane.recommender import Recommender
from germane.worlds import MomentWorld

CONFIG = """
seed = 3
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["weather", "company"]
text = ["title"]
[split]
use = "ByTime"
[text]
use = "HashedText"
width = 32
[model]
use = "ContextTransformer"
width = 16
blocks = 1
length = 10
[training]
epochs = 2
[evaluation]
exclude_seen = false
baselines = []
variants = []
segments = ["all"]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two that differ in how they learned, and one from other weights."""
    folder = tmp_path_factory.mktemp("runs")
    events, items, _ = MomentWorld(users=30, items=20, events=500, seed=1).frames()
    events.write_csv(folder / "events.csv")
    items.write_csv(folder / "items.csv")
    (folder / "shop.toml").write_text(CONFIG)
    made = {
        "a": (),
        "b": ("training.learning_rate=4e-3",),
        "other-seed": ("seed=4",),
        "wide": ("model.width=8",),
        "blind": ("data.columns.context=[]",),
        "part": ("split.test=0.2",),
        "refitted": ("training.refit=true", "training.epochs=1"),
        "counted": ("model={use='EASE'}",),
    }
    return [train_run(folder / "shop.toml", folder / name, sets=sets)[0] for name, sets in made.items()]


def test_policy_and_evaluation_can_be_changed(runs: list[Path], tmp_path: Path) -> None:
    folder, judged = soup(runs[:2], tmp_path / "soup", sets=["evaluation.k=[3]", "policy.use=PlackettLuce", "evaluation.exclude_seen=true"])
    assert "ndcg@3" in judged.rows[0]["metrics"]
    assert load(folder).exclude_seen is True and repr(load(folder).policy) == "PlackettLuce()"


def test_the_soup_is_the_mean_of_its_runs_and_a_whole_run(runs: list[Path], tmp_path: Path) -> None:
    folder, judged = soup(runs[:2], tmp_path / "soup")
    states = [load(run).model.state() for run in (*runs[:2], folder)]
    for name, tensor in states[2].items():
        wanted = (states[0][name].double() + states[1][name].double()) / 2 if tensor.is_floating_point() else states[0][name]
        assert torch.equal(tensor, wanted.to(tensor.dtype)), name
    assert [(row["name"], row["split"]) for row in judged.rows] == [
        ("ContextTransformer", "test"),
        ("ContextTransformer", "validation"),
        ("a", "validation"),
        ("b", "validation"),
    ]
    about = read_json(folder, "about.json")
    assert about["soup"]["kept"] == ["a", "b"] and not about["soup"]["greedy"] and set(about["soup"]["validation"]) == {"a", "b"}
    own = read_json(runs[0], "about.json")
    best = max(epoch["validation"] for epoch in own["curve"])
    assert about["soup"]["validation"]["a"] == pytest.approx(best)  # the run is judged as training judged it
    assert load(folder).version.endswith("soup-of-2")
    with pytest.raises(RunError, match="exists"):
        soup(runs[:2], folder)


def test_language_models_that_learnt_are_averaged_with_the_rest(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    events, items, _ = MomentWorld(users=30, items=20, events=400, seed=1).frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    tuned = f'[text]\nmodel = "{tiny_bert}"\ntuning = "lora"\nrank = 2\nfrozen_epochs = 0\n'
    held_out = "[data.rules]\nhold_out_items = 4\n[split]"  # new items borrow from those that each language model finds most like them
    (tmp_path / "shop.toml").write_text(CONFIG.replace('[text]\nuse = "HashedText"\nwidth = 32\n', tuned).replace("[split]", held_out))
    rates = ("training.learning_rate={text = 1e-2, rest = 2e-3}", "training.learning_rate={text = 3e-2, rest = 3e-3}")
    sets = ((rates[0],), (rates[1], "text.fresh=16", "text.batch=8", "text.refreshes=2"), (rates[1], "text.alpha=4"))
    *both, scaled = [train_run(tmp_path / "shop.toml", tmp_path / name, sets=said)[0] for name, said in zip("abc", sets, strict=True)]
    with pytest.raises(RunError, match=r"read texts differently.*alpha=4"):
        soup([both[0], scaled], tmp_path / "soup")
    opened = module._opened

    def otherwise(folder: Path, sets: Sequence[str]) -> module._Ingredient:
        """The language model of the second run finds others most like the new items: of their numbers no mean could be taken."""
        part = opened(folder, sets)
        if folder == both[1]:
            part.model["together.lenders"] = part.model["together.lenders"].flip(1)
        return part

    monkeypatch.setattr(module, "_opened", otherwise)
    folder, judged = soup(both, tmp_path / "soup")
    one, two, mean = (load_file(run / "text.safetensors") for run in (*both, folder))
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (one[name] + two[name]) / 2)
    made = load(folder)
    torch.testing.assert_close(made.model.items.z, made.model.items.whitened(made.text.encode(texts_of(made))), atol=1e-5, rtol=0)
    borrowed = made.model.together.lenders.clone()
    made.model.settle(made.content.text)
    assert len(borrowed) and torch.equal(made.model.together.lenders, borrowed)
    assert judged.rows[0]["metrics"]["ndcg@10"]["value"] > 0


def texts_of(recommender: Recommender) -> list[str]:
    return recommender.catalogue.items["title"].to_list()


def test_each_run_is_judged_as_its_own_training_judged_it(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the figure that it chose by, and with typed words as its own language model reads them."""
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    world = MomentWorld(users=60, items=20, events=900, words=1.0, seed=1)
    events, items, _ = world.frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    tuned = f'[text]\nmodel = "{tiny_bert}"\ntuning = "full"\nfrozen_epochs = 0\n'
    config = CONFIG.replace('[text]\nuse = "HashedText"\nwidth = 32\n', tuned).replace(
        'text = ["title"]', f'text = ["title"]\nwords = "{world.columns["words"]}"'
    )
    (tmp_path / "shop.toml").write_text(config.replace("epochs = 2", 'epochs = 2\nmetric = "recall@3"'))
    rates = ("training.learning_rate={text = 1e-3, rest = 2e-3}", "training.learning_rate={text = 3e-1, rest = 2e-2}")
    both = [train_run(tmp_path / "shop.toml", tmp_path / name, sets=[said])[0] for name, said in zip("ab", rates, strict=True)]
    best = {run.name: max(epoch["validation"] for epoch in read_json(run, "about.json")["curve"]) for run in both}
    assert read_json(soup(both, tmp_path / "soup")[0], "about.json")["soup"]["validation"] == pytest.approx(best)


def test_the_greedy_soup_is_never_worse_on_validation_than_its_best_run(runs: list[Path], tmp_path: Path) -> None:
    folder, judged = soup(runs[:3], tmp_path / "soup", greedy=True)
    about = read_json(folder, "about.json")["soup"]
    figure = next(row for row in judged.rows if row["split"] == "validation" and row["name"] == "ContextTransformer")
    assert figure["metrics"]["ndcg@10"]["value"] >= max(about["validation"].values()) - 1e-9
    assert about["kept"][0] == max(about["validation"], key=about["validation"].get)
    assert any("different weights (seeds 3, 4)" in note for note in judged.notes)


@pytest.mark.parametrize(
    ("other", "greedy", "told"),
    [
        (3, False, "differ in their architecture"),
        (4, False, "differ in their architecture|trained on different data"),
        (5, False, "divide the data differently"),
        (6, False, "differ in together.*one counted the events of validation too, by refit"),
        (6, True, "a run with refit has learnt from it"),
        (7, False, "EASE, which learns by no gradients"),
        (None, False, "two runs at least"),
    ],
)
def test_what_cannot_be_averaged_is_refused(runs: list[Path], tmp_path: Path, other: int | None, greedy: bool, told: str) -> None:
    with pytest.raises(RunError, match=told):
        soup(runs[:1] if other is None else [runs[6 if other == 6 and greedy else 0], runs[other]], tmp_path / "soup", greedy=greedy)
    assert not (tmp_path / "soup").exists()


def test_data_that_have_changed_since_are_refused(runs: list[Path], tmp_path: Path) -> None:
    events = runs[0].parent / "events.csv"
    before = events.read_bytes()
    events.write_bytes(before[: before.rindex(b"\n", 0, -1) + 1])
    try:
        with pytest.raises(RunError, match="have changed since"):
            soup(runs[:2], tmp_path / "soup")
    finally:
        events.write_bytes(before)


def test_what_are_no_weights_has_to_be_the_same() -> None:
    states = [{"codes": torch.tensor([1])}, {"codes": torch.tensor([2])}]
    with pytest.raises(RunError, match="b and a hold different codes"):
        averaged(states, ["a", "b"])
