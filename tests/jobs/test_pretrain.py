from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from germane.config import Config
from germane.encoders import PretrainedText
from germane.encoders.weights import weights_hash
from germane.errors import AbilityError, ConfigError, GermaneError, RunError, TrainingError
from germane.jobs.pretrain import _job, pretrain
from germane.training.pretraining import GuessWords
from germane.training.told import Told

QUICK: dict[str, Any] = {"learning_rate": 5e-3, "head_steps": 20, "steps": 120, "look": 40, "batch": 16, "warmup": 5}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles are of six kinds, by their words and by the number at their end; a user takes one kind, and what is typed names its words."""
    folder, rng = tmp_path_factory.mktemp("texts"), random.Random(0)
    sets = (["quiet", "film", "about", "rain"], ["new", "war", "in", "space"])
    titles = [" ".join(rng.choices(sets[n % 2], k=5)) + f" {['one', 'two', 'three'][n % 3]}" for n in range(80)]
    pl.DataFrame({"item": [f"i{n}" for n in range(80)], "title": titles}).write_csv(folder / "items.csv")
    taken = [(u, 6 * rng.randrange(13) + u % 6, t) for u in range(40) for t in range(8)]
    rows = [(f"u{u}", f"i{item}", u * 1000 + t, ["a film", "the war"][u % 2] * (t % 3 == 0)) for u, item, t in taken]
    pl.DataFrame(rows, schema=["user", "item", "time", "typed"], orient="row").write_csv(folder / "events.csv")
    (folder / "corpus.txt").write_text("\n".join(" ".join(rng.choices(sets[n % 2], k=8)) for n in range(200)))
    return folder


def config(shop: Path, model: Path, **pretraining: Any) -> Config:
    columns = {"user": "user", "item": "item", "time": "time", "words": "typed", "text": ["title"]}
    data = {"events": "events.csv", "items": "items.csv", "columns": columns}
    said = {"text": {"model": str(model)}, "pretraining": {**QUICK, **pretraining}}
    return Config.of(said if "corpus" in pretraining else {**said, "data": data}, shop)


def test_a_corpus_needs_no_data_and_training_says_what_is_missing(shop: Path, tiny_bert: Path) -> None:
    with pytest.raises(ConfigError, match=r"^\[data\]: the tables come from one place: events, sql, store or use; none is said\.$"):
        config(shop, tiny_bert, corpus="corpus.txt").dataset()


@pytest.mark.parametrize("objective", [None, "contrastive"])
def test_each_objective_lowers_its_held_out_loss_and_leaves_a_folder(shop: Path, tiny_model: Path, tmp_path: Path, objective: str | None) -> None:
    from transformers import AutoModel, AutoTokenizer

    more = {"pairs": ["next_item", "words", "views"]} if objective else {"corpus": "corpus.txt", "mask_share": 0.3, "learning_rate": 1e-2}
    if objective and "llama" in tiny_model.name:
        more["view"] = "tokens"
    said = config(shop, tiny_model, **{**more, **({"objective": objective} if objective else {})})
    folder, told = pretrain(said, tmp_path / "model")
    loss = told["loss"]
    assert told == json.loads((folder / "pretraining.json").read_text()) and not Path(f"{folder}.partial").exists()
    assert told["objective"] == (objective or ("masked_words" if "bert" in tiny_model.name else "causal_words"))
    assert loss["after"] < 0.9 * loss["before"] and 0 < told["best_step"] <= told["steps"] == 120
    if objective:
        assert loss["unigram"] is None and set(told["pairs"]) == {"next_item", "words", "views"} and told["chance"] > 0
    else:
        assert loss["after"] < 0.9 * loss["unigram"] and told["texts"] == len(set((shop / "corpus.txt").read_text().splitlines()))
        assert told["head_steps"] == (20 if "bert" in tiny_model.name else 0)
    assert told["base"] == {"model": str(tiny_model), "sha256": weights_hash(tiny_model / "model.safetensors")}
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".json", ".jsonl", ".safetensors", ".txt"}
    body, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert tokenizer("quiet rain")["input_ids"] == AutoTokenizer.from_pretrained(tiny_model)("quiet rain")["input_ids"]
    states = body.eval()(**tokenizer("quiet rain", return_tensors="pt")).last_hidden_state[0]
    was, now = (PretrainedText(model=str(place)).encode(["quiet rain", "new war"]) for place in (tiny_model, folder))
    assert not torch.allclose(was, now, atol=1e-3)
    torch.testing.assert_close(now[0], torch.nn.functional.normalize(states.mean(0), dim=0), atol=1e-5, rtol=0)
    assert Config.of({**said.sections, "text": {"model": str(folder)}}, shop).encoder is not None


def test_pairs_are_read_behind_the_prefixes_of_the_config_and_words_are_not(shop: Path, tiny_bert: Path) -> None:
    for objective, items, typed in ((None, "", ""), ("contrastive", "new ", "about ")):
        said = config(shop, tiny_bert, **({"objective": objective} if objective else {})).sections
        said = {**said, "text": {**said["text"], "item_prefix": "new ", "words_prefix": "about "}}
        texts = _job(Config.of(said, shop)).paired.texts
        assert texts[-2:] == [f"{typed}a film", f"{typed}the war"] and f"{items}{pl.read_csv(shop / 'items.csv')['title'][0]}" in texts


def test_what_is_pretrained_can_be_pretrained_again(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    first, _ = pretrain(config(shop, tiny_bert, steps=10), tmp_path / "first")
    _, told = pretrain(config(shop, first, steps=10, head_steps=5), tmp_path / "second")
    assert told["fresh_head"] is False and told["head_steps"] == 5
    _, told = pretrain(config(shop, first, objective="contrastive", steps=5), tmp_path / "third")
    assert set(told["pairs"]) == {"next_item", "words"}


def test_killed_and_resumed_leaves_the_same_weights(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    said = config(shop, tiny_bert, steps=40, look=10)
    whole, expected = pretrain(said, tmp_path / "whole")

    def kill(told: Told) -> None:
        if told.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(said, tmp_path / "again", progress=kill)
    with pytest.raises(RunError, match="--resume"):
        pretrain(said, tmp_path / "again")
    with pytest.raises(RunError, match="begun with another config"):
        pretrain(config(shop, tiny_bert, steps=41, look=10), tmp_path / "again", resume=True)
    epochs: set[int] = set()
    again, told = pretrain(said, tmp_path / "again", resume=True, progress=lambda told: epochs.add(told.epoch))
    assert 0 not in epochs and 1 not in epochs  # neither the head nor the first epoch anew
    assert weights_hash(again / "model.safetensors") == weights_hash(whole / "model.safetensors")
    timeless = {"seconds", "peak_mb"}
    assert {k: v for k, v in told.items() if k not in timeless} == {k: v for k, v in expected.items() if k not in timeless}


def test_only_top_layers_learn(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder, _ = pretrain(config(shop, tiny_bert, layers=1, corpus="corpus.txt", mask_share=0.3, learning_rate=1e-2), tmp_path / "model")
    was, now = load_file(tiny_bert / "model.safetensors"), load_file(folder / "model.safetensors")
    changed = {name for name, tensor in now.items() if name.startswith("bert.") and not torch.equal(tensor, was[name.removeprefix("bert.")])}
    assert changed and all(name.startswith("bert.encoder.layer.1.") for name in changed)


def test_a_loss_that_is_no_number_keeps_the_last_good_weights(shop: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = GuessWords.loss
    asked = [0]

    def breaks(self: GuessWords, batch: Any) -> torch.Tensor:
        asked[0] += 1
        return honest(self, batch) * (float("nan") if asked[0] == 20 + 55 else 1.0)  # the head's come first

    monkeypatch.setattr(GuessWords, "loss", breaks)
    with pytest.raises(TrainingError, match=r"not a number at step 55.*last-good"):
        pretrain(config(shop, tiny_bert), tmp_path / "model")
    kept = tmp_path / "model.partial" / "last-good"
    assert not (tmp_path / "model").exists() and PretrainedText(model=str(kept)).encode(["rain"]).isfinite().all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such locks")
def test_a_folder_that_another_pretraining_works_in_stays_as_it_is(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    said, refused = config(shop, tiny_bert, steps=2), []

    def second(told: Told) -> None:
        if not refused:
            for how in ({"resume": True}, {"replace": True}):
                with pytest.raises(RunError, match="in use by another training") as error:
                    pretrain(said, tmp_path / "model", **how)
                refused.append(str(error.value))

    folder, _ = pretrain(said, tmp_path / "model", progress=second)
    assert len(refused) == 2 and (folder / "pretraining.json").exists()


def test_an_existing_folder_is_replaced_when_that_is_said(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.txt").touch()
    with pytest.raises(RunError, match="exists: choose another folder, or add --replace"):
        pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model")
    with pytest.raises(RunError, match="holds something else than a run, which --replace does not delete"):
        pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model", replace=True)
    (tmp_path / "model" / "pretraining.json").touch()
    pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model", replace=True)
    assert not (tmp_path / "model" / "old.txt").exists()


def test_a_full_disk_leaves_the_older_folder(
    shop: Path, tiny_bert: Path, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    for name in ("old.txt", "pretraining.json"):
        (tmp_path / "model" / name).touch()
    with full_disk(8000), pytest.raises(RunError, match=r"safetensors could not be written \(File too large\); .* --resume goes on"):
        pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model", replace=True)
    save = GuessWords.save
    with monkeypatch.context() as patch:  # room for what is kept meanwhile, and none for the folder
        patch.setattr(GuessWords, "save", lambda task, folder: _within(full_disk(8000), save, task, folder))
        with pytest.raises(RunError, match=r"model could not be written \(File too large\); .* --resume goes on"):
            pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model", resume=True, replace=True)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["old.txt", "pretraining.json"]
    pretrain(config(shop, tiny_bert, steps=1), tmp_path / "model", resume=True, replace=True)
    assert not (tmp_path / "model" / "old.txt").exists()


def _within(block: AbstractContextManager[None], call: Callable[..., None], *given: object) -> None:
    with block:
        call(*given)


def test_what_a_language_model_cannot_do_is_told_with_what_it_can(shop: Path, tiny_model: Path, tmp_path: Path) -> None:
    wrong, own = ("causal_words", "masked_words") if "bert" in tiny_model.name else ("masked_words", "causal_words")
    with pytest.raises(AbilityError, match=f"cannot do it; it can do {own} and contrastive"):
        pretrain(config(shop, tiny_model, objective=wrong), tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"corpus": "ghost.txt"}, "no file matches"),
        ({"corpus": "items.csv"}, "say which column"),
        ({"corpus": "items.csv", "column": "titel"}, "Did you mean title?"),
        ({"corpus": "empty.txt"}, "the corpus holds no texts"),
        ({"corpus": "one.txt"}, "there are 1 different texts"),
        ({"corpus": "corpus.txt", "objective": "contrastive", "pairs": ["next_item"]}, "a corpus has none"),
        ({"layers": 7}, "has 2"),
        ({"device": "abacus"}, "device 'abacus' is not there"),
    ],
)
def test_bad_input(shop: Path, tiny_bert: Path, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (shop / "empty.txt").write_text("\n \n")
    (shop / "one.txt").write_text("rain\n")
    with pytest.raises(GermaneError, match=says.replace("?", r"\?")):
        pretrain(config(shop, tiny_bert, **change), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_broken_weights(shop: Path, tiny_bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_bert, tmp_path / "broken"))
    weights = load_file(folder / "model.safetensors")
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="weights are broken"):
        pretrain(config(shop, folder), tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        pretrain(config(shop, folder), tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]  # what is mended finds its place free


def test_other_encoders_have_nothing_to_pretrain(shop: Path, tmp_path: Path) -> None:
    sections = {"data": {"events": "events.csv"}, "text": {"use": "HashedText"}}
    with pytest.raises(ConfigError, match="no language model to pretrain"):
        pretrain(Config.of(sections, shop), tmp_path / "model")
